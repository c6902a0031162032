import type { Log, RunCommand } from "./ports.ts";

export type ServiceManager = {
  ready(): Promise<void>;
  stopping(): Promise<void>;
  /** Says that the agent lives; does nothing more often than a third of the unit's WatchdogSec. */
  alive(): Promise<void>;
};

/**
 * sd_notify(3). Node has no unix datagram sockets, so `systemd-notify` is run, which speaks for its parent (the unit needs NotifyAccess=main
 * or wider). That is one fork per message: set WatchdogSec to minutes, or not at all. Without NOTIFY_SOCKET nothing is done.
 */
export function createServiceManager(
  env: { NOTIFY_SOCKET?: string | undefined; WATCHDOG_USEC?: string | undefined },
  ports: { run: RunCommand; log: Log; monotonicMs(): number },
): ServiceManager {
  const socket = env.NOTIFY_SOCKET;
  const watchdogMs = Number(env.WATCHDOG_USEC ?? 0) / 1000;
  let aliveAtMs = Number.NEGATIVE_INFINITY;
  const notify = async (...args: string[]) => {
    if (socket === undefined || socket === "") return;
    // The wrapper gives commands no environment of ours: env(1) hands over the one variable, and execs.
    const result = await ports.run("env", [`NOTIFY_SOCKET=${socket}`, "systemd-notify", ...args], { timeoutMs: 5_000 });
    const problem = result.ok
      ? result.code === 0
        ? undefined
        : result.stderr.trim() || `exit code ${result.code}`
      : result.problem;
    if (problem !== undefined) ports.log(4, "systemd-notify failed", { problem });
  };
  return {
    ready: () => notify("--ready"),
    stopping: () => notify("STOPPING=1"),
    async alive() {
      if (!(watchdogMs > 0) || ports.monotonicMs() - aliveAtMs < watchdogMs / 3) return;
      aliveAtMs = ports.monotonicMs();
      await notify("WATCHDOG=1");
    },
  };
}
