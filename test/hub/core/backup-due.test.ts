import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import type { BackupJobFacts } from "#protocol/messages.ts";
import { backupFacts, DueTimes, includesGuest } from "../../../hub/core/backup-due.ts";
import type { BackupTask } from "../../../hub/core/task-memory.ts";

const at = (iso: string) => Date.parse(iso) as EpochMs;
const hour = 3_600_000;
const job = (more: Partial<BackupJobFacts> = {}): BackupJobFacts => ({
  id: "nightly",
  type: "vzdump",
  enabled: true,
  schedule: "21:00",
  all: true,
  vmids: [],
  exclude: [],
  repeatMissed: false,
  ...more,
});
const task = (iso: string, state: BackupTask["state"], ofJob = true): BackupTask => ({
  at: at(iso),
  endedAt: null,
  state,
  ofJob,
});
const now = at("2026-03-03T02:00:00Z");
const due = new DueTimes("UTC");
const overdueHours = (jobs: BackupJobFacts[], tasks: BackupTask[], knownSince = 0, guestSince = 0) => {
  const { overdueMs } = backupFacts(jobs, tasks, {
    newestDue: (schedule) => due.newest(schedule, undefined, now),
    knownSince,
    guestSince,
    now,
  });
  return overdueMs === undefined ? undefined : overdueMs / hour;
};

const cases: [
  name: string,
  overdue: number | undefined,
  jobs: BackupJobFacts[],
  tasks: BackupTask[],
  known?: number,
  guest?: number,
][] = [
  ["made last night", 0, [job()], [task("2026-03-02T21:00:02Z", "ok")]],
  ["under way", 0, [job()], [task("2026-03-02T21:00:02Z", "running")]],
  ["only the night before", 5, [job()], [task("2026-03-01T21:00:02Z", "ok")]],
  ["its own one failed", 5, [job()], [task("2026-03-02T21:00:02Z", "failed", false)]],
  ["a job of several failed: nobody can say", undefined, [job()], [task("2026-03-02T21:00:02Z", "failed")]],
  ["a weekly one, due on Saturday, made then", 0, [job({ schedule: "sat 1:00" })], [task("2026-02-28T01:00:01Z", "ok")]],
  ["nothing was planned", undefined, [], []],
  ["no calendar", undefined, [{ ...job(), schedule: undefined as never }], []],
  ["due before tasks are known", undefined, [job()], [], at("2026-03-03T00:00:00Z")],
  ["due before the guest was there", undefined, [job()], [], 0, at("2026-03-03T00:00:00Z")],
];
for (const [name, overdue, jobs, tasks, known, guest] of cases) {
  test(`a backup: ${name}`, () => assert.equal(overdueHours(jobs, tasks, known, guest), overdue));
}

test("a job takes what it names, or all but what it excludes, on its node", () => {
  const guest = { vmid: 100, pool: "shop" };
  assert.ok(includesGuest(job(), guest, "pve1"));
  assert.ok(!includesGuest(job({ exclude: [100] }), guest, "pve1"));
  assert.ok(!includesGuest(job({ enabled: false }), guest, "pve1"));
  assert.ok(!includesGuest(job({ node: "pve2" }), guest, "pve1"));
  assert.ok(includesGuest(job({ all: false, vmids: [100] }), guest, "pve1"));
  assert.ok(includesGuest(job({ all: false, pool: "shop" }), guest, "pve1"));
  assert.ok(!includesGuest(job({ all: false, pool: "other" }), guest, "pve1"));
});

test("the first run of a replication that was missed", () => {
  assert.equal(due.after("*/15", undefined, at("2026-03-02T12:07:00Z")), at("2026-03-02T12:15:00Z"));
});
