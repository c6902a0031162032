import type { TaskView } from "#protocol/api.ts";
import type { EventFacts, EventType } from "./events.ts";

type TaskEventType = Extract<
  EventType,
  `${"backup" | "restore" | "migration"}.${string}` | `snapshot.${string}` | "guest.cloned" | "guest.template-made"
>;

/** By type of the task: qemu-server `PVE/API2/Qemu.pm`, pve-container `PVE/API2/LXC.pm` and `LXC/Snapshot.pm`, pve-manager `PVE/API2/VZDump.pm`. */
const families = {
  vzdump: "backup",
  qmrestore: "restore",
  vzrestore: "restore",
  qmigrate: "migration",
  vzmigrate: "migration",
} as const;
const singles = {
  qmsnapshot: "snapshot.created",
  vzsnapshot: "snapshot.created",
  qmdelsnapshot: "snapshot.deleted",
  vzdelsnapshot: "snapshot.deleted",
  qmrollback: "snapshot.rolled-back",
  vzrollback: "snapshot.rolled-back",
  qmclone: "guest.cloned",
  vzclone: "guest.cloned",
  qmtemplate: "guest.template-made",
  vztemplate: "guest.template-made",
} as const;

const has = <T extends object>(table: T, key: PropertyKey): key is keyof T => Object.hasOwn(table, key);
const endings = { ok: "finished", warnings: "warnings", failed: "failed" } as const;

/** The event that a task's end is. Undefined: none of its own; a failure is `task.failed` then. */
export function taskEvent(task: TaskView): { type: TaskEventType; facts: EventFacts<TaskEventType> } | undefined {
  const type = typeOf(task);
  if (type === undefined) return undefined;
  const [first = ""] = task.id.split("@");
  const vmid = /^[1-9][0-9]{2,8}$/.test(first) ? Number(first) : null;
  const facts = {
    node: task.node,
    upid: task.upid,
    subject: vmid === null ? "several guests" : `guest ${vmid}`,
    vmid,
    tookMs: Math.max(0, (task.endedAt ?? task.startedAt) - task.startedAt),
    status: task.status ?? "no status",
  };
  return { type, facts };
}

function typeOf({ type, state }: TaskView): TaskEventType | undefined {
  if (state === "running" || state === "lost") return undefined;
  if (has(families, type)) return `${families[type]}.${endings[state]}`;
  return has(singles, type) && state !== "failed" ? singles[type] : undefined;
}
