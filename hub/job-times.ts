import type { EpochMs } from "#protocol/ids.ts";
import type { SavedJobTimes } from "./core/backup-due.ts";
import type { StateStore } from "./store/state.ts";

const by = { actor: "hub", reason: "a guest came into or left a backup job" };

/** Since when jobs take guests, in the state store. */
export function savedJobTimes(state: Pick<StateStore, "get" | "put" | "remove">): SavedJobTimes {
  return {
    read: (cluster, vmid) => state.get("jobTimes", `${cluster}/${vmid}`)?.since,
    write: (cluster, vmid, since) => {
      const id = `${cluster}/${vmid}`;
      if (Object.keys(since).length > 0) state.put("jobTimes", id, { since }, by);
      else if (state.get("jobTimes", id) !== undefined) state.remove("jobTimes", id, by);
    },
  };
}

/** Forgets what is so old that no calendar asks for it: also the times of guests that are gone. */
export function pruneJobTimes(state: Pick<StateStore, "list" | "remove">, before: EpochMs): void {
  for (const { id, document } of state.list("jobTimes"))
    if (Object.values(document.since).every((at) => at < before)) state.remove("jobTimes", id, by);
}
