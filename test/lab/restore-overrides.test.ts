import assert from "node:assert/strict";
import { test } from "node:test";
import { nastyContainer, nastyVm, setUpRestores } from "../support/lab-restores.ts";

const vmNets = { net0: "virtio,bridge=sandbox0,link_down=1", net1: "e1000,bridge=sandbox0,link_down=1" };
const containerNets = { net0: "name=eth0,bridge=sandbox0,link_down=1", net1: "name=eth1,bridge=sandbox0,link_down=1" };
const conflict = "option conflicts with option 'archive'";

/** What PVE says of one more parameter in the call that restores a VM. */
const refused: [params: Record<string, string>, errors: Record<string, string>][] = [
  [{ scsi0: "local-zfs:1" }, { scsi0: conflict }],
  [{ ide0: "none,media=cdrom" }, { ide0: conflict }],
  [
    { ide2: "none,media=cdrom", efidisk0: "local-zfs:1" },
    { ide2: conflict, efidisk0: conflict },
  ],
  [{ tpmstate0: "local-zfs:1" }, { tpmstate0: conflict }],
  [{ hookscript: "" }, { hookscript: "invalid format - unable to parse volume ID ''\n" }],
  [{ hookscript: "none" }, { hookscript: "invalid format - unable to parse volume ID 'none'\n" }],
  [{ rng0: "" }, { rng0: "invalid format - format error\nrng0.source: property is missing and it is not optional\n" }],
  [{ startup: "" }, { startup: "invalid format - unable to parse startup options\n" }],
  [{ parallel0: "" }, { parallel0: "value does not match the regex pattern" }],
  [{ delete: "args" }, { delete: "property is not defined in schema and the schema does not allow additional properties" }],
  [{ tags: "Proven Test!" }, { tags: "invalid format - invalid characters in tag\n" }],
];

test("parameters that a restore of a VM refuses, each with PVE's own words, and nothing is made", async (context) => {
  const { lab, call } = await setUpRestores(context);
  const archive = lab.restores.plantBackup(nastyVm);
  const before = lab.restores.inventoryDigest();
  for (const [params, errors] of refused) {
    const answer = await call("POST", "/qemu", { vmid: "9461", archive, unique: "1", lock: "create", ...params });
    assert.deepEqual([answer.status, answer.reason, answer.errors], [400, "Parameter verification failed.", errors]);
  }
  const small = await call("POST", "/qemu", { vmid: "99", archive });
  assert.deepEqual(small.errors, { vmid: "invalid format - value does not look like a valid VM ID\n" });
  const pool = await call("POST", "/qemu", { vmid: "9461", archive, pool: "nosuch" });
  assert.deepEqual([pool.status, pool.reason], [403, "Permission check failed (pool 'nosuch' does not exist)"]);
  const missing = await call("POST", "/qemu", { vmid: "9461", archive: `${archive}x` });
  assert.deepEqual([missing.status, missing.reason], [500, `volume '${archive}x' does not exist`]);
  assert.equal(lab.restores.inventoryDigest(), before);
});

test("an empty value is stored as an empty line; a serial device and a USB device are defused by an override", async (context) => {
  const { lab, restoreVm, done, read } = await setUpRestores(context);
  const volid = lab.restores.plantBackup(nastyVm);
  const params = { ...vmNets, args: "", hostpci0: "", cicustom: "", ipconfig0: "", tags: "", serial1: "socket", usb0: "spice" };
  assert.equal(await done(await restoreVm(volid, params)), "OK");
  const text = read("pve1", "etc/pve/nodes/pve1/qemu-server/9412.conf");
  for (const line of ["args: ", "hostpci0: ", "cicustom: ", "ipconfig0: ", "tags: ", "serial1: socket", "usb0: spice"]) {
    assert.ok(text.includes(`\n${line}\n`), line);
  }
});

test("without overrides a copy comes back with production's network cards; unique renews what tells machines apart", async (context) => {
  const { lab, call, done, config } = await setUpRestores(context);
  const archive = lab.restores.plantBackup(nastyVm);
  await done((await call("POST", "/qemu", { vmid: "9410", archive })).data);
  await done((await call("POST", "/qemu", { vmid: "9411", archive, unique: "1" })).data);
  const plain = await config("qemu", 9410);
  const unique = await config("qemu", 9411);
  assert.equal(plain.net0, "virtio=BC:24:11:94:01:00,bridge=vmbr0,firewall=1");
  assert.match(String(unique.net0), /^virtio=BC:24:11:(?!94:01:00)..:..:..,bridge=vmbr0,firewall=1$/);
  assert.equal(plain.smbios1, "uuid=a536139d-fbb0-48be-8d69-8cd2260c03f0");
  assert.notEqual(unique.smbios1, plain.smbios1);
  assert.notEqual(plain.vmgenid, "63208f3b-1e55-4f40-8e58-cd15d9deaffe");
  assert.deepEqual([plain.onboot, plain.protection, plain.name, plain.tags], [1, 1, "nasty", "nasty;prod"]);
  assert.equal(plain.cipassword, "**********");
  assert.equal(
    plain.description,
    "production text\nscsi1: local-zfs:vm-100-disk-1,backup=0,size=1G\nvirtio3: /dev/nosuch-disk,backup=0,size=1G",
  );
  assert.equal(plain.virtio3, undefined);
});

test("start=1 with lock=create says Execute autostart, ends OK, and the VM stays stopped; a container without lock is live at once", async (context) => {
  const { lab, clock, restoreVm, call, done, log } = await setUpRestores(context);
  const upid = await restoreVm(lab.restores.plantBackup(nastyVm), { ...vmNets, start: "1" });
  assert.equal(await done(upid), "OK");
  assert.deepEqual(log(upid).slice(-3), ["VM is locked (create)", "Execute autostart", "TASK OK"]);
  const ostemplate = lab.restores.plantBackup(nastyContainer);
  await done(
    (await call("POST", "/lxc", { vmid: "9223", ostemplate, restore: "1", storage: "local-lvm", start: "1", unique: "1" })).data,
  );
  await clock.advance(3000);
  const running = (vmid: number) => lab.truth(`guest/${vmid}`, "status", undefined, clock.now());
  assert.deepEqual([running(9412), running(9223)], [0, 1]);
  assert.ok(lab.restores.safety.violations.includes("9223 was started with net0 on the production bridge vmbr0"));
});

test("live-restore of a file, an unknown storage and one without images end in the task; the file is empty, the firewall's is there", async (context) => {
  const { lab, restoreVm, done, read } = await setUpRestores(context);
  const volid = lab.restores.plantBackup(nastyVm);
  const cases: [Record<string, string>, RegExp][] = [
    [{ storage: "nosuch" }, /failed: storage 'nosuch' does not exist$/],
    [{ storage: "local" }, /failed: Content type 'images' is not available on storage 'local'$/],
    [{ "live-restore": "1" }, /^live-restore is only compatible with backup images from a Proxmox Backup Server$/],
  ];
  for (const [index, [params, end]] of cases.entries()) {
    const vmid = 9450 + index;
    assert.match((await done(await restoreVm(volid, { ...vmNets, ...params }, vmid))) ?? "", end);
    assert.equal(read("pve1", `etc/pve/nodes/pve1/qemu-server/${vmid}.conf`), "");
  }
  assert.equal(read("pve1", "etc/pve/firewall/9450.fw"), nastyVm.firewall);
});

test("a storage that runs full ends a VM's restore, but a container's ends OK with a volume that cannot be mounted", async (context) => {
  const { lab, restoreVm, restoreContainer, call, done, log } = await setUpRestores(context);
  const vm = lab.restores.plantBackup(nastyVm);
  lab.control.inject({ kind: "restore", fault: "storage-full", at: 0.5 });
  const upid = await restoreVm(vm, vmNets);
  assert.match((await done(upid)) ?? "", /failed: exit code 133$/);
  assert.ok(log(upid).includes("vma: restore failed - blk_pwrite to  failed (-28)"));
  assert.ok(log(upid).some((line) => line.startsWith("/bin/bash: line 1: ") && line.includes(" Broken pipe ")));
  lab.control.inject({ kind: "restore", fault: "storage-full", at: 0.3 });
  const container = await restoreContainer(lab.restores.plantBackup(nastyContainer), containerNets);
  assert.equal(await done(container), "OK");
  lab.control.inject({ kind: "restore", fault: "operator", vmid: 9230, does: "unlock" });
  const start = await call("POST", "/lxc/9230/status/start");
  assert.equal(await done(start.data), "startup for container '9230' failed");
  assert.equal(log(start.data)[1], 'lxc_init: 845 Failed to run lxc.hook.pre-start for container "9230"');
});

test("a storage's free space shrinks with what a restore writes, and grows again with the DELETE", async (context) => {
  const { lab, clock, restoreVm, call, done } = await setUpRestores(context);
  const volid = lab.restores.plantBackup({ ...nastyVm, config: nastyVm.config.replaceAll("size=1G", "size=400G") });
  const avail = async () => ((await call("GET", "/storage/local-zfs/status")).data as { avail: number }).avail;
  const before = await avail();
  await done(await restoreVm(volid, { ...vmNets, storage: "local-zfs" }));
  assert.ok(before - (await avail()) > 80 * 2 ** 30, "at least a fifth of 400 GiB");
  const content = (await call("GET", "/storage/local-zfs/content", { vmid: "9412" })).data as { volid: string; size: number }[];
  assert.deepEqual(
    content.map(({ volid: id, size }) => [id, size]),
    [
      ["local-zfs:vm-9412-cloudinit", 4_194_304],
      ["local-zfs:vm-9412-disk-0", 268_435_456],
      ["local-zfs:vm-9412-disk-1", 400 * 2 ** 30],
    ],
  );
  await done((await call("DELETE", "/qemu/9412", { skiplock: "1", "destroy-unreferenced-disks": "1" })).data);
  await clock.advance(1000);
  assert.ok(before - (await avail()) < 2 ** 30);
});

test("force destroys first: with a broken archive the old disks are gone and the new ones never came", async (context) => {
  const { lab, restoreVm, call, done, read } = await setUpRestores(context);
  const good = lab.restores.plantBackup(nastyVm);
  const bad = lab.restores.plantBackup({ ...nastyVm, format: "vma", at: nastyVm.at + 60_000 });
  lab.control.inject({ kind: "restore", fault: "archive", volid: bad, damage: "cut-half" });
  await done(await restoreVm(good, vmNets));
  await call("PUT", "/qemu/9412/config", { delete: "lock", skiplock: "1" });
  assert.match((await done(await restoreVm(bad, { ...vmNets, force: "1" }))) ?? "", /got signal 5$/);
  assert.equal(read("pve1", "etc/pve/nodes/pve1/qemu-server/9412.conf"), "memory: 128\n");
  assert.deepEqual(lab.world.volumes.list(), []);
  assert.ok(lab.restores.safety.violations.includes("restore to 9412 with force=1"));
});

test("a container's root given in the call takes everything; mount points without one are refused, and so is a storage without rootdir", async (context) => {
  const { lab, restoreContainer, call, done, read } = await setUpRestores(context);
  const ostemplate = lab.restores.plantBackup(nastyContainer);
  await done(await restoreContainer(ostemplate, { ...containerNets, rootfs: "local-lvm:2" }));
  const text = read("pve1", "etc/pve/nodes/pve1/lxc/9230.conf");
  assert.match(text, /^rootfs: local-lvm:vm-9230-disk-0,size=2G$/m);
  assert.doesNotMatch(text, /^mp/m);
  const params = { vmid: "9231", ostemplate, restore: "1" };
  const mount = await call("POST", "/lxc", { ...params, storage: "local-lvm", mp0: "local-lvm:1,mp=/data" });
  assert.deepEqual([mount.status, mount.reason], [500, "mount points configured, but 'rootfs' not set - aborting"]);
  const omitted = await call("POST", "/lxc", params);
  assert.deepEqual(omitted.errors, { storage: "storage 'local' does not support container directories" });
  assert.equal((await call("POST", "/lxc", { ...params, storage: "nosuch" })).reason, "storage 'nosuch' does not exist");
});

test("an archive that is missing or of the other kind is found out in the container's task, and nothing is left", async (context) => {
  const { lab, restoreContainer, restoreVm, done } = await setUpRestores(context);
  const missing = "nfs1:backup/vzdump-lxc-200-2020_01_01-00_00_00.tar.zst";
  assert.equal(await done(await restoreContainer(missing)), `unable to restore CT 9230 - volume '${missing}' does not exist`);
  const vm = lab.restores.plantBackup(nastyVm);
  assert.equal(
    await done(await restoreContainer(vm)),
    "unable to restore CT 9230 - ERROR: archive contains no configuration file",
  );
  assert.equal(lab.world.guest(9230), undefined);
  const container = lab.restores.plantBackup(nastyContainer);
  assert.match(
    (await done(await restoreVm(container, vmNets))) ?? "",
    /^cannot pass along options \(.*net0.*\) when restoring from tar archive$/,
  );
});
