import { carriesMarker, hasTestTag } from "./marker.ts";

/** What is seen of a guest at this very moment; read again before every start, change and delete. */
export type GuestSeen = {
  vmid: number;
  /** The configuration file's text; undefined: there is no such guest. */
  text: string | undefined;
  /** Another node that holds it now; absent: this one does. */
  elsewhere?: string;
  description?: string;
  tags?: string;
  /** Tasks PVE knows that made something under this number, oldest first. */
  makers: readonly { upid: string; startedAt: number; running: boolean; user: string }[];
};

/** What the journal says of that number; undefined: nothing. */
export type Intent = {
  operation: string;
  vmid: number;
  /** When the intent was written down: before the call. */
  at: number;
  /** The number was free at that moment. */
  wasFree: boolean;
  /** The task PVE answered with; undefined: the answer never came. */
  upid?: string;
};

export type Ownership =
  | { ours: true; how: "finished" | "half-made" }
  | {
      ours: false;
      why:
        | "gone"
        | "elsewhere"
        | "out-of-range"
        | "no-intent"
        | "was-not-free"
        | "marks-missing"
        | "not-half-made"
        | "no-task"
        | "task-runs"
        | "younger-task";
    };

/** What a restore leaves in the file before it has merged the configuration: containers, and VMs before and after the header was read. */
const halfMade = new Set(["", "lock: create", "memory: 128"]);

/**
 * Whether a guest may be touched. A finished one by range, tag, marker and journal; a half-made one, which carries neither tag nor marker, by
 * range, journalled intent with the number free before it, our task's line, that task's end, and no younger maker. Clocks of PVE's UPIDs are whole
 * seconds, so a task may seem to begin up to one before its intent.
 */
export function ownership(seen: GuestSeen, intent: Intent | undefined, range: { first: number; last: number }): Ownership {
  if (seen.elsewhere !== undefined) return { ours: false, why: "elsewhere" };
  if (seen.text === undefined) return { ours: false, why: "gone" };
  if (seen.vmid < range.first || seen.vmid > range.last) return { ours: false, why: "out-of-range" };
  if (intent === undefined || intent.vmid !== seen.vmid) return { ours: false, why: "no-intent" };
  if (!intent.wasFree) return { ours: false, why: "was-not-free" };
  if (hasTestTag(seen.tags) && carriesMarker(seen.description, intent.operation)) return { ours: true, how: "finished" };
  if (!halfMade.has(seen.text.trim())) return { ours: false, why: seen.text.includes(":") ? "marks-missing" : "not-half-made" };
  return halfMadeIsOurs(seen, intent);
}

function halfMadeIsOurs({ makers }: GuestSeen, intent: Intent): Ownership {
  const since = makers.filter(({ startedAt }) => startedAt >= Math.floor(intent.at / 1000) * 1000);
  const mine =
    intent.upid === undefined
      ? since.filter(({ user }) => user === "root@pam")
      : since.filter(({ upid }) => upid === intent.upid);
  if (mine.length !== 1) return { ours: false, why: mine.length === 0 ? "no-task" : "younger-task" };
  const [ours] = mine as [GuestSeen["makers"][number]];
  if (since.some(({ upid, startedAt }) => upid !== ours.upid && startedAt >= ours.startedAt))
    return { ours: false, why: "younger-task" };
  return ours.running ? { ours: false, why: "task-runs" } : { ours: true, how: "half-made" };
}

/** Why a guest is not touched, for the record. */
export const whyNotOurs: Record<Extract<Ownership, { ours: false }>["why"], string> = {
  gone: "it is not there any more",
  elsewhere: "it lives on another node now",
  "out-of-range": "its number is outside the range of test guests",
  "no-intent": "no journal of ours names it",
  "was-not-free": "its number was not free before the test",
  "marks-missing": "it lacks our tag or our marker",
  "not-half-made": "its configuration is none that a restore leaves",
  "no-task": "no task of ours made it",
  "task-runs": "the task that makes it still runs",
  "younger-task": "somebody else has made something under its number since",
};
