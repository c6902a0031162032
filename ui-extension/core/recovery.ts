import type { NodeView } from "#protocol/api.ts";
import type { GuestRecovery, NodeRecovery } from "#protocol/recovery.ts";
import { formatAge } from "./age.ts";
import { plural, type Translate } from "./text.ts";
import { formatDuration } from "./units.ts";

type State = GuestRecovery["state"];
/** The worst first; the hub's list of them is a value, and the panel takes types alone from there. */
const states: readonly State[] = ["lost", "failed", "unknown", "unproven", "stays", "proven"];

/** What a node would lose. `untold`: no agent of ours was ever there to tell of its guests, so that none is known. */
export type Loss = Pick<NodeRecovery, "counts" | "guests"> & { untold?: boolean };

/** As the hub has it, and of a node without an agent of ours that nobody can tell: that no guest of it is known doesn't say that it has none. */
export function asTold<T extends NodeRecovery>(
  recoveries: readonly T[],
  nodes: readonly NodeView[],
): (T & { untold: boolean })[] {
  const key = ({ cluster, entity }: { cluster: string; entity: string }) => `${cluster} ${entity}`;
  const without = new Set(nodes.filter(({ agent }) => agent.state === "never").map(key));
  return recoveries.map((recovery) => {
    const untold = recovery.guests === 0 && without.has(key(recovery));
    return { ...recovery, untold, room: untold ? { ...recovery.room, fits: "unknown", neededBytes: null } : recovery.room };
  });
}

export const stateRank = ({ state }: Pick<GuestRecovery, "state">): number => states.indexOf(state);

/** To sort nodes by: the worst is the greatest, and the more guests it is about the greater. */
export const lossRank = (node: Loss): number => {
  const worst = worstOf(node);
  return worst === "none" ? -1 : (states.length - states.indexOf(worst)) * 1e6 + node.counts[worst];
};

/** The worst that a node's loss would do, as one look; `none`: it has no guests. */
export const worstOf = ({ counts, guests, untold }: Loss): State | "none" => {
  if (guests === 0 && untold !== true) return "none";
  return states.find((state) => counts[state] > 0) ?? "unknown";
};

const countWords = (state: State, n: number, t: Translate): string => {
  switch (state) {
    case "lost":
      return plural(t, n, "{n} guest is lost", "{n} guests are lost");
    case "failed":
      return plural(t, n, "{n} failed its test or has a damaged backup", "{n} failed their tests or have damaged backups");
    case "unknown":
      return plural(t, n, "of {n} nobody can tell", "of {n} nobody can tell");
    case "unproven":
      return plural(t, n, "{n} has a backup that is not proven", "{n} have backups that are not proven");
    case "stays":
      return plural(t, n, "{n} has its disks elsewhere too", "{n} have their disks elsewhere too");
    case "proven":
      return plural(t, n, "{n} is proven to come back", "{n} are proven to come back");
  }
};

/** Of each state that there is, the worst first. */
const inOrder = ({ counts }: Loss, words: (state: State, n: number) => string): string =>
  states.flatMap((state) => (counts[state] > 0 ? [words(state, counts[state])] : [])).join(" · ");

/** What becomes of the guests, the worst first: `2 guests are lost · 9 are proven to come back`. */
export function lossWords(loss: Loss, t: Translate): string {
  if (loss.untold === true) return t("No agent tells of its guests");
  if (loss.guests === 0) return t("No guests here");
  return inOrder(loss, (state, n) => countWords(state, n, t));
}

/** The same where there is little room: `2 lost · 9 proven`. */
export function lossBrief(loss: Loss, t: Translate): string {
  if (loss.untold === true) return t("unknown");
  if (loss.guests === 0) return t("No guests here");
  const words: Record<State, (n: number) => string> = {
    lost: (n) => t("{n} lost", { n }),
    failed: (n) => t("{n} failed", { n }),
    unknown: (n) => t("{n} unknown", { n }),
    unproven: (n) => t("{n} not proven", { n }),
    stays: (n) => t("{n} stay", { n }),
    proven: (n) => t("{n} proven", { n }),
  };
  return inOrder(loss, (state, n) => words[state](n));
}

/** How old the data is that comes back, at most; undefined: nothing that has an age comes back. */
export const dataWords = ({ oldestAt }: Pick<NodeRecovery, "oldestAt">, now: number, t: Translate): string | undefined =>
  oldestAt === null ? undefined : t("up to {age} old", { age: formatAge(now - oldestAt) });

/** How long restores take, as tests measured them; undefined: nothing is restored. */
export function timeWords(
  { restores: { guests, measured, totalMs } }: Pick<NodeRecovery, "restores">,
  t: Translate,
): string | undefined {
  if (guests === 0) return undefined;
  if (measured === 0) return t("never measured");
  const time = formatDuration(totalMs / 1000);
  return measured === guests ? time : t("{time} for {n} of {all}", { time, n: measured, all: guests });
}

/** Whether the others have the memory for it. */
export function roomWords({ room }: Pick<NodeRecovery, "room">, t: Translate): string {
  const words: Record<NodeRecovery["room"]["fits"], string> = {
    yes: t("fits on the other nodes"),
    no: t("does not fit on the other nodes"),
    none: t("no other node is there"),
    unknown: t("unknown"),
  };
  return words[room.fits];
}

/** What becomes of one guest, in a word or two. */
export function stateWords({ state, way }: Pick<GuestRecovery, "state" | "way">, t: Translate): string {
  switch (state) {
    case "lost":
      return t("is lost");
    case "failed":
      return way === null ? t("its backup is damaged") : t("failed its restore test");
    case "unknown":
      return t("nobody can tell");
    case "unproven":
      return t("not proven");
    case "proven":
      return t("proven by a test");
    case "stays":
      return way === "ha" ? t("HA starts it elsewhere") : t("start it elsewhere");
  }
}

/** From where it comes back, and what does not come with it. */
export function sourceWords({ state, way, target, backup, burns, without }: GuestRecovery, t: Translate): string {
  const parts: string[] = [];
  if (state === "lost" && burns === null) parts.push(t("no storage has a backup of it"));
  if (way === "backup" && backup !== null) parts.push(t("backup on {storage}", { storage: backup.storage }));
  if (target !== null) parts.push(t("replica on {node}", { node: target }));
  else if (way === "ha" || way === "shared") parts.push(t("shared storage"));
  if (way === null && burns !== null) parts.push(t("its backups on {storage} burn too", { storage: burns.storage }));
  else if (burns !== null && way === "backup") parts.push(t("a newer one on {storage} burns", { storage: burns.storage }));
  if (backup?.stale === true && way === "backup") parts.push(t("its storage can't be read now"));
  if (state === "unknown" && way === "backup" && backup?.stale === false) parts.push(t("nobody told on which machine that is"));
  if (without === null && way === "backup") parts.push(t("nobody told which disks backups leave out"));
  if (without !== null && without.length > 0) parts.push(t("without {disks}", { disks: without.join(", ") }));
  return parts.join(" · ");
}
