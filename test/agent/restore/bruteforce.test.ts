import assert from "node:assert/strict";
import { test } from "node:test";
import { type Death, deaths, killOnce } from "../../support/killed-agent.ts";
import { plantTest, startRestoreNode } from "../../support/restore-node.ts";

/** Every third step, with another way to die each time; `npm run bruteforce` takes every step and every way. */
const everyThird = 3;

for (const type of ["qemu", "lxc"] as const) {
  test(`whenever the agent of a ${type} test is killed, the next one leaves the node as it was`, async (t) => {
    const node = await startRestoreNode(t);
    const order = plantTest(node, type, {}, { firewall: "[OPTIONS]\nenable: 1\n" });
    const wrong: string[] = [];
    let kills = 0;
    for (let at = 1; ; at += everyThird) {
      const death = deaths[kills % deaths.length] as Death;
      const { died, event, problems } = await killOnce(node, order, at, death);
      if (!died) break;
      kills++;
      wrong.push(...problems.map((problem) => `${death} ${at} (${event}): ${problem}`));
    }
    assert.deepEqual(wrong, []);
    assert.ok(kills > 20, `only ${kills} kills`);
  });
}
