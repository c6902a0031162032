import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlertSubject } from "#protocol/alerting.ts";
import { defaultRules } from "../../../hub/core/default-rules.ts";
import { mayBeUntold, UntoldWatch } from "../../../hub/core/untold.ts";

const hour = 3_600_000;
const minute = 60_000;
const about = (instance: string | null): AlertSubject => ({ cluster: "c", entity: "x", incarnation: 1, instance });

test("an alert ends after twelve hours in which nobody told of it though somebody spoke", () => {
  const watch = new UntoldWatch();
  const silent = { heardAt: 0, siblingAt: undefined, speaks: true };
  assert.equal(watch.look("a", silent, 0), undefined);
  assert.equal(watch.look("a", silent, 12 * hour - 1), undefined);
  assert.equal(watch.look("a", silent, 12 * hour), "untold");
});

test("hours in which the agent is silent too do not count, and one word begins them anew", () => {
  const watch = new UntoldWatch();
  const heard = (heardAt: number, speaks: boolean) => ({ heardAt, siblingAt: undefined, speaks });
  watch.look("a", heard(0, true), 0);
  watch.look("a", heard(0, true), 11 * hour);
  watch.look("a", heard(0, false), 20 * hour);
  assert.equal(watch.look("a", heard(0, true), 31 * hour), undefined);
  watch.look("a", heard(5, true), 31.5 * hour);
  assert.equal(watch.look("a", heard(5, true), 43 * hour), undefined);
  assert.equal(watch.look("a", heard(5, true), 43.5 * hour), "untold");
});

test("where others of its kind are told of for half an hour it is gone", () => {
  const watch = new UntoldWatch();
  watch.look("a", { heardAt: 0, siblingAt: 0, speaks: true }, 0);
  assert.equal(watch.look("a", { heardAt: 0, siblingAt: 29 * minute, speaks: true }, 29 * minute), undefined);
  assert.equal(watch.look("a", { heardAt: 0, siblingAt: 30 * minute, speaks: true }, 30 * minute), "gone");
});

test("an alert of what a node must always tell of is never ended by silence", () => {
  const rules = defaultRules.filter((rule) => !mayBeUntold(rule, about(null))).map(({ id }) => id);
  for (const id of ["node-down", "quorum-lost", "guest-down", "storage-down", "zpool-health", "disk-failing", "datastore-down"])
    assert.ok(rules.includes(id), id);
  const ends = defaultRules.filter((rule) => mayBeUntold(rule, about(null))).map(({ id }) => id);
  assert.ok(ends.includes("guest-memory-pressure") && ends.includes("backup-failed") && ends.includes("storage-forecast"));
});
