import assert from "node:assert/strict";
import { test } from "node:test";
import { newId, plantTest, startOperations, startRestoreNode, statesOf } from "../../support/restore-node.ts";

for (const type of ["qemu", "lxc"] as const) {
  for (const storage of ["nfs1", "pbs1"] as const) {
    test(`a ${type} backup on ${storage} is proven to work, and nothing of the test is left`, async (t) => {
      const node = await startRestoreNode(t);
      const before = node.lab.restores.inventory();
      const order = plantTest(node, type, {}, { storage, firewall: "[OPTIONS]\nenable: 1\n" });
      const agent = startOperations(node);
      const id = newId();
      agent.start(id, { kind: "restore-test", params: order });
      const report = await agent.report(id);
      assert.equal(
        report.reason,
        `The backup is good: it restores, boots and works; its bytes are verified (${storage === "pbs1" ? "pbs-verify" : "compressor-checksum"})`,
      );
      assert.deepEqual([report.outcome, report.level, report.leftovers, report.testVmid], ["passed", "works", [], 990_000]);
      assert.deepEqual(statesOf(report.steps), {
        locate: "passed",
        configuration: "passed",
        preflight: "passed",
        integrity: "passed",
        plan: "passed",
        sandbox: "passed",
        restore: "passed",
        compare: "passed",
        strip: "passed",
        "compare-again": "passed",
        unlock: "passed",
        start: "passed",
        heartbeat: "passed",
        network: "passed",
        checks: "passed",
        screenshot: "skipped",
        benchmark: "skipped",
        keep: "skipped",
        stop: "passed",
        destroy: "passed",
      });
      assert.deepEqual(node.lab.restores.inventory(), before);
      assert.deepEqual([node.lab.restores.safety.violations, node.lab.misuses], [[], []]);
    });
  }
}
