import type { Backups } from "#protocol/backups.ts";
import type { ClusterId, EpochMs, NodeName } from "#protocol/ids.ts";
import type { Inventory } from "#protocol/inventory.ts";
import type { Duty, TaskReport } from "#protocol/messages.ts";
import type { SampleTable } from "./core/table.ts";

/** Time as the agent asks for it. Wall time stamps samples; monotonic time measures waits, so that a clock jump can't end one. */
export interface Clock {
  now(): EpochMs;
  monotonicMs(): number;
  /** Ends early, without an error, when `signal` aborts. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /**
   * Resolves after one turn of the event loop. For who waits for what comes within a millisecond: looking again costs less than a timer, which wakes
   * the process though it was cancelled. Absent from clocks that stand still.
   */
  turn?(): Promise<void>;
}

/** One line of the journal: `level` is syslog's (3 error, 4 warning, 5 notice, 6 info, 7 debug). */
export type Log = (level: 3 | 4 | 5 | 6 | 7, message: string, fields?: Record<string, string | number>) => void;

/** The one way to run a command: no shell, a timeout, bounded output. `env` is added to an otherwise fixed environment, `input` goes to stdin, `signal` ends it. Never throws: a command that can't run is a result too. */
export type RunCommand = (
  file: string,
  args: readonly string[],
  options?: {
    timeoutMs?: number;
    maxBytes?: number;
    env?: Readonly<Record<string, string>>;
    input?: string;
    signal?: AbortSignal;
  },
) => Promise<{ ok: true; stdout: string; stderr: string; code: number } | { ok: false; problem: string }>;

/**
 * A file below the root prefix as text; `undefined` problem codes are Node's (`ENOENT`, `EACCES` …). `maxBytes` cuts. `isWhole` tells from the text
 * that nothing is missing: it saves the read that would find the end, and a thread's wake-up.
 */
export type ReadText = (
  path: string,
  maxBytes?: number,
  isWhole?: (text: string) => boolean,
) => Promise<{ ok: true; text: string } | { ok: false; code: string }>;

/** What one source found, for `--check`, the inventory and the log. */
export type SourceReport = {
  source: string;
  /** One line: what it gives here (`40 guests`, `2 pools`). */
  found: string;
  costMs: number;
  /** Absent: works. Else what is missing and why (`/run/pve/metrics: ENOENT, is pvestatd running?`). */
  problem?: string;
};

/** The catalogue of backups, as messages. */
export interface BackupFeed {
  /** Told everything at first, then what changed, and everything again some hours later. Undefined: nobody listens. False: could not be sent. */
  listen(listener: ((part: Backups) => boolean) | undefined): void;
}

/** Everything that reads this node, behind one door. A source that fails or hangs never delays the others. */
export interface Collector {
  /** Who this node is. Undefined while pmxcfs isn't mounted: ask again later. */
  identify(): Promise<{ node: NodeName; clusterId: ClusterId; clusterName?: string } | undefined>;
  /** Fills one tick. Bounded: slow sources run on their own and lend their newest values until those are too old. */
  collect(table: SampleTable, now: EpochMs): Promise<void>;
  /** The whole picture for the hub. Cheap when nothing changed: `version` tells whether it differs from the one before. */
  inventory(now: EpochMs): Promise<{ version: number; inventory: Inventory }>;
  /** False after the start, while sources that are read beside the samples have yet to say something for the first time. */
  readonly settled: boolean;
  /** Started and ended tasks since the call before; the first call gives those of the last day. */
  tasks(now: EpochMs): Promise<TaskReport[]>;
  /** `speakers`: see the message `duties`. */
  setDuties(duties: readonly Duty[], speakers?: readonly string[]): void;
  /** Absent: no catalogue is made here. */
  readonly backups?: BackupFeed | undefined;
  /** Resolves when pvestatd has written new values, or after `atMostMs`. */
  nextChange(atMostMs: number, signal: AbortSignal): Promise<void>;
  check(): Promise<SourceReport[]>;
  close(): void;
}
