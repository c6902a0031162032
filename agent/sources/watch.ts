import { type FSWatcher, watch } from "node:fs";
import { dirname, join } from "node:path";
import type { Clock } from "../ports.ts";
import { metricsPath } from "./metrics-line.ts";

/** Tells when pvestatd has replaced its metrics file (inotify on the folder). Where that can't be watched, only time passes. */
export class MetricsWatch {
  private watcher: FSWatcher | undefined;
  private changed = false;
  private wake: (() => void) | undefined;

  constructor(
    private readonly root: string,
    private readonly clock: Clock,
  ) {}

  /** Resolves when the file was replaced since the call before, after `atMostMs`, or when `signal` aborts. */
  async next(atMostMs: number, signal: AbortSignal): Promise<void> {
    this.open();
    if (!this.changed && !signal.aborted) {
      const done = new AbortController();
      const replaced = new Promise<void>((resolve) => {
        this.wake = resolve;
      });
      const time = this.clock.sleep(atMostMs, AbortSignal.any([signal, done.signal])).catch(() => undefined);
      await Promise.race([replaced, time]);
      this.wake = undefined;
      done.abort();
    }
    this.changed = false;
  }

  close(): void {
    this.watcher?.close();
    this.watcher = undefined;
  }

  private open(): void {
    if (this.watcher !== undefined) return;
    try {
      // pvestatd writes a temporary file and renames it: only the name that counts is of interest.
      this.watcher = watch(join(this.root, dirname(metricsPath)), (event, file) => {
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
