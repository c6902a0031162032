import { readFileSync } from "node:fs";
import { parseProcessStat } from "../core/restore/orphans.ts";

/** Names one process for ever: pid and start time. Always of the real /proc: it is about the agent itself. */
export const thisProcess = (): string => processName(process.pid) ?? `${process.pid}`;

/** Undefined: no such process lives. */
export function processName(pid: number): string | undefined {
  try {
    const stat = parseProcessStat(readFileSync(`/proc/${pid}/stat`, "utf8"));
    if (stat === undefined || stat.state === "Z") return undefined;
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${pid}:${stat.startTicks}:${boot}`;
  } catch {
    return undefined;
  }
}

/** Another agent process that runs now, such as a test that somebody started by hand. */
export function livesElsewhere(name: string, own: string): boolean {
  return name !== own && processName(Number.parseInt(name, 10)) === name;
}
