import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { type EntityKey, parseEntityKey } from "#protocol/ids.ts";
import type { Inventory } from "#protocol/inventory.ts";
import type { MetricName } from "#protocol/metrics.ts";
import type { Notification } from "#protocol/notifications.ts";
import { openTestAlerting } from "../../support/test-alerting.ts";
import { agentOf, connect, inventoryOf, testHub } from "../../support/test-hub.ts";

const storage = { shared: false, content: ["images"], enabled: true, nodes: ["pve1"] };
const key = (text: string): EntityKey => parseEntityKey(text) ?? assert.fail(text);
const figures = (text: string, values: Partial<Record<MetricName, number | readonly number[]>>) => ({
  entity: key(text),
  values,
});
type Figures = ReturnType<typeof figures>;

/** What is told in so many minutes of the same figures, by a hub with the shipped rules. */
async function told(t: TestContext, storages: Inventory["storages"], all: readonly Figures[], minutes = 15) {
  const hub = testHub(t);
  const sent: Notification[] = [];
  const agent = connect(hub, "pve1");
  const node = { zpools: ["tank"], thinpools: [{ vg: "pve", lv: "data" }], sources: [] };
  hub.fleet.inventory(agent, inventoryOf({ node, storages }));
  const alerting = openTestAlerting(hub, sent);
  t.after(() => alerting.stop());
  alerting.reload();
  for (let i = 0; i < minutes * 6; i++) {
    for (const { entity, values } of all) {
      for (const [metric, value] of Object.entries(values)) {
        const now = typeof value === "number" ? value : (value[i] ?? value.at(-1) ?? 0);
        hub.series.put(agentOf("pve1"), entity, metric as MetricName, hub.clock.now(), now);
      }
    }
    alerting.tick();
    await hub.clock.advance(10_000);
  }
  const news = sent.filter(({ alerts }) => alerts.some(({ entity }) => /^(storage|thinpool|zpool)/.test(entity)));
  return { verdicts: news.map(({ verdict }) => verdict), views: alerting.views() };
}

const lvm = { ...storage, storage: "local-lvm", type: "lvmthin" };
const full = [figures("thinpool/pve1/pve/data", { data: 0.96 }), figures("storage/pve1/local-lvm", { used: 96, total: 100 })];

test("a full thin pool and the storage on it are told as one trouble that names both", async (t) => {
  const { verdicts, views } = await told(t, [{ ...lvm, pool: "pve/data" }], full);
  assert.deepEqual(verdicts, ["CRITICAL: The data of thin pool pve/data on pve1 are 96 % full; takes along local-lvm on pve1"]);
  assert.equal(
    views.find(({ rule }) => rule === "storage-nearly-full")?.suppressedBy?.text,
    "Follows from: The data of thin pool pve/data on pve1 are 96 % full",
  );
});

test("an agent that does not tell a storage's pool: both are told", async (t) => {
  const { verdicts } = await told(t, [lvm], full);
  assert.equal(verdicts.length, 2);
});

test("full metadata of a thin pool hold back that its storage fills, until the storage is worse", async (t) => {
  const metadata = figures("thinpool/pve1/pve/data", { data: 0.86, metadata: 0.9 });
  const filling = figures("storage/pve1/local-lvm", { used: 86, total: 100 });
  const { verdicts } = await told(t, [{ ...lvm, pool: "pve/data" }], [metadata, filling]);
  assert.equal(verdicts.length, 1);
  assert.match(verdicts[0] ?? "", /^CRITICAL: The metadata of thin pool pve\/data on pve1 are 90 % full.*local-lvm on pve1$/);
});

const zfs = { ...storage, type: "zfspool", pool: "tank" };
test("a ZFS pool that fills is told with all its storages; one of them that is nearly full is told by itself", async (t) => {
  const pool = figures("zpool/pve1/tank", { allocated: 91, size: 100 });
  const vm = figures("storage/pve1/vm", { used: 90, total: 100 });
  const two = [
    { ...zfs, storage: "vm" },
    { ...zfs, storage: "ct" },
  ];
  const one = await told(t, two, [pool, vm, figures("storage/pve1/ct", { used: 90, total: 100 })]);
  assert.deepEqual(one.verdicts, [
    "WARNING: ZFS pool tank on pve1 is 91 % full: it gets slow from there; takes along ct on pve1, vm on pve1",
  ]);
  const worse = await told(t, two, [pool, vm, figures("storage/pve1/ct", { used: 96, total: 100 })]);
  assert.deepEqual(
    worse.verdicts.filter((verdict) => verdict.startsWith("CRITICAL")),
    ["CRITICAL: Storage ct on pve1 is 96 % full"],
  );
});

test("disks of a ZFS pool that begin to make errors are told once, of whatever kind these are, and in the singular", async (t) => {
  const errors = figures("zpool/pve1/tank", {
    read_errors: [0, 0, 1],
    write_errors: [0, 0, 0, 0, 0, 2],
    checksum_errors: 4,
    vdev_errors: [4, 4, 5, 5, 5, 7],
  });
  const { verdicts } = await told(t, [], [errors]);
  assert.deepEqual(verdicts, ["WARNING: ZFS pool tank on pve1 had 1 read, write or checksum error within a day"]);
});

test("an agent of the version before counts checksum errors alone: they are told as they were", async (t) => {
  const { verdicts } = await told(t, [], [figures("zpool/pve1/tank", { checksum_errors: [4, 4, 5] })]);
  assert.deepEqual(verdicts, ["WARNING: ZFS pool tank on pve1 had 1 read, write or checksum error within a day"]);
});
