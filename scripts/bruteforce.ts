import assert from "node:assert/strict";
import { test } from "node:test";
import { deaths, killOnce } from "../test/support/killed-agent.ts";
import { plantTest, type RestoreNode, startRestoreNode } from "../test/support/restore-node.ts";

/**
 * `npm run bruteforce`: the agent of a restore test dies at every single journal entry and changing call, in every way (before it, in the middle, after
 * it), and a second time in clearing away. After each the lab must hold exactly what it held before, and must have seen no call that could have done
 * harm. Run by Node's test runner; prints how many deaths there were.
 */
type Scenario = { name: string; type: "qemu" | "lxc"; prepare(node: RestoreNode): ReturnType<typeof plantTest> };

const firewall = "[OPTIONS]\nenable: 1\n";
const scenarios: Scenario[] = (["qemu", "lxc"] as const).flatMap((type) => [
  { name: `${type} from a file`, type, prepare: (node) => plantTest(node, type, {}, { firewall }) },
  {
    name: `${type} from a Backup Server, kept a while`,
    type,
    prepare: (node) => plantTest(node, type, { keepSec: 60 }, { storage: "pbs1" }),
  },
  {
    name: `${type} whose archive is damaged`,
    type,
    prepare: (node) => {
      const order = plantTest(node, type, { integrity: false });
      node.lab.restores.archives.damage(order.backup.volid, "cut-half");
      return order;
    },
  },
]);

/** Where the second agent dies as well, spread over its work. */
const secondDeath = (at: number) => 1 + ((at * 7) % 25);

for (const { name, prepare } of scenarios) {
  for (const twice of [false, true]) {
    test(`${name}, killed ${twice ? "twice" : "once"} at every step`, async (t) => {
      const node = await startRestoreNode(t);
      const order = prepare(node);
      const wrong: string[] = [];
      let kills = 0;
      for (let at = 1, alive = false; !alive; at++) {
        for (const death of deaths) {
          const { died, event, problems } = await killOnce(node, order, at, death, twice ? secondDeath(at) : 0);
          alive ||= !died;
          if (died) kills++;
          wrong.push(...problems.map((problem) => `${death} ${at} (${event}): ${problem}`));
        }
      }
      t.diagnostic(`${kills} deaths`);
      assert.deepEqual(wrong, []);
      assert.ok(kills > 50);
    });
  }
}
