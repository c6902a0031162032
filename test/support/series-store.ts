import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
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
  crashes = 0;

  constructor(
    public dir: string,
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

  /** Set by the agents: acknowledges what they sent last. */
  lastDurable: Promise<unknown> | undefined;

  /** Ends the window: what was accepted is committed. */
  async commit(): Promise<void> {
    for (const callback of [...this.timers]) {
      this.timers.delete(callback);
      callback();
    }
    await this.lastDurable?.catch(() => undefined);
  }

  /** As if the machine stopped now: goes on with a copy of what is on the disk. No commit may be under way. */
  async crash(): Promise<void> {
    this.crashes++;
    const copy = `${this.dir}-${this.crashes}`;
    mkdirSync(copy);
    copyFileSync(join(this.dir, "data.mdb"), join(copy, "data.mdb"));
    this.timers.clear();
    await this.hub.close();
    this.dir = copy;
    this.lastDurable = undefined;
    this.hub = this.open();
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
  private schema: Schema | undefined;
  resyncs = 0;
  /** Highest seq that the hub acknowledged: a real agent keeps nothing up to it. */
  acked = 0;
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
    return this.sentOff(taken.value.durable);
  }

  private sentOff(durable: Promise<number>): Promise<number> {
    const { crashes } = this.store;
    const noted = durable.then((seq) => {
      // What a machine says after it died here was never heard.
      if (crashes === this.store.crashes) this.acked = Math.max(this.acked, seq);
      return seq;
    });
    noted.catch(() => undefined);
    this.store.lastDurable = noted;
    return noted;
  }

  declare(schema: Schema): Promise<number> {
    this.schema = schema;
    this.state = stateFor(schema);
    const record = encodeSchema(++this.seq, schema);
    this.sinceKey = Number.POSITIVE_INFINITY;
    return this.push(record, true);
  }

  /** One frame of scaled integers, NaN = absent. Where the hub asks for a resync, schema and key frame go again. */
  frame(at: number, values: readonly number[], again = false): Promise<number> {
    const key = this.sinceKey >= 30;
    this.sinceKey = key ? 1 : this.sinceKey + 1;
    const record = encodeFrame(++this.seq, ms(at), key, Float64Array.from(values), this.state);
    const taken = this.connection.accept(record, ms(this.store.clock));
    if (taken.ok) {
      this.sent.push({ seq: this.seq, record, key });
      return this.sentOff(taken.value.durable);
    }
    if (this.schema === undefined || again) throw new Error(taken.problem);
    this.resyncs++;
    void this.declare(this.schema);
    return this.frame(at, values, true);
  }

  /** Connects again: the schema, and everything from the last key frame up to what is durable. */
  reconnect(): Promise<number>[] {
    this.connection = this.store.hub.sink.open(this.agent, this.stream);
    const last = this.store.hub.sink.lastSeq(this.agent, this.stream);
    if (last < this.acked) throw new Error(`the hub acknowledged ${this.acked} and now has ${last}`);
    const begin = this.sent.findLastIndex(({ seq, key }) => key && seq <= last + 1);
    const schema = this.sent.findLastIndex(({ seq, record }) => seq <= (this.sent[begin]?.seq ?? 0) && record[0] === 1);
    const again = [...(schema >= 0 && schema < begin ? [this.sent[schema]] : []), ...this.sent.slice(Math.max(begin, 0))];
    return again.flatMap((one) => (one ? [this.deliver(one.record)] : []));
  }
}
