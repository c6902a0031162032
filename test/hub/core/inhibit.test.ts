import assert from "node:assert/strict";
import { test } from "node:test";
import type { Rule } from "#protocol/alerting.ts";
import type { EntityKey, EpochMs } from "#protocol/ids.ts";
import type { Alert } from "../../../hub/core/alert.ts";
import type { AlertRecord } from "../../../hub/core/alert-record.ts";
import { defaultRules } from "../../../hub/core/default-rules.ts";
import {
  affectedBy,
  causesAmong,
  dependenciesOf,
  figureKey,
  graceOf,
  inhibitorOf,
  mayFollowFromCluster,
  sharedFigures,
  subjectKey,
  worstOnFigures,
} from "../../../hub/core/inhibit.ts";
import type { EntityFacts } from "../../../hub/core/scope.ts";
import { ruleOf } from "../../support/alert-views.ts";

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

const cluster = "c1";
const thing = (entity: string, more: Partial<EntityFacts> = {}) =>
  ({
    cluster,
    entity,
    kind: entity.split("/")[0],
    node: undefined,
    title: entity,
    storages: [],
    tags: [],
    ...more,
  }) as EntityFacts;
const datastore = "datastore/0123456789abcdef/main";
const entities = [
  thing("cluster"),
  thing("node/pve1", { node: "pve1" as never }),
  thing("storage/nfs1", { storages: ["nfs1"] }),
  thing("storage/pbs1", { storages: ["pbs1"] }),
  thing("storage/pve1/local", { node: "pve1" as never, storages: ["local"] }),
  thing("zpool/pve1/tank", { node: "pve1" as never }),
  thing(datastore),
  thing("guest/100", { node: "pve1" as never, storages: ["nfs1", "local", "unknown"] }),
];
const dependencies = dependenciesOf(entities, (_, storage) => (storage === "pbs1" ? (datastore as EntityKey) : undefined));
const below = (entity: string) => dependencies.get(subjectKey(cluster, entity))?.map((key) => key.slice(cluster.length + 1));

test("a guest stands on its node and the storages that are known, what is local on its node, all on the cluster, a backup storage on its server", () => {
  assert.deepEqual(below("guest/100"), ["cluster", "node/pve1", "storage/nfs1", "storage/pve1/local"]);
  assert.deepEqual(below("storage/pve1/local"), ["cluster", "node/pve1"]);
  assert.deepEqual(below("zpool/pve1/tank"), ["cluster", "node/pve1"]);
  assert.deepEqual(below("storage/pbs1"), ["cluster", datastore]);
  assert.deepEqual(below("storage/nfs1"), ["cluster"]);
  assert.deepEqual(below("node/pve1"), ["cluster"]);
  assert.equal(below("cluster"), undefined);
});

test("a node takes along what stands on it; who is not known by name is not named, and who goes in a circle comes to an end", () => {
  const nameless = subjectKey(cluster, "zpool/pve1/tank");
  const titleOf = (key: string) => (key === nameless ? undefined : key.slice(cluster.length + 1));
  assert.deepEqual(affectedBy(subjectKey(cluster, "node/pve1"), dependencies, titleOf), ["guest/100", "storage/pve1/local"]);
  const circle = new Map([
    ["a", ["b"]],
    ["b", ["a", "b"]],
  ]);
  assert.deepEqual(
    affectedBy("a", circle, (key) => key),
    ["b"],
  );
});

const alertOn = (entity: string, id: string, given: Partial<AlertRecord> = {}): AlertRecord =>
  ({
    id,
    rule: id,
    severity: "warning",
    inhibits: true,
    subject: { cluster, entity, incarnation: 1, instance: null },
    alert: { state: "firing", activeAt: at(10), firedAt: at(10), okSince: null },
    ...given,
  }) as AlertRecord;
const pending: Alert = { state: "pending", activeAt: at(1) };
const causeOf = (alert: AlertRecord, ...causes: AlertRecord[]) =>
  inhibitorOf(alert, causesAmong(causes), dependencies, ({ rule }) => rule !== "another matter")?.id;

test("a guest's alert follows from its node's or the cluster's, whatever their severities, and never the other way", () => {
  const guest = alertOn("guest/100", "guest-down", { severity: "critical" });
  const node = alertOn("node/pve1", "node-down");
  assert.equal(causeOf(guest, node), "node-down");
  assert.equal(causeOf(guest, alertOn("cluster", "quorum-lost"), node), "quorum-lost");
  assert.equal(causeOf(guest, { ...node, alert: pending }), "node-down");
  assert.equal(causeOf(node, guest), undefined);
  assert.equal(causeOf(guest, alertOn("node/pve2", "node-down")), undefined);
});

test("what is over, is not allowed to hold others back, or is about something else, explains nothing", () => {
  const guest = alertOn("guest/100", "guest-down");
  const over: Alert = { state: "resolved", activeAt: at(10), firedAt: at(10), resolvedAt: at(1) };
  assert.equal(causeOf(guest, alertOn("node/pve1", "node-down", { alert: over })), undefined);
  assert.equal(causeOf(guest, alertOn("node/pve1", "node-down", { inhibits: false })), undefined);
  assert.equal(causeOf(guest, alertOn("node/pve1", "another matter")), undefined);
});

test("on one entity the worse alert explains the other, of equal ones the one that fired first: never both each other", () => {
  const down = alertOn("node/pve1", "node-down", { severity: "critical" });
  const silent = alertOn("node/pve1", "agent-silent");
  assert.deepEqual([causeOf(silent, down, silent), causeOf(down, down, silent)], ["node-down", undefined]);
  const later = alertOn("node/pve1", "later", { alert: { state: "firing", activeAt: at(10), firedAt: at(9), okSince: null } });
  assert.deepEqual([causeOf(later, silent, later), causeOf(silent, silent, later)], ["agent-silent", undefined]);
  const waiting = alertOn("node/pve1", "waiting", { alert: pending });
  assert.deepEqual([causeOf(waiting, silent, waiting), causeOf(silent, silent, waiting)], ["agent-silent", undefined]);
  assert.equal(causeOf(waiting, alertOn("node/pve1", "waiting too", { alert: pending })), undefined);
});

test("of two rules about one figure the worst alert that fires says it all; another instance is another figure", () => {
  const figures = new Map([
    ["full", "storage used"],
    ["nearly-full", "storage used"],
  ]);
  const nearly = alertOn("storage/nfs1", "nearly-full");
  const full = alertOn("storage/nfs1", "full", { severity: "critical" });
  const key = figureKey(nearly, "storage used");
  assert.equal(worstOnFigures([nearly, full], figures).get(key)?.id, "full");
  assert.equal(worstOnFigures([full, nearly], figures).get(key)?.id, "full");
  assert.equal(worstOnFigures([nearly, { ...full, alert: pending }], figures).get(key)?.id, "nearly-full");
  const other = { ...full, subject: { ...full.subject, instance: "b" } };
  assert.equal(worstOnFigures([nearly, other], figures).size, 2);
});

test("rules share a figure where metric, measure, direction and window are the same", () => {
  const used = (id: string, given: object = {}) =>
    ruleOf({
      id,
      entity: "storage",
      condition: { kind: "threshold", signal: "used", direction: "above", trigger: 1, clear: 1, ...given },
    });
  const shared = (...rules: Rule[]) => [...sharedFigures(rules).keys()];
  assert.deepEqual(shared(used("a"), used("b")), ["a", "b"]);
  for (const other of [{ signal: "avail" }, { per: "total" }, { direction: "below" }, { window: { aggregate: "avg", sec: 60 } }])
    assert.deepEqual(shared(used("a"), used("b", other)), []);
  assert.deepEqual(
    shared(used("a"), ruleOf({ id: "b" }), ruleOf({ condition: { kind: "absence", signal: "used", absentSec: 60 } })),
    [],
  );
});
