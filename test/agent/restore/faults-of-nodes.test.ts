import assert from "node:assert/strict";
import { test } from "node:test";
import { restoreSteps } from "#protocol/restore.ts";
import { plantTest, startRestoreNode } from "../../support/restore-node.ts";
import { runScenario, testScenarios } from "../../support/restore-scenarios.ts";
import { nodeFaults } from "./faults/nodes.ts";

testScenarios(nodeFaults);

for (const type of ["qemu", "lxc"] as const) {
  test(`the node of a ${type} test reboots in each of its steps: it is interrupted, and nothing is left`, async (t) => {
    const node = await startRestoreNode(t);
    const order = plantTest(node, type, { keepSec: 60 });
    const { restores, misuses } = node.lab;
    const before = restores.inventory();
    const found: Record<string, string> = {};
    for (const step of restoreSteps) {
      const { report } = await runScenario(node, order, { at: [step, () => undefined], dies: "node" });
      found[step] = [report.outcome, report.level, ...report.leftovers].join(" ");
      assert.deepEqual(restores.inventory(), before, step);
    }
    const levelIn = (step: string) =>
      ["locate", "configuration", "preflight", "plan", "integrity"].includes(step)
        ? "none"
        : ["screenshot", "benchmark", "keep", "stop", "destroy"].includes(step)
          ? "works"
          : ["network", "checks"].includes(step)
            ? "boots"
            : "bytes";
    assert.deepEqual(found, Object.fromEntries(restoreSteps.map((step) => [step, `interrupted ${levelIn(step)}`])));
    assert.deepEqual([restores.safety.violations, misuses], [[], []]);
  });
}
