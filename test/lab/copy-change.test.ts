import assert from "node:assert/strict";
import { test } from "node:test";
import { nastyContainer, nastyVm, setUpRestores } from "../support/lab-restores.ts";

const vmNets = { net0: "virtio,bridge=sandbox0,link_down=1", net1: "e1000,bridge=sandbox0,link_down=1" };
const containerNets = { net0: "name=eth0,bridge=sandbox0,link_down=1", net1: "name=eth1,bridge=sandbox0,link_down=1" };

/** A restored VM 9412 and container 9230, unlocked. */
async function restored(context: Parameters<typeof setUpRestores>[0], params: Record<string, string> = {}) {
  const set = await setUpRestores(context);
  const { lab, restoreVm, restoreContainer, call, done } = set;
  await done(await restoreVm(lab.restores.plantBackup(nastyVm), { ...vmNets, ...params }));
  await done(await restoreContainer(lab.restores.plantBackup(nastyContainer), { ...containerNets, ...params }));
  await call("PUT", "/qemu/9412/config", { delete: "lock", skiplock: "1" });
  lab.control.inject({ kind: "restore", fault: "operator", vmid: 9230, does: "unlock" });
  return set;
}

test("a digest that is not the file's stops the change", async (context) => {
  const { call, config } = await restored(context);
  const { digest } = await config("qemu");
  const bad = await call("PUT", "/qemu/9412/config", { memory: "512", digest: "0".repeat(40) });
  assert.deepEqual([bad.status, bad.reason], [500, "detected modified configuration - file changed by other user? Try again."]);
  assert.equal((await call("PUT", "/qemu/9412/config", { memory: "512", digest: String(digest) })).status, 200);
  assert.equal((await config("qemu")).memory, "512");
});

test("protection forbids the DELETE and taking drives away", async (context) => {
  const { call } = await restored(context, { protection: "1" });
  const vm = await call("DELETE", "/qemu/9412", { skiplock: "1" });
  const container = await call("DELETE", "/lxc/9230");
  assert.deepEqual(
    [vm.reason, container.reason],
    ["can't remove VM 9412 - protection mode enabled", "can't remove CT 9230 - protection mode enabled"],
  );
  assert.equal(
    (await call("PUT", "/qemu/9412/config", { delete: "ide0" })).reason,
    "can't remove drive 'ide0' - protection mode enabled",
  );
});

test("the lock can be put back, and a start with skiplock ignores it", async (context) => {
  const { call, done } = await restored(context);
  assert.equal((await call("PUT", "/qemu/9412/config", { lock: "create" })).status, 200);
  assert.equal(await done((await call("POST", "/qemu/9412/status/start")).data), "VM is locked (create)");
  assert.equal(await done((await call("POST", "/qemu/9412/status/start", { skiplock: "1" })).data), "OK");
});

test("a start less than a second after a stop makes the next stop wait in vain for the lock, for half a minute", async (context) => {
  const { clock, call, done } = await restored(context);
  assert.equal(await done((await call("POST", "/qemu/9412/status/start")).data), "OK");
  assert.equal(await done((await call("POST", "/qemu/9412/status/stop")).data), "OK");
  assert.equal(await done((await call("POST", "/qemu/9412/status/start")).data), "OK");
  const stop = async () => done((await call("POST", "/qemu/9412/status/stop")).data);
  assert.equal(await stop(), "can't lock file '/var/lock/qemu-server/lock-9412.conf' - got timeout");
  await clock.advance(25_000);
  assert.equal(await stop(), "OK");
  assert.equal(await stop(), "OK", "stopping what doesn't run is no error");
});

test("a running container is deleted only with force, which stops it first; stopping a stopped one is refused at once", async (context) => {
  const { call, done, log } = await restored(context);
  assert.deepEqual((await call("POST", "/lxc/9230/status/stop")).reason, "CT 9230 not running");
  assert.equal(await done((await call("POST", "/lxc/9230/status/start")).data), "OK");
  assert.equal((await call("DELETE", "/lxc/9230")).reason, "unable to destroy CT 9230 - container is running");
  const forced = await call("DELETE", "/lxc/9230", { force: "1", purge: "1" });
  assert.equal(await done(forced.data), "OK");
  assert.deepEqual(log(forced.data), [
    "forced to stop CT 9230 before destroying!",
    "purging CT 9230 from related configurations..",
    "TASK OK",
  ]);
});

test("raw lines of a container cannot be deleted; a card without its hwaddr gets a new one", async (context) => {
  const { call, config } = await restored(context);
  assert.equal((await call("PUT", "/lxc/9230/config", { delete: "lxc" })).reason, "unknown option 'lxc'");
  const before = await config("lxc");
  assert.deepEqual(before.lxc, [["lxc.mount.entry", "/srv/bindme srv/raw none bind,create=dir 0 0"]]);
  assert.equal(before.description, "proven-test op=1\n");
  const mac = /hwaddr=([0-9A-F:]+)/.exec(String(before.net0))?.[1];
  await call("PUT", "/lxc/9230/config", { net0: `name=eth0,bridge=sandbox0,hwaddr=${mac},link_down=0` });
  assert.ok(String((await config("lxc")).net0).includes(`hwaddr=${mac}`));
  await call("PUT", "/lxc/9230/config", { net0: "name=eth0,bridge=sandbox0" });
  assert.ok(!String((await config("lxc")).net0).includes(String(mac)));
});

test("deleting a disk leaves its volume as unused, deleting the cloud-init drive removes it", async (context) => {
  const { lab, call, config } = await restored(context);
  await call("PUT", "/qemu/9412/config", { delete: "scsi2,ide0" });
  const written = await config("qemu");
  assert.deepEqual([written.scsi2, written.ide0, written.unused0], [undefined, undefined, "local-zfs:vm-9412-disk-1"]);
  assert.deepEqual(
    lab.world.volumes.of(9412, "pve1").map(({ volid }) => volid),
    ["local-zfs:vm-9412-disk-0", "local-zfs:vm-9412-disk-1"],
  );
});

test("firewall options of a locked guest can be changed, and its rules stay", async (context) => {
  const { call, read } = await restored(context);
  assert.equal((await call("PUT", "/qemu/9412/firewall/options", { enable: "0", policy_in: "DROP" })).status, 200);
  assert.deepEqual((await call("GET", "/qemu/9412/firewall/options")).data, { enable: 0, policy_in: "DROP" });
  assert.equal(
    read("pve1", "etc/pve/firewall/9412.fw"),
    "[OPTIONS]\nenable: 0\npolicy_in: DROP\n\n[RULES]\n\nIN ACCEPT -p tcp -dport 22\n",
  );
});

test("a test guest that was migrated away is not on this node any more", async (context) => {
  const { lab, call } = await restored(context);
  lab.control.inject({ kind: "restore", fault: "migrated", vmid: 9412, target: "pve2" });
  assert.equal(
    (await call("GET", "/qemu/9412/config")).reason,
    "Configuration file 'nodes/pve1/qemu-server/9412.conf' does not exist",
  );
  assert.match(lab.tree.readGuest(9412) ?? "", /^name: nasty$/m);
});

test("a DELETE asked for while a restore without lock runs goes through right after it", async (context) => {
  const { lab, clock, call, done, log } = await setUpRestores(context);
  const archive = lab.restores.plantBackup(nastyVm);
  const params = { vmid: "9502", archive, unique: "1", onboot: "0", protection: "0", bwlimit: "60000", ...vmNets };
  const restore = await call("POST", "/qemu", params);
  await clock.advance(1000);
  const destroy = await call("DELETE", "/qemu/9502", { purge: "1" });
  assert.equal(await done(restore.data), "OK");
  assert.equal(await done(destroy.data), "OK");
  assert.deepEqual(log(destroy.data), [
    "trying to acquire lock...",
    " OK",
    "purging VM 9502 from related configurations..",
    "TASK OK",
  ]);
  assert.equal(lab.world.guest(9502), undefined);
});
