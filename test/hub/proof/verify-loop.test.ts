import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { defaultPolicy } from "../../../hub/core/policy-check.ts";
import { Catalogue } from "../../../hub/proof/catalogue.ts";
import { Operations } from "../../../hub/proof/operations.ts";
import { RunBook } from "../../../hub/proof/run-book.ts";
import { VerifyLoop } from "../../../hub/proof/verify-loop.ts";
import { StateStore } from "../../../hub/store/state.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { OperatingAgent, reportOf } from "../../support/operating-agent.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";
import { agentOf, cluster, testPicture } from "../../support/test-cluster.ts";

const by = { actor: "test", reason: "test" };
const hour = 3_600_000;
/** Midnight UTC. */
const midnight = Date.UTC(2026, 0, 5);

/** A hub's policies and one agent in virtual time; guests 100 … with a backup each. */
function nights(t: TestContext, vmids: number[]) {
  const dir = temporaryDir(t);
  const clock = new FakeClock(midnight);
  const agent = new OperatingAgent(
    () => clock.now(),
    (test) => ({
      kind: "restore-test",
      report: reportOf(test, { startedAt: clock.now(), endedAt: clock.now() + 60_000, outcome: flags.outcome }),
    }),
  );
  const flags = {
    backsUp: undefined as string | undefined,
    maintenance: undefined as string | undefined,
    outcome: "passed" as "passed" | "failed" | "refused",
  };
  const open = () => {
    const state = StateStore.open({ dir, now: () => clock.now() });
    const picture = () =>
      testPicture({
        nodes: { pve1: vmids.map((vmid) => ({ vmid })) },
        storages: [{ storage: "nfs1", type: "nfs", shared: true, content: ["backup"] }],
        at: clock.now(),
      });
    const book = new RunBook(state);
    const catalogue = new Catalogue(state);
    const takes = () => agent.isConnected;
    const operations = new Operations({
      book,
      clock,
      takes,
      journal: { emit: () => undefined },
      picture,
      send: (_, type, body) => {
        agent.hear(type, body as never);
        return true;
      },
      holders: () => undefined,
      problem: () => undefined,
    });
    agent.connect((message) => operations.heard(agentOf("pve1"), message));
    const verify = new VerifyLoop({
      ...{ state, clock, book, catalogue, operations, takes, timezone: () => "UTC" },
      pictures: () => [picture()],
      backsUp: () => flags.backsUp,
      maintenance: () => flags.maintenance,
    });
    return { state, book, catalogue, operations, verify };
  };
  let hub = open();
  t.after(() => hub.state.close());
  const backups = vmids.map((vmid) => ({
    volid: `nfs1:backup/vzdump-qemu-${vmid}-2026_01_04-00_00_00.vma.zst`,
    vmid,
    type: "qemu" as const,
    at: midnight - 24 * hour,
    format: "vma.zst",
    protected: false,
    encrypted: false,
  }));
  hub.catalogue.take(agentOf("pve1"), { storage: "nfs1", shared: true, at: midnight, part: 1, parts: 1, backups });
  const enable = (overrides = {}) => {
    const policy = { ...defaultPolicy("UTC"), enabled: true, everyDays: 1, ...overrides };
    hub.state.put("policy", policy.id, policy, by);
    hub.verify.reload();
    return policy;
  };
  const look = () => {
    hub.verify.tick();
    hub.operations.tick();
    return hub.book
      .newest()
      .map(({ guest }) => guest?.vmid ?? 0)
      .sort();
  };
  const restart = async () => {
    await hub.state.close();
    hub = open();
  };
  return { clock, agent, flags, enable, look, restart, get: () => hub };
}

test("the shipped policy is switched off, and switching it on is enough", async (t) => {
  const { clock, look, get } = nights(t, [100]);
  await clock.advance(2 * hour);
  assert.deepEqual(look(), []);
  const [shipped] = get().verify.policies();
  assert.deepEqual([shipped?.id, shipped?.enabled, shipped?.shipped], ["every-guest-monthly", false, true]);
});

test("in the window guests are tested, a restart of the hub in between changes nothing", async (t) => {
  const { clock, enable, look, restart, agent } = nights(t, [100, 101, 102]);
  enable({ parallel: { total: 1, perNode: 1 } });
  assert.deepEqual(look(), [], "the window is closed");
  await clock.advance(hour + 60_000);
  assert.deepEqual(look(), [100]);
  await restart();
  assert.deepEqual(look(), [100, 101]);
  await clock.advance(60_000);
  assert.deepEqual(look(), [100, 101, 102]);
  await restart();
  await clock.advance(60_000);
  assert.deepEqual(look(), [100, 101, 102], "all are proven");
  assert.deepEqual([...agent.begun.values()], [1, 1, 1]);
});

test("a test that was refused, so that nothing was begun, is tried again in the same night; one that failed is not", async (t) => {
  const { clock, flags, enable, look, agent } = nights(t, [100]);
  enable();
  flags.outcome = "refused";
  await clock.advance(hour + 60_000);
  assert.deepEqual(look(), [100]);
  await clock.advance(50 * 60_000);
  assert.deepEqual(look(), [100], "not the next minute");
  flags.outcome = "failed";
  await clock.advance(20 * 60_000);
  assert.deepEqual(look(), [100, 100]);
  await clock.advance(2 * hour);
  assert.deepEqual(look(), [100, 100]);
  assert.equal(agent.begun.size, 2);
});

test("a node that refuses test after test is left alone for a while: not every guest is tried there within minutes", async (t) => {
  const { clock, flags, enable, look, get } = nights(t, [100, 101, 102, 103, 104, 105]);
  enable({ parallel: { total: 2, perNode: 1 } });
  flags.outcome = "refused";
  await clock.advance(hour + 60_000);
  for (let minute = 0; minute < 10; minute++) {
    look();
    await clock.advance(60_000);
  }
  assert.deepEqual(look(), [100, 101, 102]);
  const { decisions } = get().verify.plan(get().verify.policies()[0] ?? enable());
  assert.match(decisions.find(({ vmid }) => vmid === 105)?.why ?? "", /^pve1 refused its last 3 tests: /);
  flags.outcome = "passed";
  await clock.advance(6 * 60_000);
  for (let minute = 0; minute < 5; minute++) {
    look();
    await clock.advance(60_000);
  }
  assert.deepEqual(look(), [100, 101, 102, 103, 104, 105]);
});

test("why was 100 not tested? The night's record says it", async (t) => {
  const { clock, flags, enable, look, get } = nights(t, [100]);
  const { id } = enable();
  await clock.advance(hour + 60_000);
  flags.backsUp = "pve1 makes backups now";
  assert.deepEqual(look(), []);
  assert.deepEqual(
    get()
      .verify.plan(enable())
      .decisions.map(({ why }) => why),
    ["pve1 makes backups now"],
  );
  flags.backsUp = undefined;
  flags.maintenance = "It is in the maintenance window patches";
  assert.deepEqual(look(), []);
  await clock.advance(6 * hour);
  look();
  const [night] = get().verify.pastNights(id);
  assert.deepEqual(
    night?.decisions.map(({ vmid, decision, why }) => [vmid, decision, why]),
    [[100, "maintenance", "It is in the maintenance window patches"]],
  );
});

test("a night at whose end the hub was down has a record, and one that goes on is not told as past", async (t) => {
  const { clock, flags, enable, look, restart, get } = nights(t, [100]);
  const { id } = enable();
  flags.maintenance = "It is in the maintenance window patches";
  await clock.advance(hour + 60_000);
  look();
  assert.deepEqual(get().verify.pastNights(id), []);
  await clock.advance(10 * hour);
  await restart();
  look();
  assert.deepEqual(
    get()
      .verify.pastNights(id)
      .map(({ from, until, decisions }) => [from, until, decisions.map(({ decision }) => decision)]),
    [[midnight + hour, midnight + 6 * hour, ["maintenance"]]],
  );
});

test("what was tested stands in the night's record, also when the hub was restarted in between", async (t) => {
  const { clock, enable, look, restart, get } = nights(t, [100, 101]);
  const { id } = enable({ parallel: { total: 1, perNode: 1 } });
  await clock.advance(hour + 60_000);
  look();
  await restart();
  await clock.advance(60_000);
  look();
  await clock.advance(60_000);
  look();
  await clock.advance(6 * hour);
  look();
  const [night] = get().verify.pastNights(id);
  assert.deepEqual(
    night?.decisions.map(({ vmid, decision, why }) => [vmid, decision, why]),
    [
      [100, "test", "On pve1"],
      [101, "test", "On pve1"],
    ],
  );
});

test("a policy orders what its guest's backup and tags ask for", async (t) => {
  const { clock, enable, look, get } = nights(t, [100]);
  enable({ checks: [{ tags: [], checks: [{ kind: "agent-ping", name: "alive" }] }], keepSec: 0, target: "fast" });
  await clock.advance(hour + 60_000);
  look();
  const [run] = get().book.newest();
  assert.deepEqual(
    [run?.actor, run?.policy, run?.expiresAt],
    ["policy every-guest-monthly", "every-guest-monthly", (midnight + 6 * hour) as EpochMs],
  );
  const params = run?.operation.kind === "restore-test" ? run.operation.params : undefined;
  assert.deepEqual(
    [params?.storage, params?.checks, params?.backup.storage],
    ["fast", [{ kind: "agent-ping", name: "alive" }], "nfs1"],
  );
  assert.equal(get().verify.view(enable()).proven, 1);
  assert.equal(run?.cluster, cluster);
});
