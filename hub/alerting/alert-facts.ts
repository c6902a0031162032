import { type ClusterId, type EntityKey, type EpochMs, type Vmid, vmidOfKey } from "#protocol/ids.ts";
import { byText } from "#protocol/order.ts";
import type { ClusterPicture } from "../core/cluster.ts";
import type { FactSources, KnownGuest, ProofFacts, ReceiverStanding, RunMemory } from "../core/fact-samples.ts";
import { tellClusterFacts, tellGuestFacts, tellReceiverFacts } from "../core/fact-samples.ts";
import { guestsAmong } from "../core/inventory.ts";
import type { BackupKnowledge } from "../core/protection.ts";
import type { FrameNews, LiveTable, SeriesReader } from "../core/series.ts";

export type AlertFactsPorts = {
  reader: SeriesReader;
  live: LiveTable;
  backups: BackupKnowledge;
  ran: RunMemory;
  proofs?: ProofFacts | undefined;
  /** The hub can't store samples now. */
  refusing(): boolean;
  receivers(): readonly ReceiverStanding[];
  sample(cluster: ClusterId, entity: EntityKey, name: string, instance: string | null, value: number, now: EpochMs): void;
};

/** All guests are looked at this often where nothing seems to have happened: ages grow, and what is not told for long is unknown. */
const guestsAtLeastMs = 25_000;

/** Tells the rules the facts: of clusters and nodes each time, of guests only of those that something happened to, and now and then of all. */
export class AlertFacts {
  private turned = new Map<ClusterId, Set<EntityKey>>();
  private readonly known = new Map<ClusterId, Map<number, KnownGuest>>();
  private allAt = Number.NEGATIVE_INFINITY;
  private knownTasks = -1;

  constructor(private readonly ports: AlertFactsPorts) {}

  frameCame({ agent, turned }: Pick<FrameNews, "agent" | "turned">): void {
    if (turned.length === 0) return;
    const guests = this.turned.get(agent.cluster) ?? new Set();
    this.turned.set(agent.cluster, guests);
    for (const entity of turned) guests.add(entity);
  }

  /**
   * `changed`: who and what there is, or what the rules are about, may be another than at the last call. In pieces: of 10,000 guests that came
   * with their agents at once it takes a tenth of a second. Frames may come between them.
   */
  *tell(pictures: readonly ClusterPicture[], changed: boolean, now: EpochMs, monotonicMs: number): Generator<void, void> {
    const { reader, live, backups, ran, proofs, sample } = this.ports;
    const { version } = backups.tasks;
    const all = changed || version !== this.knownTasks || monotonicMs - this.allAt >= guestsAtLeastMs;
    if (all) {
      this.allAt = monotonicMs;
      this.knownTasks = version;
    }
    const refusing = this.ports.refusing();
    const first = pictures.map(({ cluster }) => cluster).sort(byText)[0];
    const turnedIn = this.turned;
    this.turned = new Map();
    for (const picture of pictures) {
      const { cluster, owners } = picture;
      const known: Map<number, KnownGuest> = this.known.get(cluster) ?? new Map();
      this.known.set(cluster, known);
      const turned = turnedIn.get(cluster);
      for (const entity of turned ?? []) known.delete(vmidOfKey(entity) ?? Number.NaN);
      if (changed) for (const vmid of known.keys()) if (!owners.has(vmid as Vmid)) known.delete(vmid);
      const sources: FactSources = { ...backups, sight: { reader, live, now }, picture, refusing, ran, proofs, known, changed };
      const told = (entity: EntityKey, name: string, value: number, instance: string | null) =>
        sample(cluster, entity, name, instance, value, now);
      tellClusterFacts(sources, told);
      if (cluster === first) tellReceiverFacts(this.ports.receivers(), told);
      if (all) yield* tellGuestFacts(sources, owners.values(), told);
      else if (turned !== undefined) yield* tellGuestFacts(sources, guestsAmong(owners, turned), told);
    }
  }
}
