import assert from "node:assert/strict";
import { test } from "node:test";
import type { Decision, Suppression } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { AlertGroup, AlertRecord } from "../../../hub/core/alert-record.ts";
import { newestOfRecord, shiftGroup, shiftRecord, withDecision } from "../../../hub/core/alert-record.ts";
import { changeRecord, currentRecord, endRecord, markTold, withHold, withQuiet } from "../../../hub/core/alert-steps.ts";
import { type Change, Evaluator } from "../../../hub/core/evaluate.ts";
import { RuleBook } from "../../../hub/core/rule-set.ts";
import type { EntityFacts } from "../../../hub/core/scope.ts";
import { ruleOf } from "../../support/alert-views.ts";

const at = (ms: number) => ms as EpochMs;
const subject = { cluster: "0123456789abcdef", entity: "guest/100", incarnation: 1, instance: null };
const facts = {
  ...subject,
  kind: "guest",
  node: "pve1",
  type: "qemu",
  name: "web",
  title: "web (VM 100)",
  tags: ["shop"],
  pool: undefined,
  storages: [],
} as unknown as EntityFacts;
const silence: Suppression = { by: "silence", id: "s1", until: null, text: "Silenced by joe" };
const inhibited: Suppression = { by: "inhibited", id: "node-down", until: at(9_000), text: "pve1 is down" };

/** A guest at so much of its CPU, second by second; says what the rule of 90 % for 2 s made of it. */
function story(values: readonly number[]): Change[] {
  const changes: Change[] = [];
  const set = new RuleBook([ruleOf({ forSec: 2, clearForSec: 0 })]).setFor("cpu", facts, null);
  assert.ok(set);
  const evaluator = new Evaluator(at(0), ({ check, ...rest }) => changes.push({ ...rest, check: { ...check } }));
  const slot = evaluator.open(subject, set, 45_000, at(0));
  values.forEach((value, sec) => {
    evaluator.tick(at(sec * 1000));
    evaluator.sample(slot, value, at(sec * 1000));
  });
  return changes;
}

/** The records that a story leaves, one after the other. */
function records(values: readonly number[]): AlertRecord[] {
  const found: AlertRecord[] = [];
  for (const { check, before, reason } of story(values)) {
    const now = at(1000 * (found.length + 1));
    found.push(changeRecord(found.at(-1), check, before, reason, facts, subject, now));
  }
  return found;
}

const firing = (): AlertRecord => records([0.95, 0.97, 0.96, 0.96]).at(-1) as AlertRecord;

test("an episode is one record: pending, fired, resolved, each with its reason and figure, and the worst it got", () => {
  const all = records([0.95, 0.97, 0.96, 0.2]);
  assert.deepEqual(
    all.map(({ alert, reason, value, worst }) => [alert.state, reason, value, worst]),
    [
      ["pending", "breach", 0.95, 0.95],
      ["firing", "held", 0.97, 0.97],
      ["resolved", "cleared", 0.2, 0.97],
    ],
  );
  assert.deepEqual(
    all.at(-1)?.decisions.map(({ at, what, reason }) => [at, what, reason]),
    [
      [1000, "pending", "breach"],
      [2000, "fired", "held"],
      [3000, "resolved", "cleared"],
    ],
  );
});

test("a breach that was over before its hold is on record as one that never fired", () => {
  assert.deepEqual(
    records([0.95, 0.2]).map(({ decisions }) => decisions.at(-1)?.what),
    ["pending", "not-fired"],
  );
});

test("a new firing is a new episode: what was told of the one before does not count for it", () => {
  const [{ check, before, reason } = assert.fail()] = story([0.95]);
  const old = { ...markTold(firing(), "g", "mail", "first", at(1)), wasHeld: true };
  const fresh = changeRecord(old, check, before, reason, facts, subject, at(9_000));
  assert.deepEqual([fresh.told, fresh.groups, fresh.wasHeld, fresh.decisions.length], [[], [], false, 1]);
});

test("an alert whose guest is gone resolves with the reason in its sentence; one that did not fire has no end", () => {
  const end = endRecord(firing(), "gone", at(9_000));
  assert.deepEqual(
    [end?.alert.state, end?.alert.resolvedAt, end?.text],
    ["resolved", 9_000, "Busy guests, web (VM 100): it is no more"],
  );
  assert.equal(endRecord(records([0.95]).at(-1) as AlertRecord, "gone", at(9_000)), undefined);
});

test("the newest figure is shown; without data the last one stays, and nothing is made anew where nothing is to be seen", () => {
  const record = firing();
  const { check } = story([0.95, 0.97, 0.96]).at(-1) as Change;
  assert.equal(currentRecord(record, check, Number.NaN, facts), record);
  assert.equal(currentRecord(record, check, 0.9701, facts), record);
  assert.equal(currentRecord(record, check, 0.99, facts).value, 0.99);
  assert.equal(currentRecord(record, { ...check, worst: 0.98 }, 0.97, facts).worst, 0.98);
  assert.equal(currentRecord(record, check, 0.97, { ...facts, node: "pve2" } as EntityFacts).node, "pve2");
});

test("what a silence let go is told again, what an inhibition let go is not", () => {
  const silenced = withHold(firing(), silence, at(3_000));
  assert.deepEqual([silenced.heldBy, silenced.wasHeld, silenced.freedAt], [silence, true, null]);
  assert.equal(withHold(silenced, null, at(4_000)).freedAt, 4_000);
  assert.equal(withHold(silenced, inhibited, at(4_000)).freedAt, 4_000);
  assert.equal(withHold(silenced, { ...silence, id: "s2" }, at(4_000)).freedAt, null);
  const snoozed = withHold(firing(), { ...silence, by: "snooze" }, at(3_000));
  assert.equal(withHold(snoozed, null, at(4_000)).freedAt, 4_000);
  assert.equal(withHold(withHold(firing(), inhibited, at(3_000)), null, at(4_000)).freedAt, null);
});

test("telling late is catching up for what was held back while it fired, or by quiet hours, and for nothing else", () => {
  assert.equal(withHold(firing(), null, at(3_000)).wasHeld, false);
  assert.equal(withHold(records([0.95]).at(-1) as AlertRecord, silence, at(3_000)).wasHeld, false);
  assert.equal(withHold(withHold(firing(), silence, at(3_000)), null, at(4_000)).wasHeld, true);
  assert.equal(withQuiet(firing(), "night", at(3_000)).wasHeld, true);
});

test("each receiver and each group stands once in the record, with the first time that it was told", () => {
  let record = markTold(firing(), "g1", "mail", "first", at(3_000));
  record = markTold(record, "g1", "mail", "repeat", at(4_000));
  record = markTold(record, "g2", "phone", "first", at(5_000));
  assert.deepEqual(record.told, [
    { receiver: "mail", at: 3_000 },
    { receiver: "phone", at: 5_000 },
  ]);
  assert.deepEqual(record.groups, ["g1", "g2"]);
  assert.equal(record.decisions.at(-2)?.text, "mail is told: repeat");
});

test("of an alert's decisions the newest forty are kept", () => {
  const decision: Decision = { at: at(1), what: "notified", reason: "repeat", value: null, text: "" };
  let record = firing();
  for (let n = 0; n < 45; n++) record = withDecision(record, { ...decision, at: at(n) });
  assert.deepEqual([record.decisions.length, record.decisions[0]?.at, record.decisions.at(-1)?.at], [40, 5, 44]);
});

test("a clock that is set moves a record's times with it, but for the ends that somebody chose", () => {
  const acknowledged = { by: "joe", at: 1_000, until: 8_000, note: null };
  const held = withHold(firing(), { ...silence, until: 8_000 }, at(3_000));
  const record = markTold({ ...held, acknowledged, freedAt: at(2_500) }, "g", "mail", "first", at(3_000));
  const moved = shiftRecord(record, 500);
  assert.deepEqual(moved, {
    ...record,
    alert: { state: "firing", activeAt: 500, firedAt: 2_500, okSince: null },
    freedAt: 3_000,
    fires: [2_500],
    told: [{ receiver: "mail", at: 3_500 }],
  });
  assert.equal(shiftRecord({ ...record, heldBy: inhibited }, 500).heldBy?.until, 9_500);
  assert.equal(newestOfRecord(moved), 3_500);
});

test("a clock that is set moves what a group told, and its episodes keep their names", () => {
  const episode = { key: "a~2000", alert: "a", severity: "warning", firedAt: at(2_000), toldAt: at(2_500) } as const;
  const over = { ...episode, resolvedAt: at(3_000), endText: "over" };
  const group: AlertGroup = {
    id: "r|",
    route: "r",
    labels: {},
    openedAt: at(2_500),
    told: { mail: { sequence: 3, at: at(2_500), step: 1, episodes: [{ ...episode, resolvedAt: null, endText: null }, over] } },
  };
  const shifted = { ...episode, key: "a~2500", firedAt: 2_500, toldAt: 3_000 };
  assert.deepEqual(shiftGroup(group, 500), {
    ...group,
    told: {
      mail: {
        sequence: 3,
        at: 3_000,
        step: 1,
        episodes: [
          { ...shifted, resolvedAt: null, endText: null },
          { ...shifted, resolvedAt: 3_500, endText: "over" },
        ],
      },
    },
  });
});
