import { setImmediate } from "node:timers/promises";

/** Longest that background work holds the event loop before others get a turn. One unit of work, cold, may come on top: a few ms. */
const turnMs = 6;

/** Bounds a long piece of background work by time: code that runs for the first time takes ten times as long as later. */
export class Turn {
  private begun = performance.now();

  /** Asks for a turn of the others when this one was long enough. To be awaited between two units of work; undefined: go on. */
  yield(): Promise<void> | undefined {
    if (performance.now() - this.begun < turnMs) return undefined;
    return setImmediate().then(() => {
      this.begun = performance.now();
    });
  }
}
