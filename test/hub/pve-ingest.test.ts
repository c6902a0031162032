import assert from "node:assert/strict";
import { test } from "node:test";
import * as z from "zod";
import { eventTypes } from "../../hub/core/event-types.ts";
import { agentOf, connect, inventoryOf, type TestHub, testHub } from "../support/test-hub.ts";

/** A webhook target's request, as its body template of docs/EVENTS.md makes it. */
const notification = (hub: TestHub, overrides: object = {}) => ({
  title: "vzdump backup status (pve1.lan): backup failed",
  message: "VMID Name Status\n100 web err",
  severity: "error",
  timestamp: Math.floor(hub.clock.now() / 1000),
  fields: { type: "vzdump", hostname: "pve1", "job-id": "backup-1" },
  ...overrides,
});

function setUp(t: Parameters<typeof testHub>[0]) {
  const hub = testHub(t);
  hub.fleet.inventory(connect(hub, "pve1"), inventoryOf());
  const post = async (body: unknown, key = hub.newKey("ingest")) => {
    const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
    const answer = await hub.app.request("/api/v1/ingest/pve", { method: "POST", headers, body: JSON.stringify(body) });
    return { status: answer.status, body: await answer.json() };
  };
  const told = (prefix: string) =>
    hub.state.history
      .events({ type: prefix }, { limit: 20, cursor: undefined })
      .items.map(({ type, severity, node, cluster, text }) => ({ type, severity, node, cluster, text }));
  const failed = () => {
    const start = Math.floor(hub.clock.now() / 1000 - 30);
    const upid = `UPID:pve1:00000001:00000001:${start.toString(16).toUpperCase()}:vzdump:100:root@pam:`;
    hub.tasks.report(agentOf("pve1"), [{ upid, status: "job errors", endedAt: hub.clock.now() }], false);
  };
  return { hub, post, told, failed };
}

test("what Proxmox VE notifies of becomes an event of its node and cluster", async (t) => {
  const { hub, post, told } = setUp(t);
  const fencing = { title: "Node 'pve1' fenced", fields: { type: "fencing", hostname: "pve1" } };
  assert.deepEqual(await post(notification(hub, fencing)), { status: 202, body: { result: "told" } });
  assert.deepEqual(told("pve."), [
    {
      type: "pve.error",
      severity: "critical",
      node: "pve1",
      cluster: "00000000000000aa",
      text: "Proxmox VE: Node 'pve1' fenced",
    },
  ]);
});

for (const order of ["before", "after"] as const) {
  test(`a failed backup is told once when Proxmox VE notifies ${order} the agent reports the task`, async (t) => {
    const { hub, post, told, failed } = setUp(t);
    if (order === "after") failed();
    const { body } = await post(notification(hub));
    assert.equal(body.result, order === "after" ? "duplicate" : "held");
    await hub.clock.advance(10_000);
    if (order === "before") failed();
    await hub.clock.advance(120_000);
    assert.deepEqual(told("pve."), []);
    assert.deepEqual(
      told("backup.").map(({ text }) => text),
      ["Backup of guest 100 on pve1 failed: job errors"],
    );
  });
}

test("a backup's notification from a node whose agent says nothing is told after a minute", async (t) => {
  const { hub, post, told } = setUp(t);
  await post(notification(hub));
  await hub.clock.advance(59_000);
  assert.deepEqual(told("pve."), []);
  await hub.clock.advance(1_000);
  assert.equal(told("pve.").length, 1);
});

test("what waits is told when the hub stops", async (t) => {
  const { hub, post, told } = setUp(t);
  await post(notification(hub));
  hub.ingest.stop();
  assert.equal(told("pve.").length, 1);
});

test("the same notification twice is one event", async (t) => {
  const { hub, post, told } = setUp(t);
  const body = notification(hub, { fields: { type: "package-updates", hostname: "pve1" }, severity: "info" });
  await post(body);
  assert.equal((await post(body)).body.result, "duplicate");
  assert.deepEqual(
    told("pve.").map(({ type, severity }) => [type, severity]),
    [["pve.notice", "info"]],
  );
});

test("only a key with the scope ingest or admin may hand in, and ingest opens nothing else", async (t) => {
  const { hub, post } = setUp(t);
  const statuses = [];
  for (const scope of ["read", "write", "ingest", "admin"] as const) {
    statuses.push((await post(notification(hub, { title: scope }), hub.newKey(scope))).status);
  }
  assert.deepEqual(statuses, [403, 403, 202, 202]);
  const headers = { Authorization: `Bearer ${hub.newKey("ingest")}` };
  assert.equal((await hub.app.request("/api/v1/events", { headers })).status, 403);
});

test("a body that is another is refused with the field", async (t) => {
  const { hub, post } = setUp(t);
  const { status, body } = await post({ ...notification(hub), timestamp: "now" });
  assert.deepEqual([status, body.error.field], [400, "timestamp"]);
});

test("every event has a schema, and what the history gives fits it", async (t) => {
  const { hub, post, failed } = setUp(t);
  await post(notification(hub, { fields: { type: "fencing", hostname: "pve1" } }));
  failed();
  const headers = { Authorization: `Bearer ${hub.newKey("read")}` };
  const answer = await hub.app.request("/api/v1/events/schema", { headers });
  const schema = z.object({ anyOf: z.array(z.object({ title: z.string(), properties: z.record(z.string(), z.unknown()) })) });
  const { anyOf } = schema.parse(await answer.json());
  const types = Object.keys(eventTypes);
  assert.deepEqual(
    anyOf.map(({ title }) => title),
    types,
  );
  assert.ok(types.length >= 30);
  const { items } = hub.state.history.events({}, { limit: 100, cursor: undefined });
  assert.deepEqual([...new Set(items.map(({ type }) => type))].sort(), [
    "agent.connected",
    "backup.failed",
    "duty.moved",
    "pve.error",
  ]);
  for (const { type, data } of items) {
    const row = Object.entries(eventTypes).find(([name]) => name === type);
    assert.equal(row?.[1].data.safeParse(data).success, true, type);
  }
});
