import type { EntityKey } from "#protocol/ids.ts";
import { metricById } from "#protocol/metrics.ts";
import type { Schema, SchemaEntity, SchemaSeries } from "#protocol/records.ts";
import type { NumberRows } from "./number-rows.ts";

/** `given`: the very array the source handed over, so that an unchanged identity costs no comparison. */
type TableEntity = SchemaEntity & { given: readonly string[]; lastTick: number };

const noIdentity: readonly string[] = [];

/** Metrics and, place by place, the columns of a row that hold their values. */
export type RowPuts = { readonly metrics: readonly number[]; readonly columns: readonly number[] };

/**
 * One tick's values of everything this agent samples, in the order the wire declares them. Sources `put` what they found; what nobody put is
 * absent. A series seen for the first time, or one whose entity was not put for `forgetAfterTicks`, makes the schema change.
 */
export class SampleTable {
  private entities: TableEntity[] = [];
  private entityIndex = new Map<string, number>();
  private slots = new Slots(256);
  private next = new Float64Array(256).fill(Number.NaN);
  private tick = 0;
  /** The slot behind the newest put: sources put in the same order tick after tick, so it is mostly the next one's. */
  private expected = 0;
  /** Grows whenever what `schema()` says changed. */
  schemaVersion = 0;

  constructor(private readonly forgetAfterTicks = 360) {}

  /** Starts a tick: everything is absent until it is put. */
  begin(): void {
    this.tick++;
    this.expected = 0;
    this.next.fill(Number.NaN, 0, this.slots.count);
    if (this.tick % 60 === 0) this.forget();
  }

  /** Declares an entity, or that its identity changed (a guest's vmid was used again). Returns the handle for `put`. */
  entity(key: EntityKey, identity: readonly string[] = noIdentity): number {
    const known = this.entityIndex.get(key);
    if (known !== undefined) {
      const entity = this.entities[known] as TableEntity;
      entity.lastTick = this.tick;
      if (entity.given !== identity && entity.identity.join(" ") !== identity.join(" ")) {
        this.entities[known] = { key, identity: [...identity], given: identity, lastTick: this.tick };
        this.schemaVersion++;
      }
      return known;
    }
    this.entityIndex.set(key, this.entities.length);
    this.entities.push({ key, identity: [...identity], given: identity, lastTick: this.tick });
    this.schemaVersion++;
    return this.entities.length - 1;
  }

  /** `value` in the catalogue's unit; NaN or infinite: absent. A series' source may change from tick to tick; then the schema does. */
  put(entity: number, metric: number, source: string, value: number, instance?: string): void {
    if (!Number.isFinite(value)) return;
    const { slots } = this;
    let slot = this.expected;
    // Asked here and not in a function of its own: thousands of puts a tick run in V8's interpreter, where calls cost most.
    if (slots.metrics[slot] !== metric || slots.entities[slot] !== entity || slots.instances[slot] !== instance) {
      slot = this.slotOf(entity, metric, source, instance);
    }
    this.expected = slot + 1;
    if (slots.sources[slot] !== source) {
      slots.sources[slot] = source;
      this.schemaVersion++;
    }
    this.next[slot] = Math.round(value * (slots.scales[slot] as number));
  }

  /** `put` for several columns of a row: one call for all, as this runs for thousands of cells a tick, in V8's interpreter for the first minutes. */
  putRow(entity: number, puts: RowPuts, source: string, rows: NumberRows, row: number, instance?: string): void {
    const { metrics, columns } = puts;
    const cells = rows.values;
    const from = row * rows.width;
    const { slots } = this;
    let slot = this.expected;
    for (let i = 0; i < metrics.length; i++) {
      const value = cells[from + (columns[i] as number)] as number;
      if (!Number.isFinite(value)) continue;
      const metric = metrics[i] as number;
      if (slots.metrics[slot] !== metric || slots.entities[slot] !== entity || slots.instances[slot] !== instance) {
        slot = this.slotOf(entity, metric, source, instance);
      }
      if (slots.sources[slot] !== source) {
        slots.sources[slot] = source;
        this.schemaVersion++;
      }
      this.next[slot] = Math.round(value * (slots.scales[slot] as number));
      slot++;
    }
    this.expected = slot;
  }

  /** Scaled integers by slot, NaN = absent. Valid until the next `begin`. */
  values(): Float64Array {
    return this.next.subarray(0, this.slots.count);
  }

  schema(): Schema {
    return {
      entities: this.entities.map(({ key, identity }) => ({ key, identity })),
      series: Array.from({ length: this.slots.count }, (_, slot) => this.slots.series(slot)),
    };
  }

  private slotOf(entity: number, metric: number, source: string, instance: string | undefined): number {
    const known = this.slots.find(entity, metric, instance);
    if (known >= 0) return known;
    const scale = metricById(metric)?.scale;
    if (scale === undefined) throw new Error(`metric ${metric} is not in the catalogue`);
    const slot = this.slots.add({ entity, metric, source, ...(instance === undefined ? {} : { instance }) }, scale);
    if (slot >= this.next.length) this.next = grown(this.next, new Float64Array(this.next.length * 2).fill(Number.NaN));
    this.schemaVersion++;
    return slot;
  }

  /** Drops entities that no source has put for long. Handles change, so it runs between ticks only. */
  private forget(): void {
    const keep = this.entities.map((entity) => this.tick - entity.lastTick <= this.forgetAfterTicks);
    if (keep.every(Boolean)) return;
    const moved = new Map<number, number>();
    this.entities = this.entities.filter((_, index) => {
      if (keep[index]) moved.set(index, moved.size);
      return keep[index];
    });
    this.entityIndex = new Map(this.entities.map((entity, index) => [entity.key, index]));
    const before = this.slots;
    this.slots = new Slots(before.count);
    for (let slot = 0; slot < before.count; slot++) {
      const series = before.series(slot);
      const entity = moved.get(series.entity);
      if (entity !== undefined) this.slots.add({ ...series, entity }, before.scales[slot] as number);
    }
    this.next.fill(Number.NaN);
    this.schemaVersion++;
  }
}

/** The series of a table, in columns: an object for each of thousands would be a fifth of a megabyte more. */
class Slots {
  count = 0;
  entities: Int32Array;
  metrics: Uint16Array;
  scales: Float64Array;
  /** The next slot of the same entity, −1 behind the last. */
  private following: Int32Array;
  /** First slot and newest slot, by entity. */
  private readonly firsts: number[] = [];
  private readonly newest: number[] = [];
  readonly sources: string[] = [];
  readonly instances: (string | undefined)[] = [];

  constructor(capacity: number) {
    this.entities = new Int32Array(capacity);
    this.metrics = new Uint16Array(capacity);
    this.scales = new Float64Array(capacity);
    this.following = new Int32Array(capacity);
  }

  series(slot: number): SchemaSeries {
    const instance = this.instances[slot];
    const [entity, metric, source] = [this.entities[slot] as number, this.metrics[slot] as number, this.sources[slot] as string];
    return instance === undefined ? { entity, metric, source } : { entity, metric, instance, source };
  }

  /** −1: there is none. Looks through the entity's series only. */
  find(entity: number, metric: number, instance: string | undefined): number {
    let slot = this.firsts[entity] ?? -1;
    while (slot >= 0 && (this.metrics[slot] !== metric || this.instances[slot] !== instance))
      slot = this.following[slot] as number;
    return slot;
  }

  add({ entity, metric, source, instance }: SchemaSeries, scale: number): number {
    const slot = this.count++;
    if (slot >= this.metrics.length) this.grow();
    this.entities[slot] = entity;
    this.metrics[slot] = metric;
    this.scales[slot] = scale;
    this.sources[slot] = source;
    this.instances[slot] = instance;
    this.following[slot] = -1;
    const before = this.newest[entity];
    if (before === undefined) this.firsts[entity] = slot;
    else this.following[before] = slot;
    this.newest[entity] = slot;
    return slot;
  }

  private grow(): void {
    const capacity = Math.max(256, this.metrics.length * 2);
    this.entities = grown(this.entities, new Int32Array(capacity));
    this.metrics = grown(this.metrics, new Uint16Array(capacity));
    this.scales = grown(this.scales, new Float64Array(capacity));
    this.following = grown(this.following, new Int32Array(capacity));
  }
}

function grown<T extends Int32Array | Uint16Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
