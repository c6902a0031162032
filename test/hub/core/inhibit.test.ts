import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import type { Alert } from "../../../hub/core/alert.ts";
import type { AlertRecord } from "../../../hub/core/alert-record.ts";
import { defaultRules } from "../../../hub/core/default-rules.ts";
import { graceOf, mayFollowFromCluster } from "../../../hub/core/inhibit.ts";

const minute = 60_000;
const now = (100 * minute) as EpochMs;
const at = (minutesAgo: number) => (now - minutesAgo * minute) as EpochMs;
const cause = (alert: Alert): Pick<AlertRecord, "alert"> => ({ alert });
const fired = cause({ state: "firing", activeAt: at(10), firedAt: at(9), okSince: null });

const cases: [
  name: string,
  cause: Pick<AlertRecord, "alert"> | undefined,
  forMinutes: number,
  graceMinutes: number,
  anew: boolean,
][] = [
  ["a cause that fired: five minutes, and the hold begins anew", fired, 1, 5, true],
  ["a rule with a longer hold waits as long as that", fired, 30, 30, true],
  ["a cause of an earlier life of the hub counts as one that fired", undefined, 1, 5, true],
  ["a cause that only was pending explains the time it lasted", cause({ state: "pending", activeAt: at(2) }), 30, 2, false],
  ["at least one look at samples and facts", cause({ state: "pending", activeAt: now }), 30, 0.25, false],
  ["at most five minutes", cause({ state: "pending", activeAt: at(60) }), 30, 5, false],
];
for (const [name, over, forMinutes, graceMinutes, anew] of cases) {
  test(`when a cause is over: ${name}`, () => {
    assert.deepEqual(graceOf(over, forMinutes * minute, now), { ms: graceMinutes * minute, anew });
  });
}

test("no quorum explains what is away or late, not what a living node measures", () => {
  const told = defaultRules.filter((rule) => !mayFollowFromCluster(rule)).map(({ id }) => id);
  for (const id of [
    "zpool-health",
    "disk-failing",
    "thinpool-data",
    "storage-full",
    "node-root-full",
    "certificate-expiry",
    "receiver-failing",
  ]) {
    assert.ok(told.includes(id), `${id} is told`);
  }
  for (const id of [
    "node-down",
    "node-unknown",
    "agent-down",
    "guest-down",
    "storage-down",
    "ha-error",
    "backup-missing",
    "replication-failing",
  ]) {
    assert.ok(!told.includes(id), `${id} is held back`);
  }
});
