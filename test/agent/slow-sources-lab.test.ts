import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { StorageId } from "#protocol/ids.ts";
import { SnapshotCount } from "../../agent/sources/pbs-answers.ts";
import { serverIdOf } from "../../agent/sources/pbs-config.ts";
import { pastBackups } from "../lab/backups.ts";
import { runCommand } from "../lab/commands.ts";
import { startTestLab } from "../support/lab-client.ts";
import { startLabCollector } from "../support/lab-collector.ts";
import { of, until } from "../support/started-collector.ts";

test("five minutes with 100 guests, once everything was read: not one command is run", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 100 });
  const { pass, tick, commands } = startLabCollector(context, lab, clock, "pve1");
  const answering = lab.world
    .guestsNow()
    .map(({ life }) => life.spec.vmid)
    .filter((vmid) => lab.truth(`guest/${vmid}`, "agent_up", undefined, clock.now()) === 1);
  assert.equal(answering.length, 48);
  await until(async () => {
    await pass(1);
    const values = await tick();
    return answering.every((vmid) => `guest/${vmid} fs_used:/` in values);
  });
  assert.deepEqual([...new Set(commands.map((command) => command.split(" ")[0]))].sort(), ["lvs", "smartctl", "zpool"]);
  const before = commands.length;
  await pass(30);
  assert.equal(commands.length, before);
});

test("the first samples wait for nothing else: commands begin as much later as the agent says", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 3 });
  const { tick, commands } = startLabCollector(context, lab, clock, "pve1", { slowAfterMs: 500 });
  assert.ok("uptime" in of(await tick(), "node/pve1"));
  await clock.advance(499);
  assert.equal(commands.length, 0);
  await clock.advance(1);
  await until(async () => commands.some((command) => command.startsWith("zpool")));
});

test("what was not read since the agent's start is told as unread, so that nobody takes it for gone; a zpool that hangs keeps it so", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 3 });
  const { pass, tick, collector } = startLabCollector(context, lab, clock, "pve1", {
    slowAfterMs: 500,
    run: async (file, args) =>
      file === "zpool"
        ? { ok: false, problem: "zpool: no answer within 30000 ms" }
        : { ok: true, ...(await runCommand(lab.restores, lab.world.node("pve1"), file, args)) },
  });
  const unread = async () => (await collector.inventory(clock.now())).inventory.unread?.toSorted();
  await tick();
  assert.deepEqual(await unread(), ["datastores", "disks", "thinpools", "zpools"]);
  await until(async () => {
    await pass(1);
    return (await unread())?.length === 1;
  });
  assert.deepEqual(await unread(), ["zpools"]);
  assert.deepEqual((await collector.inventory(clock.now())).inventory.node.zpools, ["tank"], "the kernel knows it");

  rmSync(join(lab.tree.root("pve1"), "proc/spl/kstat/zfs/tank"), { recursive: true });
  await tick();
  const { node, unread: still } = (await collector.inventory(clock.now())).inventory;
  assert.deepEqual([node.zpools, still], [[], undefined], "and it was exported");
});

test("while storage.cfg can't be read since the agent's start nobody takes it that there are no datastores", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 3 });
  const { pass, collector } = startLabCollector(context, lab, clock, "pve1");
  const file = join(lab.tree.root("pve1"), "etc/pve/storage.cfg");
  const text = readFileSync(file, "utf8");
  rmSync(file);
  mkdirSync(file); // neither a text nor nothing
  const told = async () => {
    const { inventory } = await collector.inventory(clock.now());
    return [inventory.datastores?.length, inventory.unread?.includes("datastores")];
  };
  await pass(2);
  assert.deepEqual(await told(), [undefined, true]);
  rmSync(file, { recursive: true });
  writeFileSync(file, text);
  await until(async () => {
    await pass(1);
    return (await told())[0] === 1;
  });
  assert.notEqual((await told())[1], true);
});

test("an agent that loses the duty for datastores tells of them until the next one has read them; of what storage.cfg lost no more", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 3 });
  const { pass, tick, collector } = startLabCollector(context, lab, clock, "pve1");
  const told = async () => (await collector.inventory(clock.now())).inventory.datastores?.length;
  const isTold = () =>
    until(async () => {
      await pass(1);
      return (await told()) === 1;
    });
  await isTold();
  collector.setDuties(["cluster"]);
  await pass(29);
  assert.equal(await told(), 1);
  await pass(2);
  assert.equal(await told(), undefined);

  collector.setDuties(["cluster", "shared-storage"]);
  await isTold();
  const inPmxcfs = (name: string) => join(lab.tree.root("pve1"), "etc/pve", name);
  const version = JSON.parse(readFileSync(inPmxcfs(".version"), "utf8"));
  writeFileSync(inPmxcfs("storage.cfg"), "dir: local\n\tpath /var/lib/vz\n\tcontent iso\n");
  writeFileSync(inPmxcfs(".version"), JSON.stringify({ ...version, "storage.cfg": version["storage.cfg"] + 1 }));
  await tick();
  assert.equal(await told(), undefined);
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
  assert.deepEqual([pool.health, pool.checksum_errors, pool.vdev_errors], [1, 3, 3]);
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

test("the machine of a node is told once it was looked at; one without an SMBIOS table says so, and no tick starts it again", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 2, guests: 3 });
  const hardware = { self: ["node", "agent.mjs"], afterMs: 120_000 };
  const [first, second] = ["pve1", "pve2"].map((node) => startLabCollector(context, lab, clock, node, { hardware }));
  const looks = () => first?.commands.filter((command) => command.endsWith("hardware-check")).length;
  await first?.tick();
  assert.deepEqual([looks(), (await first?.collector.inventory(clock.now()))?.inventory.node.hardware], [0, undefined]);
  await clock.advance(120_000);
  const told = async (one: typeof first) => {
    await one?.tick();
    return (await one?.collector.inventory(clock.now()))?.inventory.node.hardware;
  };
  await until(async () => (await told(first)) !== undefined && (await told(second)) !== undefined);
  assert.deepEqual([(await told(first))?.maker, (await told(first))?.missing], ["Supermicro", undefined]);
  assert.deepEqual([(await told(second))?.maker, (await told(second))?.missing], [undefined, "smbios"]);
  await first?.pass(30);
  assert.equal(looks(), 1);
});
