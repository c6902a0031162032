import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import type { Route } from "#protocol/notifications.ts";
import type { AlertGroup, AlertRecord, Told } from "../../../hub/core/alert-record.ts";
import { planTellings } from "../../../hub/core/group.ts";

const at = (min: number) => (min * 60_000) as EpochMs;
const steps: Route["escalation"] = [
  { afterSec: 1800, receivers: ["boss"] },
  { afterSec: 3600, receivers: ["boss", "chief"], severities: ["critical"] },
];

type Firing = { id: string; firedMin: number; more?: Partial<AlertRecord> };

const recordOf = ({ id, firedMin, more }: Firing) =>
  ({
    id,
    rule: "hot",
    severity: "warning",
    subject: { cluster: "c1", entity: "node/pve1", incarnation: 1, instance: null },
    alert: { state: "firing", activeAt: at(firedMin), firedAt: at(firedMin), okSince: null },
    node: "pve1",
    tags: [],
    pool: null,
    acknowledged: null,
    heldBy: null,
    wasHeld: false,
    freedAt: null,
    told: [],
    groups: ["r|"],
    ...more,
  }) as unknown as AlertRecord;

/** What a receiver was told: alerts by the minute at which they fired and were told, and the highest step of it. */
function toldOf(step: number, ...alerts: [id: string, min: number][]): Told {
  const episodes = alerts.map(([alert, min]) => ({
    key: `${alert}~${at(min)}`,
    alert,
    severity: "warning" as const,
    firedAt: at(min),
    toldAt: at(min),
    resolvedAt: null,
    endText: null,
  }));
  return { sequence: 1, at: at(Math.max(...alerts.map(([, min]) => min))), step, episodes };
}

/** Escalations that are due, as `receiver step: alerts`, with those behind it that the receiver knew and that are over. */
function escalated(now: number, firing: Firing[], told: AlertGroup["told"], receivers = ["ops"]): string[] {
  const group: AlertGroup = { id: "r|", route: "r", labels: {}, openedAt: at(0), told };
  const route = { id: "r", enabled: true, order: 1, match: {}, receivers, groupBy: [], escalation: steps } as unknown as Route;
  const { due } = planTellings({
    alerts: firing.map(recordOf),
    groups: new Map([[group.id, group]]),
    routes: [route],
    receivers: new Map(["ops", "boss", "chief"].map((id) => [id, { enabled: true }])),
    factsOf: () => undefined,
    isOn: () => false,
    reminds: true,
    now: at(now),
  });
  const found = due.filter(({ telling }) => telling.reason === "escalation");
  const names = (alerts: readonly { alert: string }[]) => alerts.map(({ alert }) => alert).join(" ");
  return found.map(
    ({ receiver, step, telling: { firing, over } }) =>
      `${receiver} ${step}: ${names(firing)}${over.length === 0 ? "" : `, over: ${names(over)}`}`,
  );
}

test("what nobody takes reaches the next one after the step's time, counted from when it was told", () => {
  const ops = toldOf(0, ["a", 0]);
  assert.deepEqual(escalated(29, [{ id: "a", firedMin: 0 }], { ops }), []);
  assert.deepEqual(escalated(30, [{ id: "a", firedMin: 0 }], { ops }), ["boss 1: a"]);
  assert.deepEqual(escalated(30, [{ id: "a", firedMin: 0 }], {}), []);
});

test("what somebody took, or what is silenced, is not escalated; after the end of either it is", () => {
  const ops = toldOf(0, ["a", 0]);
  const taken = (until: number | null) => ({ acknowledged: { by: "joe", at: 0, until, note: null } });
  assert.deepEqual(escalated(40, [{ id: "a", firedMin: 0, more: taken(null) }], { ops }), []);
  assert.deepEqual(escalated(40, [{ id: "a", firedMin: 0, more: taken(at(41)) }], { ops }), []);
  assert.deepEqual(escalated(40, [{ id: "a", firedMin: 0, more: taken(at(40)) }], { ops }), ["boss 1: a"]);
  const heldBy = { by: "silence", id: "s", until: null, text: "" } as const;
  assert.deepEqual(escalated(40, [{ id: "a", firedMin: 0, more: { heldBy } }], { ops }), []);
});

test("a step speaks once of an alert, and takes only what is bad enough for it", () => {
  const told = { ops: toldOf(0, ["a", 0]), boss: toldOf(1, ["a", 0]) };
  assert.deepEqual(escalated(90, [{ id: "a", firedMin: 0 }], told), []);
  const critical = { id: "a", firedMin: 0, more: { severity: "critical" } } as const;
  assert.deepEqual(escalated(59, [critical], told), []);
  assert.deepEqual(escalated(60, [critical], told), ["boss 2: a", "chief 2: a"]);
  assert.deepEqual(escalated(90, [critical], { ...told, boss: toldOf(2, ["a", 0]), chief: toldOf(2, ["a", 0]) }), []);
});

test("a second alert of the same trouble that nobody takes is escalated too, though the first one was", () => {
  const first = { id: "a", firedMin: 0, more: { acknowledged: { by: "joe", at: 0, until: null, note: null } } };
  const told = { ops: toldOf(0, ["a", 0], ["b", 40]), boss: toldOf(1, ["a", 0]) };
  assert.deepEqual(escalated(69, [first, { id: "b", firedMin: 40 }], told), []);
  assert.deepEqual(escalated(70, [first, { id: "b", firedMin: 40 }], told), ["boss 1: a b"]);
  assert.deepEqual(escalated(71, [first, { id: "b", firedMin: 40 }], { ...told, boss: toldOf(1, ["a", 0], ["b", 40]) }), []);
});

test("what is not overdue itself is not escalated along, and what the next one knew and is over is told as over", () => {
  const both = [
    { id: "a", firedMin: 0 },
    { id: "b", firedMin: 20 },
  ];
  assert.deepEqual(escalated(30, both, { ops: toldOf(0, ["a", 0], ["b", 20]) }), ["boss 1: a"]);
  const told = { ops: toldOf(0, ["b", 20]), boss: toldOf(1, ["a", 0]) };
  assert.deepEqual(escalated(50, both.slice(1), told), ["boss 1: b, over: a"]);
});

test("one whom a later step has reached hears of a second alert at the earlier step's time", () => {
  const first = { id: "a", firedMin: 0, more: { severity: "critical" } } as const;
  const told = { ops: toldOf(0, ["a", 0], ["b", 40]), boss: toldOf(2, ["a", 0]), chief: toldOf(2, ["a", 0]) };
  assert.deepEqual(escalated(70, [first, { id: "b", firedMin: 40 }], told), ["boss 1: a b"]);
});

test("a new trouble of the group begins at the first step", () => {
  const told = { ops: toldOf(0, ["b", 40]), boss: { ...toldOf(2, ["a", 0]), episodes: [] } };
  assert.deepEqual(escalated(70, [{ id: "b", firedMin: 40 }], told), ["boss 1: b"]);
});
