import { type BlockLayout, readColumn, readTimes } from "../core/block.ts";
import { hasNoGap } from "../core/window-average.ts";

/** A block as it stands in the store. */
export type OpenBlock = { bytes: Uint8Array; block: BlockLayout };

/**
 * One metric's columns in one block as running totals, so that any of its rows are added up by looking at two places. Of a gauge
 * running[i * (rows + 1) + row] is the sum of series i's values before `row`; of a counter it is the increase since the first row.
 */
export type RunningColumns = {
  rows: number;
  times: Float64Array;
  running: Uint32Array | Float64Array;
  /** Likewise the number of present values; undefined: none is absent. Of gauges only. */
  present: Uint16Array | undefined;
  /** Of counters: their first values. NaN: the column says nothing, its samples have to be looked at. */
  bases: Float64Array;
  /** Of counters: series that have no sample here. */
  empty: Uint8Array;
};

/** `ids`: of the columns, in their order. `counter`: increases instead of sums. */
export type Wanted = { metric: number; ids: readonly number[]; counter: boolean };

/** `columns` undefined: there is no such block, or nothing of it can be read. */
type Entry = { columns: RunningColumns | undefined; ids: readonly number[]; bytes: number; pass: number };

const same = (a: readonly number[], b: readonly number[]) =>
  a === b || (a.length === b.length && a.every((id, i) => id === b[i]));

const bytesMax = 8 << 20;
/** What the entry itself takes, about. */
const entryBytes = 200;

type Ports = {
  read(hour: number, group: number): OpenBlock | undefined;
  /** A column of this block can't be read: its series has no samples there. */
  damaged(hour: number, group: number): void;
  /** Lets reads see what was written a moment ago. */
  renew(): void;
};

/**
 * Columns of the blocks that rankings ask for again and again, up to a few MB: of guests' cpu over the last hour, 3 MB for 1000 guests.
 * What one pass over many groups used is not given up for what it uses next, or a ranking of more than fits would keep nothing.
 */
export class DecodedColumns {
  private readonly byMetric = new Map<number, Map<number, Entry>>();
  private bytes = 0;
  private pass = 0;
  private room = new Float64Array(512);

  constructor(private readonly ports: Ports) {}

  /** A ranking begins. */
  begin(): void {
    this.pass++;
  }

  /** The columns of a block; `key`: its number (keys.ts). A block that was written must have been dropped. */
  get(key: number, hour: number, group: number, wanted: Wanted): RunningColumns | undefined {
    let entries = this.byMetric.get(wanted.metric);
    if (entries === undefined) {
      entries = new Map();
      this.byMetric.set(wanted.metric, entries);
    }
    const known = entries.get(key);
    if (known !== undefined && same(known.ids, wanted.ids)) {
      known.pass = this.pass;
      return known.columns;
    }
    if (known !== undefined) this.forget(entries, key, known);
    const open = this.ports.read(hour, group);
    const columns = open && this.decode(open, wanted, () => this.ports.damaged(hour, group));
    const bytes = entryBytes + sizeOf(columns);
    if (this.makeRoom(bytes)) {
      entries.set(key, { columns, ids: wanted.ids, bytes, pass: this.pass });
      this.bytes += bytes;
    }
    return columns;
  }

  /** The block was written or removed. */
  drop(key: number): void {
    for (const entries of this.byMetric.values()) {
      const entry = entries.get(key);
      if (entry !== undefined) this.forget(entries, key, entry);
    }
    // Else the block could be read as it was before, and kept so.
    this.ports.renew();
  }

  private forget(entries: Map<number, Entry>, key: number, { bytes }: Entry): void {
    entries.delete(key);
    this.bytes -= bytes;
  }

  private makeRoom(more: number): boolean {
    if (this.bytes + more <= bytesMax) return true;
    for (const entries of this.byMetric.values()) {
      for (const [key, entry] of entries) if (entry.pass < this.pass - 1) this.forget(entries, key, entry);
    }
    return this.bytes + more <= bytesMax;
  }

  private decode({ bytes, block }: OpenBlock, { ids, counter }: Wanted, damaged: () => void): RunningColumns {
    const { rows } = block;
    if (this.room.length < rows) this.room = new Float64Array(rows);
    const times = new Float64Array(rows);
    readTimes(bytes, block, times);
    const evenTimes = counter && hasNoGap(times, 0, rows);
    const building = new Building(ids.length, rows);
    for (const [i, id] of ids.entries()) {
      const position = block.positionOf(id);
      if (position < 0) building.room.fill(Number.NaN);
      else if (!readColumn(bytes, block, position, building.room)) damaged();
      if (counter) building.addCounter(i, evenTimes);
      else building.addGauge(i);
    }
    return building.columns(times);
  }
}

function sizeOf(columns: RunningColumns | undefined): number {
  if (columns === undefined) return 0;
  const { times, running, present, bases, empty } = columns;
  return times.byteLength + running.byteLength + (present?.byteLength ?? 0) + bases.byteLength + empty.byteLength;
}

/** Running totals of a block's columns, one after the other. */
class Building {
  /** The column in work. */
  readonly room: Float64Array;
  private readonly running: Float64Array;
  private readonly present: Uint16Array;
  private readonly bases: Float64Array;
  private readonly empty: Uint8Array;
  private hasAbsent = false;
  /** All totals are integers that 32 bits hold. */
  private fits = true;

  constructor(
    series: number,
    private readonly rows: number,
  ) {
    this.room = new Float64Array(rows);
    this.running = new Float64Array(series * (rows + 1));
    this.present = new Uint16Array(series * (rows + 1));
    this.bases = new Float64Array(series);
    this.empty = new Uint8Array(series);
  }

  addGauge(index: number): void {
    const { room, rows, running, present } = this;
    const start = index * (rows + 1);
    let sum = 0;
    let samples = 0;
    for (let row = 0; row < rows; row++) {
      const value = room[row] as number;
      if (Number.isNaN(value)) this.hasAbsent = true;
      else {
        sum += value;
        samples++;
        if (sum >>> 0 !== sum) this.fits = false;
      }
      running[start + row + 1] = sum;
      present[start + row + 1] = samples;
    }
  }

  /** A reset or a gap makes a column unclear. */
  addCounter(index: number, evenTimes: boolean): void {
    const { room, rows, running } = this;
    const start = index * (rows + 1);
    const base = room[0] as number;
    let before = base;
    let absent = 0;
    let isSteady = evenTimes;
    for (let row = 0; row < rows; row++) {
      const value = room[row] as number;
      if (Number.isNaN(value)) absent++;
      if (!(value >= before)) isSteady = false;
      before = value;
      running[start + row] = value - base;
      if (isSteady && (value - base) >>> 0 !== value - base) this.fits = false;
    }
    this.bases[index] = isSteady ? base : Number.NaN;
    this.empty[index] = absent === rows ? 1 : 0;
    if (!isSteady) running.fill(0, start, start + rows);
  }

  columns(times: Float64Array): RunningColumns {
    const { rows, running, bases, empty } = this;
    const present = this.hasAbsent ? this.present : undefined;
    return { rows, times, running: this.fits ? Uint32Array.from(running) : running, present, bases, empty };
  }
}
