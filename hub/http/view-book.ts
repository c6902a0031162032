import type { View } from "#protocol/viewer.ts";
import { type ClusterSight, compileView } from "../core/viewer.ts";
import type { Clock } from "../ports.ts";

/** Guests and paths of all views together: about 80 bytes each. */
const weightMax = 1_000_000;
/** One that no assertion named for so long is forgotten. */
const unusedMs = 10 * 60_000;

export type KnownView = { cluster: string; user: string; digest: string; sight: ClusterSight };
type Row = KnownView & { weight: number; usedAt: number };

/** Views by digest, ready to be asked; the least used are forgotten first. */
export class ViewBook {
  private readonly rows = new Map<string, Row>();
  private weight = 0;

  constructor(
    private readonly clock: Pick<Clock, "monotonicMs">,
    private readonly max = weightMax,
  ) {}

  get(digest: string): KnownView | undefined {
    const row = this.rows.get(digest);
    if (row === undefined) return undefined;
    this.rows.delete(digest);
    row.usedAt = this.clock.monotonicMs();
    this.rows.set(digest, row);
    return row;
  }

  put(digest: string, view: View): KnownView {
    this.forget(digest);
    const { cluster, user, guests, storages, privileges } = view;
    const weight = privileges.reduce((sum, { paths }) => sum + paths.length, 100 + guests.length + 2 * storages.length);
    const row = { cluster, user, digest, sight: compileView(view), weight, usedAt: this.clock.monotonicMs() };
    this.rows.set(digest, row);
    this.weight += weight;
    this.prune(digest);
    return row;
  }

  private prune(newest: string): void {
    const now = this.clock.monotonicMs();
    for (const [digest, { usedAt }] of this.rows) {
      if (digest === newest || (this.weight <= this.max && now - usedAt < unusedMs)) return;
      this.forget(digest);
    }
  }

  private forget(digest: string): void {
    this.weight -= this.rows.get(digest)?.weight ?? 0;
    this.rows.delete(digest);
  }
}
