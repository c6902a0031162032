import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import type { BackupJobFacts } from "#protocol/inventory.ts";
import { startsOfAll, startToWaitFor } from "../../../hub/core/backup-ahead.ts";
import { DueTimes } from "../../../hub/core/backup-due.ts";

const at = (iso: string) => Date.parse(iso) as EpochMs;
const nightly: BackupJobFacts = {
  ...{ id: "nightly", type: "vzdump", enabled: true, schedule: "02:00", all: true, vmids: [], exclude: [], repeatMissed: false },
};
const due = new DueTimes(() => "UTC");
const test20 = { timezone: "UTC", needMin: 20, endBy: "2026-03-03T06:00:00Z" };
const ahead = (now: string, jobs: BackupJobFacts[], { timezone, needMin, endBy } = test20) => {
  const starts = startsOfAll(jobs, { node: "pve1", timezone }, due, at(now));
  return startToWaitFor(starts, { needMs: needMin * 60_000, endBy: at(endBy) }, at(now));
};

const cases: [name: string, now: string, job: Partial<BackupJobFacts>, found: string | undefined][] = [
  ["starts before a test would be over", "2026-03-03T01:45:00Z", {}, "2026-03-03T02:00:00Z"],
  ["starts after it", "2026-03-03T01:30:00Z", {}, undefined],
  ["should just have started, and nobody has heard of it yet", "2026-03-03T02:01:00Z", {}, "2026-03-03T02:00:00Z"],
  ["of the guests it names finds no test guest", "2026-03-03T01:45:00Z", { all: false, vmids: [100] }, undefined],
  ["of a pool finds none either", "2026-03-03T01:45:00Z", { all: false, pool: "prod" }, undefined],
  ["of another node", "2026-03-03T01:45:00Z", { node: "pve2" }, undefined],
  ["that is switched off", "2026-03-03T01:45:00Z", { enabled: false }, undefined],
  ["that comes again before any test would be over", "2026-03-03T01:45:00Z", { schedule: "*/15" }, undefined],
  ["each hour leaves room for a test", "2026-03-03T01:45:00Z", { schedule: "hourly" }, "2026-03-03T02:00:00Z"],
];
for (const [name, now, job, found] of cases) {
  test(`a backup job that ${name}`, () => {
    assert.equal(ahead(now, [{ ...nightly, ...job }])?.at, found === undefined ? undefined : at(found));
  });
}

test("of several jobs the first one is named, in the node's own time", () => {
  const jobs = [nightly, { ...nightly, id: "early", schedule: "01:50" }];
  assert.equal(ahead("2026-03-03T01:45:00Z", jobs)?.job, "early");
  const rome = { ...test20, timezone: "Europe/Rome" };
  assert.deepEqual(ahead("2026-03-03T00:55:00Z", [nightly], rome), {
    job: "nightly",
    at: at("2026-03-03T01:00:00Z"),
    again: at("2026-03-04T01:00:00Z"),
  });
});

test("a test that would not be over behind the job, or has waited its whole period, does not wait for it", () => {
  const long = { ...test20, needMin: 250 };
  assert.equal(ahead("2026-03-03T01:00:00Z", [nightly], { ...long, endBy: "2026-03-03T06:10:00Z" })?.job, "nightly");
  assert.equal(ahead("2026-03-03T01:00:00Z", [nightly], long), undefined);
  assert.equal(ahead("2026-03-03T01:45:00Z", [nightly], { ...test20, endBy: "2026-03-03T01:45:00Z" }), undefined);
});
