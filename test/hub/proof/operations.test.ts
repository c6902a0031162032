import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { evidenceProblem } from "../../../hub/proof/run-book.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { OperatingAgent, reportOf } from "../../support/operating-agent.ts";
import { Dead, OperationsWorld, orderOf, restoreTest } from "../../support/operations-world.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

type Play = ConstructorParameters<typeof OperatingAgent>[1];

function world(t: TestContext, nodes = ["pve1"], play?: Play) {
  const clock = new FakeClock();
  const agents = new Map(nodes.map((node) => [node, new OperatingAgent(() => clock.now(), play)]));
  const one = new OperationsWorld(temporaryDir(t), clock, agents);
  t.after(() => one.state.close());
  const agent = (node = "pve1") => {
    const found = agents.get(node);
    if (found === undefined) throw new Error(node);
    return found;
  };
  const onlyRun = () => {
    const [run] = one.book.newest();
    if (run === undefined) throw new Error("no run");
    return run;
  };
  return { one, clock, agent, onlyRun };
}
const goesOn: Play = () => undefined;

test("a restore test runs on the guest's own node, and its end is stored before the agent may forget it", (t) => {
  const { one, clock, agent, onlyRun } = world(t, ["pve0", "pve1"]);
  one.connect("pve0");
  one.connect("pve1");
  one.operations.start(orderOf(clock.now()));
  one.operations.tick();
  const run = onlyRun();
  assert.deepEqual(
    [run.node, run.state, run.outcome, run.level, run.durationMs],
    ["pve1", "finished", "passed", "works", 192_000],
  );
  assert.equal(agent().journal.size, 0, "it was told that its result is safe");
  assert.deepEqual(one.events, ["restore-test.passed", "restore-test.started"]);
  assert.equal(one.book.screenshot(run)?.toString(), "a picture");
  assert.deepEqual(
    one.book.detail(run).steps.map(({ step }) => step),
    ["locate", "restore"],
  );
});

for (const done of [false, true]) {
  test(`the hub dies ${done ? "right after" : "right before"} each of its writes and messages: the test runs once and its end is known`, async (t) => {
    const healthy = world(t);
    healthy.one.connect("pve1");
    healthy.one.operations.start(orderOf(healthy.clock.now()));
    healthy.one.operations.tick();
    const steps = healthy.one.done;
    assert.ok(steps >= 6, `${steps} steps`);
    for (let step = 2; step <= steps; step++) {
      const { one, clock, agent, onlyRun } = world(t);
      one.connect("pve1");
      one.dieAt = { step, done };
      const live = () => {
        if (one.book.newest().length === 0) one.operations.start(orderOf(clock.now()));
        one.operations.tick();
      };
      assert.throws(live, Dead, `step ${step}`);
      one.dieAt = undefined;
      await one.restart();
      one.connect("pve1");
      one.operations.tick();
      const run = onlyRun();
      assert.deepEqual([...agent().begun.values()], [1], `step ${step}: begun once`);
      assert.deepEqual([run.outcome, run.level], ["passed", "works"], `step ${step}`);
      assert.equal(agent().journal.size, 0, `step ${step}: acknowledged`);
      assert.equal(one.state.verifyAudit().ok, true);
      assert.equal(evidenceProblem(one.state), undefined);
      await one.state.close();
    }
  });
}

test("an agent that is away keeps the order waiting with its reason, and it expires with that reason", async (t) => {
  const { one, clock, onlyRun } = world(t);
  one.operations.start(orderOf(clock.now()));
  one.operations.tick();
  assert.equal(one.book.view(onlyRun()).waiting, "the agent of pve1 is away");
  await clock.advance(3_600_000);
  one.operations.tick();
  const { outcome, verdict } = onlyRun();
  assert.deepEqual([outcome, verdict], ["expired", "Not begun in time: the agent of pve1 is away"]);
  assert.equal(one.operations.tick(), Number.POSITIVE_INFINITY);
});

test("an agent that is too old for operations is sent none: the order waits with that reason, and begins once it is upgraded", async (t) => {
  const { one, clock, agent, onlyRun } = world(t);
  one.tooOld.add("pve1");
  one.connect("pve1");
  one.operations.start(orderOf(clock.now()));
  one.operations.tick();
  assert.equal(one.book.view(onlyRun()).waiting, "the agent of pve1 is too old for this: upgrade proven-agent there");
  assert.equal(agent().begun.size, 0);
  one.tooOld.clear();
  one.connect("pve1");
  one.operations.tick();
  assert.deepEqual([...agent().begun.values()], [1]);
});

test("a link that is lost for an hour changes nothing: the result comes with the agent", async (t) => {
  const { one, clock, agent, onlyRun } = world(t, ["pve1"], goesOn);
  one.connect("pve1");
  const { id } = one.operations.start(orderOf(clock.now()));
  one.operations.tick();
  agent().disconnect();
  await clock.advance(1_800_000);
  agent().finish(id, { kind: "restore-test", report: reportOf(restoreTest()) });
  await clock.advance(1_800_000);
  one.operations.tick();
  assert.equal(onlyRun().state, "running");
  assert.equal(one.book.view(onlyRun()).waiting, "the agent of pve1 is away: nobody knows how far it is");
  one.connect("pve1");
  assert.equal(one.book.view(onlyRun()).waiting, null);
  assert.deepEqual([onlyRun().outcome, [...agent().begun.values()]], ["passed", [1]]);
});

test("a node that never comes back leaves a run that was interrupted; a result that comes all the same counts", async (t) => {
  const { one, clock, agent, onlyRun } = world(t, ["pve1"], goesOn);
  one.connect("pve1");
  const { id } = one.operations.start(orderOf(clock.now()));
  one.operations.tick();
  agent().disconnect();
  await clock.advance(26 * 3_600_000);
  one.operations.tick();
  assert.deepEqual([onlyRun().outcome, onlyRun().level, onlyRun().givenUp], ["interrupted", "none", true]);
  assert.equal(one.book.proof(onlyRun().cluster, 100)?.lastTest?.outcome, "interrupted");
  agent().finish(id, { kind: "restore-test", report: reportOf(restoreTest()) });
  one.connect("pve1");
  assert.deepEqual([onlyRun().outcome, onlyRun().givenUp], ["passed", false]);
  assert.equal(one.book.proof(onlyRun().cluster, 100)?.lastTest?.outcome, "passed");
});

test("an order that came too late is refused by its agent, which is asked when it says nothing", async (t) => {
  const { one, clock, agent, onlyRun } = world(t);
  one.connect("pve1");
  const tooLate = orderOf(clock.now(), { expiresAt: (clock.now() + 60_000) as EpochMs });
  one.losesMessages = true;
  one.operations.start(tooLate);
  one.operations.tick();
  one.losesMessages = false;
  assert.equal(onlyRun().state, "sent");
  await clock.advance(60_000);
  one.operations.tick();
  assert.deepEqual([onlyRun().outcome, onlyRun().verdict, agent().begun.size], ["refused", "It came too late", 0]);
});

test("what has not begun is cancelled at once, what runs by its agent, also when that was away", (t) => {
  const { one, clock, agent, onlyRun } = world(t, ["pve1"], goesOn);
  const first = one.operations.start(orderOf(clock.now()));
  assert.equal(one.operations.cancel(first.id, "alice@pve")?.outcome, "cancelled");
  assert.equal(one.operations.cancel(first.id, "alice@pve"), undefined);
  one.connect("pve1");
  const second = one.operations.start(orderOf(clock.now()));
  one.operations.tick();
  agent().disconnect();
  one.operations.cancel(second.id, "alice@pve");
  assert.equal(one.book.view(onlyRun()).cancelling, "alice@pve");
  one.connect("pve1");
  assert.deepEqual([agent().cancelled, onlyRun().outcome, onlyRun().verdict], [[second.id], "cancelled", "Cancelled"]);
  assert.equal(one.book.proof(onlyRun().cluster, 100), undefined, "a cancelled test says nothing of the backup");
});

test("a kept guest's new end is told, and told again to an agent that was away", (t) => {
  const { one, clock, agent } = world(t, ["pve1"], goesOn);
  one.connect("pve1");
  const { id } = one.operations.start(orderOf(clock.now()));
  assert.equal(one.operations.keep(id, clock.now(), "root@pam"), undefined, "it has not begun");
  one.operations.tick();
  const untilAt = (clock.now() + 7_200_000) as EpochMs;
  agent().disconnect();
  one.operations.keep(id, untilAt, "root@pam");
  one.connect("pve1");
  assert.deepEqual(agent().kept, [{ id, untilAt, actor: "root@pam" }]);
});

test("progress is seen live, step by step", (t) => {
  const { one, clock, agent, onlyRun } = world(t, ["pve1"], goesOn);
  one.connect("pve1");
  const { id } = one.operations.start(orderOf(clock.now()));
  one.operations.tick();
  const step = { step: "restore", state: "running", startedAt: clock.now(), log: [] };
  agent().progress(id, { step, fraction: 0.25, testVmid: 990_001 });
  const { state, step: shown, fraction, testVmid } = one.book.view(onlyRun());
  assert.deepEqual([state, shown, fraction, testVmid], ["running", "restore", 0.25, 990_001]);
  agent().progress(id, { step: { step: "restore" } });
  assert.deepEqual(one.problems, ["operation"], "what can't be read is counted");
});

test("another agent can't end a run, and an id that nobody gave is acknowledged so that it isn't told for ever", (t) => {
  const { one, clock, agent, onlyRun } = world(t, ["pve1", "pve2"], goesOn);
  one.connect("pve1");
  one.connect("pve2");
  const { id } = one.operations.start(orderOf(clock.now()));
  one.operations.tick();
  const result = { kind: "restore-test" as const, report: reportOf(restoreTest()) };
  agent("pve2").journal.set(id, { start: { id, operation: {}, expiresAt: 0, actor: "", reason: "" }, result });
  const stranger = "00000000-0000-4000-8000-000000000000";
  agent("pve2").journal.set(stranger, { start: { id: stranger, operation: {}, expiresAt: 0, actor: "", reason: "" }, result });
  agent("pve2").disconnect();
  one.connect("pve2");
  assert.equal(onlyRun().state, "running");
  assert.deepEqual([...agent("pve2").journal.keys()], [id]);
});

test("evidence and screenshot that were changed in the store are noticed", (t) => {
  const { one, clock, onlyRun } = world(t);
  one.connect("pve1");
  one.operations.start(orderOf(clock.now()));
  one.operations.tick();
  const { id } = onlyRun();
  const by = { actor: "mallory", reason: "" };
  one.state.put("runScreenshot", id, { png: Buffer.from("another").toString("base64") }, by);
  assert.equal(evidenceProblem(one.state), `the screenshot of run ${id} was changed`);
  assert.equal(one.book.screenshot(onlyRun()), undefined, "it isn't shown");
  const report = reportOf(restoreTest(), { level: "boots" });
  one.state.put("runEvidence", id, { result: { kind: "restore-test", report } }, by);
  assert.equal(evidenceProblem(one.state), `the evidence of run ${id} was changed`);
  assert.equal(one.state.verifyAudit().ok, true, "the run itself is as it was");
});
