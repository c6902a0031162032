/** What of a column its place depends on. `priority`: 1 is always seen. `width`: px or percent of the table; without one it shares what is left. */
export type FittingColumn = { priority: 1 | 2 | 3; width?: string };

/** Room for a guest's number and name: what shares the rest must not be squeezed to nothing. */
const sharedLeastPx = 170;
/** On a phone the rest is not missed, though some of it might fit. */
const fromPx = { 2: 440, 3: 760 } as const;

function leastPx({ width }: FittingColumn, tablePx: number): number {
  if (width === undefined) return sharedLeastPx;
  return width.endsWith("%") ? (tablePx * Number.parseFloat(width)) / 100 : Number.parseFloat(width);
}

/** The columns that have room in a table so wide, in their order: those of priority 1, then as many of the others as fit beside them. */
export function fittingColumns<T extends FittingColumn>(columns: readonly T[], tablePx: number): readonly T[] {
  const shown = new Set(columns.filter(({ priority }) => priority === 1));
  let left = tablePx - [...shown].reduce((sum, column) => sum + leastPx(column, tablePx), 0);
  for (const priority of [2, 3] as const) {
    if (tablePx < fromPx[priority]) break;
    for (const column of columns.filter((one) => one.priority === priority)) {
      const needed = leastPx(column, tablePx);
      if (needed > left) continue;
      left -= needed;
      shown.add(column);
    }
  }
  return columns.filter((column) => shown.has(column));
}
