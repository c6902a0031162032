import assert from "node:assert/strict";
import { test } from "node:test";
import type { Recurrence } from "#protocol/alerting.ts";
import type { Route } from "#protocol/notifications.ts";
import type { AlertRecord } from "../../../hub/core/alert-record.ts";
import { checkRoute, factsOfRecord, groupIdOf, groupLabelsOf, isQuiet, routesFor } from "../../../hub/core/route.ts";

const subject = { cluster: "00000000000000aa", entity: "guest/100", incarnation: 1, instance: "net0" };
const record = { id: "a", rule: "cpu", severity: "warning", subject, node: "pve1", title: "web", tags: ["prod"], pool: null };
const alert = record as unknown as AlertRecord;
const facts = factsOfRecord(alert, undefined);
const night: Recurrence = { calendar: "22:00", timezone: "UTC", durationSec: 3600 };
const quiet: Partial<Route> = { quietHours: { times: night, upTo: "warning" } };

const route = (id: string, given: Partial<Route> = {}): Route => ({
  id,
  name: id,
  enabled: true,
  order: 10,
  match: {},
  continue: false,
  receivers: ["mail"],
  groupBy: [],
  groupWaitSec: 0,
  groupIntervalSec: 0,
  repeatSec: 0,
  escalation: [],
  ...given,
});

/** Ids of the routes that take the alert; `isNight`: whether all times are now. */
const taken = (routes: readonly Route[], isNight = false, of: Partial<typeof record> = {}) =>
  routesFor({ ...alert, ...of } as AlertRecord, facts, routes, () => isNight).map(({ id }) => id);

test("the first route by order takes an alert, of equal ones the first by name, and further ones only where it goes on", () => {
  assert.deepEqual(taken([route("late", { order: 20 }), route("b"), route("a")]), ["a"]);
  assert.deepEqual(taken([route("a", { continue: true }), route("b"), route("c")]), ["a", "b"]);
  assert.deepEqual(taken([route("a", { enabled: false }), route("b")]), ["b"]);
});

const misses: Route["match"][] = [
  { severities: ["critical"] },
  { rules: ["disk"] },
  { scope: { tags: ["test"] } },
  { scope: { instances: ["net1"] } },
  { times: night },
  { severities: ["warning"], rules: ["cpu"], scope: { tags: ["test"] } },
];
for (const match of misses) {
  test(`a route for ${JSON.stringify(match)} leaves the alert to the next one, though it would be the last`, () => {
    assert.deepEqual(taken([route("a", { match }), route("b")]), ["b"]);
  });
}

test("a route takes what fits all that it asks for", () => {
  const match: Route["match"] = {
    severities: ["warning"],
    rules: ["cpu"],
    scope: { tags: ["prod"], instances: ["net*"] },
    times: night,
  };
  assert.deepEqual(taken([route("a", { match }), route("b")], true), ["a"]);
});

test("quiet hours hold back what is no worse than they say, while they last", () => {
  const on = () => true;
  assert.equal(isQuiet(route("a", quiet), "warning", on), true);
  assert.equal(isQuiet(route("a", quiet), "info", on), true);
  assert.equal(isQuiet(route("a", quiet), "critical", on), false);
  assert.equal(
    isQuiet(route("a", quiet), "warning", () => false),
    false,
  );
  assert.equal(isQuiet(route("a"), "warning", on), false);
});

test("in quiet hours the stand-in takes what they hold, and its stand-in where it is quiet, too; where none is there they hold it", () => {
  const day = route("day", { ...quiet, otherwise: "night" });
  assert.deepEqual(taken([day, route("night", { order: 20 })], true), ["night"]);
  assert.deepEqual(taken([day, route("night", { order: 20 })], false), ["day"]);
  assert.deepEqual(taken([day, route("night", { order: 20 })], true, { severity: "critical" }), ["day"]);
  const further = [day, route("night", { order: 20, ...quiet, otherwise: "last" }), route("last", { order: 30 })];
  assert.deepEqual(taken(further, true), ["last"]);
  assert.deepEqual(taken([day, route("night", { enabled: false })], true), ["day"]);
  assert.deepEqual(taken([day, route("night", { order: 20, ...quiet, otherwise: "day" })], true), ["day"]);
  const both = [route("day", { ...quiet, otherwise: "night", continue: true }), route("night", { order: 20 })];
  assert.deepEqual(taken(both, true), ["night"]);
});

test("a group's id names its route and its labels; what an alert doesn't have is empty", () => {
  const labels = groupLabelsOf(alert, facts, ["node", "cluster", "pool", "rule", "severity", "entity", "storage"]);
  assert.equal(
    groupIdOf("r", labels),
    "r|cluster=00000000000000aa,entity=guest/100,node=pve1,pool=,rule=cpu,severity=warning,storage=",
  );
  assert.equal(groupIdOf("r", groupLabelsOf(alert, facts, [])), "r|");
});

test("an alert of what is gone is routed by what was known of it; what is known now comes first", () => {
  assert.deepEqual([facts.kind, facts.node, facts.tags, facts.pool], ["guest", "pve1", ["prod"], undefined]);
  const known = { ...facts, tags: ["test"] };
  assert.equal(factsOfRecord(alert, known), known);
});

test("a route is refused where it leads nowhere, in a circle, back in time, or asks for what can't be", () => {
  const problems = (given: Partial<Route>, others: Route[] = []) =>
    checkRoute(route("a", given), others, [{ id: "mail" }]).map(({ field, problem }) => `${field}: ${problem}`);
  assert.deepEqual(problems({}), []);
  assert.deepEqual(problems({ receivers: ["mail", "fax"] }), ["receivers: There is no receiver fax"]);
  const step = (afterSec: number, receiver = "mail") => ({ afterSec, receivers: [receiver] });
  assert.deepEqual(problems({ escalation: [step(60), step(61)] }), []);
  assert.deepEqual(problems({ escalation: [step(60), step(60, "fax")] }), [
    "escalation.1.receivers: There is no receiver fax",
    "escalation.1.afterSec: It comes no later than the step before",
  ]);
  assert.deepEqual(problems({ otherwise: "b" }), ["otherwise: There is no route b"]);
  assert.deepEqual(problems({ otherwise: "b" }, [route("b")]), []);
  assert.deepEqual(problems({ otherwise: "a" }), ["otherwise: The stand-ins go in a circle: a → a"]);
  assert.deepEqual(problems({ otherwise: "b" }, [route("b", { otherwise: "a" })]), [
    "otherwise: The stand-ins go in a circle: a → b → a",
  ]);
  const wrong: Recurrence = { ...night, timezone: "Mars/Olympus" };
  assert.deepEqual(
    checkRoute(
      route("a", { match: { times: wrong, scope: { expression: "tag" } }, quietHours: { times: wrong, upTo: "info" } }),
      [],
      [{ id: "mail" }],
    ).map(({ field }) => field),
    ["match.scope.expression", "match.times.timezone", "quietHours.times.timezone"],
  );
});
