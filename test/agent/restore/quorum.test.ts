import assert from "node:assert/strict";
import { test } from "node:test";
import { newId, plantTest, startOperations, startRestoreNode } from "../../support/restore-node.ts";

test("quorum that is lost in a test leaves its guest behind, which is told, and cleared away when it is back", async (t) => {
  const node = await startRestoreNode(t);
  const { control, restores } = node.lab;
  const before = restores.inventory();
  const agent = startOperations(node);
  const id = newId();
  const quorum = (quorate: boolean) => {
    control.inject({ kind: "quorum", quorate });
    node.lab.writeAll();
  };
  agent.onStep("checks", () => quorum(false));
  agent.start(id, { kind: "restore-test", params: plantTest(node, "lxc") });
  const report = await agent.report(id);
  assert.deepEqual(
    [report.outcome, report.leftovers],
    ["passed", ["Guest 990000 could not be destroyed: cluster not ready - no quorum?"]],
  );
  await node.drive(agent.operations.tend());
  assert.match(agent.problems.at(-1)?.join() ?? "", /^Guest 990000 could not be destroyed: /);
  quorum(true);
  await node.drive(agent.operations.tend());
  assert.deepEqual([agent.problems.at(-1), restores.inventory(), restores.safety.violations], [[], before, []]);
});
