import assert from "node:assert/strict";
import { test } from "node:test";
import type { BackupJobFacts } from "#protocol/inventory.ts";
import type { ProtectionState } from "#protocol/panel.ts";
import { protectionState } from "../../../hub/core/protection.ts";
import type { BackupTask } from "../../../hub/core/task-memory.ts";

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
