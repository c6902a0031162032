import type { EpochMs } from "#protocol/ids.ts";

/** Time as the agent asks for it. Wall time stamps samples; monotonic time measures waits, so that a clock jump can't end one. */
export interface Clock {
  now(): EpochMs;
  monotonicMs(): number;
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
}

/** One line of the journal: `level` is syslog's (3 error, 4 warning, 5 notice, 6 info, 7 debug). */
export type Log = (level: 3 | 4 | 5 | 6 | 7, message: string, fields?: Record<string, string | number>) => void;

/** The one way to run a command: no shell, a timeout, bounded output. Never throws: a command that can't run is a result too. */
export type RunCommand = (
  file: string,
  args: readonly string[],
  options?: { timeoutMs?: number; maxBytes?: number },
) => Promise<{ ok: true; stdout: string; stderr: string; code: number } | { ok: false; problem: string }>;

/** A file below the root prefix as text; `undefined` problem codes are Node's (`ENOENT`, `EACCES` …). `maxBytes` cuts. */
export type ReadText = (path: string, maxBytes?: number) => Promise<{ ok: true; text: string } | { ok: false; code: string }>;
