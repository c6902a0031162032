import { writeSync } from "node:fs";
import { errorMessage } from "./core/error.ts";
import type { Log } from "./ports.ts";

export type ServiceManager = {
  ready(): Promise<void>;
  stopping(): Promise<void>;
  /** Says that the agent lives; does nothing more often than a third of the unit's WatchdogSec. */
  alive(): Promise<void>;
};

/**
 * sd_notify(3). Node has no Unix datagram sockets: systemd/notify-exec has connected one before it became this process, and `PROVEN_NOTIFY_FD`
 * is its descriptor. Without it nothing is done.
 */
export function createServiceManager(
  env: { PROVEN_NOTIFY_FD?: string | undefined; WATCHDOG_USEC?: string | undefined },
  { log, monotonicMs, write = writeSync }: { log: Log; monotonicMs(): number; write?: (fd: number, text: string) => number },
): ServiceManager {
  const fd = Number(env.PROVEN_NOTIFY_FD ?? Number.NaN);
  const watchdogMs = Number(env.WATCHDOG_USEC ?? 0) / 1000;
  let aliveAtMs = Number.NEGATIVE_INFINITY;
  const tell = async (message: string) => {
    if (!Number.isInteger(fd)) return;
    try {
      write(fd, message);
    } catch (error) {
      log(4, "systemd was not told", { message, problem: errorMessage(error) });
    }
  };
  return {
    ready: () => tell("READY=1"),
    stopping: () => tell("STOPPING=1"),
    async alive() {
      if (!(watchdogMs > 0) || monotonicMs() - aliveAtMs < watchdogMs / 3) return;
      aliveAtMs = monotonicMs();
      await tell("WATCHDOG=1");
    },
  };
}
