import assert from "node:assert/strict";
import { test } from "node:test";
import type { Condition } from "#protocol/alerting.ts";
import { signalList } from "../../../hub/core/signal-list.ts";
import { formatFigure } from "../../../ui-extension/core/alert-figures.ts";
import {
  alertsAbout,
  alertsVerdict,
  countAlerts,
  dispositionWords,
  figureWords,
  filterAlerts,
  groupCauses,
  isOpen,
} from "../../../ui-extension/core/alerts.ts";
import { backtestLanes, backtestVerdict, dayMarks } from "../../../ui-extension/core/backtest.ts";
import { findProblems } from "../../../ui-extension/core/problems.ts";
import {
  blankReceiver,
  receiverForm,
  receiverRequest,
  routeMatchText,
  routeTellingText,
} from "../../../ui-extension/core/routes.ts";
import { conditionText, scopeText, slugOf, withScopeField } from "../../../ui-extension/core/rules.ts";
import { inEnglish as t } from "../../../ui-extension/core/text.ts";
import { verdictOf } from "../../../ui-extension/core/verdict.ts";
import { blankWindow, readableAlertId, windowForm, windowOf, windowTimesText } from "../../../ui-extension/core/windows.ts";
import { alertOf, ruleOf } from "../../support/alert-views.ts";
import { fakeAlerts, fakeBacktest, fakeReceivers, fakeRoutes, fakeWindows } from "../../support/fake-alerts.ts";
import { fakeCluster } from "../../support/fake-cluster.ts";

const now = Date.UTC(2026, 10, 23, 3);
const signals = signalList();

test("alerts stand by their cause, what needs somebody first and what is pending last", () => {
  assert.deepEqual(
    groupCauses(fakeAlerts(now)).map(({ alert, consequences }) => [alert.rule, consequences.map(({ entity }) => entity)]),
    [
      ["node-down", ["guest/107", "guest/113", "guest/119"]],
      ["storage-full", []],
      ["backup-missing", []],
      ["guest-cpu", []],
    ],
  );
});

test("of two critical alerts the one that takes guests along comes first, though the other is newer", () => {
  const down = alertOf({ rule: "node-down", severity: "critical", affected: ["web01 (VM 100)"], firedAt: now - 60_000 });
  const degraded = alertOf({ rule: "zpool-health", severity: "critical", affected: [], firedAt: now });
  assert.deepEqual(
    groupCauses([degraded, down]).map(({ alert }) => alert.rule),
    ["node-down", "zpool-health"],
  );
});

test("alerts that inhibit each other in a circle are all still shown", () => {
  const by = (id: string) => ({ by: "inhibited" as const, id, until: null, text: "" });
  const [a, b] = [alertOf({ rule: "a" }), alertOf({ rule: "b" })];
  const causes = groupCauses([
    { ...a, suppressedBy: by(b.id) },
    { ...b, suppressedBy: by(a.id) },
  ]);
  assert.equal(causes.reduce((sum, { consequences }) => sum + 1 + consequences.length, 0) >= 2, true);
});

test("what became of an alert is said in words", () => {
  const said = (given: Parameters<typeof alertOf>[0]) => dispositionWords(alertOf(given), now, "UTC", t);
  const at = now - 3_600_000;
  assert.deepEqual(
    said({
      notified: [
        { receiver: "mail", at },
        { receiver: "team", at },
      ],
    }),
    { mark: "told", text: "told mail, team at 02:00" },
  );
  const acknowledged = { by: "anna", at, until: null, note: "on it" };
  assert.deepEqual(said({ disposition: "acknowledged", acknowledged }), { mark: "taken", text: "taken by anna at 02:00: on it" });
  const suppressedBy = { by: "window" as const, id: "patch", until: now + 3_600_000, text: "Maintenance window Patch night" };
  assert.deepEqual(said({ disposition: "suppressed", suppressedBy }), {
    mark: "quiet",
    text: "Maintenance window Patch night until 04:00",
  });
  assert.deepEqual(said({ disposition: "no-route", notified: [] }), { mark: "lost", text: "told nobody: no route takes it" });
  assert.deepEqual(said({ disposition: "waiting", notified: [] }), { mark: "wait", text: "about to be told" });
  assert.deepEqual(said({ state: "pending", firedAt: null, activeAt: now - 120_000 }), {
    mark: "wait",
    text: "holds since 2 min, has not fired yet",
  });
});

test("the first line counts what needs somebody, and is calm only when nothing does", () => {
  const alerts = fakeAlerts(now);
  assert.deepEqual(alertsVerdict(alerts, t), {
    level: "critical",
    text: "1 critical + 1 warning need you · 4 taken, silenced or consequences",
  });
  assert.deepEqual(
    alertsVerdict(
      alerts.filter((alert) => !isOpen(alert)),
      t,
    ),
    {
      level: "fine",
      text: "Nothing needs you now · 4 taken, silenced or consequences",
    },
  );
});

test("a node's page shows its own alerts and those of what runs on it", () => {
  const about = (entity: string) =>
    alertsAbout(fakeAlerts(now), entity, "0123456789abcdef").map(({ rule, entity: one }) => `${rule} ${one}`);
  assert.deepEqual(about("node/pve1"), ["backup-missing guest/102", "guest-cpu guest/100"]);
  assert.deepEqual(about("storage/nfs1"), ["storage-full storage/nfs1"]);
  assert.deepEqual(alertsAbout(fakeAlerts(now), "storage/nfs1", "another"), []);
  assert.deepEqual(
    filterAlerts(fakeAlerts(now), "PVE1 mail").map(({ rule }) => rule),
    ["backup-missing"],
  );
});

test("the overview's verdict is what fires; a node that fell silent is told even before an alert does", () => {
  const world = fakeCluster({ nodes: 3, guests: 40, silent: 1, trouble: true });
  const lists = {
    nodes: world.nodes(now),
    guests: world.guests(now),
    storages: world.storages(now),
    tasks: world.tasks(now),
    events: [],
  };
  const verdict = (alerts: ReturnType<typeof fakeAlerts>) => {
    const picture = { ...lists, alerts, health: undefined };
    return verdictOf(picture, findProblems(picture, now, t), t);
  };
  const judged = verdict(fakeAlerts(now));
  assert.equal(judged.text, "Node pve3 is offline, say the other members, and 2 more problems");
  assert.ok(judged.unknown.includes("4 alerts taken or kept quiet"));
  assert.match(verdict([]).text, /^Node pve3 is offline, with 13 guests/);
});

test("an alert about something else on a node, taken or not, does not hide that the node or its agent is gone", () => {
  const world = fakeCluster({ nodes: 3, guests: 40, silent: 1, trouble: true });
  const nodes = world.nodes(now);
  const [job] = fakeAlerts(now);
  assert.ok(job !== undefined);
  const about = (rule: string, valueText: string, entity = "node/pve3") => ({
    ...job,
    id: `${rule}@${entity}`,
    rule,
    entity,
    valueText,
  });
  const taken = { by: "anna", at: now, until: null, note: null };
  const texts = (alerts: ReturnType<typeof fakeAlerts>, state?: "away") => {
    const agents = state === undefined ? nodes : nodes.map((node) => ({ ...node, state: "online" as const }));
    const seen = agents.map((node) => (node.node === "pve3" && state ? { ...node, agent: { ...node.agent, state } } : node));
    const health = { problems: ["The agent of pve3 is away", "The audit log is broken"] } as const;
    const picture = { nodes: seen, guests: world.guests(now), storages: [], tasks: [], events: [], alerts };
    return findProblems({ ...picture, health: health as never }, now, t)
      .map(({ text }) => text)
      .filter((text) => /pve3|audit/.test(text));
  };
  const others = [
    { ...about("backup-job-failed", "failed"), text: "The newest backup job failed", acknowledged: taken },
    { ...about("snapshot-old", "", "guest/107"), text: "old", severity: "info" as const },
  ];
  assert.deepEqual(texts(others), ["Node pve3 is offline, with 13 guests", "The audit log is broken"]);
  assert.deepEqual(texts(others, "away"), ["The agent of pve3 is away", "The audit log is broken"]);
  assert.deepEqual(texts([{ ...about("agent-down", "away"), acknowledged: taken }], "away"), ["The audit log is broken"]);
  assert.deepEqual(texts([{ ...about("node-down", "offline"), acknowledged: taken }]), ["The audit log is broken"]);
});

test("what nobody took and nothing keeps quiet is not told as taken, also where it is for information only", () => {
  const [first] = fakeAlerts(now);
  assert.ok(first !== undefined);
  const note = { ...first, severity: "info" as const, acknowledged: null, suppressedBy: null, state: "firing" as const };
  assert.equal(alertsVerdict([note], t).text, "Nothing needs you now · 1 for information");
  assert.deepEqual(countAlerts([note]), { open: 0, firing: 1, quiet: 0, info: 1, pending: 0 });
});

const conditions: [condition: Condition, entity: "guest" | "storage" | "node", text: string][] = [
  [{ kind: "threshold", signal: "cpu", direction: "above", trigger: 0.9, clear: 0.8 }, "guest", "cpu above 90 %, over at 80 %"],
  [
    { kind: "threshold", signal: "used", per: "total", direction: "above", trigger: 0.95, clear: 0.9 },
    "storage",
    "used / total above 95 %, over at 90 %",
  ],
  [
    { kind: "threshold", signal: "net_in", direction: "above", trigger: 1024, clear: 512 },
    "guest",
    "net_in above 1 KiB/s, over at 512 B/s",
  ],
  [{ kind: "state", signal: "node_state", is: ["offline", "unknown"] }, "node", "node_state is offline, unknown"],
  [{ kind: "absence", signal: "cpu", absentSec: 300 }, "guest", "no cpu for 5 min"],
  [{ kind: "age", of: "backup", maxSec: "schedule" }, "guest", "newest backup is later than its own calendar says"],
  [{ kind: "age", of: "certificate", maxSec: 1_209_600 }, "node", "certificate ends within 14 d"],
  [{ kind: "forecast", signal: "used", capacity: "total", withinDays: 7 }, "storage", "used is full within 7 days"],
];
for (const [condition, entity, text] of conditions) {
  test(`a rule reads: ${text}`, () => assert.equal(conditionText(ruleOf({ entity, condition }), signals, t), text));
}

test("a scope reads as a sentence; what is typed into its fields goes in and out again", () => {
  assert.equal(scopeText({}, t), "everything");
  assert.equal(
    scopeText({ nodes: ["pve1"], tags: ["prod", "db"], except: { guests: [100] } }, t),
    "on pve1, with tag prod, db, except guests 100",
  );
  assert.deepEqual(withScopeField({ nodes: ["pve1"] }, "guests", "100, 105,"), { nodes: ["pve1"], guests: [100, 105] });
  assert.deepEqual(withScopeField({ nodes: ["pve1"], tags: ["x"] }, "tags", " "), { nodes: ["pve1"] });
  assert.equal(slugOf("Web-Server überlastet!"), "web-server-u-berlastet");
});

test("figures are written in the unit of what is measured", () => {
  assert.deepEqual(
    [
      formatFigure(0.914, "ratio"),
      formatFigure(97_200, "seconds"),
      formatFigure(2 ** 30, "bytes/h"),
      formatFigure(3, "count"),
      formatFigure(5, null),
      formatFigure(1 - 1e-9, "count"),
      formatFigure(0.996, null),
    ],
    ["91 %", "1 d 3 h", "1 GiB/h", "3", "5", "1", "1.00"],
  );
});

test("a back-test says how often, on how many, and how many messages; its longest come first", () => {
  const to = Date.UTC(2026, 10, 23);
  const answer = fakeBacktest(to - 30 * 86_400_000, to);
  assert.equal(backtestVerdict(answer, t), "Would have fired 8 times in the last 30 days, on 3 of 40 · 8 messages");
  assert.equal(
    backtestVerdict({ ...answer, episodes: [], notifications: [] }, t),
    "Would not have fired in the last 30 days, on none of 40",
  );
  assert.equal(backtestVerdict({ ...answer, subjects: 0 }, t), "There is no history of what this rule is about");
  const { lanes, more } = backtestLanes(answer);
  assert.deepEqual(
    [lanes.map(({ title, bars }) => `${title} ${bars.length}`), more],
    [["web1 (VM 100) 4", "web14 (VM 113) 2", "web6 (VM 105) 2"], 0],
  );
  assert.equal(lanes[1]?.bars.at(-1)?.to, to);
  assert.equal(dayMarks(answer.from, answer.to).length, 11);
});

test("routes and windows read as sentences", () => {
  const [route] = fakeRoutes();
  assert.ok(route);
  assert.equal(routeMatchText(route, t), "warning, critical");
  assert.equal(
    routeTellingText({ ...route, escalation: [{ afterSec: 900, receivers: ["boss"] }] }, t),
    "repeated every 1 d; after 15 min also boss",
  );
  assert.deepEqual(
    fakeWindows(now).map((view) => windowTimesText(view, now, "UTC", t)),
    ["open now, until 03:10", "next: 11-30 03:00, for 2 h"],
  );
  assert.equal(readableAlertId("guest-cpu@0123/guest/100#1!scsi0"), "guest-cpu: guest/100!scsi0");
});

test("a window's form gives once or recurrence, never both", () => {
  const form = { ...blankWindow(now, "Europe/Rome"), name: "Patch night" };
  const repeated = windowOf(form);
  assert.deepEqual(
    [repeated.id, repeated.once, repeated.recurrence],
    ["patch-night", null, { calendar: "sat 02:00", timezone: "Europe/Rome", durationSec: 7200 }],
  );
  const changed = { ...repeated, enabled: false, adjusted: { startsAt: 1, endsAt: 2 } };
  assert.deepEqual(windowOf({ ...windowForm(changed, form), name: "Other night" }), { ...changed, name: "Other night" });
  const once = windowOf({ ...form, kind: "once" });
  assert.deepEqual([once.recurrence, once.once], [null, { startsAt: now, endsAt: now + 7_200_000 }]);
});

test("a receiver's form sends a secret only when one was typed, and keeps what it does not show", () => {
  const team = fakeReceivers(now)[1]?.receiver;
  assert.ok(team);
  const form = receiverForm(team);
  assert.deepEqual(form.values, {});
  assert.deepEqual(receiverRequest(form, team), { receiver: team, secrets: {} });
  const typed = receiverRequest({ ...form, values: { url: "https://hooks.example/x" } }, team);
  assert.deepEqual(typed.secrets, { url: "https://hooks.example/x" });
  const own = { ...team, template: "{verdict}", actions: false };
  assert.deepEqual(receiverRequest(receiverForm(own), own).receiver, own);
  const builtIn = receiverRequest({ ...receiverForm(own), template: "", actions: true }, own).receiver;
  assert.deepEqual(["template" in builtIn, "actions" in builtIn], [false, false]);
  const mail = {
    ...blankReceiver("email"),
    id: "mail",
    name: "Mail",
    values: { from: "a@b.c", to: "x@y.z, u@v.w", "smtp.host": "" },
  };
  assert.deepEqual(
    [receiverRequest(mail, undefined).receiver.to, receiverRequest(mail, undefined).receiver.smtp],
    [["x@y.z", "u@v.w"], undefined],
  );
});

test("a problem leads to the page of what it is about: a pool's own, a disk's node", () => {
  const [first] = fakeAlerts(now);
  assert.ok(first !== undefined);
  const about = (entity: string, node: string | null) => ({ ...first, id: entity, entity, node });
  const alerts = [about("zpool/pve2/tank", "pve2"), about("disk/pve2/S64", "pve2"), about("cluster", null)];
  const picture = { nodes: [], guests: [], storages: [], tasks: [], events: [], alerts, health: undefined };
  const pages = new Map(findProblems(picture, now, t).map(({ key, entity }) => [key, entity]));
  assert.deepEqual([...pages].sort(), [
    ["cluster", undefined],
    ["disk/pve2/S64", "node/pve2"],
    ["zpool/pve2/tank", "zpool/pve2/tank"],
  ]);
});

test("beside an alert's sentence stands its figure or its state, and no answer to a question that nobody sees", () => {
  const [first] = fakeAlerts(now);
  assert.ok(first !== undefined);
  const said = (valueText: string) => figureWords({ ...first, value: 0, valueText }, t);
  assert.deepEqual([said("DEGRADED"), said("no"), said("yes"), said("none")], ["DEGRADED", "", "", ""]);
});
