import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { PlantedBackup } from "../lab/archives.ts";
import type { LabOptions } from "../lab/lab.ts";
import { callLab, startTestLab } from "./lab-client.ts";

const at = Date.UTC(2026, 0, 5, 3, 12, 56);

/** A VM with everything in its configuration that must not start as it is; after the one of the recorded node. */
export const nastyVm: PlantedBackup = {
  vmid: 100,
  type: "qemu",
  at,
  firewall: "[RULES]\n\nIN ACCEPT -p tcp -dport 22\n",
  config: `#production text
affinity: 0
agent: enabled=1
amd-sev: type=std
args: -name nasty-args
audio0: device=intel-hda,driver=none
boot: order=scsi0;ide2
cicustom: user=nfs1:snippets/u.yaml
cipassword: $5$sXlw9PKh$yZIqDQfWqWxgO3Tc5LgJE9iebyWBPMTJ
ciuser: joe
cores: 1
hookscript: nfs1:snippets/vt-hook.sh
hostpci0: 0000:00:05.0
ide0: local-zfs:vm-100-cloudinit,media=cdrom
ide2: nfs1:iso/x.iso,media=cdrom,size=350K
ipconfig0: ip=192.168.50.77/24,gw=192.168.50.1
ivshmem: size=4,name=foo
memory: 256
meta: creation-qemu=10.0.13,ctime=1795403398
name: nasty
nameserver: 192.168.50.1
net0: virtio=BC:24:11:94:01:00,bridge=vmbr0,firewall=1
net1: e1000=BC:24:11:94:01:01,bridge=vmbr0
onboot: 1
ostype: l26
parallel0: /dev/parport0
protection: 1
rng0: source=/dev/urandom
scsi0: local-zfs:vm-100-disk-0,size=256M
scsi1: local-zfs:vm-100-disk-1,backup=0,size=1G
scsi2: local-zfs:vm-100-disk-2,size=1G
scsihw: virtio-scsi-single
serial0: socket
serial1: /dev/ttyS0
smbios1: uuid=a536139d-fbb0-48be-8d69-8cd2260c03f0
startup: order=1,up=5
tags: nasty;prod
usb0: host=1234:5678
vga: std
virtio3: /dev/nosuch-disk,backup=0,size=1G
virtiofs0: dirid=nosuch1
vmgenid: 63208f3b-1e55-4f40-8e58-cd15d9deaffe
vmstatestorage: local-zfs
watchdog: model=i6300esb,action=reset
`,
};

export const nastyContainer: PlantedBackup = {
  vmid: 103,
  type: "lxc",
  at,
  config: `#real thing
arch: amd64
cores: 1
features: nesting=1,keyctl=1
hookscript: nfs1:snippets/h.sh
hostname: src210
memory: 256
mp0: local-lvm:vm-103-disk-1,mp=/data,backup=1,size=1G
mp1: /srv/bindme,mp=/host
net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:0D:1F:BF,ip=dhcp,type=veth
net1: name=eth1,bridge=vmbr0,hwaddr=BC:24:11:46:AB:0F,type=veth
onboot: 1
ostype: debian
protection: 1
rootfs: local-lvm:vm-103-disk-0,size=1G
startup: order=3,up=5
swap: 0
tags: prod
unprivileged: 1
lxc.mount.entry: /srv/bindme srv/raw none bind,create=dir 0 0
`,
};

/** A lab with an isolated bridge `sandbox0`, and short words for the calls of a restore test on pve1. */
export async function setUpRestores(context: TestContext, options: Omit<Partial<LabOptions>, "clock"> = {}) {
  const { lab, clock, read } = await startTestLab(context, { guests: 6, metricsGenerations: 1, ...options });
  lab.restores.addIsolatedBridge("sandbox0");
  const call = (method: string, path: string, params: Record<string, string> = {}, user = "root@pam") =>
    callLab(lab, "pve1", method, path.startsWith("/cluster") || path.startsWith("/pools") ? path : `/nodes/pve1${path}`, {
      params,
      user,
    });
  const upidOf = async (asked: ReturnType<typeof call>) => {
    const answer = await asked;
    assert.equal(answer.status, 200, `${answer.reason} ${JSON.stringify(answer.errors)}`);
    return String(answer.data);
  };
  const common = { lock: "create", onboot: "0", protection: "0", tags: "proven-test" };
  const restoreVm = (archive: string, params: Record<string, string> = {}, vmid = 9412) =>
    upidOf(
      call("POST", "/qemu", { vmid: String(vmid), archive, unique: "1", description: "marker: op-1", ...common, ...params }),
    );
  const restoreContainer = (ostemplate: string, params: Record<string, string> = {}, vmid = 9230) => {
    const own = {
      vmid: String(vmid),
      ostemplate,
      restore: "1",
      storage: "local-lvm",
      description: "proven-test op=1",
      hostname: "t",
    };
    return upidOf(call("POST", "/lxc", { ...own, ...common, ...params }));
  };
  const status = async (upid: unknown) => lab.tasks.find(String(upid))?.status;
  /** Lets time pass until the task is over; its end status. */
  const done = async (upid: unknown, atMostMs = 600_000) => {
    for (let waited = 0; lab.tasks.isRunning(String(upid)) && waited < atMostMs; waited += 500) await clock.advance(500);
    return status(upid);
  };
  const log = (upid: unknown) => {
    const task = lab.tasks.find(String(upid));
    return task === undefined ? [] : lab.tasks.readLog(task);
  };
  const config = async (type: "qemu" | "lxc", vmid = type === "qemu" ? 9412 : 9230) => {
    const answer = await call("GET", `/${type}/${vmid}/config`);
    assert.equal(answer.status, 200, answer.reason);
    return answer.data as Record<string, unknown>;
  };
  return { lab, clock, read, call, restoreVm, restoreContainer, status, done, log, config };
}
