import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import type { StorageId } from "#protocol/ids.ts";
import { SnapshotCount } from "../../agent/sources/pbs-answers.ts";
import { serverIdOf } from "../../agent/sources/pbs-config.ts";
import { pastBackups } from "../lab/backups.ts";
import { startTestLab } from "../support/lab-client.ts";
import { startLabCollector } from "../support/lab-collector.ts";
import { of } from "../support/started-collector.ts";

/** A task that runs until it is interrupted. */
function* endless(): Generator<number, undefined, undefined> {
  for (;;) yield 60_000;
}

const asked = (calls: readonly string[], vmid: number) => calls.filter((path) => path.includes(`/qemu/${vmid}/agent/`)).length;

test("five minutes with 100 guests, once everything was read: not one command is run", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 100 });
  const { pass, commands, tickUntil } = startLabCollector(context, lab, clock, "pve1");
  await tickUntil((values) => "disk/pve1/" in values || "thinpool/pve1/pve/data size" in values);
  await pass(6);
  assert.deepEqual([...new Set(commands.map((command) => command.split(" ")[0]))].sort(), ["lvs", "smartctl", "zpool"]);
  const before = commands.length;
  await pass(30);
  assert.equal(commands.length, before);
});

test("a guest with a lock is never asked, nor one that a backup task names; the others are, every five minutes", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 20 });
  const vms = lab.world.guestsNow().filter(({ life }) => life.spec.type === "qemu" && life.spec.agent === "answers");
  const locked = vms.find(({ lock }) => lock === "backup");
  const running = vms.filter((guest) => guest.lock === undefined && lab.world.reading(guest, clock.now()) !== undefined);
  const [inBackup, free] = running.map(({ life }) => life.spec.vmid);
  assert.ok(locked !== undefined && inBackup !== undefined && free !== undefined);
  const { pass, calls } = startLabCollector(context, lab, clock, "pve1");
  const task = lab.tasks.start({ node: "pve1", type: "vzdump", id: String(inBackup), user: "root@pam" }, endless);
  await pass(12);
  assert.deepEqual([asked(calls, locked.life.spec.vmid), asked(calls, inBackup), asked(calls, free)], [0, 0, 1]);
  await pass(30);
  assert.equal(asked(calls, free), 2);
  lab.tasks.interrupt(task.upid);
  await pass(2);
  assert.equal(asked(calls, inBackup), 1);
});

test("while a backup job over several guests runs nobody's agent is asked, as it may freeze any of them next", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 20 });
  lab.tasks.start({ node: "pve1", type: "vzdump", id: "", user: "root@pam" }, endless);
  const { pass, calls } = startLabCollector(context, lab, clock, "pve1");
  await pass(12);
  assert.deepEqual(
    calls.filter((path) => path.includes("/agent/")),
    [],
  );
});

test("an agent that does not answer is left alone for 5, then 10, then 20 minutes, and said to be silent", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 30 });
  const dead = lab.world.guestsNow().find(({ life }) => life.spec.agent === "dead")?.life.spec.vmid ?? 0;
  const { pass, calls, collector, tick } = startLabCollector(context, lab, clock, "pve1");
  const times: number[] = [];
  const begun = clock.now();
  for (let minutes = 0; minutes < 42; minutes++) {
    const before = asked(calls, dead);
    await pass(6);
    if (asked(calls, dead) > before) times.push(Math.round((clock.now() - begun) / 60_000));
  }
  const gaps = times.slice(1).map((minute, index) => minute - (times[index] ?? 0));
  // A round comes up every ten seconds, and the question itself takes three.
  assert.deepEqual(
    gaps.map((minutes) => Math.round(minutes / 5) * 5),
    [5, 10, 20],
  );
  assert.equal(of(await tick(), `guest/${dead}`).agent_up, 0);
  const { inventory } = await collector.inventory(clock.now());
  const states = new Set(inventory.guests.filter(({ type }) => type === "qemu").map(({ agent }) => agent));
  assert.equal(inventory.guests.find(({ vmid }) => vmid === dead)?.agent, "silent");
  assert.ok(states.has("answers"));
});

test("a guest that has just got the vmid of another one is not given that one's file systems", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 5 });
  const { pass, tick } = startLabCollector(context, lab, clock, "pve1");
  await pass(2);
  assert.ok("fs_used:/" in of(await tick(), "guest/100"));
  const path = "nodes/pve1/qemu-server/100.conf";
  const file = `${lab.tree.pmxcfs}/${path}`;
  const text = readFileSync(file, "utf8");
  writeFileSync(
    file,
    text
      .replace(/uuid=[0-9a-f-]+/, "uuid=00000000-0000-4000-8000-000000000001")
      .replaceAll(/virtio=[0-9A-F:]+/g, "virtio=02:00:00:00:00:01"),
  );
  const guest = lab.world.guest(100);
  if (guest !== undefined) lab.world.touchGuest(guest);
  lab.tree.writeCluster(clock.now());
  assert.ok(!("fs_used:/" in of(await tick(), "guest/100")));
});

test("SMART is read every half an hour; a sleeping disk keeps its counters, has no temperature and is not woken", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 3 });
  const { pass, tick, commands, collector } = startLabCollector(context, lab, clock, "pve1");
  const [sda] = lab.world.node("pve1").spec.disks;
  await pass(2);
  const smart = () => commands.filter((command) => command.startsWith("smartctl"));
  assert.deepEqual(
    smart(),
    ["nvme0n1", "nvme1n1", "sda"].map((disk) => `smartctl --json=c -n standby -a /dev/${disk}`),
  );
  lab.world.sleepingDisks.add("pve1/sda");
  await pass(181);
  assert.equal(smart().length, 6);
  const disk = of(await tick(), `disk/pve1/${sda?.serial}`);
  assert.deepEqual([disk.healthy, disk.reallocated, disk.temperature], [1, 0, undefined]);
  const { inventory } = await collector.inventory(clock.now());
  assert.deepEqual(
    inventory.node.disks?.map(({ name, smart: state }) => [name, state]),
    [
      ["nvme0n1", "read"],
      ["nvme1n1", "read"],
      ["sda", "asleep"],
    ],
  );
});

test("a pool that degrades is asked for at once, its disk says that it fails, and both are told", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 3 });
  const { pass, tick, commands } = startLabCollector(context, lab, clock, "pve1");
  await pass(2);
  const before = commands.filter((command) => command.startsWith("zpool")).length;
  lab.world.zpoolHealth.set("pve1", "DEGRADED");
  await pass(1);
  const pool = of(await tick(), "zpool/pve1/tank");
  assert.deepEqual([pool.health, pool.checksum_errors], [1, 3]);
  assert.equal(commands.filter((command) => command.startsWith("zpool")).length, before + 2);
  await pass(185);
  const serial = lab.world.node("pve1").spec.disks.find(({ name }) => name === "nvme1n1")?.serial;
  const disk = of(await tick(), `disk/pve1/${serial}`);
  assert.deepEqual([disk.healthy, disk.media_errors], [0, 7]);
});

test("a Backup Server's datastore: backups by namespace with their verification, jobs, and who uses it", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 40 });
  const { tickUntil, collector } = startLabCollector(context, lab, clock, "pve1");
  const fingerprint = lab.secrets.pbsFingerprint;
  const key = `datastore/${serverIdOf({ fingerprint, server: "", port: 0 })}/main`;
  const store = of(await tickUntil((values) => `${key} up` in values), key);
  const saved = pastBackups(lab.world, clock.now()).filter(({ storage }) => storage === "pbs1");
  const count = new SnapshotCount();
  for (const { at, verification } of saved) count.add({ "backup-time": at / 1000, verification });
  assert.ok(saved.length > 0 && count.ok > 0);
  assert.deepEqual(
    [store["snapshots:/"], store["snapshots:pve"], store["snapshots_ok:pve"], store["snapshots_failed:pve"]],
    [0, saved.length, count.ok, count.failed],
  );
  assert.equal(store["snapshots_unverified:pve"], saved.length - count.ok - count.failed);
  const newest = Math.max(...saved.map(({ at }) => Math.floor(at / 1000)));
  assert.equal(store["newest_age:pve"], clock.now() / 1000 - newest);
  assert.deepEqual([store.up, store.dedup_factor, store.jobs_failed], [1, 9, 0]);
  const { inventory } = await collector.inventory(clock.now());
  const [facts] = inventory.datastores ?? [];
  assert.deepEqual([facts?.key, facts?.store, facts?.namespaces], [key, "main", ["", "pve", "pve/archive"]]);
  assert.deepEqual(facts?.storages, [{ storage: "pbs1" as StorageId, namespace: "pve" }]);
  assert.deepEqual(
    facts?.jobs.map(({ kind, id, state }) => [kind, id, state]),
    [
      ["verify", "v-nightly", "OK"],
      ["prune", "p-daily", "OK"],
      ["gc", "main", undefined],
    ],
  );
});

test("jobs, HA, replication, certificates and updates are told with the inventory, and it stands still while nothing changes", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 3, guests: 40 });
  const source = lab.world.spec.guests.find(({ vmid }) => vmid === 102)?.node ?? "";
  const { tickUntil, pass, collector } = startLabCollector(context, lab, clock, source);
  await tickUntil((values) => `node/${source} updates` in values);
  await pass(10);
  const { inventory, version } = await collector.inventory(clock.now());
  assert.deepEqual(
    inventory.backupJobs?.map(({ id, enabled, schedule, storage, all, pool }) => [id, enabled, schedule, storage, all, pool]),
    [
      ["backup-nightly", true, "21:00", "nfs1", true, undefined],
      ["backup-pbs", true, "sun 02:30", "pbs1", false, "prod"],
      ["205c4c1e-f6d7-45c9-b864-d4f03ab00214", false, "sat 03:30", "nfs1", true, undefined],
    ],
  );
  assert.deepEqual(inventory.cluster.ha, {
    master: "pve1",
    nodes: ["pve1", "pve2", "pve3"].map((node) => ({ node, state: "online" })),
  });
  assert.deepEqual(inventory.node.updates, {
    total: 1,
    packages: [{ package: "apt", installed: "3.0.3", available: "3.0.4", origin: "Debian" }],
  });
  assert.deepEqual(
    inventory.node.certificates?.map(({ file }) => file),
    ["pve-ssl.pem", "pve-root-ca.pem"],
  );
  assert.deepEqual(inventory.node.thinpools, [{ vg: "pve", lv: "data" }]);
  assert.deepEqual(
    inventory.node.sources.filter(({ problem }) => problem !== undefined),
    [],
  );
  await pass(30);
  assert.equal((await collector.inventory(clock.now())).version, version);
});
