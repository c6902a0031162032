/** Work that is done together before the next frame: a hundred charts that change at once cost one layout, and a hidden page none. */
const waiting = new Set<() => void>();
let asked = false;

/** Does `draw` once before the next frame, however often it is asked for until then. */
export function drawSoon(draw: () => void): void {
  waiting.add(draw);
  if (asked) return;
  asked = true;
  requestAnimationFrame(() => {
    asked = false;
    const all = [...waiting];
    waiting.clear();
    for (const one of all) one();
  });
}

/** It needn't be done any more. */
export function dropDraw(draw: () => void): void {
  waiting.delete(draw);
}
