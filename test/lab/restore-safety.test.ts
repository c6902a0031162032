import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { nastyContainer, nastyVm, setUpRestores } from "../support/lab-restores.ts";

const vmNets = { net0: "virtio,bridge=sandbox0,link_down=1", net1: "e1000,bridge=sandbox0,link_down=1" };

test("starting, stopping, changing and deleting a production guest are violations, each by its name", async (context) => {
  const { lab, call } = await setUpRestores(context);
  await call("POST", "/qemu/100/status/stop");
  await call("PUT", "/qemu/100/config", { memory: "128" });
  await call("DELETE", "/lxc/103", { force: "1" });
  assert.deepEqual(lab.restores.safety.violations, [
    "stop 100 (web01): a production guest",
    "change of 100 (web01): a production guest",
    "delete of 103 (ct-dns01): a production guest",
  ]);
  assert.notEqual(lab.world.guest(103), undefined, "and it is still there");
});

test("reading is nobody's violation", async (context) => {
  const { lab, call } = await setUpRestores(context);
  for (const path of ["/qemu/100/config", "/qemu/100/status/current", "/qemu", "/storage/nfs1/content"]) await call("GET", path);
  assert.deepEqual(lab.restores.safety.violations, []);
});

test("force, start, live-restore and ha-managed are violations before anything has happened", async (context) => {
  const { lab, call } = await setUpRestores(context);
  const volid = lab.restores.plantBackup(nastyVm);
  const params = { vmid: "9412", archive: volid, lock: "create", onboot: "0", protection: "0", force: "1", start: "1" };
  await call("POST", "/qemu", { ...params, "live-restore": "1", "ha-managed": "1" });
  assert.deepEqual(lab.restores.safety.violations, [
    "restore to 9412 with force=1",
    "restore to 9412 with start=1",
    "restore to 9412 with live-restore=1",
    "restore to 9412 with ha-managed=1",
  ]);
});

test("a copy that starts with a card on the production bridge is a violation, link or not", async (context) => {
  const { lab, restoreVm, call, done } = await setUpRestores(context);
  await done(await restoreVm(lab.restores.plantBackup(nastyVm), { net0: vmNets.net0 }));
  await call("PUT", "/qemu/9412/config", { delete: "lock", skiplock: "1" });
  await done((await call("POST", "/qemu/9412/status/start")).data);
  const found = lab.restores.safety.violations;
  assert.ok(found.includes("9412 was started with net1 on the production bridge vmbr0"), found.join("\n"));
  for (const key of [
    "args",
    "hookscript",
    "hostpci0",
    "usb0",
    "serial1",
    "parallel0",
    "rng0",
    "virtiofs0",
    "cicustom",
    "startup",
  ]) {
    assert.ok(
      found.some((one) => one.startsWith(`9412 was started with ${key}`)),
      key,
    );
  }
});

test("a link that is up is allowed on a bridge that a sandbox has made, and nowhere else", async (context) => {
  const { lab, restoreVm, call, done } = await setUpRestores(context);
  const config =
    "boot: order=scsi0\ncores: 1\nmemory: 512\nname: plain\nnet0: virtio=BC:24:11:00:00:01,bridge=vmbr0\nscsi0: local-zfs:vm-100-disk-0,size=1G\n";
  const volid = lab.restores.plantBackup({ ...nastyVm, config });
  await done(await restoreVm(volid, { net0: "virtio,bridge=sandbox0" }));
  await call("PUT", "/qemu/9412/config", { delete: "lock", skiplock: "1" });
  assert.equal(await done((await call("POST", "/qemu/9412/status/start")).data), "OK");
  assert.deepEqual(lab.restores.safety.violations, []);
  await done((await call("POST", "/qemu/9412/status/stop")).data);
  lab.restores.removeIsolatedBridge("sandbox0");
  assert.equal(await done((await call("POST", "/qemu/9412/status/start")).data), "bridge 'sandbox0' does not exist");
  assert.deepEqual(lab.restores.safety.violations, ["9412 was started with net0 up on sandbox0, which is not isolated"]);
});

test("a bind mount and raw lines at the start of a container are violations", async (context) => {
  const { lab, restoreContainer, call, done } = await setUpRestores(context);
  const nets = { net0: "name=eth0,bridge=sandbox0,link_down=1", net1: "name=eth1,bridge=sandbox0,link_down=1" };
  await done(await restoreContainer(lab.restores.plantBackup(nastyContainer), nets));
  lab.control.inject({ kind: "restore", fault: "operator", vmid: 9230, does: "unlock" });
  await done((await call("POST", "/lxc/9230/status/start")).data);
  assert.deepEqual(lab.restores.safety.violations, [
    "9230 was started with hookscript: nfs1:snippets/h.sh",
    "9230 was started with mp1: a path of the host",
    "9230 was started with startup: order=3,up=5",
    "9230 was started with lxc.mount.entry",
  ]);
});

test("what somebody else made, half made or taken over may not be touched", async (context) => {
  const { lab, restoreVm, call, done } = await setUpRestores(context);
  lab.control.inject({ kind: "restore", fault: "half-made", vmid: 9500, type: "qemu", text: "memory: 128\n", user: "root@pam" });
  lab.control.inject({ kind: "restore", fault: "vmid-taken", vmid: 9501 });
  await done(await restoreVm(lab.restores.plantBackup(nastyVm), vmNets));
  lab.control.inject({ kind: "restore", fault: "operator", vmid: 9412, does: "takeover" });
  for (const vmid of [9500, 9501, 9412]) await call("DELETE", `/qemu/${vmid}`, { purge: "1", skiplock: "1" });
  assert.deepEqual(lab.restores.safety.violations, [
    "delete of 9500: somebody else has laid hands on it since",
    "delete of 9501: somebody else made it, not root@pam",
    "delete of 9412: alice@pve has laid hands on it since",
  ]);
  const tasks = (await call("GET", "/tasks", { vmid: "9500", source: "all" })).data as { type: string; status: string }[];
  assert.deepEqual(
    tasks.map(({ type, status }) => [type, status]),
    [
      ["qmdestroy", "RUNNING"],
      ["qmrestore", "unexpected status"],
    ],
  );
});

test("a number that is taken in the moment of the call is refused, and its owner is unharmed", async (context) => {
  const { lab, call } = await setUpRestores(context);
  lab.control.inject({ kind: "restore", fault: "vmid-taken", vmid: 9412, when: "create" });
  assert.equal((await call("GET", "/cluster/nextid", { vmid: "9412" })).status, 200);
  const volid = lab.restores.plantBackup(nastyVm);
  const answer = await call("POST", "/qemu", { vmid: "9412", archive: volid, lock: "create", onboot: "0", protection: "0" });
  assert.equal(answer.reason, "unable to restore VM 9412 - VM 9412 already exists on node 'pve1'");
  assert.equal(((await call("GET", "/qemu/9412/config")).data as { name: string }).name, "somebody-elses");
});

test("only root may lock, skip locks or take dangerous keys away; without quorum nobody restores", async (context) => {
  const { lab, call, restoreVm, done } = await setUpRestores(context);
  const volid = lab.restores.plantBackup(nastyVm);
  const asCarol = await call("POST", "/qemu", { vmid: "9412", archive: volid, lock: "create" }, "carol@pve");
  assert.deepEqual([asCarol.status, asCarol.reason], [500, "only root can set 'lock' config"]);
  await done(await restoreVm(volid, vmNets));
  const skip = await call("PUT", "/qemu/9412/config", { delete: "lock", skiplock: "1" }, "carol@pve");
  assert.deepEqual([skip.status, skip.errors], [400, { skiplock: "Only root may use this option." }]);
  const hook = await call("PUT", "/qemu/9412/config", { delete: "hookscript" }, "carol@pve");
  assert.equal(hook.reason, "only root can set 'hookscript' config");
  lab.control.inject({ kind: "quorum", quorate: false });
  const late = await call("POST", "/qemu", { vmid: "9413", archive: volid, lock: "create", onboot: "0", protection: "0" });
  assert.deepEqual([late.status, late.reason], [500, "cluster not ready - no quorum?"]);
});

test("a guest that was left is seen in the inventory's digest", async (context) => {
  const { lab, restoreVm, done, call } = await setUpRestores(context);
  const before = lab.restores.inventoryDigest();
  await done(await restoreVm(lab.restores.plantBackup(nastyVm), { ...vmNets, pool: "prod" }));
  assert.notEqual(lab.restores.inventoryDigest(), before);
  const { pools, firewall, volumes } = lab.restores.inventory();
  assert.deepEqual([pools, firewall, volumes.length], [[["prod", [9412]]], ["9412.fw"], 3]);
  const [pool] = (await call("GET", "/pools", { poolid: "prod" })).data as { members: { vmid: number }[] }[];
  assert.ok(pool?.members.some(({ vmid }) => vmid === 9412));
});

test("ending a task that is not the caller's own restore is a violation; writing to a production guest's file is in the digest", async (context) => {
  const { lab, clock, call, restoreVm, read } = await setUpRestores(context);
  const volid = lab.restores.plantBackup(nastyVm);
  const own = await restoreVm(volid, { ...vmNets, bwlimit: "5000" });
  const { upid } = lab.vzdump.start("pve1", { storage: "nfs1", mode: "snapshot", compress: "zstd", vmids: [100] }, "root@pam");
  await clock.advance(1000);
  await call("DELETE", `/tasks/${own}`);
  await call("DELETE", `/tasks/${upid}`);
  assert.deepEqual(lab.restores.safety.violations, [`end of the task ${upid}: it is no restore`]);
  const before = lab.restores.inventoryDigest();
  const file = "etc/pve/nodes/pve1/qemu-server/100.conf";
  writeFileSync(join(lab.tree.root("pve1"), file), `${read("pve1", file)}args: -evil\n`);
  assert.notEqual(lab.restores.inventoryDigest(), before);
});
