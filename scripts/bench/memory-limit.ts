import { existsSync, mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A control group that reclaims a process' memory above a bound, as systemd's `MemoryHigh=` does. */
export type MemoryGroup = { procsFile: string; limit(bytes: number): { how: string } | { problem: string }; remove(): void };

const why = (error: unknown) => (error instanceof Error ? error.message : String(error));

/**
 * Control groups of version 2 have `memory.high` itself. Version 1 has a hard limit only: set on a process that has started it reclaims the
 * same clean pages first, and ends the process where that is not enough.
 */
export function memoryGroup(): MemoryGroup | { problem: string } {
  const v2 = existsSync("/sys/fs/cgroup/cgroup.controllers");
  const dir = join(v2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory", `proven-bench-${process.pid}`);
  try {
    mkdirSync(dir);
  } catch (error) {
    return { problem: `no control group for memory here: ${why(error)}` };
  }
  return {
    procsFile: join(dir, "cgroup.procs"),
    limit(bytes) {
      try {
        writeFileSync(join(dir, v2 ? "memory.high" : "memory.limit_in_bytes"), String(bytes));
        return { how: v2 ? "memory.high" : "cgroup v1 hard limit" };
      } catch (error) {
        return { problem: `the control group takes no limit of ${bytes / 1e6} MB: ${why(error)}` };
      }
    },
    remove: () => rmdirSync(dir),
  };
}
