import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type EntityKey, type EpochMs, parseEntityKey } from "#protocol/ids.ts";
import type { Notification } from "#protocol/notifications.ts";
import type { Alerting } from "../../../hub/alerting/alerting.ts";
import { openTestAlerting } from "../../support/test-alerting.ts";
import { agentOf, connect, inventoryOf, testHub } from "../../support/test-hub.ts";

/** A pool that an agent tells of, and hubs one after the other that judge it. */
function setUp(t: TestContext) {
  const hub = testHub(t);
  const sent: Notification[] = [];
  const pool: EntityKey = parseEntityKey("zpool/pve1/tank") ?? assert.fail();
  const node = { zpools: ["tank"], thinpools: [], sources: [] };
  hub.fleet.inventory(connect(hub, "pve1"), inventoryOf({ node }));
  const openAlerting = () => openTestAlerting(hub, sent);
  const watch = async (alerting: Alerting, errors: number) => {
    for (let i = 0; i < 12; i++) {
      hub.series.put(agentOf("pve1"), pool, "vdev_errors", hub.clock.now(), errors);
      alerting.tick();
      await hub.clock.advance(10_000);
    }
  };
  return { hub, sent, pool, openAlerting, watch };
}

const seven = "WARNING: ZFS pool tank on pve1 had 7 read, write or checksum errors within a day";
const verdictsOf = ({ sent, pool }: ReturnType<typeof setUp>) =>
  sent.filter(({ alerts }) => alerts.some(({ entity }) => entity === pool)).map(({ verdict }) => verdict);

test("a pool's disk errors that came while the hub was off over the weekend are told when it is back", async (t) => {
  const rig = setUp(t);
  const { hub, sent, openAlerting, watch } = rig;
  const before = openAlerting();
  await watch(before, 2);
  before.stop();
  assert.equal(sent.length, 0);
  await hub.clock.advance(60 * 3_600_000);
  const after = openAlerting();
  t.after(() => after.stop());
  await watch(after, 9);
  assert.deepEqual(verdictsOf(rig), [seven]);
});

test("those that came longer than a day ago while the hub was off are told too, though the agent kept the samples of the last day", async (t) => {
  const rig = setUp(t);
  const { hub, pool, openAlerting, watch } = rig;
  const before = openAlerting();
  await watch(before, 2);
  hub.state.put("keptTime", "all", { at: hub.clock.now() }, { actor: "test", reason: "test" });
  before.stop();
  await hub.clock.advance(60 * 3_600_000);
  const back = hub.clock.now();
  for (let ago = 24 * 60; ago > 0; ago--)
    hub.series.put(agentOf("pve1"), pool, "vdev_errors", (back - ago * 60_000) as EpochMs, 9);
  const after = openAlerting();
  t.after(() => after.stop());
  await watch(after, 9);
  assert.deepEqual(verdictsOf(rig), [seven]);
});
