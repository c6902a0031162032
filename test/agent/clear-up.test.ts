import assert from "node:assert/strict";
import { test } from "node:test";
import { clearUp } from "../../agent/clear-up.ts";
import { thisProcess } from "../../agent/restore/process.ts";
import { startMortal, unharmed } from "../support/killed-agent.ts";
import { newId, plantTest, startOperations, startRestoreNode } from "../support/restore-node.ts";

for (const [what, step] of [
  ["in the middle of a test", "restore"],
  ["while a guest is kept", "keep"],
] as const) {
  test(`the package is removed ${what}: the node is as it was before, and the hub is told no proof`, async (t) => {
    const node = await startRestoreNode(t);
    const params = plantTest(node, "lxc", { keepSec: 3600 });
    const before = node.lab.restores.inventory();
    const id = newId();
    let reached: () => void = () => undefined;
    const isThere = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const agent = startMortal(node, {
      dir: node.dir,
      process: "1:1:boot",
      fate: unharmed,
      heard: ({ type, body }) => {
        if (type === "op.progress" && body.step?.step === step) reached();
      },
    });
    const order = { id, operation: { kind: "restore-test", params }, actor: "root@pam", reason: "test" };
    agent.hear({ type: "op.start", body: { ...order, expiresAt: node.clock.now() + 3_600_000 } });
    await node.drive(isThere);
    await node.drive(node.clock.sleep(2000));
    agent.end();
    assert.notDeepEqual(node.lab.restores.inventory(), before);
    const endedAt = node.clock.now();
    const removal = startOperations(node, {}, "2:2:boot");
    assert.deepEqual(await node.drive(clearUp(removal.operations)), []);
    assert.deepEqual(node.lab.restores.inventory(), before);
    assert.ok(node.clock.now() - endedAt < 600_000, "an hour that was promised is not waited for");
    const result = removal.resultOf(id);
    assert.ok(result?.kind === "restore-test");
    assert.ok(["interrupted", "cancelled"].includes(result.report.outcome), result.report.outcome);
    assert.deepEqual(removal.problems.at(-1), []);
  });
}

test("a test that somebody runs by hand goes on while the package is removed, and is named", async (t) => {
  const node = await startRestoreNode(t);
  const byHand = startOperations(node, {}, thisProcess());
  const id = newId();
  const isThere = new Promise<void>((resolve) => byHand.onStep("checks", resolve));
  byHand.start(id, { kind: "restore-test", params: plantTest(node, "lxc") });
  await node.drive(isThere);
  const removal = startOperations(node, {}, "2:2:boot");
  assert.deepEqual(await node.drive(clearUp(removal.operations)), [
    `The restore test ${id} goes on: process ${process.pid} works on it`,
  ]);
  assert.equal((await byHand.report(id)).outcome, "passed");
});
