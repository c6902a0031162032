import { join } from "node:path";
import type { Backup } from "#protocol/backups.ts";
import type { NodeName } from "#protocol/ids.ts";
import { asObject, asText } from "../core/values.ts";
import { type ArchiveSums, archiveSumsIn } from "../integrity/archive-sums.ts";
import type { ReadArchive } from "../integrity/reading-process.ts";
import type { Clock, Log } from "../ports.ts";
import type { PveApi } from "../pve/api.ts";

/** A sum taken later proves little: what spoils a file may have done so before. */
const newForMs = 24 * 3_600_000;

export type SumsDeps = {
  root: string;
  stateDir: string;
  api: PveApi;
  clock: Clock;
  log: Log;
  /** False: none are taken; those once taken still count. */
  enabled: boolean;
  bytesPerSec: number;
  readArchive(): Promise<ReadArchive>;
};

/** Takes the SHA-256 of file archives while they are new: one after the other, in the background, slower than anybody would notice. */
export class NewArchives {
  private readonly sums: ArchiveSums;
  private readonly stop = new AbortController();
  private readonly hopeless = new Set<string>();
  private busy = false;

  constructor(private readonly deps: SumsDeps) {
    this.sums = archiveSumsIn(deps.stateDir);
  }

  of(volid: string): Backup["sha256"] {
    const sum = this.sums.of(volid);
    return sum === undefined ? undefined : { hex: sum.sha256, at: sum.at };
  }

  keepOnly(storage: string, volids: ReadonlySet<string>): void {
    this.sums.keepOnly(storage, volids);
  }

  /** Starts with those that have none, the oldest first, before it is too late for it. Does not wait; `onSum` after each. */
  start(node: NodeName, backups: readonly Backup[], onSum: () => void): void {
    const { clock, log, enabled } = this.deps;
    const since = clock.now() - newForMs;
    const due = backups.filter(
      ({ volid, format, at }) =>
        !format.startsWith("pbs-") && at > since && this.of(volid) === undefined && !this.hopeless.has(volid),
    );
    if (!enabled || this.busy || due.length === 0) return;
    this.busy = true;
    this.takeAll(
      node,
      due.sort((a, b) => a.at - b.at),
      onSum,
    )
      .catch((error: unknown) => log(3, "taking SHA-256 of new archives failed", { problem: String(error) }))
      .finally(() => {
        this.busy = false;
      });
  }

  close(): void {
    this.stop.abort();
  }

  private async takeAll(node: NodeName, backups: readonly Backup[], onSum: () => void): Promise<void> {
    const { root, api, clock, log, bytesPerSec } = this.deps;
    const readArchive = await this.deps.readArchive();
    for (const { volid } of backups) {
      if (this.stop.signal.aborted) return;
      const storage = volid.slice(0, volid.indexOf(":"));
      const volume = await api.get(`/nodes/${node}/storage/${encodeURIComponent(storage)}/content/${encodeURIComponent(volid)}`);
      const path = volume.ok ? asText(asObject(volume.data)?.path) : undefined;
      if (path === undefined) continue; // gone, or another time
      const facts = await readArchive({ path: join(root, path), bytesPerSec }, () => undefined, this.stop.signal);
      if (facts.unreadable === undefined) {
        this.sums.add(volid, { sha256: facts.sha256, at: clock.now() });
        onSum();
      } else if (!this.stop.signal.aborted) {
        this.hopeless.add(volid);
        log(4, "no SHA-256 of a new archive", { volid, problem: facts.unreadable });
      }
    }
  }
}
