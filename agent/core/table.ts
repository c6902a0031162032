import type { EntityKey } from "#protocol/ids.ts";
import { metricById } from "#protocol/metrics.ts";
import type { Schema, SchemaEntity, SchemaSeries } from "#protocol/records.ts";

type Slot = { series: SchemaSeries; scale: number };
/** `given`: the very array the source handed over, so that an unchanged identity costs no comparison. */
type TableEntity = SchemaEntity & { given: readonly string[]; lastTick: number };

// More than the catalogue will ever hold, so that a slot's name is one integer: thousands of puts a tick make no strings.
const metricsMax = 1024;
const entitiesMax = 1 << 20;
const noIdentity: readonly string[] = [];

/**
 * One tick's values of everything this agent samples, in the order the wire declares them. Sources `put` what they found; what nobody put is
 * absent. A series seen for the first time, or one whose entity was not put for `forgetAfterTicks`, makes the schema change.
 */
export class SampleTable {
  private entities: TableEntity[] = [];
  private entityIndex = new Map<string, number>();
  private slots: Slot[] = [];
  private slotIndex = new Map<number, number>();
  private readonly instances = new Map<string, number>();
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
    this.next.fill(Number.NaN, 0, this.slots.length);
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
    let index = this.expected;
    const likely = this.slots[index]?.series;
    // Asked here and not in a function of its own: thousands of puts a tick run in V8's interpreter, where calls cost most.
    if (likely === undefined || likely.metric !== metric || likely.entity !== entity || likely.instance !== instance) {
      index = this.indexOf(entity, metric, source, instance);
    }
    this.expected = index + 1;
    const slot = this.slots[index] as Slot;
    if (slot.series.source !== source) {
      slot.series = { ...slot.series, source };
      this.schemaVersion++;
    }
    this.next[index] = Math.round(value * slot.scale);
  }

  /** Scaled integers by slot, NaN = absent. Valid until the next `begin`. */
  values(): Float64Array {
    return this.next.subarray(0, this.slots.length);
  }

  schema(): Schema {
    return {
      entities: this.entities.map(({ key, identity }) => ({ key, identity })),
      series: this.slots.map((slot) => slot.series),
    };
  }

  private indexOf(entity: number, metric: number, source: string, instance: string | undefined): number {
    const name = this.slotName(entity, metric, instance);
    return this.slotIndex.get(name) ?? this.declare(name, entity, metric, source, instance);
  }

  private slotName(entity: number, metric: number, instance: string | undefined): number {
    const plain = entity * metricsMax + metric;
    if (instance === undefined) return plain;
    let number = this.instances.get(instance);
    if (number === undefined) {
      number = this.instances.size + 1;
      this.instances.set(instance, number);
    }
    return plain + number * metricsMax * entitiesMax;
  }

  private declare(name: number, entity: number, metric: number, source: string, instance: string | undefined): number {
    const scale = metricById(metric)?.scale;
    if (scale === undefined) throw new Error(`metric ${metric} is not in the catalogue`);
    const index = this.slots.length;
    this.slots.push({
      series: instance === undefined ? { entity, metric, source } : { entity, metric, instance, source },
      scale,
    });
    this.slotIndex.set(name, index);
    if (index >= this.next.length) {
      const grown = new Float64Array(this.next.length * 2).fill(Number.NaN);
      grown.set(this.next);
      this.next = grown;
    }
    this.schemaVersion++;
    return index;
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
    this.slots = this.slots
      .filter((slot) => moved.has(slot.series.entity))
      .map((slot) => ({ ...slot, series: { ...slot.series, entity: moved.get(slot.series.entity) as number } }));
    this.slotIndex = new Map(
      this.slots.map(({ series: { entity, metric, instance } }, index) => [this.slotName(entity, metric, instance), index]),
    );
    this.next.fill(Number.NaN);
    this.schemaVersion++;
  }
}
