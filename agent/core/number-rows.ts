import { asNumber, type JsonObject } from "./values.ts";

/** Rows of numbers, each with a name and an owner. Cleared and filled again tick after tick, it makes nothing new once it is large enough. */
export class NumberRows {
  count = 0;
  readonly names: string[] = [];
  /** Row of another table that this one belongs to. */
  readonly owners: number[] = [];
  private cells = new Float64Array(0);

  constructor(readonly width: number) {}

  /** All rows, `width` cells each; stands until the next `add`. */
  get values(): Float64Array {
    return this.cells;
  }

  clear(): void {
    this.count = 0;
  }

  /** A row of NaN; returns its number. */
  add(name: string, owner = 0): number {
    const row = this.count++;
    const end = this.count * this.width;
    if (end > this.cells.length) {
      const grown = new Float64Array(Math.max(end, this.cells.length * 2));
      grown.set(this.cells);
      this.cells = grown;
    }
    this.cells.fill(Number.NaN, row * this.width, end);
    this.names[row] = name;
    this.owners[row] = owner;
    return row;
  }

  set(row: number, column: number, value: number): void {
    this.cells[row * this.width + column] = value;
  }

  /** The columns `names` of a row, from an object: one call for all, as this runs for thousands of cells a tick in V8's interpreter. */
  take(row: number, names: readonly string[], entry: JsonObject): void {
    const { cells } = this;
    let cell = row * this.width;
    for (let i = 0; i < names.length; i++) {
      const value = entry[names[i] as string];
      cells[cell++] = typeof value === "number" ? value : asNumber(value);
    }
  }

  get(row: number, column: number): number {
    return this.cells[row * this.width + column] as number;
  }
}
