import { type FSWatcher, statSync, watch } from "node:fs";
import { dirname } from "node:path";
import type { Clock } from "../ports.ts";
import { below } from "./files.ts";
import { metricsPath } from "./metrics-line.ts";

/** pvestatd's period (`updatetime` in pve-manager `PVE/Service/pvestatd.pm`). One that is faster is learnt from its files. */
const longestPeriodMs = 10_000;
const shortestPeriodMs = 500;
/** Files at least so far apart are those of a pvestatd with its usual period, whose rhythm wavers. */
const usualFromMs = 8_500;
/** How long after its period a file is expected: between these, as pvestatd's own rhythm needs it. */
const graceMinMs = 100;
const graceMaxMs = 1_000;

type Stamp = { inode: number; writtenMs: number };

/**
 * Tells when pvestatd has replaced its metrics file. It is looked for when it is due, which costs one wake-up; only when it is late the folder is
 * watched (inotify), for every chunk that pvestatd writes into its temporary file would wake a watcher. Where nothing can be watched, time passes.
 */
export class MetricsWatch {
  private watcher: FSWatcher | undefined;
  private changed = false;
  private wake: (() => void) | undefined;
  private seen: Stamp | undefined;
  /** When the next file is expected, monotonic; in the past: nobody knows. */
  private dueMs = Number.NEGATIVE_INFINITY;
  private graceMs = graceMinMs;
  /** Undefined: not learnt yet, so the folder is watched. */
  private periodMs: number | undefined;
  private newestGapMs = Number.POSITIVE_INFINITY;

  constructor(
    private readonly root: string,
    private readonly clock: Clock,
  ) {}

  /** Resolves when the file was replaced since the call before, after `atMostMs`, or when `signal` aborts. */
  async next(atMostMs: number, signal: AbortSignal): Promise<void> {
    const nowMs = this.clock.monotonicMs();
    const endMs = nowMs + atMostMs;
    if (this.isReplaced()) return;
    if (this.periodMs !== undefined && this.dueMs > nowMs && this.dueMs <= endMs) {
      await this.clock.sleep(this.dueMs - nowMs, signal);
      if (signal.aborted) return;
      if (this.isReplaced()) {
        this.graceMs = Math.max(graceMinMs, this.graceMs * 0.95);
        return;
      }
      this.graceMs = Math.min(graceMaxMs, this.graceMs * 2);
    }
    await this.watchUntil(endMs, signal);
    this.isReplaced();
  }

  close(): void {
    this.watcher?.close();
    this.watcher = undefined;
  }

  /** Notes the file that is there now. True: it is another one than at the look before. */
  private isReplaced(): boolean {
    const stamp = this.look();
    const before = this.seen;
    if (stamp?.inode === before?.inode && stamp?.writtenMs === before?.writtenMs) return false;
    this.seen = stamp;
    if (before !== undefined && stamp !== undefined) this.learn(stamp.writtenMs - before.writtenMs);
    this.dueMs = stamp === undefined ? Number.NEGATIVE_INFINITY : this.expectNext(stamp.writtenMs);
    return before !== undefined && stamp !== undefined;
  }

  /** The shorter of the last two gaps: one file that came late, or early as after a restart of pvestatd, is soon forgotten. */
  private learn(sinceBeforeMs: number): void {
    const usual = sinceBeforeMs <= 0 || sinceBeforeMs >= usualFromMs; // a clock that was set says nothing
    const gapMs = usual ? longestPeriodMs : Math.max(shortestPeriodMs, sinceBeforeMs);
    this.periodMs = Math.min(gapMs, this.newestGapMs);
    this.newestGapMs = gapMs;
  }

  /** A file whose time stamp is of another time (a clock that was set) was written now. */
  private expectNext(writtenMs: number): number {
    const agoMs = this.clock.now() - writtenMs;
    const nowMs = this.clock.monotonicMs();
    const periodMs = this.periodMs ?? longestPeriodMs;
    return nowMs - (agoMs >= 0 && agoMs < periodMs ? agoMs : 0) + periodMs + this.graceMs;
  }

  private look(): Stamp | undefined {
    try {
      const { ino, mtimeMs } = statSync(below(this.root, metricsPath));
      return { inode: ino, writtenMs: mtimeMs };
    } catch {
      return undefined;
    }
  }

  private async watchUntil(endMs: number, signal: AbortSignal): Promise<void> {
    this.changed = false;
    this.open();
    const replaced = new Promise<void>((resolve) => {
      this.wake = resolve;
    });
    const late = this.look();
    if (late?.inode !== this.seen?.inode) this.changed = true; // while nobody watched
    if (!this.changed && !signal.aborted) {
      const done = new AbortController();
      const waitMs = Math.max(0, endMs - this.clock.monotonicMs());
      await Promise.race([replaced, this.clock.sleep(waitMs, AbortSignal.any([signal, done.signal]))]);
      done.abort();
    }
    this.wake = undefined;
    this.close();
  }

  private open(): void {
    try {
      // pvestatd writes a temporary file and renames it: only the name that counts is of interest.
      this.watcher = watch(below(this.root, dirname(metricsPath)), (event, file) => {
        if (event !== "rename" || file !== "metrics") return;
        this.changed = true;
        this.wake?.();
      });
      this.watcher.on("error", () => this.close());
    } catch {
      this.watcher = undefined; // no such folder yet: tried again at the next call
    }
  }
}
