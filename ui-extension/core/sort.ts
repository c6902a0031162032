export type SortKey = string | number | undefined;
export type Sorting = { column: string; descending: boolean };

/** The sorting that an address names: `cpu`, or `-cpu` for the largest first. The same text is the same object, so that a table isn't sorted anew. */
export class SortingInAddress<First extends Sorting | undefined> {
  private text: string | undefined;
  private value: Sorting | First;

  /** `first`: where the address names none. */
  constructor(private readonly first: First) {
    this.value = first;
  }

  of(text: string | undefined): Sorting | First {
    if (text !== this.text) {
      this.text = text;
      this.value = text === undefined ? this.first : { column: text.replace(/^-/, ""), descending: text.startsWith("-") };
    }
    return this.value;
  }

  /** The text of what somebody chose. */
  textOf(chosen: Sorting): string {
    this.text = `${chosen.descending ? "-" : ""}${chosen.column}`;
    this.value = chosen;
    return this.text;
  }
}

const collator = new Intl.Collator("en", { numeric: true, sensitivity: "base" });

/** Order of keys nobody reads. */
export const byText = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** Compares like people do (`web2` before `web10`). Undefined, that is unknown, goes last in either direction. */
function compareKeys(a: SortKey, b: SortKey, descending: boolean): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  const order = typeof a === "number" && typeof b === "number" ? a - b : collator.compare(String(a), String(b));
  return descending ? -order : order;
}

/** A sorted copy; rows with equal keys keep their order. */
export function sortRows<T>(rows: readonly T[], keyOf: (row: T) => SortKey, descending: boolean): T[] {
  return rows
    .map((row) => ({ row, key: keyOf(row) }))
    .sort((a, b) => compareKeys(a.key, b.key, descending))
    .map(({ row }) => row);
}
