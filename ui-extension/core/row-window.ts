/** The rows of a long table that are worth drawing. */
export type RowWindow = { first: number; last: number; before: number; after: number };

/**
 * Rows `first` (included) to `last` (excluded) around what is seen, and the heights in px of what is left out above and below.
 * `spare`: rows drawn beyond the edges, so that a fast scroll shows no blank.
 */
export function rowWindow(rows: number, rowPx: number, scrollPx: number, viewPx: number, spare = 12): RowWindow {
  if (rows === 0 || rowPx <= 0) return { first: 0, last: rows, before: 0, after: 0 };
  const top = Math.min(Math.max(0, scrollPx), rows * rowPx);
  const first = Math.max(0, Math.floor(top / rowPx) - spare);
  const last = Math.min(rows, Math.ceil((top + viewPx) / rowPx) + spare);
  return { first, last, before: first * rowPx, after: (rows - last) * rowPx };
}
