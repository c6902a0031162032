import assert from "node:assert/strict";
import { test } from "node:test";
import { type Message, messages, parseMessage } from "#protocol/messages.ts";
import { operationResultSchema, operationSchema } from "#protocol/operations.ts";
import { stepRecordSchema } from "#protocol/restore.ts";
import { linkVersions } from "#protocol/version.ts";
import { reportOf } from "../support/operating-agent.ts";
import { inventoryOf } from "../support/test-hub.ts";

/** The same as a side of a newer version would tell it: each object in it has a field that nobody here knows. */
function newer(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(newer);
  if (typeof value !== "object" || value === null) return value;
  return { ...Object.fromEntries(Object.entries(value).map(([key, part]) => [key, newer(part)])), fieldOfTomorrow: 1 };
}

const id = "6f1cbd3e-8a50-4b5c-9d64-1de2b2a3f001";
const hash = "0".repeat(64);
const at = 1_767_600_000_000;
const backup = { storage: "nfs1", volid: "nfs1:backup/vzdump-qemu-100.vma.zst" };
const restoreTest = {
  vmid: 100,
  type: "qemu" as const,
  backup,
  checks: [],
  integrity: true,
  screenshot: false,
  benchmark: false,
  timeoutSec: 600,
  bootSec: 60,
  keepSec: 0,
};
const alert = {
  id: "a",
  firedAt: at,
  held: false,
  rule: "node-down",
  severity: "critical" as const,
  entity: "node/pve1",
  title: "t",
  text: "x",
};
const inventory = inventoryOf({
  guests: [
    {
      vmid: 100,
      unprotected: [{ disk: "scsi1", why: "off" }],
      snapshots: [{ name: "before", at }],
    },
  ],
  storages: [{ storage: "nfs1", type: "nfs", shared: true, content: ["backup"], enabled: true, nodes: [] }],
  replication: [],
  backupJobs: [],
  datastores: [
    {
      key: `datastore/${"0".repeat(16)}/main`,
      store: "main",
      server: "pbs",
      port: 8007,
      storages: [{ storage: "pbs", namespace: "" }],
      namespaces: [""],
      jobs: [{ kind: "gc", id: "main" }],
    },
  ],
});

const told: Message[] = [
  { type: "challenge", body: { nonce: "bm9uY2U=", min: 1, max: 2, hub: "proven-hub/1", now: at } },
  {
    type: "hello",
    body: {
      node: "pve1",
      clusterId: "0123456789abcdef",
      publicKey: "MCowBQYDK2VwAyEA",
      signature: "c2ln",
      min: 1,
      max: 2,
      software: "1",
      stream: "0".repeat(32),
      sentAt: at,
    },
  },
  { type: "welcome", body: { version: 2, lastSeq: 0, now: at, duties: ["cluster"] } },
  { type: "refused", body: { code: "overloaded", problem: "full" } },
  { type: "ack", body: { seq: 1 } },
  { type: "resync", body: { problem: "lost" } },
  { type: "duties", body: { duties: [] } },
  { type: "alerts", body: { all: true, alerts: [alert] } },
  { type: "inventory", body: inventory },
  { type: "tasks", body: { tasks: [{ upid: "UPID:x", status: "OK", endedAt: at }] } },
  { type: "clock", body: { at } },
  {
    type: "backups",
    body: {
      storage: "nfs1",
      shared: true,
      datastore: { key: "datastore/0/x", namespace: "" },
      at,
      part: 1,
      parts: 1,
      backups: [
        {
          volid: backup.volid,
          vmid: 100,
          type: "qemu",
          at,
          format: "vma.zst",
          protected: false,
          encrypted: false,
          verification: { state: "ok", at },
          sha256: { hex: hash, at },
        },
      ],
    },
  },
  { type: "op.progress", body: { id, fraction: 0.5 } },
  { type: "op.seen", body: { id } },
  { type: "outlet.told", body: { id: hash, results: [{ way: "journal", outcome: "told", said: "told" }] } },
  { type: "problem", body: { about: "x", problem: "y" } },
];

for (const message of told) {
  test(`what a newer side tells counts without what is new in it: ${message.type}`, () => {
    const from = messages[message.type].from === "hub" ? "hub" : "agent";
    const heard = parseMessage({ type: message.type, body: newer(message.body) }, from, linkVersions.max);
    assert.deepEqual(heard, { ok: true, message });
  });
}

test("what came of an operation, and each of its steps, counts without what is new in it", () => {
  const archive = {
    backup,
    snapshots: [{ ...backup, state: "verified" as const }],
    state: "verified" as const,
    reason: "read to its end",
    startedAt: at,
    endedAt: at,
    log: [],
  };
  const plan = {
    vmid: 100,
    type: "qemu" as const,
    backup,
    testVmid: 990_000,
    storage: "local",
    needsBytes: 1,
    removed: [{ key: "hookscript", why: "not for a copy" }],
    problems: [],
  };
  const call = { step: "restore" as const, method: "POST" as const, path: "/nodes/pve1/qemu" };
  for (const result of [
    { kind: "restore-test", report: reportOf(restoreTest) },
    { kind: "archive-check", report: archive },
    { kind: "pbs-verify", report: archive },
    { kind: "refused", code: "busy", reason: "full" },
  ]) {
    assert.deepEqual(operationResultSchema.parse(newer(result)), result);
  }
  // `params` are a call's own words, all of them known.
  const planned = { kind: "restore-plan", plan: { ...plan, calls: [{ ...call, params: { vmid: "990000" } }] } };
  const plannedNewer = {
    kind: "restore-plan",
    plan: { ...plan, calls: [{ ...call, params: { vmid: "990000" }, since: 3 }], eta: 1 },
  };
  assert.deepEqual(operationResultSchema.parse(plannedNewer), planned);
  const [step] = reportOf(restoreTest).steps;
  assert.deepEqual(stepRecordSchema.parse(newer(step)), step);
});

/** The same with a field more in one of its objects, for each of them. */
function* withOneMore(value: unknown): Generator<unknown> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield { ...value, fieldOfTomorrow: 1 };
  for (const [key, part] of Object.entries(value)) {
    for (const changed of withOneMore(part)) {
      yield Array.isArray(value) ? value.map((item, at) => (at === Number(key) ? changed : item)) : { ...value, [key]: changed };
    }
  }
}

test("an order of which the agent does not know every word is not begun", () => {
  const orders = [
    { kind: "restore-test", params: { ...restoreTest, checks: [{ kind: "tcp", name: "web", port: 80 }] } },
    { kind: "restore-plan", params: restoreTest },
    { kind: "archive-check", params: backup },
    { kind: "pbs-verify", params: { storage: "pbs", group: { type: "qemu", vmid: 100 } } },
  ];
  for (const order of orders) {
    assert.equal(operationSchema.safeParse(order).success, true);
    for (const changed of withOneMore(order)) assert.equal(operationSchema.safeParse(changed).success, false);
  }
});

const asked: Message[] = [
  { type: "op.start", body: { id, operation: {}, expiresAt: at, actor: "me", reason: "why" } },
  { type: "op.cancel", body: { id, actor: "me" } },
  { type: "op.keep", body: { id, untilAt: at, actor: "me" } },
  { type: "outlet.tell", body: { id: hash, test: true, ways: ["journal"], alerts: [alert] } },
  { type: "login.start", body: { id: "0".repeat(32), user: "root", realm: "pam", password: "secret" } },
  { type: "login.end", body: { session: hash } },
  { type: "hub.pins", body: { fingerprints: [Array(32).fill("AA").join(":")] } },
  { type: "key.renew", body: {} },
  { type: "key.taken", body: { publicKey: "MCowBQYDK2VwAyEA" } },
];
for (const { type, body } of asked) {
  test(`what has something done, or carries a right or a key, is refused with a field too much: ${type}`, () => {
    assert.equal(parseMessage({ type, body }, "hub", linkVersions.max).ok, true);
    assert.equal(parseMessage({ type, body: { ...body, fieldOfTomorrow: 1 } }, "hub", linkVersions.max).ok, false);
  });
}
