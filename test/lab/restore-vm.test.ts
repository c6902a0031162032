import assert from "node:assert/strict";
import { test } from "node:test";
import { nastyVm, setUpRestores } from "../support/lab-restores.ts";

test("a VM restored as recommended keeps its lock, has isolated networks, and everything dangerous is still in it", async (context) => {
  const { lab, clock, restoreVm, status, log, config, read } = await setUpRestores(context);
  const volid = lab.restores.plantBackup(nastyVm);
  const upid = await restoreVm(volid, {
    net0: "virtio,bridge=sandbox0,link_down=1,firewall=1",
    net1: "e1000,bridge=sandbox0,link_down=1",
  });
  assert.equal(read("pve1", "etc/pve/nodes/pve1/qemu-server/9412.conf"), "lock: create\n");
  await clock.advance(400);
  assert.equal(read("pve1", "etc/pve/nodes/pve1/qemu-server/9412.conf"), "memory: 128\n");
  await clock.advance(3000);
  assert.equal(await status(upid), "OK");
  const lines = log(upid);
  assert.match(
    lines[0] ?? "",
    /^restore vma archive: zstd -q -d -c \/mnt\/pve\/nfs1\/dump\/\S+ \| vma extract -v -r \/var\/tmp\/vzdumptmp\d+\.fifo - /,
  );
  assert.deepEqual(lines.slice(-3), ["rescan volumes...", "VM is locked (create)", "TASK OK"]);
  const written = await config("qemu");
  assert.match(String(written.net0), /^virtio=BC:24:11:(..:){2}..,bridge=sandbox0,firewall=1,link_down=1$/);
  assert.deepEqual(
    [written.lock, written.onboot, written.protection, written.tags, written.description, written.hookscript, written.hostpci0],
    ["create", 0, 0, "proven-test", "marker: op-1", "nfs1:snippets/vt-hook.sh", "0000:00:05.0"],
  );
  assert.equal(written.ide0, "local-zfs:vm-9412-cloudinit,media=cdrom");
  assert.equal(written.scsi0, "local-zfs:vm-9412-disk-0,size=256M");
  assert.equal(written.scsi1, undefined);
  assert.notEqual(written.smbios1, "uuid=a536139d-fbb0-48be-8d69-8cd2260c03f0");
  assert.deepEqual(lab.restores.safety.violations, []);
});

test("strip, unlock, start, stop and delete, and nothing is left of the copy", async (context) => {
  const { lab, clock, restoreVm, call, done, log, config } = await setUpRestores(context);
  const before = lab.restores.inventoryDigest();
  const volid = lab.restores.plantBackup(nastyVm);
  await done(
    await restoreVm(volid, {
      net0: "virtio,bridge=sandbox0,link_down=1",
      net1: "e1000,bridge=sandbox0,link_down=1",
      pool: "prod",
    }),
  );
  const locked = await call("PUT", "/qemu/9412/config", { delete: "args" });
  assert.deepEqual([locked.status, locked.reason], [500, "VM is locked (create)"]);
  const started = await call("POST", "/qemu/9412/status/start");
  assert.equal(await done(started.data), "VM is locked (create)");
  const keys =
    "args,hookscript,startup,hostpci0,usb0,serial1,parallel0,rng0,virtiofs0,amd-sev,audio0,ivshmem,cicustom,watchdog,vmstatestorage,affinity,ide0,nosuchkey0";
  const strip = await call("PUT", "/qemu/9412/config", { delete: keys, ide2: "none,media=cdrom", skiplock: "1" });
  assert.equal(strip.status, 200, strip.reason);
  const unlocked = await call("PUT", "/qemu/9412/config", { delete: "lock", skiplock: "1" });
  assert.equal(unlocked.status, 200);
  const written = await config("qemu");
  assert.deepEqual(
    [written.args, written.hookscript, written.ide0, written.ide2, written.lock],
    [undefined, undefined, undefined, "none,media=cdrom", undefined],
  );
  assert.equal(await done((await call("POST", "/qemu/9412/status/start")).data), "OK");
  const running = await call("DELETE", "/qemu/9412", { purge: "1" });
  assert.deepEqual([running.status, running.reason], [500, "VM 9412 is running - destroy failed"]);
  await clock.advance(20_000);
  assert.equal((await call("POST", "/qemu/9412/agent/ping")).status, 200);
  assert.equal(await done((await call("POST", "/qemu/9412/status/stop")).data), "OK");
  const destroyed = await call("DELETE", "/qemu/9412", { purge: "1", "destroy-unreferenced-disks": "1" });
  assert.equal(await done(destroyed.data), "OK");
  assert.deepEqual(log(String(destroyed.data)), ["purging VM 9412 from related configurations..", "TASK OK"]);
  assert.equal(lab.restores.inventoryDigest(), before);
  assert.deepEqual([lab.restores.safety.violations, lab.misuses], [[], []]);
});
