import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Scope } from "#protocol/api.ts";
import { defaultReceiver, defaultRoute, defaultRules } from "../../../hub/core/default-rules.ts";
import { createApp } from "../../../hub/http/app.ts";
import { alertOf, ruleOf } from "../../support/alert-views.ts";
import { FakeAlerting } from "../../support/fake-alerting.ts";
import { testHub } from "../../support/test-hub.ts";

const by = { actor: "test", reason: "test" };
const cpuId = encodeURIComponent("busy@00000000000000aa/guest/100#1");

/** A hub with an own rule, one that came with Proven, a route, a silence, a window, and one firing alert. */
function alertingHub(t: TestContext) {
  const hub = testHub(t);
  const alerting = new FakeAlerting(hub.state);
  alerting.alerts = [alertOf({ rule: "busy" })];
  const app = createApp({ ...hub.httpPorts, alerting });
  const now = hub.clock.now();
  const [shipped] = defaultRules;
  assert.ok(shipped);
  hub.state.put("rule", "busy", ruleOf(), by);
  hub.state.put("rule", shipped.id, { ...shipped, severity: "info" }, by);
  hub.state.put("receiver", "nodes", defaultReceiver, by);
  hub.state.put("route", "everything", defaultRoute, by);
  const silence = { ...newSilence(now), id: "quiet", kind: "silence" as const, alerts: [], createdBy: "me" };
  hub.state.put("silence", "quiet", silence, by);
  hub.state.put("window", "patch", newWindow(now), by);
  const ask = (method: string, path: string, body?: unknown, scope: Scope = "write") =>
    app.request(`/api/v1/${path}`, {
      method,
      headers: { Authorization: `Bearer ${hub.newKey(scope)}`, "Content-Type": "application/json" },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
  return { hub, alerting, app, ask, now, shipped };
}
type AlertingHub = ReturnType<typeof alertingHub>;

const newSilence = (now: number) => ({
  scope: { tags: ["test"] },
  rules: ["busy"],
  startsAt: now,
  endsAt: now + 3_600_000,
  comment: "load test",
});
const newWindow = (now: number) => ({
  id: "patch",
  name: "Patch night",
  enabled: true,
  scope: { nodes: ["pve1"] },
  once: { startsAt: now - 1000, endsAt: now + 3_600_000 },
  recurrence: null,
  adjusted: null,
  comment: "",
});

type Endpoint = [method: string, path: string, body: (hub: AlertingHub) => unknown, read: number, write: number];
const none = () => undefined;
const endpoints: Endpoint[] = [
  ["GET", "alerts", none, 200, 200],
  ["GET", "alerts/history", none, 200, 200],
  ["GET", `alerts/${cpuId}/why`, none, 200, 200],
  ["POST", `alerts/${cpuId}/ack`, () => ({ note: "on it" }), 403, 200],
  ["POST", `alerts/${cpuId}/unack`, none, 403, 200],
  ["POST", `alerts/${cpuId}/snooze`, () => ({ sec: 3600 }), 403, 201],
  ["GET", "rules", none, 200, 200],
  ["GET", "rules/signals", none, 200, 200],
  ["GET", "rules/busy", none, 200, 200],
  ["POST", "rules", () => ruleOf({ id: "other" }), 403, 201],
  ["PUT", "rules/busy", () => ruleOf({ enabled: false }), 403, 200],
  ["DELETE", "rules/busy", none, 403, 204],
  ["POST", "rules/validate", () => ({}), 200, 200],
  ["POST", "rules/backtest", ({ now }) => ({ rule: ruleOf(), from: now - 1000, to: now }), 200, 200],
  ["GET", "silences", none, 200, 200],
  ["POST", "silences", ({ now }) => newSilence(now), 403, 201],
  ["PUT", "silences/quiet", ({ now }) => newSilence(now), 403, 200],
  ["POST", "silences/quiet/expire", none, 403, 200],
  ["DELETE", "silences/quiet", none, 403, 204],
  ["GET", "windows", none, 200, 200],
  ["POST", "windows", ({ now }) => ({ ...newWindow(now), id: "other" }), 403, 201],
  ["PUT", "windows/patch", ({ now }) => newWindow(now), 403, 200],
  ["POST", "windows/preview", () => ({}), 200, 200],
  ["POST", "windows/patch/end", none, 403, 200],
  ["POST", "windows/patch/extend", () => ({ sec: 600 }), 403, 200],
  ["DELETE", "windows/patch", none, 403, 204],
  ["GET", "routes", none, 200, 200],
  ["POST", "routes", () => ({ ...defaultRoute, id: "other" }), 403, 201],
  ["PUT", "routes/everything", () => defaultRoute, 403, 200],
  ["DELETE", "routes/everything", none, 403, 204],
];
for (const [method, path, body, read, write] of endpoints) {
  test(`${method} ${decodeURIComponent(path)} is ${read} for read and ${write} for write, and 401 without a key`, async (t) => {
    const about = alertingHub(t);
    const bare = await about.app.request(`/api/v1/${path}`, { method });
    assert.equal(bare.status, 401);
    assert.equal((await about.ask(method, path, body(about), "read")).status, read);
    assert.equal((await about.ask(method, path, body(about), "write")).status, write);
    assert.deepEqual(about.hub.state.verifyAudit().ok, true);
  });
}

test("every write of a rule, silence, window or route stands in the audit log with who did it, and the engine hears of it", async (t) => {
  const { hub, alerting, ask, now } = alertingHub(t);
  const before = hub.state.auditLog().length;
  await ask("PUT", "rules/busy", ruleOf({ enabled: false }));
  await ask("POST", "silences/quiet/expire");
  await ask("PUT", "windows/patch", { ...newWindow(now), enabled: false });
  await ask("DELETE", "routes/everything");
  const entries = hub.state.auditLog().slice(before);
  assert.deepEqual(
    entries.filter(({ kind }) => kind !== "apiKey").map(({ actor, action, kind, id }) => [actor, action, kind, id]),
    [
      ["write", "update", "rule", "busy"],
      ["write", "update", "silence", "quiet"],
      ["write", "update", "window", "patch"],
      ["write", "delete", "route", "everything"],
    ],
  );
  assert.equal(alerting.reloads, 4);
});

const threshold = { kind: "threshold", signal: "cpu", direction: "above", trigger: 0.9, clear: 0.8 } as const;
const refused: [name: string, method: string, path: string, body: (hub: AlertingHub) => unknown, field: string, says: RegExp][] =
  [
    [
      "a clear on the wrong side",
      "POST",
      "rules",
      () => ruleOf({ id: "x", condition: { ...threshold, clear: 0.95 } }),
      "condition.clear",
      /wrong side of trigger 0\.9.*A clear at or below 0\.9/,
    ],
    [
      "an unknown metric",
      "PUT",
      "rules/busy",
      () => ruleOf({ condition: { ...threshold, signal: "mood" } }),
      "condition.signal",
      /A guest has no 'mood'\. One of: status, uptime, cpu/,
    ],
    ["another id than the address", "PUT", "rules/busy", () => ruleOf({ id: "lazy" }), "id", /use busy/],
    [
      "a back-test of 31 days",
      "POST",
      "rules/backtest",
      ({ now }) => ({ rule: ruleOf(), from: now - 31 * 86_400_000, to: now }),
      "from",
      /30 days/,
    ],
    [
      "a silence of nothing",
      "POST",
      "silences",
      ({ now }) => ({ ...newSilence(now), scope: null, rules: [] }),
      "alerts",
      /silence nothing/,
    ],
    [
      "a silence that ends before it begins",
      "POST",
      "silences",
      ({ now }) => ({ ...newSilence(now), endsAt: now - 1 }),
      "endsAt",
      /before it begins/,
    ],
    [
      "an impossible calendar",
      "POST",
      "windows",
      ({ now }) => ({
        ...newWindow(now),
        id: "x",
        once: null,
        recurrence: { calendar: "25:00", timezone: "Europe/Rome", durationSec: 3600 },
      }),
      "recurrence.calendar",
      /25/,
    ],
    [
      "a receiver there is none of",
      "POST",
      "routes",
      () => ({ ...defaultRoute, id: "x", receivers: ["pager"] }),
      "receivers",
      /pager/,
    ],
    [
      "stand-ins in a circle",
      "PUT",
      "routes/everything",
      () => ({ ...defaultRoute, otherwise: "everything" }),
      "otherwise",
      /everything → everything/,
    ],
    ["an acknowledgement that is past", "POST", `alerts/${cpuId}/ack`, () => ({ until: 1 }), "until", /later time/],
  ];
for (const [name, method, path, body, field, says] of refused) {
  test(`${name} is refused and names ${field} with the remedy`, async (t) => {
    const about = alertingHub(t);
    const response = await about.ask(method, path, body(about));
    const { error } = await response.json();
    assert.deepEqual([response.status, error.field], [400, field]);
    assert.match(error.message, says);
    assert.equal(about.alerting.reloads, 0);
  });
}

test("validating names every wrong field at once, in shape and in meaning, and saves nothing", async (t) => {
  const { ask, hub } = alertingHub(t);
  const shape = await (await ask("POST", "rules/validate", { ...ruleOf(), severity: "loud", forSec: -1, colour: "red" })).json();
  assert.deepEqual(
    shape.problems.map(({ field, remedy }: { field: string; remedy: string }) => [field, remedy]),
    [
      ["severity", "One of: info, warning, critical"],
      ["forSec", "At least 0"],
      ["colour", "Leave it out"],
    ],
  );
  const wrong = ruleOf({ condition: { ...threshold, signal: "mood", clear: 1 }, scope: { expression: "tag=" } });
  const meaning = await (await ask("POST", "rules/validate", wrong)).json();
  assert.deepEqual(
    meaning.problems.map(({ field }: { field: string }) => field),
    ["condition.signal", "condition.clear", "scope.expression"],
  );
  assert.deepEqual(hub.state.get("rule", "busy"), ruleOf());
});

test("a rule is sent without saying whether it comes with Proven, to save, judge and back-test it", async (t) => {
  const { ask, now } = alertingHub(t);
  const { shipped: _, ...rule } = ruleOf({ id: "own" });
  assert.deepEqual(await (await ask("POST", "rules/validate", rule)).json(), { problems: [] });
  assert.equal((await ask("POST", "rules/backtest", { rule, from: now - 60_000, to: now })).status, 200);
  const made = await ask("POST", "rules", rule);
  assert.deepEqual([made.status, (await made.json()).shipped], [201, false]);
  const changed = await ask("PUT", "rules/own", { ...rule, shipped: true });
  assert.equal((await changed.json()).shipped, false);
});

test("a rule that comes with Proven keeps its mark, can be reset but not removed", async (t) => {
  const { ask, hub, shipped } = alertingHub(t);
  const changed = { ...shipped, severity: "info", shipped: false };
  assert.equal((await (await ask("PUT", `rules/${shipped.id}`, changed)).json()).shipped, true);
  assert.equal((await ask("DELETE", `rules/${shipped.id}`)).status, 409);
  assert.deepEqual(await (await ask("POST", `rules/${shipped.id}/reset`)).json(), shipped);
  assert.deepEqual(hub.state.get("rule", shipped.id), shipped);
  assert.equal((await ask("POST", "rules/busy/reset")).status, 404);
  assert.equal((await ask("POST", "rules", ruleOf())).status, 409);
});

test("acknowledging says who, when and why; what doesn't fire can't be acknowledged", async (t) => {
  const { ask, now, alerting } = alertingHub(t);
  const alert = await (await ask("POST", `alerts/${cpuId}/ack`, { note: "on it" })).json();
  assert.deepEqual(alert.acknowledged, { by: "write", at: now, until: null, note: "on it" });
  assert.equal((await (await ask("POST", `alerts/${cpuId}/unack`)).json()).acknowledged, null);
  alerting.alerts = [];
  assert.equal((await ask("POST", `alerts/${cpuId}/ack`, {})).status, 404);
});

test("a snooze is a silence of one alert that ends by itself", async (t) => {
  const { ask, now } = alertingHub(t);
  const snooze = await (await ask("POST", `alerts/${cpuId}/snooze`, { sec: 3600, comment: "until morning" })).json();
  assert.match(snooze.id, /^snooze-[0-9a-f]{8}$/);
  const { id: _, ...rest } = snooze;
  assert.deepEqual(rest, {
    kind: "snooze",
    alerts: ["busy@00000000000000aa/guest/100#1"],
    scope: null,
    rules: [],
    startsAt: now,
    endsAt: now + 3_600_000,
    createdBy: "write",
    comment: "until morning",
  });
});

test("why is asked by the alert's id, percent-encoded, also for an instance with odd signs", async (t) => {
  const { ask, alerting } = alertingHub(t);
  const id = "busy@00000000000000aa/disk/pve1/sda#2!a/b#3!c";
  assert.equal((await ask("GET", `alerts/${encodeURIComponent(id)}/why`)).status, 200);
  assert.deepEqual(alerting.questions, [
    { rule: "busy", cluster: "00000000000000aa", entity: "disk/pve1/sda", incarnation: 2, instance: "a/b#3!c" },
  ]);
  assert.equal((await ask("GET", "alerts/nonsense/why")).status, 400);
  assert.equal((await ask("GET", `alerts/${encodeURIComponent("none@c/guest/1#1")}/why`)).status, 404);
});

test("active alerts are filtered by state, severity, rule, entity, node and tag", async (t) => {
  const { ask, alerting } = alertingHub(t);
  alerting.alerts = [
    alertOf({ rule: "a", severity: "critical", tags: ["prod"] }),
    alertOf({ rule: "b", state: "pending", firedAt: null, node: "pve2" }),
    alertOf({ rule: "c", state: "resolved", resolvedAt: 5000 }),
  ];
  const rules = async (query: string) =>
    (await (await ask("GET", `alerts?${query}`)).json()).items.map(({ rule }: { rule: string }) => rule);
  assert.deepEqual(await rules(""), ["a", "b"]);
  assert.deepEqual(await rules("state=resolved"), ["c"]);
  assert.deepEqual(await rules("severity=critical"), ["a"]);
  assert.deepEqual(await rules("node=pve2"), ["b"]);
  assert.deepEqual(await rules("tag=prod"), ["a"]);
  assert.equal((await ask("GET", "alerts?state=loud")).status, 400);
});

test("an open window is ended early or made longer, a closed one is refused", async (t) => {
  const { ask, now, hub } = alertingHub(t);
  const longer = await (await ask("POST", "windows/patch/extend", { sec: 600 })).json();
  assert.deepEqual([longer.active, longer.endsAt], [true, now + 4_200_000]);
  await hub.clock.advance(1000);
  assert.equal((await (await ask("POST", "windows/patch/end")).json()).active, false);
  assert.equal((await ask("POST", "windows/patch/extend", { sec: 600 })).status, 409);
});

test("a window being edited shows its next five times across the change to winter time", async (t) => {
  const { ask, hub } = alertingHub(t);
  await hub.clock.advance(Date.UTC(2026, 9, 24, 12) - hub.clock.now());
  const recurrence = { calendar: "02:30", timezone: "Europe/Rome", durationSec: 3600 };
  const { next } = await (await ask("POST", "windows/preview", { ...newWindow(0), once: null, recurrence })).json();
  assert.deepEqual(
    next.map(({ startsAt }: { startsAt: number }) => new Date(startsAt).toISOString()),
    [
      "2026-10-25T00:30:00.000Z",
      "2026-10-26T01:30:00.000Z",
      "2026-10-27T01:30:00.000Z",
      "2026-10-28T01:30:00.000Z",
      "2026-10-29T01:30:00.000Z",
    ],
  );
});

test("windows that facts opened are listed with the others, open ones first", async (t) => {
  const { ask, alerting, now } = alertingHub(t);
  const since = now as (typeof alerting.automatic)[number]["since"];
  alerting.automatic = [{ id: "upgrade@x", kind: "upgrade", since, until: since, text: "pve2 is being upgraded" }];
  const { items } = await (await ask("GET", "windows")).json();
  assert.deepEqual(
    items.map(({ id, automatic, active }: { id: string; automatic: string; active: boolean }) => [id, automatic, active]),
    [
      ["upgrade@x", "upgrade", true],
      ["patch", null, true],
    ],
  );
});

test("a list that did not change is 304", async (t) => {
  const { app, hub } = alertingHub(t);
  const headers = { Authorization: `Bearer ${hub.newKey("read")}` };
  for (const path of ["alerts", "alerts/history", "rules", "silences", "windows", "routes"]) {
    const etag = (await app.request(`/api/v1/${path}`, { headers })).headers.get("ETag") ?? "";
    const again = await app.request(`/api/v1/${path}`, { headers: { ...headers, "If-None-Match": etag } });
    assert.equal(again.status, 304, path);
  }
});

test("every route of alerting is documented with its answer", async (t) => {
  const { ask } = alertingHub(t);
  const { paths } = await (await ask("GET", "openapi.json")).json();
  for (const [method, path] of endpoints) {
    const documented = path.replace(cpuId, "{id}").replace(/(busy|quiet|patch|everything)/, "{id}");
    assert.ok(paths[`/api/v1/${documented}`]?.[method.toLowerCase()], `${method} ${documented}`);
  }
});
