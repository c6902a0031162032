import type { TestContext } from "node:test";
import { nodeKey } from "#protocol/ids.ts";
import { defaultRoute, defaultRules } from "../../hub/core/default-rules.ts";
import { defaultPolicy } from "../../hub/core/policy-check.ts";
import { createApp } from "../../hub/http/app.ts";
import { alertOf, ruleOf } from "./alert-views.ts";
import { FakeLogins } from "./fake-logins.ts";
import { common, notificationOf } from "./notifications.ts";
import { agentOf, clusterA, connect, inventoryOf, testHub } from "./test-hub.ts";

/** Every operation that changes something, with a request that the hub takes, and what the audit log holds of it. */

const by = { actor: "test", reason: "test" };
type Entry = [action: "create" | "update" | "delete", kind: string];
/** `entries`: by him, in this order. `exempt`: why it has none. */
export type Write = { operation: string; path: string; body?: unknown; status: number } & (
  | { entries: Entry[] }
  | { exempt: string }
);

const reads = "it reads: its question is too long for an address";
const firing = encodeURIComponent(`hot@${clusterA}/node/pve1#1`);
const hot = {
  ...ruleOf({ id: "hot", entity: "node", forSec: 60, clearForSec: 0 }),
  condition: { kind: "threshold" as const, signal: "cpu", direction: "above" as const, trigger: 0.9, clear: 0.8 },
};
const silence = { alerts: [], scope: { tags: ["test"] }, rules: ["hot"], startsAt: 0, endsAt: 4e12, comment: "load test" };
const window = {
  ...{ id: "patch", name: "Patch night", enabled: true, scope: { nodes: ["pve1"] }, adjusted: null, comment: "" },
  ...{ once: null, recurrence: { calendar: "mon..fri 02:00", timezone: "Europe/Rome", durationSec: 3600 } },
};
const openWindow = { ...window, id: "now", once: { startsAt: 0, endsAt: 4e12 }, recurrence: null };
const receiver = {
  receiver: {
    ...common,
    id: "hook",
    type: "webhook",
    url: "https://127.0.0.1:9/hook",
    secret: { ref: "any" },
    privateAddress: true,
  },
  secrets: { secret: `whsec_${Buffer.alloc(24, 5).toString("base64")}` },
};
const mail = { ...common, id: "mail", type: "email", from: "proven@example.org", to: ["ops@example.org"] };
const policy = { ...defaultPolicy("UTC"), id: "nightly", shipped: false };
const report = {
  id: "weekly",
  name: "Week",
  enabled: true,
  calendar: "mon 07:00",
  timezone: "UTC",
  receiver: "mail",
  language: "en",
};
const backup = { storage: "nfs1", volid: "nfs1:backup/vzdump-qemu-100-2026_01_05-01_00_00.vma.zst" };
const subscription = {
  endpoint: "https://192.168.1.9/push",
  keys: { p256dh: "B".repeat(87), auth: "A".repeat(22) },
};
const notice = { title: "vzdump", message: "done", severity: "info", timestamp: 1_795_000_000, fields: { type: "vzdump" } };
const [shipped] = defaultRules;

/** In an order in which each finds what it changes. `{run}` and the like stand for what an answer before named. */
export const writes: Write[] = [
  { operation: "POST /api/v1/rules", path: "rules", body: { ...hot, id: "other" }, status: 201, entries: [["create", "rule"]] },
  {
    operation: "PUT /api/v1/rules/{id}",
    path: "rules/other",
    body: { ...hot, id: "other", enabled: false },
    status: 200,
    entries: [["update", "rule"]],
  },
  { operation: "DELETE /api/v1/rules/{id}", path: "rules/other", status: 204, entries: [["delete", "rule"]] },
  { operation: "POST /api/v1/rules/{id}/reset", path: `rules/${shipped?.id}/reset`, status: 200, entries: [["update", "rule"]] },
  { operation: "POST /api/v1/rules/validate", path: "rules/validate", body: {}, status: 200, exempt: reads },
  {
    operation: "POST /api/v1/rules/backtest",
    path: "rules/backtest",
    body: { rule: hot, from: 0, to: 1000 },
    status: 200,
    exempt: reads,
  },
  {
    operation: "POST /api/v1/alerts/{id}/ack",
    path: `alerts/${firing}/ack`,
    body: { note: "on it" },
    status: 200,
    entries: [["create", "acknowledgement"]],
  },
  {
    operation: "POST /api/v1/alerts/{id}/unack",
    path: `alerts/${firing}/unack`,
    status: 200,
    entries: [["delete", "acknowledgement"]],
  },
  {
    operation: "POST /api/v1/alerts/{id}/snooze",
    path: `alerts/${firing}/snooze`,
    body: { sec: 3600 },
    status: 201,
    entries: [["create", "silence"]],
  },
  { operation: "POST /api/v1/silences", path: "silences", body: silence, status: 201, entries: [["create", "silence"]] },
  {
    operation: "PUT /api/v1/silences/{id}",
    path: "silences/{silence}",
    body: { ...silence, comment: "longer" },
    status: 200,
    entries: [["update", "silence"]],
  },
  {
    operation: "POST /api/v1/silences/{id}/expire",
    path: "silences/{silence}/expire",
    status: 200,
    entries: [["update", "silence"]],
  },
  { operation: "DELETE /api/v1/silences/{id}", path: "silences/{silence}", status: 204, entries: [["delete", "silence"]] },
  { operation: "POST /api/v1/windows", path: "windows", body: window, status: 201, entries: [["create", "window"]] },
  {
    operation: "PUT /api/v1/windows/{id}",
    path: "windows/patch",
    body: { ...window, enabled: false },
    status: 200,
    entries: [["update", "window"]],
  },
  {
    operation: "POST /api/v1/windows/{id}/extend",
    path: "windows/now/extend",
    body: { sec: 600 },
    status: 200,
    entries: [["update", "window"]],
  },
  { operation: "POST /api/v1/windows/{id}/end", path: "windows/now/end", status: 200, entries: [["update", "window"]] },
  { operation: "DELETE /api/v1/windows/{id}", path: "windows/patch", status: 204, entries: [["delete", "window"]] },
  { operation: "POST /api/v1/windows/preview", path: "windows/preview", body: {}, status: 200, exempt: reads },
  { operation: "POST /api/v1/receivers", path: "receivers", body: receiver, status: 201, entries: [["create", "receiver"]] },
  { operation: "POST /api/v1/receivers/{id}/test", path: "receivers/hook/test", status: 200, entries: [["create", "delivery"]] },
  {
    operation: "POST /api/v1/deliveries/{id}/replay",
    path: "deliveries/n1/replay",
    status: 200,
    entries: [["update", "delivery"]],
  },
  {
    operation: "POST /api/v1/deliveries/replay",
    path: "deliveries/replay",
    body: { receiver: "hook" },
    status: 200,
    entries: [["update", "delivery"]],
  },
  {
    operation: "POST /api/v1/routes",
    path: "routes",
    body: { ...defaultRoute, id: "mine", receivers: ["hook"] },
    status: 201,
    entries: [["create", "route"]],
  },
  {
    operation: "PUT /api/v1/routes/{id}",
    path: "routes/mine",
    body: { ...defaultRoute, id: "mine", receivers: [], enabled: false },
    status: 200,
    entries: [["update", "route"]],
  },
  { operation: "DELETE /api/v1/routes/{id}", path: "routes/mine", status: 204, entries: [["delete", "route"]] },
  {
    operation: "PUT /api/v1/receivers/{id}",
    path: "receivers/hook",
    body: { receiver: { ...receiver.receiver, enabled: false } },
    status: 200,
    entries: [["update", "receiver"]],
  },
  { operation: "DELETE /api/v1/receivers/{id}", path: "receivers/hook", status: 204, entries: [["delete", "receiver"]] },
  {
    operation: "POST /api/v1/templates/preview",
    path: "templates/preview",
    body: { template: "{verdict}" },
    status: 200,
    exempt: reads,
  },
  {
    operation: "POST /api/v1/push/subscriptions",
    path: "push/subscriptions",
    body: subscription,
    status: 201,
    entries: [["create", "pushSubscription"]],
  },
  {
    operation: "DELETE /api/v1/push/subscriptions/{id}",
    path: "push/subscriptions/{push}",
    status: 204,
    entries: [["delete", "pushSubscription"]],
  },
  { operation: "POST /api/v1/policies", path: "policies", body: policy, status: 201, entries: [["create", "policy"]] },
  {
    operation: "PUT /api/v1/policies/{id}",
    path: "policies/nightly",
    body: { ...policy, everyDays: 7 },
    status: 200,
    entries: [["update", "policy"]],
  },
  {
    operation: "POST /api/v1/policies/{id}/enable",
    path: "policies/nightly/enable",
    body: { enabled: true },
    status: 200,
    entries: [["update", "policy"]],
  },
  { operation: "DELETE /api/v1/policies/{id}", path: "policies/nightly", status: 204, entries: [["delete", "policy"]] },
  { operation: "POST /api/v1/policies/preview", path: "policies/preview", body: policy, status: 200, exempt: reads },
  { operation: "PUT /api/v1/reports/{id}", path: "reports/weekly", body: report, status: 200, entries: [["create", "report"]] },
  { operation: "DELETE /api/v1/reports/{id}", path: "reports/weekly", status: 204, entries: [["delete", "report"]] },
  {
    operation: "POST /api/v1/restore-tests",
    path: "restore-tests",
    body: { vmid: 100, backup },
    status: 201,
    entries: [["create", "run"]],
  },
  {
    operation: "POST /api/v1/restore-tests/{id}/keep",
    path: "restore-tests/{run}/keep",
    body: { sec: 60 },
    status: 200,
    entries: [["update", "run"]],
  },
  { operation: "DELETE /api/v1/restore-tests/{id}", path: "restore-tests/{run}", status: 200, entries: [["update", "run"]] },
  {
    operation: "POST /api/v1/verifications",
    path: "verifications",
    body: { vmid: 100, storage: "pbs1" },
    status: 201,
    entries: [["create", "run"]],
  },
  { operation: "POST /api/v1/audit/verify", path: "audit/verify", status: 200, exempt: "it reads the log itself" },
  {
    operation: "POST /api/v1/series/query",
    path: "series/query",
    body: { series: [{ entity: "node/pve1", metric: "cpu" }], from: 0, to: 1000 },
    status: 200,
    exempt: reads,
  },
  {
    operation: "POST /api/v1/series/top",
    path: "series/top",
    body: { class: "guests", metric: "cpu" },
    status: 200,
    exempt: reads,
  },
  {
    operation: "POST /api/v1/series/group",
    path: "series/group",
    body: { class: "guests", metric: "cpu", by: "pool", from: 0, to: 900_000 },
    status: 200,
    exempt: reads,
  },
  {
    operation: "PUT /api/v1/layout",
    path: "layout",
    body: { widgets: [], filters: [], guestColumns: [] },
    status: 200,
    exempt: "how somebody arranged his own panel changes nothing that is watched",
  },
  {
    operation: "POST /api/v1/ingest/pve",
    path: "ingest/pve",
    body: notice,
    status: 202,
    exempt: "a program's message: it becomes an event, and changes no setting",
  },
  {
    operation: "PUT /api/v1/gateway/views/{digest}",
    path: `gateway/views/${"0".repeat(64)}`,
    body: {},
    status: 401,
    exempt: "an agent's word on what a user sees: it is good for a minute, and no act of anybody",
  },
  {
    operation: "POST /api/v1/keys",
    path: "keys",
    body: { name: "ci", scopes: ["read"], expiresInDays: 1 },
    status: 201,
    entries: [["create", "apiKey"]],
  },
  { operation: "DELETE /api/v1/keys/{id}", path: "keys/{key}", status: 204, entries: [["update", "apiKey"]] },
  {
    operation: "POST /api/v1/agents/{cluster}/{node}/renew-key",
    path: `agents/${clusterA}/pve3/renew-key`,
    status: 202,
    entries: [["update", "agent"]],
  },
  {
    operation: "DELETE /api/v1/agents/{cluster}/{node}",
    path: `agents/${clusterA}/pve3`,
    status: 204,
    entries: [["update", "agent"]],
  },
  {
    operation: "POST /api/v1/session",
    path: "session",
    body: { key: "{secret}" },
    status: 200,
    entries: [["create", "session"]],
  },
  {
    operation: "POST /api/v1/session/login",
    path: "session/login",
    body: { user: "bob", realm: "pve", password: "right" },
    status: 200,
    entries: [["create", "session"]],
  },
  {
    operation: "POST /api/v1/session/login/answer",
    path: "session/login/answer",
    body: { challenge: "{challenge}", kind: "totp", code: "123456" },
    status: 200,
    entries: [["create", "session"]],
  },
  { operation: "DELETE /api/v1/session", path: "session", status: 204, entries: [["delete", "session"]] },
];

/** A hub on which all of these find what they need; asks as a key that may do everything, called `everything`. */
export async function writtenHub(t: TestContext) {
  const hub = testHub(t);
  const agent = connect(hub, "pve1");
  const storages = ["nfs1", "pbs1"].map((storage) => ({
    ...{ storage, type: storage === "pbs1" ? "pbs" : "nfs", shared: true, content: ["backup"], enabled: true, nodes: [] },
  }));
  hub.fleet.inventory(agent, inventoryOf({ guests: [{ vmid: 100, name: "web" }], storages }));
  const app = createApp({ ...hub.httpPorts, logins: new FakeLogins(() => hub.clock.now()), renewKey: () => true });
  hub.state.put("rule", "hot", hot, by);
  hub.state.put("window", "now", openWindow, by);
  hub.state.put("receiver", "mail", mail as never, by);
  hub.state.put("rule", shipped?.id ?? "", { ...(shipped ?? hot), severity: "info" }, by);
  hub.state.put(
    "agent",
    `${clusterA}/pve3`,
    {
      ...{ cluster: clusterA, node: agentOf("pve3").node, clusterName: "lab", publicKey: "A".repeat(43) },
      ...{ revokedKeys: [], joinedAt: hub.clock.now(), revokedAt: null },
    },
    by,
  );
  for (const id of ["n1", "n2"]) {
    const notification = notificationOf({ id, receiver: "hook", alerts: [alertOf()] });
    const dead = { state: "dead" as const, createdAt: 1, nextAttemptAt: null, deliveredAt: null, attempts: [], problem: "410" };
    const delivery = { id, receiver: "hook", notification, ...dead };
    hub.state.put("delivery", id, delivery, by);
    hub.delivery.dispatcher.log.note(delivery);
  }
  hub.alerting.reload();
  for (let tick = 0; tick < 9; tick++) {
    hub.series.put(agent, nodeKey(agent.node), "cpu", hub.clock.now(), 0.95);
    hub.alerting.tick();
    await hub.clock.advance(10_000);
  }
  const key = hub.newKey("read", "write", "admin", "ingest");
  const named = new Map<string, string>([["secret", key]]);
  const login = await app.request("https://hub.lan/api/v1/session/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ user: "root", realm: "pam", password: "right" }),
  });
  named.set("challenge", ((await login.json()) as { challenge: string }).challenge);
  const fill = (text: string) => text.replace(/\{([a-z]+)\}/g, (all, name: string) => named.get(name) ?? all);

  /** Sends it; what its answer names is remembered for those behind it. */
  async function send({ operation, path, body }: Write): Promise<{ status: number; text: string }> {
    const text = body === undefined ? undefined : fill(JSON.stringify(body));
    const response = await app.request(`https://hub.lan/api/v1/${fill(path)}`, {
      method: operation.split(" ")[0] ?? "",
      headers: { Authorization: `Bearer ${key}`, ...(text === undefined ? {} : { "Content-Type": "application/json" }) },
      ...(text === undefined ? {} : { body: text }),
    });
    const answer = await response.text();
    const json = response.ok && answer.startsWith("{") ? (JSON.parse(answer) as Record<string, string>) : {};
    const names: Record<string, string> = {
      silences: "silence",
      "push/subscriptions": "push",
      "restore-tests": "run",
      keys: "key",
    };
    const name = names[path];
    if (operation.startsWith("POST") && name !== undefined && json.id !== undefined) named.set(name, json.id);
    return { status: response.status, text: answer };
  }
  return { hub, app, send, named, agent };
}
