import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePropertyString } from "../../../../agent/core/property-string.ts";
import { isDrive, isNet, parseBackedUpConfig } from "../../../../agent/core/restore/backed-up-config.ts";
import {
  judgeContainer,
  ownAddresses,
  planContainer,
  stripContainerFile,
  unlockContainerFile,
} from "../../../../agent/core/restore/isolate-container.ts";
import { hasAgent, judgeVm, planVm, stripVmCall } from "../../../../agent/core/restore/isolate-vm.ts";
import { type Isolation, isVolumeOf } from "../../../../agent/core/restore/isolation.ts";
import { bootsLinked } from "../../../../agent/core/restore/link-up.ts";
import { diskNeeds } from "../../../../agent/core/restore/resources.ts";
import { fc } from "../../../support/property.ts";

const operation = "6f9619ff-8b86-4d01-b42d-00cf4fc964ff";
const vm: Isolation = {
  operation,
  testVmid: 9412,
  source: { vmid: 9401, volid: "vmabk:backup/vzdump-qemu-9401-2026_11_23-03_13_02.vma.zst" },
  storage: "vmstore",
  bridge: "pvt0",
  keepMacs: true,
  memoryMib: 300,
};
const container: Isolation = {
  operation,
  testVmid: 9230,
  source: { vmid: 210, volid: "backups:backup/vzdump-lxc-210-2026_11_23-02_43_40.tar.zst" },
  storage: "vmstore",
  bridge: "pvt0",
  keepMacs: true,
};
const description = `Restore test.\n\nproven-test op=${operation}\n`;

/** The worst VM anybody could make on the real node (vm-01-source-vm.json), as its archive holds it. */
const nastyVm = `#production text
affinity: 0
agent: enabled=1
amd-sev: type=std
args: -name nasty-args
audio0: device=intel-hda,driver=none
boot: order=scsi0;ide2
cicustom: user=vmstore:snippets/u.yaml
ciuser: joe
cores: 1
hookscript: vmstore:snippets/vt-hook.sh
hostpci0: 0000:00:05.0
ide0: vmstore:9401/vm-9401-cloudinit.qcow2,media=cdrom
ide2: vmabk:iso/x.iso,media=cdrom,size=350K
ipconfig0: ip=192.168.50.77/24,gw=192.168.50.1
ivshmem: size=4,name=foo
memory: 256
name: nasty
net0: virtio=BC:24:11:94:01:00,bridge=vmbr0,firewall=1
net1: e1000=BC:24:11:94:01:01,bridge=vmbr0
net2: model=virtio,macaddr=BC:24:11:94:01:02,trunks=2;3
onboot: 1
ostype: l26
parallel0: /dev/parport0
protection: 1
rng0: source=/dev/urandom
scsi0: vmstore:9401/vm-9401-disk-0.raw,size=256M
scsi2: vmstore:9401/vm-9401-disk-1.qcow2,size=1G
scsihw: virtio-scsi-single
serial0: socket
serial1: /dev/ttyS0
startup: order=1,up=5
tags: nasty;prod
usb0: host=1234:5678
virtiofs0: dirid=nosuch1
vmstatestorage: vmstore
watchdog: model=i6300esb,action=reset
#qmdump#map:scsi0:drive-scsi0:vmstore:raw:
#qmdump#map:scsi2:drive-scsi2:vmstore:qcow2:
`;

test("every network card of a VM goes to the sandbox with its link down, also one without a bridge", () => {
  const { create } = planVm(parseBackedUpConfig("qemu", nastyVm), vm);
  assert.equal(create.net0, "virtio=BC:24:11:94:01:00,bridge=pvt0,link_down=1");
  assert.equal(create.net1, "e1000=BC:24:11:94:01:01,bridge=pvt0,link_down=1");
  assert.equal(create.net2, "virtio=BC:24:11:94:01:02,bridge=pvt0,link_down=1");
});

test("where somebody else may have its MACs, in a sandbox that tests share, and where it has none that a card may have, PVE makes new ones", () => {
  const shared = planVm(parseBackedUpConfig("qemu", nastyVm), { ...vm, keepMacs: false }).create;
  assert.deepEqual([shared.net0, shared.net2], ["virtio,bridge=pvt0,link_down=1", "virtio,bridge=pvt0,link_down=1"]);
  const multicast = planVm(parseBackedUpConfig("qemu", "net0: virtio=BD:24:11:94:01:00,bridge=vmbr0\n"), vm).create;
  assert.equal(multicast.net0, "virtio,bridge=pvt0,link_down=1");
});

test("a VM is created locked, unique and never started", () => {
  const { create } = planVm(parseBackedUpConfig("qemu", nastyVm), vm);
  assert.deepEqual(
    { lock: create.lock, unique: create.unique, onboot: create.onboot, protection: create.protection, tags: create.tags },
    { lock: "create", unique: "1", onboot: "0", protection: "0", tags: "proven-test" },
  );
  for (const never of ["start", "force", "live-restore", "ha-managed"]) assert.ok(!(never in create), never);
  assert.ok(!Object.keys(create).some(isDrive), "PVE refuses drives beside an archive");
});

test("all that reaches outside a VM is taken out by one call under the lock", () => {
  const call = stripVmCall(planVm(parseBackedUpConfig("qemu", nastyVm), vm));
  assert.deepEqual(call, {
    ide2: "none,media=cdrom",
    delete:
      "affinity,amd-sev,args,audio0,cicustom,hookscript,hostpci0,ide0,ipconfig0,ivshmem,parallel0,rng0,serial1,startup,usb0,virtiofs0,vmstatestorage,watchdog",
    skiplock: "1",
  });
});

test("a node's own limit for restores goes into the one call, in PVE's KiB/s", () => {
  const limited = { ...vm, bwlimitKib: 51_200 };
  assert.equal(planVm(parseBackedUpConfig("qemu", nastyVm), limited).create.bwlimit, "51200");
  const rootfs = parseBackedUpConfig("lxc", "rootfs: vmstore:210/vm-210-disk-0.raw,size=1G\n");
  assert.equal(planContainer(rootfs, { ...container, bwlimitKib: 51_200 }).create.bwlimit, "51200");
  assert.ok(!("bwlimit" in planVm(parseBackedUpConfig("qemu", nastyVm), vm).create));
});

test("a machine looks for its system on its disks alone: firmware that asks the network would look like a system that has booted", () => {
  const boot = (lines: string) => planVm(parseBackedUpConfig("qemu", lines), vm).create.boot;
  for (const [lines, asked] of [
    ["boot: order=scsi0;ide2;net0\n", "order=scsi0;ide2"],
    ["boot: order=net0;net1;virtio0\n", "order=virtio0"],
    ["boot: order=scsi0\n", undefined],
    ["boot: order=\n", undefined],
    ["boot: cdn\nbootdisk: scsi0\n", "legacy=cd"],
    ["boot: legacy=nc\n", "legacy=c"],
    ["boot: c\n", undefined],
    ["memory: 512\n", "legacy=cd"],
  ] as const)
    assert.equal(boot(lines), asked, lines);
  for (const lines of ["boot: order=net0\n", "boot: n\n"])
    assert.match(planVm(parseBackedUpConfig("qemu", lines), vm).refusals.join(), /^it boots from its network alone/);
});

test("a machine whose memory can be plugged in boots with whatever memory the node gives: PVE starts such a one with some sizes only", () => {
  const hotplug = (lines: string) => planVm(parseBackedUpConfig("qemu", lines), vm).create.hotplug;
  assert.equal(hotplug("hotplug: disk,network,usb,memory,cpu\n"), "disk,network,usb,cpu");
  assert.equal(hotplug("hotplug: memory\n"), "0");
  for (const fits of ["hotplug: network,disk\n", "hotplug: 1\n", "memory: 512\n"]) assert.equal(hotplug(fits), undefined, fits);
});

test("a machine with more processors than the node has gets as many as there are, else it would not start", () => {
  const cpus = (lines: string) => {
    const { sockets, cores, vcpus } = planVm(parseBackedUpConfig("qemu", lines), { ...vm, cpus: 8 }).create;
    return { sockets, cores, vcpus };
  };
  assert.deepEqual(cpus("sockets: 2\ncores: 6\nvcpus: 10\n"), { sockets: "1", cores: "8", vcpus: "8" });
  assert.deepEqual(cpus("sockets: 2\ncores: 6\nvcpus: 4\n"), { sockets: "1", cores: "8", vcpus: undefined });
  for (const fits of ["cores: 8\n", "sockets: 2\ncores: 4\n", "memory: 512\n"])
    assert.deepEqual(cpus(fits), { sockets: undefined, cores: undefined, vcpus: undefined }, fits);
});

const agents: [line: string, create: string | undefined, expected: boolean][] = [
  ["agent: 1,fstrim_cloned_disks=1", "enabled=1", true],
  ["agent: enabled=1,type=isa", "enabled=1,type=isa", true],
  ["agent: 0", "enabled=0", false],
  ["agent: enabled=0,type=virtio", "enabled=0", false],
  ["cores: 1", undefined, false],
];
for (const [line, agent, expected] of agents) {
  test(`of a machine with "${line}" ${expected ? "the agent is asked where it listens" : "no agent is expected"}`, () => {
    const config = parseBackedUpConfig("qemu", `${line}\nmemory: 512\n`);
    assert.equal(planVm(config, vm).create.agent, agent);
    assert.equal(hasAgent(config), expected);
  });
}

test("a disk of the node that was passed through comes back as a volume where the backup holds it, and is room to be found", () => {
  const disks =
    "scsi0: local-zfs:vm-100-disk-0,size=1G\nscsi1: /dev/disk/by-id/ata-a,size=2G\nscsi2: /dev/sdx,backup=0,size=4G\n";
  const config = parseBackedUpConfig(
    "qemu",
    `${disks}#qmdump#map:scsi0:drive-scsi0:local-zfs:raw:\n#qmdump#map:scsi1:drive-scsi1:::\n`,
  );
  assert.deepEqual(diskNeeds(config), { bytes: 3 * 2 ** 30, storages: ["local-zfs"], unknown: [] });
  const plan = planVm(config, vm);
  assert.deepEqual(plan.strip, [{ key: "scsi2", why: "a disk of the host" }]);
  const written = { boot: "legacy=cd", description, lock: "create", onboot: 0, protection: 0, tags: "proven-test" };
  const judged = (scsi1: string) => judgeVm({ ...written, scsi1 }, plan, vm, { stripped: true, locked: true });
  assert.deepEqual(judged("vmstore:9412/vm-9412-disk-1.raw,size=2G"), []);
  assert.deepEqual(
    judged("/dev/disk/by-id/ata-a,size=2G").map(({ key }) => key),
    ["scsi1"],
  );
});

/** What the real node wrote after the recommended call and the strip (vm-03b-strip-unlock-start.json), with our description and bridge. */
const strippedVm = {
  agent: "enabled=1",
  balloon: 0,
  boot: "order=scsi0;ide2",
  ciuser: "joe",
  cores: 1,
  description,
  digest: "831",
  ide2: "none,media=cdrom",
  lock: "create",
  memory: "300",
  name: "copy",
  net0: "virtio=BC:24:11:B5:EE:B2,bridge=pvt0,link_down=1",
  net1: "e1000=BC:24:11:F4:C7:69,bridge=pvt0,link_down=1",
  onboot: 0,
  protection: 0,
  scsi0: "vmstore:9412/vm-9412-disk-0.raw,size=256M",
  serial0: "socket",
  tags: "proven-test",
};
const done = { stripped: true, locked: true };
const vmPlan = planVm(parseBackedUpConfig("qemu", nastyVm), vm);

test("what the real node wrote for the recommended call is in order", () => {
  assert.deepEqual(judgeVm(strippedVm, vmPlan, vm, done), []);
});

test("a machine that would still look for its system on the network is not started", () => {
  for (const found of ["order=scsi0;net0", "cdn", undefined]) {
    const { boot: _, ...rest } = strippedVm;
    const written = found === undefined ? rest : { ...rest, boot: found };
    assert.deepEqual(judgeVm(written, vmPlan, vm, done), [{ key: "boot", found: found ?? "absent", wanted: "no network card" }]);
  }
});

const faults: [name: string, change: Record<string, unknown>, key: string][] = [
  ["a card on the production bridge", { net0: "virtio=BC:24:11:B5:EE:B2,bridge=vmbr0,link_down=1" }, "net0"],
  ["a card with its link up", { net0: "virtio=BC:24:11:B5:EE:B2,bridge=pvt0" }, "net0"],
  ["a card that came back though nobody asked for it", { net7: "virtio=BC:24:11:B5:EE:B2,bridge=vmbr0" }, "net7"],
  ["a card without a bridge, which QEMU would connect by NAT", { net1: "e1000=BC:24:11:F4:C7:69,link_down=1" }, "net1"],
  ["a hook that runs on the host", { hookscript: "vmstore:snippets/vt-hook.sh" }, "hookscript"],
  ["an empty line of a PCI device", { hostpci0: "" }, "hostpci0"],
  ["a disk of another guest", { scsi1: "vmstore:100/vm-100-disk-0.raw,size=1G" }, "scsi1"],
  ["a disk on another storage", { scsi1: "local-lvm:vm-9412-disk-1,size=1G" }, "scsi1"],
  ["a disk of the host", { virtio3: "/dev/sdb" }, "virtio3"],
  ["an image in the CD drive", { ide2: "vmabk:iso/x.iso,media=cdrom" }, "ide2"],
  ["a lock that somebody took away", { lock: undefined }, "lock"],
  ["a tag that is missing", { tags: "prod" }, "tags"],
  ["another operation's marker", { description: "proven-test op=00000000-0000-4000-8000-000000000000" }, "description"],
  ["a start at boot", { onboot: "1" }, "onboot"],
  ["a key that nobody here knows", { "brand-new": "1" }, "brand-new"],
];
for (const [name, change, key] of faults) {
  test(`a test never goes on with ${name}`, () => {
    const written = Object.fromEntries(Object.entries({ ...strippedVm, ...change }).filter(([, value]) => value !== undefined));
    assert.deepEqual(
      judgeVm(written, vmPlan, vm, done).map((mismatch) => mismatch.key),
      [key],
    );
  });
}

const nastyContainer = `arch: amd64
cores: 1
dev0: /dev/ttyS0
features: nesting=1
hookscript: vmstore:snippets/h.sh
hostname: ct-dns
memory: 256
mp0: vmstore:210/vm-210-disk-1.raw,mp=/data,backup=1,size=1G
mp1: /srv/bindme,mp=/host
net0: name=eth0,bridge=vmbr0,firewall=0,gw=192.168.50.1,hwaddr=BC:24:11:BD:DF:5B,ip=192.168.50.20/24,type=veth
net1: name=eth1,bridge=vmbr1,tag=20,ip=dhcp,type=veth
onboot: 1
ostype: debian
protection: 1
rootfs: vmstore:210/vm-210-disk-0.raw,size=1G
startup: order=1
swap: 0
unprivileged: 1
lxc.mount.entry: /srv/bindme srv/raw none bind,create=dir 0 0
`;

test("a container is never created with unique, which would silently drop every override of its network", () => {
  const { create } = planContainer(parseBackedUpConfig("lxc", nastyContainer), container);
  assert.ok(!("unique" in create));
  assert.equal(create.net0, "name=eth0,bridge=pvt0,link_down=1,ip=192.168.50.20/24", "its own address, and no gateway");
  const shared = planContainer(parseBackedUpConfig("lxc", nastyContainer), { ...container, keepMacs: false }).create;
  assert.equal(shared.net0, "name=eth0,bridge=pvt0,link_down=1,ip=dhcp", "in a sandbox that others share it asks for one");
  assert.equal(create.net1, "name=eth1,bridge=pvt0,link_down=1,ip=dhcp");
  assert.equal(create.nameserver, "198.18.0.1", "it asks the sandbox, not a name server that it can't reach");
  for (const never of ["start", "force", "ha-managed", "rootfs", "mp0", "mp1"]) assert.ok(!(never in create), never);
});

test("bind mounts, devices, hooks and raw lines are named with the reason why they don't come along", () => {
  const { strip } = planContainer(parseBackedUpConfig("lxc", nastyContainer), container);
  assert.deepEqual(
    strip.map(({ key }) => key),
    ["dev0", "hookscript", "mp1", "startup", "lxc.mount.entry"],
  );
});

/** What the real node left after the restore (ct-recommended.json). */
const writtenFile = `#proven-test op=${operation}
arch: amd64
features: nesting=1
hookscript: vmstore:snippets/h.sh
lock: create
mp0: vmstore:9230/vm-9230-disk-1.raw,mp=/data,backup=1,size=1G
mp1: /srv/bindme,mp=/host
net0: name=eth0,bridge=vmbr9,hwaddr=BC:24:11:44:79:47,link_down=1,type=veth
rootfs: vmstore:9230/vm-9230-disk-0.raw,size=1G
startup: order=99
tags: proven-test
lxc.mount.entry: /srv/bindme srv/raw none bind,create=dir 0 0
`;

test("the container's file is rewritten without what reaches outside, still locked", () => {
  const { text, removed } = stripContainerFile(writtenFile);
  assert.deepEqual(removed, ["hookscript", "mp1", "startup", "lxc.mount.entry"]);
  assert.equal(
    text,
    `#proven-test op=${operation}
arch: amd64
features: nesting=1
lock: create
mp0: vmstore:9230/vm-9230-disk-1.raw,mp=/data,backup=1,size=1G
net0: name=eth0,bridge=vmbr9,hwaddr=BC:24:11:44:79:47,link_down=1,type=veth
rootfs: vmstore:9230/vm-9230-disk-0.raw,size=1G
tags: proven-test
`,
  );
  assert.equal(unlockContainerFile(text)?.includes("lock"), false);
});

test("a container whose lock is not ours any more is not unlocked", () => {
  assert.equal(unlockContainerFile("lock: backup\ntags: proven-test\n"), undefined);
  assert.equal(unlockContainerFile("tags: proven-test\n"), undefined);
});

const writtenContainer = {
  arch: "amd64",
  description,
  hostname: "proven-test-210",
  lock: "create",
  mp0: "vmstore:9230/vm-9230-disk-1.raw,mp=/data,backup=1,size=1G",
  net0: "name=eth0,bridge=pvt0,hwaddr=BC:24:11:44:79:47,ip=dhcp,link_down=1,type=veth",
  onboot: 0,
  protection: 0,
  rootfs: "vmstore:9230/vm-9230-disk-0.raw,size=1G",
  tags: "proven-test",
};
const containerPlan = planContainer(parseBackedUpConfig("lxc", nastyContainer), container);

test("a container as it should be is in order", () => {
  assert.deepEqual(judgeContainer(writtenContainer, containerPlan, container, done), []);
  const own = { ...writtenContainer, net0: "name=eth0,bridge=pvt0,ip=192.168.50.20/24,link_down=1,type=veth" };
  assert.deepEqual(judgeContainer(own, containerPlan, container, done), []);
  assert.deepEqual(ownAddresses(own), ["192.168.50.20"]);
});

const containerFaults: [name: string, change: Record<string, unknown>, key: string][] = [
  [
    "its production network, which unique would bring",
    { net0: "name=eth0,bridge=vmbr0,gw=192.168.50.1,ip=192.168.50.20/24" },
    "net0",
  ],
  ["an address that nobody asked for", { net0: "name=eth0,bridge=pvt0,link_down=1,ip=192.168.50.21/24" }, "net0"],
  ["a gateway", { net0: "name=eth0,bridge=pvt0,link_down=1,ip=192.168.50.20/24,gw=192.168.50.1" }, "net0"],
  ["a bind mount", { mp1: "/srv/bindme,mp=/host" }, "mp1"],
  ["raw lines of LXC", { lxc: [["lxc.mount.entry", "/srv x none bind"]] }, "lxc"],
  ["a device of the host", { dev0: "/dev/ttyS0" }, "dev0"],
  ["another guest's volume", { mp0: "vmstore:210/vm-210-disk-1.raw,mp=/data" }, "mp0"],
];
for (const [name, change, key] of containerFaults) {
  test(`a container never starts with ${name}`, () => {
    assert.deepEqual(
      judgeContainer({ ...writtenContainer, ...change }, containerPlan, container, done).map((mismatch) => mismatch.key),
      [key],
    );
  });
}

/** Made of an OCI image, as PVE 9.1 and later do (read from pve-container's source, never recorded); and with numbers of its own. */
const application = `arch: amd64
cmode: console
entrypoint: /docker-entrypoint.sh postgres
net0: name=eth0,bridge=vmbr0,host-managed=1,hwaddr=BC:24:11:BD:DF:60,ip=dhcp,type=veth
rootfs: vmstore:211/vm-211-disk-0.raw,size=1G
unprivileged: 1
lxc.environment.runtime: PGDATA=/var/lib/postgresql
lxc.idmap: u 0 100000 1000
lxc.init.cwd: /srv
lxc.init.uid: 999
lxc.signal.halt: SIGINT
`;

test("a container made of an OCI image is tested as the program that it is: with its environment, and PVE asking for its address", () => {
  const plan = planContainer(parseBackedUpConfig("lxc", application), container);
  assert.equal(plan.create.net0, "name=eth0,bridge=pvt0,link_down=1,ip=dhcp,host-managed=1");
  assert.deepEqual(plan.strip, []);
  assert.deepEqual(stripContainerFile(application).removed, []);
  const lxc = [
    ["lxc.init.cwd", "/srv"],
    ["lxc.idmap", "u 0 100000 1000"],
  ];
  assert.deepEqual(judgeContainer({ ...writtenContainer, lxc, env: "PGDATA=/x" }, containerPlan, container, done), []);
  const unchecked = { type: "lxc" as const, checks: [] };
  assert.equal(bootsLinked(unchecked, false, plan.create), true);
  assert.equal(bootsLinked(unchecked, false, containerPlan.create), false);
});

test("numbers of the host's root are no container's own", () => {
  assert.deepEqual(stripContainerFile("lxc.idmap: u 0 0 65536\n").removed, ["lxc.idmap"]);
});

test("a container's template is not restored: PVE makes its copy a template again, which cannot start", () => {
  const { refusals } = planContainer(parseBackedUpConfig("lxc", `${application}template: 1\n`), container);
  assert.match(refusals.join(), /^it is a template/);
});

test("a volume is the test guest's by its name on every storage type", () => {
  for (const volid of ["vmstore:9412/vm-9412-disk-0.raw", "local-lvm:vm-9412-disk-0", "tank:subvol-9412-disk-1"]) {
    assert.ok(isVolumeOf(9412, volid.slice(0, volid.indexOf(":")), volid), volid);
  }
  for (const volid of [
    "vmstore:941/vm-941-disk-0.raw",
    "local-lvm:vm-94120-disk-0",
    "tank:base-9412-disk-0/vm-100-disk-0",
    "/dev/sda",
  ]) {
    assert.ok(!isVolumeOf(9412, volid.split(":")[0] as string, volid), volid);
  }
});

const word = fc.stringMatching(/^[a-z0-9]{1,8}$/);
const index = fc.nat(31);
const vmLine = fc.oneof(
  index.chain((n) =>
    fc.tuple(
      fc.constant(`net${n}`),
      fc.constantFrom(
        "virtio=BC:24:11:00:00:01,bridge=vmbr0",
        "model=e1000",
        "vmxnet3=BC:24:11:00:00:01,bridge=vmbr1,tag=7,trunks=1;2",
      ),
    ),
  ),
  index.chain((n) =>
    fc.tuple(
      fc.constantFrom(`hostpci${n}`, `usb${n}`, `serial${n}`, `parallel${n}`, `virtiofs${n}`),
      fc.constantFrom("0000:00:05.0", "host=1-1", "/dev/ttyS0", "socket", "spice"),
    ),
  ),
  index.chain((n) =>
    fc.tuple(
      fc.constantFrom(`scsi${n}`, `ide${n}`, `sata${n}`, `virtio${n}`),
      fc.constantFrom(
        "vmstore:9401/vm-9401-disk-3.raw,size=1G",
        "iso:iso/x.iso,media=cdrom",
        "vmstore:9401/vm-9401-cloudinit.qcow2,media=cdrom",
        "none,media=cdrom",
      ),
    ),
  ),
  fc.tuple(
    fc.constantFrom(
      "args",
      "hookscript",
      "onboot",
      "protection",
      "template",
      "tags",
      "description",
      "startup",
      "cicustom",
      "ipconfig0",
      "rng0",
      "affinity",
      "amd-sev",
    ),
    word,
  ),
  fc.tuple(
    word.map((key) => `x${key}`),
    word,
  ),
);

test("whatever a VM's backup holds, the copy is isolated: no link, no host device, no foreign volume, no unknown key", () => {
  fc.assert(
    fc.property(fc.array(vmLine, { maxLength: 40 }), (lines) => {
      const values = Object.fromEntries(lines);
      const config = parseBackedUpConfig(
        "qemu",
        Object.entries(values)
          .map(([key, value]) => `${key}: ${value}\n`)
          .join(""),
      );
      const plan = planVm(config, vm);
      assert.deepEqual(plan.refusals, []);
      const restored = applyVmRestore(values, plan.create);
      const strip = stripVmCall(plan) ?? {};
      const { delete: deleted = "", skiplock: _, ...set } = strip;
      const written: Record<string, string> = { ...restored, ...set };
      for (const key of deleted.split(",")) delete written[key];
      assert.deepEqual(judgeVm(written, plan, vm, done), []);
      for (const [key, value] of Object.entries(written)) {
        if (isNet(key)) assert.ok(parsePropertyString(value).get("bridge") === "pvt0" && value.includes("link_down=1"));
        assert.doesNotMatch(key, /^(args|hookscript|hostpci|usb|virtiofs|parallel|cicustom|startup|x)/);
        if (key !== "description" && key !== "name") assert.doesNotMatch(value, /vmbr|\/dev\/|iso\/|9401/);
      }
    }),
    { numRuns: 500 },
  );
});

/** PVE's restore: overrides win, all else comes back, disks as new volumes (checked-vm-restore.md §1). */
function applyVmRestore(values: Record<string, string>, create: Readonly<Record<string, string>>): Record<string, string> {
  const { vmid: _, archive: __, storage: ___, unique: ____, ...overrides } = create;
  const back = Object.entries(values).map(([key, value]): [string, string] => [
    key,
    isDrive(key) && !value.includes("media=cdrom") ? value.replaceAll("9401", "9412") : value,
  ]);
  return { ...Object.fromEntries(back), ...overrides };
}
