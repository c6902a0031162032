import type { RunView } from "#protocol/proof.ts";

/** Runs as the stream tells them. `connection` counts: what ended between two of them nobody told, so that lists are asked anew. */
export type LiveRuns = { connection: number; byId: ReadonlyMap<string, RunView> };

export const noRuns: LiveRuns = { connection: 0, byId: new Map() };

/** Ended ones that are remembered, so that a page which asked a moment ago learns of the end. */
const endedKept = 100;

/** `complete`: the first list of a new connection, which holds all that go on. */
export function withRuns(known: LiveRuns, told: readonly RunView[], complete: boolean): LiveRuns {
  const byId = new Map(complete ? [] : known.byId);
  for (const run of told) {
    byId.delete(run.id);
    byId.set(run.id, run);
  }
  const ended = [...byId.values()].filter(({ state }) => state === "finished");
  for (const { id } of ended.slice(0, Math.max(0, ended.length - endedKept))) byId.delete(id);
  return { connection: known.connection + (complete ? 1 : 0), byId };
}

/** A list that was asked once, as it is now: the newest first. Those told since are added where they fit. */
export function upToDate(asked: readonly RunView[], { byId }: LiveRuns, fits: (run: RunView) => boolean = () => true): RunView[] {
  const listed = new Set(asked.map(({ id }) => id));
  const since = [...byId.values()].filter((run) => !listed.has(run.id) && fits(run));
  return [...since, ...asked.map((run) => byId.get(run.id) ?? run)].sort((a, b) => b.createdAt - a.createdAt);
}

/** The run about a guest that goes on; the one that began first, where there are several. */
export function openRunOf({ byId }: LiveRuns, { cluster, entity }: { cluster: string; entity: string }): RunView | undefined {
  let found: RunView | undefined;
  for (const run of byId.values()) {
    const isIts = run.state !== "finished" && run.cluster === cluster && run.entity === entity;
    if (isIts && (found === undefined || run.createdAt < found.createdAt)) found = run;
  }
  return found;
}

/** Guests without the copies that tests made of them: nobody has to back those up. The same list where there is none. */
export function withoutCopies<T extends { cluster: string; vmid: number }>(
  guests: readonly T[],
  { byId }: LiveRuns,
): readonly T[] {
  const copies = new Set(
    [...byId.values()].flatMap(({ state, testVmid, cluster }) =>
      state === "finished" || testVmid === null ? [] : [`${cluster} ${testVmid}`],
    ),
  );
  return copies.size === 0 ? guests : guests.filter(({ cluster, vmid }) => !copies.has(`${cluster} ${vmid}`));
}
