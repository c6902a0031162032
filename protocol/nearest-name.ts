/** Levenshtein's distance: insertions, deletions and replacements between two words. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let j = 0; j < b.length; j++) {
      const replaced = (row[j] as number) + (a[i] === b[j] ? 0 : 1);
      next.push(Math.min(replaced, (row[j + 1] as number) + 1, (next[j] as number) + 1));
    }
    row = next;
  }
  return row[b.length] as number;
}

/** Nobody mistypes a word so long, and comparing takes its square. */
const longestTyped = 100;

/** The name a mistyped one was probably meant to be; undefined when none is near. */
export function nearestName(typed: string, names: readonly string[]): string | undefined {
  if (typed.length > longestTyped) return undefined;
  let best: { name: string; away: number } | undefined;
  for (const name of names) {
    const away = distance(typed.toLowerCase(), name.toLowerCase());
    if (best === undefined || away < best.away) best = { name, away };
  }
  return best !== undefined && best.away <= Math.max(2, typed.length / 3) ? best.name : undefined;
}
