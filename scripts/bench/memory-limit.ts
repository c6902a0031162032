import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A control group that reclaims a process' memory above a bound, as systemd's `MemoryHigh=` does. */
export type MemoryLimit = { how: string; procsFile: string; remove(): void };

/** Control groups of version 2 have `memory.high` itself; version 1 has a hard limit only, which reclaims the same pages first. */
export function limitMemory(bytes: number): MemoryLimit | { problem: string } {
  const name = `proven-bench-${process.pid}`;
  const v2 = existsSync("/sys/fs/cgroup/cgroup.controllers");
  const dir = join(v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory", name);
  const file = v2 ? "memory.high" : "memory.limit_in_bytes";
  try {
    mkdirSync(dir);
    writeFileSync(join(dir, file), String(bytes));
  } catch (error) {
    return { problem: `no control group for memory here: ${error instanceof Error ? error.message : String(error)}` };
  }
  return { how: v2 ? "memory.high" : "cgroup v1 limit", procsFile: join(dir, "cgroup.procs"), remove: () => rmdirSync(dir) };
}
