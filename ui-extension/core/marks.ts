import type { AlertView } from "#protocol/alerting.ts";
import type { EventView, TaskView } from "#protocol/api.ts";
import type { BackupView, RunView } from "#protocol/proof.ts";
import { groupBy } from "./group.ts";
import { taskWords } from "./tasks.ts";
import type { Translate } from "./text.ts";

/** Something that happened, to be marked on charts. `until`: it lasted; undefined: a moment, or it still lasts. */
export type Mark = {
  at: number;
  until: number | undefined;
  kind: "alert" | "task" | "event" | "test" | "backup";
  severity: "info" | "warning" | "critical";
  text: string;
};

/** What a page is about; a task is told by the number of its guest, or by its node. */
export type MarkSubject = { cluster: string; entity: string };
/** `runs`, `backups`: of a guest; absent elsewhere. */
export type Happenings = {
  events: readonly EventView[];
  tasks: readonly TaskView[];
  alerts: readonly AlertView[];
  runs?: readonly RunView[];
  backups?: readonly BackupView[];
};
export type Between = { from: number; to: number };

/** Of what happened the tasks are told as tasks, alerts as alerts: their events would say it twice. */
const toldElsewhere = /^(task|backup|restore|migration|snapshot|alert)\./;
/** Tests are told as tests, from their beginning to their end. */
const toldByRuns = /^restore-test\.(started|passed|failed|not-done)$/;
/** PVE names a backup by the second at which its task came to the guest. */
const sameBackupMs = 60_000;
/** Opened by hand again and again, and of no effect on any figure. */
const idleTasks = new Set(["vncproxy", "vncshell", "termproxy", "spiceproxy", "spiceshell"]);
/** Of the many tasks on a node those that its own figures feel. */
const heavyTasks =
  /^(vzdump|qmrestore|vzrestore|qmigrate|vzmigrate|qmclone|vzclone|move_volume|qmmove|imgcopy|download|startall|stopall|migrateall|suspendall|aptupdate|reboot)/;
const rank: Record<Mark["severity"], number> = { critical: 0, warning: 1, info: 2 };

/** Marks of a subject within a time, oldest first: alerts, tasks that change something, and what else happened. */
export function marksOf(
  { events, tasks, alerts, runs, backups }: Happenings,
  subject: MarkSubject,
  { from, to }: Between,
  t: Translate,
): Mark[] {
  const marks = [
    ...alerts.filter((one) => one.cluster === subject.cluster && one.entity === subject.entity).map((one) => ofAlert(one, t)),
    ...tasks.filter((task) => concerns(task, subject)).map((task) => ofTask(task, t)),
    ...(runs ?? []).filter((run) => isTestOf(run, subject)).map((run) => ofRun(run, t)),
    ...(backups ?? []).filter((backup) => isBackupOf(backup, subject) && !hasTask(backup, tasks)).map((one) => ofBackup(one, t)),
    ...events
      .filter((event) => isAbout(event, subject) && !toldElsewhere.test(event.type))
      .filter(({ type }) => runs === undefined || !toldByRuns.test(type))
      .map((event) => ofEvent(event, t)),
  ];
  return marks.filter(({ at, until }) => at < to && (until ?? at) >= from).sort((a, b) => a.at - b.at);
}

const isAbout = ({ cluster, entity, node }: EventView, subject: MarkSubject) =>
  cluster === subject.cluster && (entity === subject.entity || (entity === null && subject.entity === `node/${node}`));

function concerns({ cluster, id, node, type, state }: TaskView, subject: MarkSubject): boolean {
  if (cluster !== subject.cluster || idleTasks.has(type)) return false;
  if (subject.entity === `guest/${id}`) return true;
  return subject.entity === `node/${node}` && (id === "" || heavyTasks.test(type) || state === "failed" || state === "lost");
}

function ofAlert({ firedAt, activeAt, resolvedAt, severity, text }: AlertView, t: Translate): Mark {
  return {
    at: firedAt ?? activeAt ?? 0,
    until: resolvedAt ?? undefined,
    kind: "alert",
    severity,
    text: t("Alert: {text}", { text: t(text) }),
  };
}

function ofTask({ startedAt, endedAt, state, type, id, user, status }: TaskView, t: Translate): Mark {
  const failed = state === "failed" || state === "lost";
  const what = taskWords({ type, id }, t);
  const words = failed
    ? t("{task} failed: {status}", { task: what, status: status ?? "" })
    : t("{task} by {user}", { task: what, user });
  return { at: startedAt, until: endedAt ?? undefined, kind: "task", severity: failed ? "warning" : "info", text: words };
}

const isTestOf = ({ kind, cluster, entity, startedAt }: RunView, subject: MarkSubject) =>
  kind === "restore-test" && startedAt !== null && cluster === subject.cluster && entity === subject.entity;

function ofRun({ startedAt, createdAt, finishedAt, outcome, verdict }: RunView, t: Translate): Mark {
  const text =
    outcome === null
      ? t("Restore test of its backup runs")
      : t("Restore test of its backup: {verdict}", { verdict: verdict ?? outcome });
  const severity = outcome === "failed" ? "warning" : "info";
  return { at: startedAt ?? createdAt, until: finishedAt ?? undefined, kind: "test", severity, text };
}

/** Of a guest that had the number before it is none. */
const isBackupOf = ({ cluster, vmid, guest }: BackupView, subject: MarkSubject) =>
  cluster === subject.cluster && subject.entity === `guest/${vmid}` && guest !== "other";

/** A backup task of the guest alone tells it already; that of a job is about many guests. */
const hasTask = ({ at, vmid, cluster }: BackupView, tasks: readonly TaskView[]) =>
  tasks.some(
    (task) =>
      task.type === "vzdump" &&
      task.cluster === cluster &&
      task.id === String(vmid) &&
      at >= task.startedAt - sameBackupMs &&
      at <= (task.endedAt ?? at) + sameBackupMs,
  );

function ofBackup({ at, storage, state }: BackupView, t: Translate): Mark {
  const damaged = state === "failed";
  const text = damaged ? t("Backup on {storage}: it is damaged", { storage }) : t("Backup on {storage}", { storage });
  return { at, until: undefined, kind: "backup", severity: damaged ? "warning" : "info", text };
}

const ofEvent = ({ at, severity, text }: EventView, t: Translate): Mark => ({
  ...{ at, until: undefined, kind: "event", severity },
  text: t(text),
});

/** Marks that would lie on one another, as one place: the worst one speaks first. `slot`: the chart's step a moment falls into. */
export type MarkPlace = { slot: number; at: number; severity: Mark["severity"]; marks: readonly Mark[] };

export function placesOf(marks: readonly Mark[], { from, to }: Between, stepMs: number): MarkPlace[] {
  const slotOf = ({ at }: Mark) => Math.floor((Math.min(Math.max(at, from), to - 1) - from) / stepMs);
  return [...groupBy(marks, (mark) => String(slotOf(mark)))].map(([slot, group]) => {
    const marks = group.toSorted((a, b) => rank[a.severity] - rank[b.severity]);
    const worst = marks[0]?.severity ?? "info";
    return { slot: Number(slot), at: from + Number(slot) * stepMs, severity: worst, marks };
  });
}

/** The place nearest to a slot, no farther than `reach` slots. */
export function placeNear(places: readonly MarkPlace[], slot: number, reach: number): MarkPlace | undefined {
  const near = places.filter((place) => Math.abs(place.slot - slot) <= reach);
  return near.toSorted((a, b) => Math.abs(a.slot - slot) - Math.abs(b.slot - slot))[0];
}

/** The next place after (before) a slot; undefined: there is none. */
export function placeBeyond(places: readonly MarkPlace[], slot: number, direction: "next" | "before"): MarkPlace | undefined {
  const sorted = places.toSorted((a, b) => a.slot - b.slot);
  return direction === "next" ? sorted.find((place) => place.slot > slot) : sorted.findLast((place) => place.slot < slot);
}
