import assert from "node:assert/strict";
import { test } from "node:test";
import type { TaskView } from "#protocol/api.ts";
import type { EpochMs, NodeName } from "#protocol/ids.ts";
import type { BackupJobFacts } from "#protocol/inventory.ts";
import type { ProtectionState } from "#protocol/panel.ts";
import { DueTimes, JobMemory, nothingCatalogued } from "../../../hub/core/backup-due.ts";
import { protectionState, protectionsOf } from "../../../hub/core/protection.ts";
import { type BackupTask, TaskMemory } from "../../../hub/core/task-memory.ts";
import { cluster, testPicture } from "../../support/test-cluster.ts";

const jobs: BackupJobFacts[] = [
  { id: "nightly", type: "vzdump", enabled: true, schedule: "21:00", all: true, vmids: [], exclude: [], repeatMissed: false },
];
const task = (state: BackupTask["state"]): BackupTask => ({ at: 1, endedAt: 2, state, ofJob: false });

const cases: [
  name: string,
  jobs: BackupJobFacts[] | undefined,
  overdueMs: number | undefined,
  newest: BackupTask | undefined,
  ProtectionState,
][] = [
  ["every due run made, the newest one good: current", jobs, 0, task("ok"), "current"],
  ["made with warnings is made", jobs, 0, task("warnings"), "current"],
  ["a due run that wasn't made: overdue, whatever the newest one says", jobs, 1, task("ok"), "overdue"],
  ["the newest one failed: failed", jobs, 0, task("failed"), "failed"],
  ["the newest one is lost: failed", jobs, undefined, task("lost"), "failed"],
  ["no job takes it: none, even with a backup made by hand", [], undefined, task("ok"), "none"],
  ["nobody knows the jobs: unknown", undefined, 0, task("ok"), "unknown"],
  ["no run was due since tasks are known: unknown, not current", jobs, undefined, task("ok"), "unknown"],
];
for (const [name, known, overdueMs, newest, state] of cases) {
  const standing = known && { jobs: known, stands: { overdueMs, newest } };
  test(`protection: ${name}`, () => assert.equal(protectionState(standing, []), state));
}

test("protection: a disk that backups leave out makes it partial, one that nobody knows of unknown; what is worse counts more", () => {
  const disks = [{ disk: "scsi1", why: "off" }];
  const [inTime, missed] = [
    { jobs, stands: { overdueMs: 0, newest: task("ok") } },
    { jobs, stands: { overdueMs: 1, newest: task("ok") } },
  ];
  assert.equal(protectionState(inTime, disks), "partial");
  assert.equal(protectionState(inTime, undefined), "unknown");
  assert.equal(protectionState(missed, disks), "overdue");
  assert.equal(protectionState({ jobs, stands: { overdueMs: undefined, newest: undefined } }, disks), "partial");
});

test("when a guest was backed up last: its own tasks and its jobs' count when they ended well, and so does what lies in a storage", () => {
  const now = Date.UTC(2026, 0, 5, 12) as EpochMs;
  const hour = 3_600_000;
  const backedUp = (
    tasks: [id: string, state: TaskView["state"], hoursAgo: number][],
    takes: boolean,
    storedHoursAgo?: number,
  ) => {
    const memory = new TaskMemory();
    for (const [id, state, ago] of tasks) {
      const startedAt = now - ago * hour;
      const upid = `UPID:pve1:${id}:${state}:${ago}:`;
      memory.add({
        cluster,
        node: "pve1",
        upid,
        type: "vzdump",
        id,
        user: "root@pam",
        startedAt,
        endedAt: now,
        state,
        status: null,
      });
    }
    const picture = testPicture({ nodes: { pve1: [{ vmid: 100 }] }, storages: [{ storage: "nfs1" }], at: now });
    const inventory = picture.agents.get("pve1" as NodeName)?.inventory?.inventory;
    if (inventory !== undefined) inventory.backupJobs = takes ? jobs : [];
    const newestAt = (now - (storedHoursAgo ?? 0) * hour) as EpochMs;
    const span = { newestAt, newestOn: "nfs1", oldestAt: newestAt };
    const [view] = protectionsOf(
      picture,
      {
        tasks: memory,
        due: new DueTimes(() => "UTC"),
        jobs: new JobMemory({ read: () => undefined, write: () => undefined }),
        catalogued: () => (storedHoursAgo === undefined ? nothingCatalogued : { ...nothingCatalogued, span }),
      },
      now,
    );
    const at = view?.backedUpAt ?? null;
    return [at === null ? null : (now - at) / hour, view?.backupStorage, view?.nextAt === null];
  };
  assert.deepEqual(backedUp([["100", "ok", 5]], true), [5, null, false]);
  assert.deepEqual(
    backedUp(
      [
        ["100", "warnings", 4],
        ["100", "failed", 1],
      ],
      true,
    ),
    [4, null, false],
  );
  assert.deepEqual(backedUp([["", "ok", 3]], true), [3, null, false]);
  assert.deepEqual(backedUp([["", "ok", 3]], false), [null, null, true], "a job that doesn't take it backed up another one");
  assert.deepEqual(backedUp([["100", "ok", 3]], false), [3, null, true], "made by hand");
  assert.deepEqual(
    backedUp(
      [
        ["101", "ok", 3],
        ["100", "running", 1],
      ],
      true,
    ),
    [null, null, false],
  );
  assert.deepEqual(backedUp([["100", "ok", 5]], true, 2), [2, "nfs1", false]);
  assert.deepEqual(backedUp([["100", "ok", 1]], true, 2), [1, null, false]);
});
