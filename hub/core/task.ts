import type { TaskView } from "#protocol/api.ts";
import type { ClusterId } from "#protocol/ids.ts";
import { parseUpid } from "#protocol/ids.ts";
import type { TaskReport } from "#protocol/messages.ts";

export type TaskState = TaskView["state"];

/** pve-common `src/PVE/UPID.pm`: success is `OK` or `WARNINGS: n`; anything else, "unexpected status" included, failed. */
export function taskState(status: string | undefined): TaskState {
  if (status === undefined) return "running";
  if (status === "OK") return "ok";
  return /^WARNINGS: \d+$/.test(status) ? "warnings" : "failed";
}

/** A task for the API. Undefined: its UPID is none. Ended without a status is a failure too: nothing says that it went well. */
export function taskView(cluster: ClusterId, report: TaskReport): TaskView | undefined {
  const upid = parseUpid(report.upid);
  if (upid === undefined) return undefined;
  const { node, type, id, user, startedAt } = upid;
  const ended = report.endedAt !== undefined || report.status !== undefined;
  return {
    cluster,
    upid: upid.upid,
    node,
    type,
    id,
    user,
    startedAt,
    endedAt: report.endedAt ?? null,
    state: ended ? taskState(report.status ?? "") : "running",
    status: report.status ?? null,
  };
}

/** A later report of the same task: never from ended back to running, but a lost one is found again. The same object when nothing changes. */
export function stepTask(known: TaskView | undefined, reported: TaskView): TaskView {
  if (known === undefined) return reported;
  const ended = known.state !== "running" && known.state !== "lost";
  if (ended && reported.state === "running") return known;
  const same = known.state === reported.state && known.endedAt === reported.endedAt && known.status === reported.status;
  return same ? known : reported;
}

/** Running tasks of a node that its agent, back again, doesn't list among those of the last day. When they ended nobody knows. */
export function lostTasks(running: readonly TaskView[], listed: ReadonlySet<string>): TaskView[] {
  return running.filter((task) => task.state === "running" && !listed.has(task.upid)).map((task) => ({ ...task, state: "lost" }));
}

export type TaskFilter = {
  cluster?: string | undefined;
  node?: string | undefined;
  /** Tasks about this guest: their id is the vmid, or `vmid@storage`. */
  guest?: number | undefined;
  type?: string | undefined;
  state?: TaskState | undefined;
  since?: number | undefined;
};

export function matchesTask(task: TaskView, filter: TaskFilter): boolean {
  return (
    (filter.cluster === undefined || task.cluster === filter.cluster) &&
    (filter.node === undefined || task.node === filter.node) &&
    (filter.guest === undefined || task.id.split("@")[0] === String(filter.guest)) &&
    (filter.type === undefined || task.type === filter.type) &&
    (filter.state === undefined || task.state === filter.state) &&
    (filter.since === undefined || task.startedAt >= filter.since)
  );
}
