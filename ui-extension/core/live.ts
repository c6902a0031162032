import type { Aggregate, GuestView, NodeView, Reading, SeriesAnswer, StorageView } from "#protocol/api.ts";
import type { MetricName } from "#protocol/metrics.ts";

/** What the live stream tells of an entity, by the metric it is in history. */
const fields = {
  node: { cpu: "cpu", memUsed: "mem_used", memTotal: "mem_total", rootUsed: "root_used", cpus: "cpus" },
  guest: {
    ...{ cpu: "cpu", memUsed: "mem_used", memMax: "mem_max" },
    ...{ netIn: "net_in", netOut: "net_out", diskRead: "disk_read", diskWrite: "disk_written" },
  },
  storage: { used: "used", total: "total", avail: "avail" },
} as const satisfies Record<string, Record<string, MetricName>>;

const rates: ReadonlySet<string> = new Set(["net_in", "net_out", "disk_read", "disk_written"] satisfies MetricName[]);

export type LiveView = NodeView | GuestView | StorageView;
type Sample = { metric: MetricName; reading: Reading };

function samplesIn(view: LiveView): Sample[] {
  if ("vmid" in view)
    return Object.entries(fields.guest).map(([field, metric]) => ({ metric, reading: view[field as keyof typeof fields.guest] }));
  if ("agent" in view)
    return Object.entries(fields.node).map(([field, metric]) => ({ metric, reading: view[field as keyof typeof fields.node] }));
  return Object.entries(fields.storage).map(([field, metric]) => ({
    metric,
    reading: view[field as keyof typeof fields.storage],
  }));
}

/** Readings of one series that came over the stream, each once, oldest first. */
type Tail = { at: number[]; values: number[] };

/**
 * Samples that came over the live stream since a chart's history was asked, as a series answer that history's own steps lie upon: charts go on
 * without asking the hub again.
 */
export class LiveTail {
  readonly #tails = new Map<MetricName, Tail>();

  constructor(private readonly entity: string) {}

  /** Takes what is new in a view; false: nothing is. Only fresh readings: what is stale was there before. */
  add(view: LiveView): boolean {
    let isNew = false;
    for (const { metric, reading } of samplesIn(view)) {
      const { state, value, at } = reading;
      if (state !== "fresh" || value === null || at === null) continue;
      const tail = this.#tails.get(metric) ?? { at: [], values: [] };
      if (at <= (tail.at.at(-1) ?? 0)) continue;
      tail.at.push(at);
      tail.values.push(value);
      this.#tails.set(metric, tail);
      isNew = true;
    }
    return isNew;
  }

  /** Forgets what is older than `from`. */
  trim(from: number): void {
    for (const tail of this.#tails.values()) {
      const keep = tail.at.findIndex((at) => at >= from);
      tail.at.splice(0, keep < 0 ? tail.at.length : keep);
      tail.values.splice(0, keep < 0 ? tail.values.length : keep);
    }
  }

  /** As history answers; gauges as averages, without a band. */
  answer({ from, to }: { from: number; to: number }): SeriesAnswer {
    const series = [...this.#tails].map(([metric, { at, values }]) => {
      const aggregate: Aggregate = rates.has(metric) ? "rate" : "avg";
      const columns = { [aggregate]: [...values] };
      return { entity: this.entity, metric, instance: null, unit: "", source: null, at: [...at], columns };
    });
    return { from, to, stepMs: null, tier: "raw", series };
  }
}
