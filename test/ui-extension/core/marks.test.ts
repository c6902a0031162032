import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventView, TaskView } from "#protocol/api.ts";
import type { BackupView } from "#protocol/proof.ts";
import { chartCsv } from "../../../ui-extension/core/csv.ts";
import { type Happenings, marksOf, placeBeyond, placeNear, placesOf } from "../../../ui-extension/core/marks.ts";
import { inEnglish } from "../../../ui-extension/core/text.ts";
import { alertOf } from "../../support/alert-views.ts";
import { fakeRun } from "../../support/fake-proof-api.ts";

const event = (type: string, at: number, entity: string | null = "guest/105"): EventView => ({
  ...{ id: at, at, cluster: "c", type, severity: "info", entity, node: "pve1", text: type, actor: null },
});
const task = (type: string, startedAt: number, more: Partial<TaskView> = {}): TaskView => ({
  ...{ cluster: "c", upid: `${type}${startedAt}`, node: "pve1", type, id: "105", user: "root@pam", startedAt },
  ...{ endedAt: startedAt + 5, state: "ok", status: "OK", ...more },
});
const happenings: Happenings = {
  events: [
    event("guest.migrated", 30),
    event("backup.failed", 21),
    event("guest.started", 40, "guest/999"),
    event("agent.away", 60, null),
  ],
  tasks: [
    task("vzdump", 20, { state: "failed", status: "job errors" }),
    task("vncproxy", 25),
    task("qmstart", 5),
    task("qmstop", 95, { id: "999" }),
  ],
  alerts: [alertOf({ cluster: "c", entity: "guest/105", text: "CPU is busy", firedAt: 2, resolvedAt: 12, severity: "critical" })],
};

test("marks of a guest are its alerts, tasks and events between two times, each told once; consoles are no change", () => {
  const marks = marksOf(happenings, { cluster: "c", entity: "guest/105" }, { from: 10, to: 50 }, inEnglish);
  assert.deepEqual(
    marks.map(({ at, until, kind, severity, text }) => [at, until, kind, severity, text]),
    [
      [2, 12, "alert", "critical", "Alert: CPU is busy"],
      [5, 10, "task", "info", "Start 105 by root@pam"],
      [20, 25, "task", "warning", "Backup 105 failed: job errors"],
      [30, undefined, "event", "info", "guest.migrated"],
    ],
  );
});

test("restore tests and backups of a guest are marked once: not beside their events, nor beside a backup's own task", () => {
  const about = { cluster: "0123456789abcdef", entity: "guest/105" };
  const hour = 3_600_000;
  const ended = {
    state: "finished",
    startedAt: 10 * hour,
    finishedAt: 11 * hour,
    outcome: "failed",
    verdict: "no boot",
  } as const;
  const backup = (at: number, state: BackupView["state"] = "unverified", guest: BackupView["guest"] = "same") =>
    ({ cluster: about.cluster, vmid: 105, storage: "nfs1", at, state, guest }) as BackupView;
  const marks = marksOf(
    {
      events: [{ ...event("restore-test.failed", 11 * hour), cluster: about.cluster }],
      tasks: [task("vzdump", 2 * hour, { cluster: about.cluster, endedAt: 2 * hour + 60_000 })],
      alerts: [],
      runs: [fakeRun(105, 0, ended), fakeRun(105, 0, { startedAt: null }), fakeRun(106, 0)],
      backups: [backup(2 * hour + 1000), backup(5 * hour), backup(6 * hour, "failed"), backup(7 * hour, "verified", "other")],
    },
    about,
    { from: 0, to: 100 * hour },
    inEnglish,
  );
  assert.deepEqual(
    marks.map(({ at, until, kind, severity, text }) => [
      at / hour,
      until === undefined ? until : until / hour,
      kind,
      severity,
      text,
    ]),
    [
      [2, 2 + 1 / 60, "task", "info", "Backup 105 by root@pam"],
      [5, undefined, "backup", "info", "Backup on nfs1"],
      [6, undefined, "backup", "warning", "Backup on nfs1: it is damaged"],
      [10, 11, "test", "warning", "Restore test of its backup: no boot"],
    ],
  );
});

test("marks of a node are what is said of itself, and of the tasks those that it feels or that failed: not each start of a guest", () => {
  const marks = marksOf(happenings, { cluster: "c", entity: "node/pve1" }, { from: 0, to: 100 }, inEnglish);
  assert.deepEqual(
    marks.map(({ text }) => text),
    ["Backup 105 failed: job errors", "agent.away"],
  );
});

test("marks that fall into one step are one place, the worst first; the nearest, next and former place are found", () => {
  const between = { from: 0, to: 100 };
  const places = placesOf(marksOf(happenings, { cluster: "c", entity: "guest/105" }, between, inEnglish), between, 10);
  assert.deepEqual(
    places.map(({ slot, severity, marks }) => [slot, severity, marks.length]),
    [
      [0, "critical", 2],
      [2, "warning", 1],
      [3, "info", 1],
    ],
  );
  assert.equal(placeNear(places, 4, 1)?.slot, 3);
  assert.equal(placeNear(places, 9, 2), undefined);
  assert.equal(placeBeyond(places, 2, "next")?.slot, 3);
  assert.equal(placeBeyond(places, 2, "before")?.slot, 0);
  assert.equal(placeBeyond(places, 3, "next"), undefined);
});

test("a chart as CSV has a column for each line and its band, empty fields for what is unknown, and no formulas", () => {
  const lines = [
    { label: "used", colour: 0, style: "area" as const, values: [1, null], band: { min: [0, null], max: [2, null] } },
    { label: '=cmd|"x"', colour: 1, style: "line" as const, values: [3, 4] },
  ];
  assert.equal(
    chartCsv([0, 20_000], lines, String),
    'time,used,used (min),used (max),"\'=cmd|""x"""\r\n0,1,0,2,3\r\n20000,,,,4\r\n',
  );
});
