import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs, Vmid } from "#protocol/ids.ts";
import type { BackupJobFacts } from "#protocol/inventory.ts";
import {
  backupFacts,
  DueTimes,
  includesGuest,
  JobMemory,
  type JobTimes,
  nothingCatalogued,
} from "../../../hub/core/backup-due.ts";
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
const due = new DueTimes(() => "UTC");
const times = (knownSince = 0, guestSince = 0, jobSince = 0) => ({
  newestDue: (schedule: string) => due.newest(schedule, undefined, now),
  dueAfter: (schedule: string, after: EpochMs) => due.after(schedule, undefined, after),
  knownSince,
  guestSince,
  jobSince: () => jobSince,
  now,
});
const hours = (ms: number | undefined) => (ms === undefined ? undefined : ms / hour);
const overdueHours = (jobs: BackupJobFacts[], tasks: BackupTask[], knownSince = 0, guestSince = 0) =>
  hours(backupFacts(jobs, tasks, times(knownSince, guestSince), nothingCatalogued).overdueMs);

const cases: [
  name: string,
  overdue: number | undefined,
  jobs: BackupJobFacts[],
  tasks: BackupTask[],
  known?: number,
  guest?: number,
][] = [
  ["made last night", 0, [job()], [task("2026-03-02T21:00:02Z", "ok")]],
  [
    "the first one since the guest is there is under way",
    0,
    [job()],
    [task("2026-03-02T21:00:02Z", "running")],
    0,
    at("2026-03-02T12:00:00Z"),
  ],
  [
    "under way since the night before: it was not missed, what came after was",
    5,
    [job()],
    [task("2026-02-28T21:00:02Z", "ok"), task("2026-03-01T21:00:02Z", "running")],
  ],
  [
    "under way after one that was missed: that one is, until this one has ended well",
    29,
    [job()],
    [task("2026-02-28T21:00:02Z", "ok"), task("2026-03-02T21:00:02Z", "running")],
  ],
  ["only the night before", 5, [job()], [task("2026-03-01T21:00:02Z", "ok")]],
  ["its own one failed", 5, [job()], [task("2026-03-02T21:00:02Z", "failed", false)], at("2026-03-02T12:00:00Z")],
  ["a job of several failed: nobody can say", undefined, [job()], [task("2026-03-02T21:00:02Z", "failed")]],
  ["a weekly one, due on Saturday, made then", 0, [job({ schedule: "sat 1:00" })], [task("2026-02-28T01:00:01Z", "ok")]],
  ["nothing was planned", undefined, [], []],
  ["no calendar", undefined, [{ ...job(), schedule: undefined as never }], []],
  ["due before tasks are known", undefined, [job()], [], at("2026-03-03T00:00:00Z")],
  ["due before the guest was there", undefined, [job()], [], 0, at("2026-03-03T00:00:00Z")],
  ["since the night before last: counted from the first that is missing", 29, [job()], [task("2026-02-28T21:00:02Z", "ok")]],
  ["never one since the guest is there", 29, [job()], [], 0, at("2026-02-28T22:00:00Z")],
];
for (const [name, overdue, jobs, tasks, known, guest] of cases) {
  test(`a backup: ${name}`, () => assert.equal(overdueHours(jobs, tasks, known, guest), overdue));
}

type Held = [newestAt: string | undefined, listedAt: string | undefined];
const held = ([newest, listed]: Held, oldest = newest) => ({
  unknownAt: undefined,
  span: newest === undefined ? undefined : { newestAt: at(newest), newestOn: "nfs1", oldestAt: at(oldest ?? newest) },
  listedAt: (storage: string) => (storage === "pbs1" && listed !== undefined ? at(listed) : undefined),
  isListed: newest !== undefined || listed !== undefined,
});
const toPbs = [job({ storage: "pbs1" })];
const lastNight = "2026-03-02T21:04:00Z";
const morning = "2026-03-03T01:00:00Z";
const mixed = { ...task("2026-03-02T21:00:02Z", "failed"), endedAt: at("2026-03-02T22:00:00Z") };
const good = { ...task("2026-03-02T21:00:02Z", "ok"), endedAt: at("2026-03-02T22:00:00Z") };

const catalogued: [name: string, overdue: number | undefined, tasks: BackupTask[], held: Held, known?: number][] = [
  ["a job of several failed, and its backup is there", 0, [mixed], [lastNight, morning]],
  ["a job of several failed, and its backup isn't there", 5, [mixed], ["2026-03-01T21:04:00Z", morning]],
  ["a job of several failed, and its storage was listed before that", undefined, [mixed], ["2026-03-01T21:04:00Z", lastNight]],
  ["no task is known of that time, and its backup is there, in any storage", 0, [], [lastNight, undefined], now],
  ["no task is known of that time, and its storage shows none since", 5, [], ["2026-03-01T21:04:00Z", morning], now],
  [
    "no task is known of that time, nor was its storage listed since",
    undefined,
    [],
    ["2026-03-01T21:04:00Z", "2026-03-02T20:00:00Z"],
    now,
  ],
  ["the job says OK, and its storage shows none since", 5, [good], ["2026-03-01T21:04:00Z", morning]],
  ["the job says OK, and its storage can't be listed", 0, [good], ["2026-03-01T21:04:00Z", undefined]],
  ["the job ended just before its storage was listed", 0, [good], ["2026-03-01T21:04:00Z", "2026-03-02T22:00:30Z"]],
  ["it runs, and isn't there yet", 0, [task("2026-03-02T21:00:02Z", "running")], ["2026-03-01T21:04:00Z", morning]],
];
for (const [name, overdue, tasks, what, known] of catalogued) {
  test(`a backup by the catalogue: ${name}`, () =>
    assert.equal(hours(backupFacts(toPbs, tasks, times(known), held(what)).overdueMs), overdue));
}

test("a backup of last night that may be another guest's: nobody can say whether this one's is missing", () => {
  const what = { ...held(["2026-03-01T21:04:00Z", morning]), unknownAt: at(lastNight) };
  assert.equal(backupFacts(toPbs, [], times(), what).overdueMs, undefined);
  assert.equal(backupFacts(toPbs, [{ ...good, endedAt: at(morning) }], times(), what).overdueMs, 0);
  assert.equal(hours(backupFacts(toPbs, [], times(), { ...what, unknownAt: at("2026-03-02T12:00:00Z") }).overdueMs), 5);
});

test("a guest with an old backup was there before the hub was: its missing backup is told at once", () => {
  const born = times(now, now);
  assert.equal(hours(backupFacts(toPbs, [], born, held(["2026-02-20T21:04:00Z", morning])).overdueMs), 221);
  assert.equal(backupFacts(toPbs, [], born, held([undefined, morning])).overdueMs, undefined, "it may be new");
});

const own = { ...task("2026-03-02T10:00:00Z", "ok", false), endedAt: at("2026-03-02T10:30:00Z") };
const failedSince = ["2026-03-01T21:00:02Z", "2026-03-02T21:00:02Z"].map((iso) => task(iso, "failed", false));
const young: [name: string, hours: number, jobs: BackupJobFacts[], tasks: BackupTask[], held: Held, born?: string][] = [
  ["nightly ones that fail make it no younger", 77, toPbs, failedSince, ["2026-02-27T21:00:00Z", morning]],
  ["one made by hand counts, in no job too", 16, [], [own], ["2026-02-27T21:00:00Z", undefined]],
  ["what a job made that does not take the guest is another's", 77, [], [good], ["2026-02-27T21:00:00Z", undefined]],
  ["a job that says OK and left nothing made none", 77, toPbs, [good], ["2026-02-27T21:00:00Z", morning]],
  ["a job whose storage nobody listed since is believed", 5, toPbs, [good], ["2026-02-27T21:00:00Z", lastNight]],
  ["a guest in no job that never had one: since it is known", 26, [], [good], [undefined, undefined], "2026-03-02T00:00:00Z"],
];
for (const [name, age, jobs, tasks, what, born] of young) {
  test(`the age of the newest good backup: ${name}`, () => {
    const { goodSince } = backupFacts(jobs, tasks, times(0, born === undefined ? 0 : at(born)), held(what));
    assert.equal(Math.round((now - goodSince) / hour), age);
  });
}

test("the age of a backup that never was: that the hub has forgotten older tasks makes it no younger where storages are listed", () => {
  const ageWith = (what: Held) => {
    const { goodSince } = backupFacts([], [], times(at("2026-03-01T00:00:00Z"), at("2026-01-01T00:00:00Z")), held(what));
    return Math.round((now - goodSince) / hour);
  };
  assert.deepEqual([ageWith([undefined, morning]), ageWith([undefined, undefined])], [61 * 24 + 2, 2 * 24 + 2]);
});

test("the age of the newest good backup: one that may be another guest's is the youngest it can have", () => {
  const what = { ...held(["2026-02-27T21:00:00Z", morning]), unknownAt: at("2026-03-02T12:00:00Z") };
  assert.equal(backupFacts(toPbs, [], times(), what).goodSince, at("2026-03-02T12:00:00Z"));
});

test("a run that was due before the guest was put into the job is not missing", () => {
  const tasks = [task("2026-02-20T21:00:02Z", "ok", false)];
  assert.equal(backupFacts([job()], tasks, times(0, 0, at("2026-03-02T23:00:00Z")), nothingCatalogued).overdueMs, undefined);
  const kept = new Map<string, JobTimes>();
  const saved = {
    read: (cluster: string, vmid: number) => kept.get(`${cluster}/${vmid}`),
    write: (cluster: string, vmid: number, times: JobTimes) => kept.set(`${cluster}/${vmid}`, times),
  };
  const memory = new JobMemory(saved);
  const [first, then] = [at("2026-03-01T00:00:00Z"), at("2026-03-02T23:00:00Z")];
  assert.equal(memory.look("c", 100, [job()], first)(job()), 0);
  const weekly = job({ id: "weekly", schedule: "sat 1:00" });
  assert.equal(memory.look("c", 100, [job(), weekly], then)(weekly), then);
  assert.equal(memory.look("c", 100, [job(), weekly], now)(weekly), then);
  const restarted = new JobMemory(saved).look("c", 100, [job(), weekly], now);
  assert.deepEqual([restarted(weekly), restarted(job())], [then, 0], "also after the hub started again");
  assert.equal(memory.look("c", 100, [job({ schedule: "22:00" })], now)(job({ schedule: "22:00" })), now, "another calendar");
});

test("the newest backup: the failed task that was last, until a backup is there that is newer", () => {
  const failed = { ...task("2026-03-02T21:00:02Z", "failed", false), endedAt: at("2026-03-02T21:10:00Z") };
  const newest = (what: Held) => backupFacts(toPbs, [failed], times(), held(what)).newest?.state;
  assert.equal(newest([undefined, morning]), "failed");
  assert.equal(newest(["2026-03-02T21:05:00Z", morning]), "failed", "what the failed task itself left");
  assert.equal(newest(["2026-03-02T23:00:00Z", morning]), "ok");
});

test("a job of several guests that failed says nothing of this one; one that ended well does, and so does a guest's own task", () => {
  const newest = (...tasks: BackupTask[]) => backupFacts([job()], tasks, times(), nothingCatalogued).newest;
  const good = task("2026-03-01T21:00:02Z", "ok");
  assert.equal(newest(good, task("2026-03-02T21:00:02Z", "failed"))?.at, good.at);
  assert.equal(newest(good, task("2026-03-02T21:00:02Z", "lost"))?.at, good.at);
  assert.equal(newest(good, task("2026-03-02T21:00:02Z", "running"))?.at, good.at);
  assert.equal(newest(good, task("2026-03-02T21:00:02Z", "warnings"))?.state, "warnings");
  assert.equal(newest(good, task("2026-03-02T21:00:02Z", "failed", false))?.state, "failed");
  assert.equal(newest(task("2026-03-02T21:00:02Z", "failed")), undefined);
});

test("since when a job takes a guest is kept when that changes, and only then", () => {
  const written: JobTimes[] = [];
  const memory = new JobMemory({ read: () => undefined, write: (_, __, kept) => void written.push(kept) });
  const [first, second] = [at("2026-03-01T00:00:00Z"), at("2026-03-02T00:00:00Z")];
  memory.look("c", 100, [job()], first);
  memory.look("c", 100, [job()], second);
  assert.deepEqual(written, []);
  memory.look("c", 100, [job(), job({ id: "weekly" })], second);
  memory.look("c", 100, [job(), job({ id: "weekly" })], second);
  assert.deepEqual(written, [{ "weekly 21:00": second }]);
  memory.look("c", 100, [job()], second);
  assert.deepEqual(written.slice(1), [{}]);
});

test("a job takes what it names, or all but what it excludes, on its node", () => {
  const guest = { vmid: 100 as Vmid, pool: "shop" };
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
