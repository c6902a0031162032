import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { nastyContainer, nastyVm, setUpRestores } from "../support/lab-restores.ts";
import { runCommand } from "./commands.ts";
import { pidOfTask } from "./restore-job.ts";

const vmNets = { net0: "virtio,bridge=sandbox0,link_down=1", net1: "e1000,bridge=sandbox0,link_down=1" };
const containerNets = { net0: "name=eth0,bridge=sandbox0,link_down=1", net1: "name=eth1,bridge=sandbox0,link_down=1" };
const vmFile = "etc/pve/nodes/pve1/qemu-server/9412.conf";
const containerFile = "etc/pve/nodes/pve1/lxc/9230.conf";

/** Two restores that go on for a while. */
async function halfWay(context: Parameters<typeof setUpRestores>[0], how: { locked?: boolean; bwlimit?: number } = {}) {
  const set = await setUpRestores(context);
  const { lab, restoreVm, restoreContainer, clock } = set;
  const vm = lab.restores.plantBackup(nastyVm);
  const container = lab.restores.plantBackup(nastyContainer);
  const limit = how.bwlimit === undefined ? {} : { bwlimit: String(how.bwlimit) };
  const startVm = () => restoreVm(vm, { ...vmNets, ...limit });
  const startContainer = () => restoreContainer(container, { ...containerNets, ...limit });
  return { ...set, startVm, startContainer, middle: () => clock.advance(2000) };
}

test("while a VM is restored it is called VM 9412, has 128 MB and no lock; a second restore and a taken number are refused", async (context) => {
  const { call, startVm, middle, lab } = await halfWay(context, { bwlimit: 20_000 });
  await startVm();
  await middle();
  const { name, maxmem, status, lock } = (await call("GET", "/qemu/9412/status/current")).data as Record<string, unknown>;
  assert.deepEqual([name, maxmem, status, lock], ["VM 9412", 128 * 2 ** 20, "stopped", undefined]);
  assert.deepEqual((await call("GET", "/qemu/9412/config")).data, {
    memory: "128",
    digest: "d80cf9efe61493ebd6c6b36f2fea2f9b0a552524",
  });
  const twice = await call("POST", "/qemu", { vmid: "9412", archive: lab.restores.plantBackup(nastyVm), lock: "create" });
  assert.deepEqual([twice.status, twice.reason], [500, "unable to restore VM 9412 - VM 9412 already exists on node 'pve1'"]);
  const taken = await call("POST", "/lxc", { vmid: "100", ostemplate: "x", restore: "1", storage: "local-lvm" });
  assert.deepEqual([taken.status, taken.reason], [500, "VM 100 already exists on node 'pve1'"]);
  const free = await call("GET", "/cluster/nextid", { vmid: "9413" });
  assert.equal(free.data, "9413");
  const gone = await call("GET", "/cluster/nextid", { vmid: "9412" });
  assert.deepEqual([gone.status, gone.errors], [400, { vmid: "VM 9412 already exists" }]);
});

test("a change asked for during a restore waits for it, and is then judged by the finished configuration", async (context) => {
  const { clock, call, startVm, done } = await halfWay(context, { bwlimit: 60_000 });
  const upid = await startVm();
  await clock.advance(1000);
  const waiting = call("PUT", "/qemu/9412/config", { memory: "128" });
  assert.equal(await done(upid), "OK");
  await clock.advance(1000);
  const answer = await waiting;
  assert.deepEqual([answer.status, answer.reason], [500, "VM is locked (create)"]);
});

test("a change and a start that wait longer than ten seconds are told that they got no lock", async (context) => {
  const { clock, call, startVm, startContainer, middle, status } = await halfWay(context, { bwlimit: 5000 });
  await startVm();
  await startContainer();
  await middle();
  const change = call("PUT", "/qemu/9412/config", { memory: "128", skiplock: "1" });
  const containerChange = call("PUT", "/lxc/9230/config", { tags: "x" });
  const start = await call("POST", "/lxc/9230/status/start");
  await clock.advance(11_000);
  assert.equal((await change).reason, "can't lock file '/var/lock/qemu-server/lock-9412.conf' - got timeout");
  assert.equal((await containerChange).reason, "can't lock file '/run/lock/lxc/pve-config-9230.lock' - got timeout");
  assert.equal(await status(start.data), "can't lock file '/run/lock/lxc/pve-config-9230.lock' - got timeout");
  const destroy = await call("DELETE", "/lxc/9230", { purge: "1" });
  assert.deepEqual([destroy.status, destroy.reason], [500, "CT is locked (create)"]);
});

test("a start asked for during a restore without lock starts the unjudged copy right after it, and the lab calls that a violation", async (context) => {
  const { lab, clock, call, done, log } = await setUpRestores(context);
  const volid = lab.restores.plantBackup(nastyVm);
  const params = { vmid: "9412", archive: volid, unique: "1", onboot: "0", protection: "0", bwlimit: "60000", ...vmNets };
  const restore = await call("POST", "/qemu", params);
  await clock.advance(1000);
  const start = await call("POST", "/qemu/9412/status/start");
  assert.equal(await done(restore.data), "OK");
  assert.equal(await done(start.data), "OK");
  assert.deepEqual(log(start.data), ["trying to acquire lock...", " OK", "TASK OK"]);
  const { violations } = lab.restores.safety;
  assert.ok(
    violations.includes("restore to 9412 without lock=create: anybody can start the unjudged copy"),
    violations.join("\n"),
  );
  assert.ok(violations.includes("9412 was started with hookscript: nfs1:snippets/vt-hook.sh"), violations.join("\n"));
});

test("a cancelled restore of a VM leaves 12 bytes without a lock, and that VM can be started", async (context) => {
  const { lab, clock, call, startVm, middle, status, done, read } = await halfWay(context, { bwlimit: 5000 });
  const upid = await startVm();
  await middle();
  await call("DELETE", `/tasks/${upid}`);
  assert.match(
    (await status(upid)) ?? "",
    /^command 'set -o pipefail && cstream -t 5120000 -- \S+ \| zstd -q -d -c - \| vma .* failed: interrupted by signal$/,
  );
  assert.equal(read("pve1", vmFile), "memory: 128\n");
  assert.equal(read("pve1", "etc/pve/firewall/9412.fw"), nastyVm.firewall);
  assert.deepEqual(lab.world.volumes.list(), []);
  assert.equal(await done((await call("POST", "/qemu/9412/status/start")).data), "OK");
  await clock.advance(60_000);
  assert.equal((await call("POST", "/qemu/9412/agent/ping")).reason, "No QEMU guest agent configured");
  assert.match(lab.restores.safety.violations.join(), /9412 was started half made/);
});

test("a killed worker leaves volumes, fifo and running programs behind; only unreferenced disks named in the DELETE go", async (context) => {
  const { lab, clock, call, startVm, middle, done, read } = await halfWay(context, { bwlimit: 5000 });
  const before = lab.restores.inventoryDigest();
  const upid = await startVm();
  await middle();
  assert.equal(lab.control.inject({ kind: "restore", fault: "kill-worker", vmid: 9412 }), upid);
  assert.equal(lab.tasks.find(upid)?.status, "unexpected status");
  assert.equal(read("pve1", vmFile), "memory: 128\n");
  const pid = pidOfTask(upid);
  const root = lab.tree.root("pve1");
  assert.ok(existsSync(join(root, `var/tmp/vzdumptmp${pid}.fifo`)) && existsSync(join(root, `var/tmp/vzdumptmp${pid}`)));
  assert.equal(lab.restores.traces.running("pve1").length, 2);
  const [stat = ""] = lab.restores.traces.running("pve1").map((one) => read("pve1", `proc/${one.pid}/stat`));
  assert.equal(stat.split(") ")[1]?.split(" ")[3], String(pid), "they are of the dead worker's session");
  const [first] = lab.restores.traces.running("pve1");
  const kill = await runCommand(lab.restores, lab.world.node("pve1"), "kill", ["-TERM", String(first?.pid)]);
  assert.deepEqual([kill.code, kill.stdout, lab.restores.traces.running("pve1").length], [0, "", 1]);
  await clock.advance(11_000);
  assert.equal(lab.restores.traces.running("pve1").length, 0, "they end by themselves");
  const volumes = lab.world.volumes.of(9412, "pve1").length;
  assert.equal(volumes, 3);
  const plain = await call("DELETE", "/qemu/9412", { purge: "1" });
  assert.equal(await done(plain.data), "OK");
  assert.equal(lab.world.volumes.of(9412, "pve1").length, 3, "they are referenced nowhere");
  assert.notEqual(lab.restores.inventoryDigest(), before);
});

test("a killed worker of a container leaves a mount; unlock gives an empty file, DELETE before umount leaves it mounted and deleted", async (context) => {
  const { lab, call, startContainer, middle, done, read } = await halfWay(context, { bwlimit: 5000 });
  await startContainer();
  await middle();
  lab.control.inject({ kind: "restore", fault: "kill-worker", vmid: 9230 });
  assert.equal(read("pve1", containerFile), "lock: create\n");
  assert.match(read("pve1", "proc/mounts"), /^\/dev\/pve\/vm-9230-disk-0 \/var\/lib\/lxc\/9230\/rootfs ext4 /m);
  assert.equal((await call("DELETE", "/lxc/9230")).reason, "CT is locked (create)");
  assert.equal((await call("PUT", "/lxc/9230/config", { delete: "lock" })).reason, "CT is locked (create)");
  lab.control.inject({ kind: "restore", fault: "operator", vmid: 9230, does: "unlock" });
  assert.equal(read("pve1", containerFile), "");
  const start = await call("POST", "/lxc/9230/status/start");
  assert.equal(await done(start.data), "missing 'arch' - internal error at /usr/share/perl5/PVE/LXC.pm line 729.");
  const destroyed = await call("DELETE", "/lxc/9230", { purge: "1", "destroy-unreferenced-disks": "1" });
  assert.equal(await done(destroyed.data), "OK");
  assert.match(read("pve1", "proc/mounts"), /^\/dev\/pve\/vm-9230-disk-0\\040\(deleted\) /m);
  assert.deepEqual(readdirSync(join(lab.tree.root("pve1"), "var/lib/lxc/9230")), ["rootfs"]);
});

test("a cancelled restore of a container leaves nothing but an empty folder", async (context) => {
  const { lab, call, startContainer, middle, status } = await halfWay(context, { bwlimit: 5000 });
  const before = lab.restores.inventoryDigest();
  const upid = await startContainer();
  await middle();
  await call("DELETE", `/tasks/${upid}`);
  assert.match(
    (await status(upid)) ?? "",
    /^unable to restore CT 9230 - command 'set -o pipefail && cstream .* failed: received interrupt$/,
  );
  assert.equal(lab.world.guest(9230), undefined);
  assert.equal(lab.restores.inventoryDigest(), before);
  assert.ok(existsSync(join(lab.tree.root("pve1"), "var/lib/lxc/9230/rootfs")));
});

test("restarting pvedaemon ends the worker and answers nobody for three seconds; reloading it harms nothing", async (context) => {
  const { lab, clock, call, startVm, startContainer, middle, done, status } = await halfWay(context, { bwlimit: 20_000 });
  const vm = await startVm();
  await middle();
  lab.control.inject({ kind: "restore", fault: "pvedaemon", node: "pve1", action: "reload" });
  assert.equal(await done(vm), "OK");
  const container = await startContainer();
  await middle();
  lab.control.inject({ kind: "restore", fault: "pvedaemon", node: "pve1", action: "restart" });
  assert.match((await status(container)) ?? "", /received interrupt$/);
  await assert.rejects(call("GET", "/qemu/9412/config"), { code: "ECONNRESET" });
  await clock.advance(3200);
  assert.equal((await call("GET", "/qemu/9412/config")).status, 200);
});

test("a node that dies in a restore has no mount, no process, and an ownerless file when it is back", async (context) => {
  const { lab, clock, startVm, startContainer, middle, status, read } = await halfWay(context, { bwlimit: 5000 });
  const vm = await startVm();
  const container = await startContainer();
  await middle();
  lab.control.inject({ kind: "node", node: "pve1", action: "kill" });
  await clock.advance(60_000);
  lab.control.inject({ kind: "node", node: "pve1", action: "revive" });
  assert.deepEqual([await status(vm), await status(container)], ["unexpected status", "unexpected status"]);
  assert.deepEqual([read("pve1", vmFile), read("pve1", containerFile)], ["memory: 128\n", "lock: create\n"]);
  assert.doesNotMatch(read("pve1", "proc/mounts"), /9230/);
  assert.deepEqual(lab.restores.traces.running("pve1"), []);
  assert.equal(lab.world.volumes.of(9412, "pve1").length + lab.world.volumes.of(9230, "pve1").length, 5);
});

test("a restored VM with onboot starts at the node's boot, whether anybody judged it or not", async (context) => {
  const { lab, clock, restoreVm, done, call } = await setUpRestores(context);
  const volid = lab.restores.plantBackup(nastyVm);
  await done(await restoreVm(volid, { ...vmNets, onboot: "1" }));
  await call("PUT", "/qemu/9412/config", { delete: "lock", skiplock: "1" });
  lab.control.inject({ kind: "node", node: "pve1", action: "kill" });
  await clock.advance(60_000);
  lab.control.inject({ kind: "node", node: "pve1", action: "revive" });
  await clock.advance(5000);
  assert.equal(lab.truth("guest/9412", "status", undefined, clock.now()), 1);
  assert.match(lab.restores.safety.violations.join(), /restore to 9412 without onboot=0/);
});

test("vma killed alone ends the restore with exit code 137, everything removed", async (context) => {
  const { lab, startVm, middle, status } = await halfWay(context, { bwlimit: 5000 });
  const upid = await startVm();
  await middle();
  lab.control.inject({ kind: "restore", fault: "kill-vma", vmid: 9412 });
  assert.match((await status(upid)) ?? "", /failed: exit code 137$/);
  assert.deepEqual(lab.world.volumes.list(), []);
});

test("quorum lost in the middle: the restore cannot write its configuration, and nobody can clear it away until it is back", async (context) => {
  const { lab, call, startVm, middle, done, read } = await halfWay(context, { bwlimit: 20_000 });
  const upid = await startVm();
  await middle();
  lab.control.inject({ kind: "quorum", quorate: false });
  assert.match(
    (await done(upid)) ?? "",
    /^unable to open file '\/etc\/pve\/nodes\/pve1\/qemu-server\/9412\.conf\.tmp\.\d+' - Permission denied$/,
  );
  assert.equal(read("pve1", vmFile), "memory: 128\n");
  const params = { purge: "1", "destroy-unreferenced-disks": "1", skiplock: "1" };
  assert.equal((await call("DELETE", "/qemu/9412", params)).reason, "cluster not ready - no quorum?");
  assert.deepEqual(lab.restores.guestsLeft(), [9412]);
  lab.control.inject({ kind: "quorum", quorate: true });
  assert.equal(await done((await call("DELETE", "/qemu/9412", params)).data), "OK");
  assert.deepEqual([lab.restores.guestsLeft(), lab.world.volumes.list()], [[], []]);
});
