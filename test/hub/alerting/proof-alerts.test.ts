import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Backup } from "#protocol/backups.ts";
import { defaultPolicy } from "../../../hub/core/policy-check.ts";
import { reportOf } from "../../support/operating-agent.ts";
import { orderOf, restoreTest } from "../../support/operations-world.ts";
import { clusterA, connect, inventoryOf, testHub } from "../../support/test-hub.ts";

const by = { actor: "test", reason: "test" };

function hubWithGuest(t: TestContext) {
  const hub = testHub(t);
  const agent = connect(hub, "pve1");
  hub.fleet.inventory(agent, inventoryOf({ guests: [{ vmid: 100, name: "web" }] }));
  const end = (overrides: Parameters<typeof reportOf>[1]) => {
    const guest = { vmid: 100, type: "qemu" as const, name: "web", identity: [] };
    const { id } = hub.restore.operations.start({ ...orderOf(hub.clock.now()), cluster: clusterA, guest });
    const run = hub.restore.book.get(id);
    if (run === undefined) throw new Error("no run");
    hub.restore.book.save({ ...run, state: "sent", node: agent.node, sentAt: hub.clock.now() }, by);
    const report = reportOf(restoreTest(), { endedAt: hub.clock.now(), ...overrides });
    hub.restore.session.operation(agent, { type: "op.result", body: { id, result: { kind: "restore-test", report } } });
    return id;
  };
  const firing = async (ms: number) => {
    for (let passed = 0; passed < ms; passed += 5000) {
      await hub.clock.advance(5000);
      hub.alerting.tick();
    }
    const views = hub.alerting.views().filter(({ state }) => state === "firing");
    return new Map(views.map((view) => [view.rule, view]));
  };
  return { hub, agent, end, firing };
}

test("a failed restore test fires within a minute, with snapshot, verdict, log and screenshot; a good one ends it", async (t) => {
  const { hub, end, firing } = hubWithGuest(t);
  const now = hub.clock.now();
  const steps = [{ step: "heartbeat" as const, state: "failed" as const, startedAt: now, endedAt: now, log: ["kernel panic"] }];
  const id = end({ outcome: "failed", level: "bytes", reason: "It did not boot", steps });
  const alert = (await firing(30_000)).get("restore-test-failed");
  assert.deepEqual([alert?.entity, alert?.severity], ["guest/100", "critical"]);
  for (const part of [
    "The newest restore test of web (VM 100) failed: It did not boot",
    "Backup: pbs:backup/vm/100/2026-01-05T01:00:00Z",
    `/api/v1/restore-tests/${id}/screenshot`,
    `/#/proofs/${id}\n`,
    "kernel panic",
  ]) {
    assert.ok(alert?.text.includes(part), `${part} in ${alert?.text}`);
  }
  end({});
  assert.equal((await firing(30_000)).has("restore-test-failed"), false);
});

test("a damaged backup, and what a test left on its node, fire too", async (t) => {
  const { hub, agent, end, firing } = hubWithGuest(t);
  const backup: Backup = {
    volid: "pbs:backup/vm/100/2026-01-05T01:00:00Z",
    vmid: 100,
    type: "qemu",
    at: hub.clock.now(),
    format: "pbs-vm",
    protected: false,
    encrypted: false,
    verification: { state: "failed", at: hub.clock.now() },
  };
  hub.restore.session.backups(agent, { storage: "pbs", shared: true, at: 1, part: 1, parts: 1, backups: [backup] });
  end({ leftovers: ["guest 990000"] });
  const fired = await firing(30_000);
  assert.ok(fired.has("backup-unverifiable"));
  assert.equal(fired.get("restore-leftovers")?.entity, "node/pve1");
});

test("a guest under a test guest's number that is none of ours is told once, and fires by name until it is gone", async (t) => {
  const { hub, agent, firing } = hubWithGuest(t);
  const guests = [{ vmid: 100, name: "web" }];
  const why = "no journal of ours names it";
  const tell = (rangeStrangers: { vmid: number; why: string }[]) =>
    hub.fleet.inventory(agent, inventoryOf({ guests, node: { zpools: [], sources: [], rangeStrangers } }));
  tell([{ vmid: 990_005, why }]);
  tell([{ vmid: 990_005, why }]);
  const alert = (await firing(30_000)).get("restore-range-stranger");
  assert.deepEqual([alert?.entity, alert?.severity], ["node/pve1", "warning"]);
  assert.match(alert?.text ?? "", /On pve1 there are guests .* not Proven's \(1\).*990005: no journal of ours names it/s);
  const events = hub.state.history.events({ type: "restore-range.stranger" }, { limit: 10, cursor: undefined }).items;
  assert.deepEqual(
    events.map(({ text, entity }) => [text, entity]),
    [
      [
        "The guest 990005 on pve1 has a number of test guests and is not Proven's: no journal of ours names it. It was left alone",
        "guest/990005",
      ],
    ],
  );
  tell([]);
  assert.equal((await firing(30_000)).has("restore-range-stranger"), false);
});

test("a guest that its policy never got proven is overdue after the policy's first period", async (t) => {
  const { hub, firing } = hubWithGuest(t);
  hub.state.put("policy", "p", { ...defaultPolicy("UTC"), id: "p", enabled: true, everyDays: 1, order: 1 }, by);
  hub.restore.verify.reload();
  assert.equal((await firing(20_000)).has("proof-overdue"), false);
  hub.clock.jumpWall(86_400_000 + 60_000);
  const picture = hub.fleet.pictures()[0];
  const owned = picture?.owners.values().next().value;
  assert.ok(picture !== undefined && owned !== undefined);
  assert.equal(hub.restore.facts.proof(picture, owned, hub.clock.now()), "overdue");
});
