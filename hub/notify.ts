import { writeSync } from "node:fs";
import { errorMessage } from "./core/error.ts";
import type { Log } from "./ports.ts";

export type ServiceManager = {
  /** The hub serves. From now on the watchdog hears of it, as long as its event loop turns. */
  ready(): void;
  stopping(): void;
};

type Parts = { log: Log; write?: (fd: number, text: string) => number };

/**
 * sd_notify(3). Node has no Unix datagram sockets: systemd/notify-exec has connected one before it became this process, and `PROVEN_NOTIFY_FD`
 * is its descriptor. Without it nothing is done.
 */
export function openServiceManager(
  env: { PROVEN_NOTIFY_FD?: string | undefined; WATCHDOG_USEC?: string | undefined },
  { log, write = writeSync }: Parts,
): ServiceManager {
  const fd = Number(env.PROVEN_NOTIFY_FD ?? Number.NaN);
  const watchdogMs = Number(env.WATCHDOG_USEC ?? 0) / 1000;
  const tell = (message: string) => {
    if (!Number.isInteger(fd)) return;
    try {
      write(fd, message);
    } catch (error) {
      log(4, "systemd was not told", { message, problem: errorMessage(error) });
    }
  };
  return {
    ready() {
      tell("READY=1");
      if (watchdogMs > 0) setInterval(() => tell("WATCHDOG=1"), watchdogMs / 3).unref();
    },
    stopping: () => tell("STOPPING=1"),
  };
}
