import { healthy, type ReceiverHealth, type Waiting } from "../core/delivery.ts";
import type { Bucket } from "../core/limits.ts";

/** What waits for one receiver. Times are monotonic. */
export type Lane = {
  tests: Map<string, Waiting>;
  waiting: Map<string, Waiting>;
  /** Groups with a message under way. */
  underWay: Set<string>;
  health: ReceiverHealth;
  /** Of the newest failure; null once something got through. */
  problem: string | null;
  /** Something was sent since this hub started. */
  tried: boolean;
  bucket: Bucket | undefined;
  cancel: () => void;
};

export const emptyLane = (): Lane => ({
  tests: new Map(),
  waiting: new Map(),
  underWay: new Set(),
  health: healthy,
  problem: null,
  tried: false,
  bucket: undefined,
  cancel: () => undefined,
});

/** In the order in which they may go. */
export function* queueOf({ tests, waiting }: Lane): Iterable<Waiting> {
  yield* tests.values();
  yield* waiting.values();
}

/** Whether a later message of the same group waits, which says all that this one does. Parts of one message share its `sequenceOf`. */
export function isOvertaken({ waiting }: Lane, { id, group }: Waiting, sequenceOf: (id: string) => number | undefined): boolean {
  const own = sequenceOf(id) ?? 0;
  return [...waiting.values()].some((one) => one.group === group && (sequenceOf(one.id) ?? 0) > own);
}
