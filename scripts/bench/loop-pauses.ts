import { existsSync, readFileSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Row, valueRow } from "./row.ts";

/**
 * What loop-probe.mjs saw of a process' event loop. `own`: without the time that the thread was ready to run and another process had the CPU;
 * `ran`: the CPU time of the main thread between two looks. The rest of `own` is waiting for the disk, or for memory.
 */
export type LoopPauses = {
  ticks: number;
  over50: number;
  ownOver50: number;
  maxMs: number;
  maxOwnMs: number;
  maxRanMs: number;
  maxGcMs: number;
  longest: { atMs: number; lateMs: number; ownMs: number; ranMs: number }[];
};

const probe = join(dirname(fileURLToPath(import.meta.url)), "loop-probe.mjs");

/** Flags and environment of a process whose event loop can be watched; what was seen comes in `file`. */
export const loopProbeFlags = ["--import", probe];
export const loopProbeEnv = (file: string) => ({ PROVEN_BENCH_LOOP_FILE: file });

/** The probed process' event loop is watched until `readPauses`. */
export function watchLoop(pid: number): void {
  process.kill(pid, "SIGUSR2");
}

/** Ends the watch and returns what was seen; undefined: the process doesn't answer. */
export async function readPauses(pid: number, file: string): Promise<LoopPauses | undefined> {
  rmSync(file, { force: true });
  process.kill(pid, "SIGUSR2");
  for (let waited = 0; waited < 100 && !existsSync(file); waited++) await new Promise((resolve) => setTimeout(resolve, 50));
  return existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as LoopPauses) : undefined;
}

/** The hub's own longest pause is bounded; what other processes cost it is shown beside. */
export function pauseRows(where: string, pauses: LoopPauses | undefined): Row[] {
  const value = (pick: (pauses: LoopPauses) => number) => (pauses === undefined ? Number.NaN : pick(pauses));
  return [
    valueRow(
      `${where} longest pause of the event loop, waits for a CPU taken off`,
      "ms",
      value(({ maxOwnMs }) => maxOwnMs),
      50,
    ),
    valueRow(
      `${where} longest pause of the event loop as the clock has it`,
      "ms",
      value(({ maxMs }) => maxMs),
    ),
    valueRow(
      `${where} longest garbage collection`,
      "ms",
      value(({ maxGcMs }) => maxGcMs),
    ),
  ];
}
