import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlertView } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { listedFor, namesOfClusters, notificationOf, partsOf, withToldAs } from "../../../hub/core/notification.ts";
import { alertOf } from "../../support/alert-views.ts";

const now = 1_767_614_400_000 as EpochMs;
const group = { id: "g", route: "r", openedAt: now };
const pictures = Array.from({ length: 30 }, (_, index) => ({
  cluster: `aa${String(index).padStart(14, "0")}`,
  name: `client${index + 1}`,
}));
const down = (cluster: string): AlertView =>
  alertOf({
    id: `node-down@${cluster}/node/pve1#1`,
    cluster,
    entity: "node/pve1",
    node: "pve1",
    title: "pve1",
    text: "Node pve1 is offline, say the other members",
    severity: "critical",
    affected: [],
  });
const told = (firing: AlertView[], names = namesOfClusters(pictures)) =>
  notificationOf(group, "ops", 0, 1, "first", firing, [], new Set(firing.map(({ id }) => id)), now, names);

test("a hub of one cluster does not name it", () => {
  assert.equal(
    told([down("aa")], namesOfClusters([{ cluster: "aa", name: "lab" }])).verdict,
    "CRITICAL: Node pve1 is offline, say the other members",
  );
});

test("of thirty clusters whose switch failed, a route that groups by rule makes one message that names them", () => {
  const { verdict, alerts } = told(pictures.map(({ cluster }) => down(cluster)));
  assert.equal(
    verdict,
    "CRITICAL: client1: Node pve1 is offline, say the other members (and 29 more: pve1 of client2, pve1 of client3, pve1 of client4, pve1 of client5, pve1 of client6 and 24 more)",
  );
  assert.deepEqual([alerts.length, alerts[29]?.title], [30, "pve1 of client30"]);
});

test("two clusters of one name are told apart, and a name that the sentence says is not said twice", () => {
  const names = namesOfClusters([
    { cluster: "aa11110000000000", name: "lab" },
    { cluster: "bb22220000000000", name: "lab" },
    { cluster: "cc33330000000000", name: "pve1" },
  ]);
  assert.match(told([down("bb22220000000000")], names).verdict, /^CRITICAL: lab \(bb2222\): Node pve1 is offline/);
  assert.match(told([down("cc33330000000000")], names).verdict, /^CRITICAL: Node pve1 is offline/);
});

test("people read a hundred alerts of a message; an Alertmanager is posted all, since each begins and ends there by itself", () => {
  const many = Array.from({ length: 250 }, (_, index) => alertOf({ id: `a${index}` }));
  const of = (type: "alertmanager" | "email") =>
    notificationOf(group, "r", 0, 1, "first", many, [], new Set(), now, new Map(), listedFor(type));
  assert.deepEqual([of("email").alerts.length, of("email").more], [100, 150]);
  assert.deepEqual([of("alertmanager").alerts.length, of("alertmanager").more], [250, 0]);
});

test("what an Alertmanager is posted goes in parts of 500, all of it, in the same parts whenever it is decided again", () => {
  const many = Array.from({ length: 12_000 }, (_, index) => alertOf({ id: `a${index}` }));
  const whole = notificationOf(group, "r", 0, 7, "first", many, [], new Set(), now, new Map(), listedFor("alertmanager"));
  const parts = partsOf(whole);
  assert.deepEqual(
    [parts.length, parts[0]?.id, parts[1]?.id, parts[23]?.id],
    [24, "g@1767614400000>r#7", "g@1767614400000>r#7.1", "g@1767614400000>r#7.23"],
  );
  assert.deepEqual(parts.flatMap(({ alerts }) => alerts.map(({ id }) => id)).sort(), many.map(({ id }) => id).sort());
  assert.deepEqual(partsOf(whole), parts);
});

test("a message says as which severities its alerts were told before, where that is another than now", () => {
  const [same, worse, fresh] = ["same", "worse", "fresh"].map((id) => alertOf({ id }));
  assert.ok(same && worse && fresh);
  const message = told([same, { ...worse, severity: "critical" }, fresh]);
  const episode = { firedAt: now, toldAt: now, resolvedAt: null, endText: null, severity: "warning" as const };
  const before = ["same", "worse"].map((alert) => ({ ...episode, key: `${alert}~1`, alert }));
  assert.deepEqual(withToldAs(message, before).toldAs, { worse: ["warning"] });
  assert.equal(withToldAs(told([same]), before).toldAs, undefined);
});
