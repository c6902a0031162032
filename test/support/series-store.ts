import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClusterId, EntityKey, EpochMs, NodeName } from "#protocol/ids.ts";
import { type MetricName, metricByName } from "#protocol/metrics.ts";
import { encodeFrame, encodeSchema, type Schema, type SchemaEntity, stateFor } from "#protocol/records.ts";
import type { AgentId } from "../../hub/core/series.ts";
import type { Retention } from "../../hub/store/retention.ts";
import { openSeries, type SeriesHub } from "../../hub/store/series.ts";

export const cluster = "0123456789abcdef" as ClusterId;
export const agentOf = (node: string): AgentId => ({ cluster, node: node as NodeName });
export const guest = (vmid: number) => `guest/${vmid}` as EntityKey;
export const ms = (time: number) => time as EpochMs;

/** A day far from 1970, at midnight UTC. */
export const day0 = Date.UTC(2026, 0, 5);
export const stream1 = "0".repeat(32);

export function temporaryDir(): { dir: string; remove(): void } {
  const dir = mkdtempSync(join(tmpdir(), "proven-series-"));
  return { dir, remove: () => rmSync(dir, { recursive: true, force: true }) };
}

/** A store whose commit window ends when the test says so (`commit`), with a clock that the test sets. */
export class TestStore {
  hub: SeriesHub;
  clock = day0;
  private readonly timers = new Set<() => void>();

  constructor(
    readonly dir: string,
    private readonly retention?: Retention,
  ) {
    this.hub = this.open();
  }

  private open(): SeriesHub {
    return openSeries({
      dir: this.dir,
      now: () => ms(this.clock),
      ...(this.retention ? { retention: this.retention } : {}),
      schedule: (_, callback) => {
        this.timers.add(callback);
        return () => this.timers.delete(callback);
      },
    });
  }

  /** Ends the window: what was accepted is committed. */
  commit(): void {
    for (const callback of [...this.timers]) {
      this.timers.delete(callback);
      callback();
    }
  }

  async reopen(): Promise<void> {
    await this.hub.close();
    this.hub = this.open();
  }

  /** All background work that is due. Throws on a problem. */
  async settle(): Promise<number> {
    for (let steps = 0; ; steps++) {
      const { due, problem } = await this.hub.maintain(ms(this.clock));
      if (problem !== undefined) throw new Error(problem);
      if (!due) return steps;
    }
  }

  find(entity: EntityKey, metric: MetricName, instance?: string) {
    const found = this.hub.reader.find({ cluster, entity, metric, ...(instance === undefined ? {} : { instance }) });
    if (found === undefined) throw new Error(`no series ${entity} ${metric}`);
    return found;
  }
}

export type Declared = { entity: SchemaEntity; metric: MetricName; instance?: string };

export function schemaOf(series: readonly Declared[]): Schema {
  const entities = [...new Set(series.map(({ entity }) => entity))];
  return {
    entities,
    series: series.map(({ entity, metric, instance }) => {
      const kind = entity.key.split("/")[0] as Parameters<typeof metricByName>[0];
      const row = metricByName(kind, metric);
      if (row === undefined) throw new Error(`no metric ${metric} of ${kind}`);
      return {
        entity: entities.indexOf(entity),
        metric: row.id,
        source: "test",
        ...(instance === undefined ? {} : { instance }),
      };
    }),
  };
}

/** What an agent does: numbers its records, and keeps them until they are acknowledged. */
export class TestAgent {
  seq = 0;
  private state = stateFor({ entities: [], series: [] });
  private schemaRecord: Uint8Array | undefined;
  /** Everything ever sent, by seq. */
  readonly sent: { seq: number; record: Uint8Array; key: boolean }[] = [];
  private sinceKey = 0;
  private connection: ReturnType<SeriesHub["sink"]["open"]>;

  constructor(
    private readonly store: TestStore,
    readonly agent: AgentId,
    readonly stream = stream1,
  ) {
    this.connection = store.hub.sink.open(agent, stream);
  }

  private push(record: Uint8Array, key: boolean): Promise<number> {
    this.sent.push({ seq: this.seq, record, key });
    return this.deliver(record);
  }

  deliver(record: Uint8Array): Promise<number> {
    const taken = this.connection.accept(record, ms(this.store.clock));
    if (!taken.ok) throw new Error(taken.problem);
    return taken.value.durable;
  }

  declare(schema: Schema): Promise<number> {
    this.state = stateFor(schema);
    this.schemaRecord = encodeSchema(++this.seq, schema);
    this.sinceKey = Number.POSITIVE_INFINITY;
    return this.push(this.schemaRecord, true);
  }

  /** One frame of scaled integers, NaN = absent. */
  frame(at: number, values: readonly number[]): Promise<number> {
    const key = this.sinceKey >= 30;
    this.sinceKey = key ? 1 : this.sinceKey + 1;
    return this.push(encodeFrame(++this.seq, ms(at), key, Float64Array.from(values), this.state), key);
  }

  /** Connects again: the schema, and everything from the last key frame up to what is durable. */
  reconnect(): Promise<number>[] {
    this.connection = this.store.hub.sink.open(this.agent, this.stream);
    const last = this.store.hub.sink.lastSeq(this.agent, this.stream);
    const begin = this.sent.findLastIndex(({ seq, key }) => key && seq <= last + 1);
    const schema = this.sent.findLastIndex(({ seq, record }) => seq <= (this.sent[begin]?.seq ?? 0) && record[0] === 1);
    const again = [...(schema >= 0 && schema < begin ? [this.sent[schema]] : []), ...this.sent.slice(Math.max(begin, 0))];
    return again.flatMap((one) => (one ? [this.deliver(one.record)] : []));
  }
}
