import type { Operations } from "./restore/operations.ts";

/** Who ended what was to be kept, in the records. */
const actor = "removal of proven-agent";

/**
 * Ends and clears away every restore test that no living process works on, also where a guest was to be kept: the last thing before the package goes,
 * as nobody would know afterwards whose these guests are. What could not be cleared away its `onProblems` has heard. Gives those that go on, a sentence
 * each: what somebody runs by hand clears away itself.
 */
export async function clearUp(operations: Pick<Operations, "journals" | "hear" | "tend" | "settled">): Promise<string[]> {
  await operations.tend();
  for (const id of operations.journals.ids()) operations.hear({ type: "op.cancel", body: { id, actor } });
  await operations.settled();
  await operations.tend();
  return operations.journals
    .all()
    .filter(({ state }) => state.result === undefined)
    .map(({ id, state }) => `The restore test ${id} goes on: process ${Number.parseInt(state.process, 10)} works on it`);
}
