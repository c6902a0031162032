import type { EventView } from "#protocol/api.ts";
import { parseUpid } from "#protocol/ids.ts";
import type { ClusterPicture } from "./core/cluster.ts";
import { BoundedMap } from "./core/limits.ts";
import { isSameEnd, type PveNews, type PveNotification, pveNews, sameNotification } from "./core/pve-notification.ts";
import type { Journal } from "./journal.ts";
import { after, type Clock } from "./ports.ts";

export type PveIngestPorts = { journal: Pick<Journal, "emit" | "onEvent">; clock: Clock; pictures(): ClusterPicture[] };

/** An agent tells of an ended task within seconds; without an agent there the notification is told after this. */
const holdMs = 60_000;
const rememberedMax = 1000;
const endsMax = 200;

type TaskEnd = { node: string; type: string; endedAt: number };

/**
 * Takes in Proxmox VE's own notifications. One about a backup waits for the task's own event, which says more; when that comes, or was there
 * before, the notification is counted and told no second time. What waits is lost with a crash of the hub: the task it is about is not.
 */
export class PveIngest {
  private readonly seen = new BoundedMap<string, true>(rememberedMax);
  private ends: TaskEnd[] = [];
  private readonly held = new Map<PveNews, () => void>();
  private readonly unlisten: () => void;

  constructor(private readonly ports: PveIngestPorts) {
    this.unlisten = ports.journal.onEvent((event) => this.heard(event));
  }

  /** `duplicate`: known before, by itself or by its task. */
  take(notification: PveNotification): "told" | "held" | "duplicate" {
    const news = pveNews(notification);
    const key = sameNotification(news);
    if (this.seen.get(key) !== undefined) return "duplicate";
    this.seen.set(key, true);
    if (news.facts.kind !== "vzdump") {
      this.tell(news);
      return "told";
    }
    if (this.ends.some((end) => isSameEnd(news, end))) return "duplicate";
    this.held.set(
      news,
      after(this.ports.clock, holdMs, () => this.release(news)),
    );
    return "held";
  }

  /** What still waits is told now. */
  stop(): void {
    this.unlisten();
    for (const news of [...this.held.keys()]) this.release(news);
  }

  private heard(event: EventView): void {
    const { type, node } = event;
    if (!type.startsWith("backup.") || node === null) return;
    const end = { node, type, endedAt: endOf(event) };
    this.ends = [...this.ends.slice(1 - endsMax), end];
    for (const [news, cancel] of this.held) {
      if (!isSameEnd(news, end)) continue;
      cancel();
      this.held.delete(news);
    }
  }

  private release(news: PveNews): void {
    this.held.get(news)?.();
    if (this.held.delete(news)) this.tell(news);
  }

  private tell({ type, facts, node }: PveNews): void {
    const clusters = this.ports.pictures().filter(({ agents }) => [...agents.keys()].some((one) => one === node));
    const [only] = clusters;
    const cluster = clusters.length === 1 && only !== undefined ? { cluster: only.cluster } : {};
    const place = node === undefined ? {} : { node, entity: `node/${node}`, ...cluster };
    this.ports.journal.emit(type, facts, place);
  }
}

/** When the task ended: an agent that was away tells later. */
function endOf({ at, data }: EventView): number {
  const upid = parseUpid(data?.upid);
  return upid !== undefined && typeof data?.tookMs === "number" ? upid.startedAt + data.tookMs : at;
}
