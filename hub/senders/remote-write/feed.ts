import type { EntityKey, EpochMs } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import {
  type ClusterNames,
  type Conversion,
  idsKey,
  type Labelled,
  type Row,
  targetsOf,
  toBaseUnit,
} from "../../core/prometheus-series.ts";
import type { AgentId, LiveTable, SeriesInfo, SeriesReader } from "../../core/series.ts";
import type { Fed } from "./queue.ts";

/** Takes encoded samples: one call a sample, no object each. */
export interface SampleSink {
  add(labels: Uint8Array, value: number, at: number): void;
  /** The series has no value after the one at `at`. */
  end(labels: Uint8Array, at: number): void;
}

export type FeedPorts = {
  reader: SeriesReader;
  live: Pick<LiveTable, "latest">;
  names(): readonly ClusterNames[];
  encode(one: Labelled): Uint8Array;
  monotonicMs(): number;
};

type Encoded = Conversion & { labels: Uint8Array };
/** One series as the receiver sees it: series of the store that differ by source only are one there. */
type Slot = { infos: SeriesInfo[]; targets: Encoded[]; at: number; by: string; heardMs: number; ended: boolean };
type Tracked = { ids: string; seriesCount: number; slots: Slot[] };

/**
 * Turns frames into samples under the exposition's names. A series that stops is ended one millisecond after its last sample: the receiver shows
 * no old value as if it were present, and what an agent spooled meanwhile is still newer than that mark, which matters to Prometheus.
 */
export class Feed {
  private readonly tracked = new Map<string, Tracked>();
  private readonly caughtUp = new Set<string>();

  constructor(
    private readonly ports: FeedPorts,
    /** How far the queue had come when the hub stopped. */
    private readonly fed: Fed,
    /** Older samples are not read back from the store after a restart. */
    private readonly catchUpMaxMs: number,
  ) {}

  frame(agent: AgentId, at: EpochMs, entities: readonly EntityKey[], sink: SampleSink): void {
    const names = this.ports.names().find(({ picture }) => picture.cluster === agent.cluster);
    if (names === undefined) return;
    const by = `${agent.cluster}/${agent.node}`;
    // Records that were not acknowledged before the hub stopped come again.
    if (at <= (this.fed[by] ?? 0)) return;
    const since = this.caughtUp.has(by) ? undefined : this.fed[by];
    this.caughtUp.add(by);
    for (const entity of entities) {
      const tracked = this.track(names, entity, sink);
      for (const slot of tracked.slots) {
        if (since !== undefined) this.catchUp(slot, Math.max(since + 1, at - this.catchUpMaxMs) as EpochMs, at, sink);
        this.sample(slot, by, at, sink);
      }
    }
  }

  /** Ends the series of agents that fell silent, and forgets entities that are gone. */
  sweep(sink: SampleSink): void {
    const silentSince = this.ports.monotonicMs() - limits.staleAfterMs;
    for (const [key, { slots }] of this.tracked) {
      for (const slot of slots) if (slot.heardMs < silentSince) endSlot(slot, sink);
      if (slots.every((slot) => slot.ended)) this.tracked.delete(key);
    }
  }

  private sample(slot: Slot, by: string, at: EpochMs, sink: SampleSink): void {
    for (const info of slot.infos) {
      const latest = this.ports.live.latest(info.id);
      if (latest === undefined || latest.at !== at || !Number.isFinite(latest.value)) continue;
      // After a migration the other node's clock may be behind: Prometheus refuses what is not newer.
      if (at > slot.at) {
        for (const target of slot.targets) sink.add(target.labels, toBaseUnit(latest.value, target), at);
        Object.assign(slot, { at, by, ended: false });
      }
      slot.heardMs = this.ports.monotonicMs();
      return;
    }
    if (slot.by === by && slot.at < at) endSlot(slot, sink);
  }

  /** What the store took while the queue had no time to: between a crash and the last batch before it. */
  private catchUp(slot: Slot, from: EpochMs, to: EpochMs, sink: SampleSink): void {
    if (from >= to) return;
    const { series } = this.ports.reader.read(slot.infos, { from, to, stepMs: undefined, aggregates: ["last"], stored: true });
    const samples = series.flatMap(({ at, columns }) =>
      [...at].map((time, index) => [time, columns.last?.[index] ?? Number.NaN] as const),
    );
    samples.sort(([a], [b]) => a - b);
    for (const [at, value] of samples) {
      if (!Number.isFinite(value) || at <= slot.at) continue;
      for (const target of slot.targets) sink.add(target.labels, toBaseUnit(value, target), at);
      slot.at = at;
    }
  }

  private track(names: ClusterNames, entity: EntityKey, sink: SampleSink): Tracked {
    const key = `${names.picture.cluster} ${entity}`;
    const infos = this.ports.reader.seriesOf(names.picture.cluster, entity);
    const ids = idsKey(names, entity);
    const known = this.tracked.get(key);
    if (known !== undefined && known.ids === ids && known.seriesCount === infos.length) return known;
    const renamed = known !== undefined && known.ids !== ids;
    if (renamed) for (const slot of known.slots) endSlot(slot, sink);
    const tracked = { ids, seriesCount: infos.length, slots: this.slotsOf(names, infos, renamed ? [] : (known?.slots ?? [])) };
    this.tracked.set(key, tracked);
    return tracked;
  }

  private slotsOf(names: ClusterNames, infos: readonly SeriesInfo[], before: readonly Slot[]): Slot[] {
    const groups = new Map<string, SeriesInfo[]>();
    for (const info of infos) {
      const key = `${info.metric.id} ${info.instance ?? ""}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [info]);
      else group.push(info);
    }
    return [...groups.values()].map((group) => {
      const old = before.find((slot) => slot.infos.some(({ id }) => group.some((info) => info.id === id)));
      if (old !== undefined) return Object.assign(old, { infos: group });
      const [first] = group as [SeriesInfo];
      const targets = targetsOf(names, first).map((target) => ({ ...target, labels: this.ports.encode(target) }));
      return { infos: group, targets, at: 0, by: "", heardMs: this.ports.monotonicMs(), ended: true };
    });
  }
}

function endSlot(slot: Slot, sink: SampleSink): void {
  if (slot.ended || slot.at === 0) return;
  for (const { labels } of slot.targets) sink.end(labels, slot.at);
  slot.ended = true;
}

type Fact = { labels: Uint8Array; at: number };

/** Rows without samples of their own (states, facts, the hub's counters), taken at one instant; those that are gone are ended. */
export class FactFeed {
  private known = new Map<string, Fact>();

  constructor(private readonly encode: (one: Labelled) => Uint8Array) {}

  take(rows: readonly Row[], at: EpochMs, sink: SampleSink): void {
    const present = new Map<string, Fact>();
    for (const row of rows) {
      const key = `${row.family.name} ${row.labels.map((pair) => pair.join("=")).join()}`;
      const before = this.known.get(key);
      if (present.has(key)) continue;
      if (before !== undefined && at <= before.at) {
        // The clock was set back: receivers take nothing older than they have, and the row isn't gone.
        present.set(key, before);
        continue;
      }
      const fact = { labels: before?.labels ?? this.encode(row), at };
      present.set(key, fact);
      sink.add(fact.labels, row.value, at);
    }
    for (const [key, { labels, at: last }] of this.known) if (!present.has(key)) sink.end(labels, last);
    this.known = present;
  }
}
