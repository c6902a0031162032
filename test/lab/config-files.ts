import { createHash } from "node:crypto";
import { parseGuestFile } from "./guest-file.ts";
import { type ClusterSpec, type DriveSpec, identityOf, type NodeSpec } from "./spec.ts";
import type { Guest, World } from "./world.ts";

/** Texts of /etc/pve as PVE 9.2.11 writes them: keys sorted, one a line. */

const sizeText = (bytes: number) => `${Math.round(bytes / 2 ** 30)}G`;

/** Volume of a drive, as the storage's plugin names it (pve-storage, PVE/Storage/*Plugin.pm). */
export function volumeOf(guest: Guest, drive: DriveSpec): string {
  const { spec } = guest.life;
  const number = spec.drives.indexOf(drive);
  const word = spec.template ? "base" : spec.type === "lxc" && drive.storage === "local-zfs" ? "subvol" : "vm";
  const name = `${word}-${spec.vmid}-disk-${number}`;
  return drive.storage === "nfs1"
    ? `nfs1:${spec.vmid}/${name}.${spec.type === "lxc" ? "raw" : "qcow2"}`
    : `${drive.storage}:${name}`;
}

/** Configuration of a guest as key → value, in the file's words. */
export function guestConfig(world: World, guest: Guest): Record<string, string> {
  if (guest.file !== undefined) return Object.fromEntries(parseGuestFile(guest.file.text).values);
  const { spec, incarnation, createdAt } = guest.life;
  const identity = identityOf(world.spec.seed, spec, incarnation);
  const common: Record<string, string> = {
    cores: String(spec.cores),
    memory: String(spec.memBytes / 2 ** 20),
    ...(spec.onboot ? { onboot: "1" } : {}),
    ...(spec.tags.length > 0 ? { tags: spec.tags.join(";") } : {}),
    ...(guest.lock === undefined ? {} : { lock: guest.lock }),
    ...(spec.snapshot === undefined ? {} : { parent: spec.snapshot }),
  };
  if (spec.type === "lxc") {
    const rootfs = spec.drives[0] as DriveSpec;
    const host = 20 + (spec.vmid % 200);
    const nics = spec.nics.map((nic, index) => [
      nic,
      `name=eth${index},bridge=vmbr0,firewall=1,gw=192.168.60.1,hwaddr=${identity.mac(nic)},ip=192.168.60.${host}/24,type=veth`,
    ]);
    return {
      ...common,
      arch: "amd64",
      features: "nesting=1",
      hostname: spec.name,
      ostype: "debian",
      rootfs: `${volumeOf(guest, rootfs)},size=${sizeText(rootfs.sizeBytes)}`,
      swap: String(spec.swapBytes / 2 ** 20),
      unprivileged: "1",
      ...Object.fromEntries(nics),
    };
  }
  return {
    ...common,
    ...(spec.agent === "none" ? {} : { agent: "enabled=1" }),
    ...(spec.balloonBytes === undefined ? {} : { balloon: String(spec.balloonBytes / 2 ** 20) }),
    boot: `order=scsi0${spec.cdrom ? ";ide2" : ""}`,
    cpu: "x86-64-v2-AES",
    ...(spec.cdrom ? { ide2: "none,media=cdrom" } : {}),
    meta: `creation-qemu=10.1.2,ctime=${Math.floor(createdAt / 1000)}`,
    name: spec.name,
    numa: "0",
    ostype: spec.files === "windows" ? "win11" : "l26",
    ...Object.fromEntries(
      spec.drives.map((drive) => [drive.id, `${volumeOf(guest, drive)},discard=on,iothread=1,size=${sizeText(drive.sizeBytes)}`]),
    ),
    ...Object.fromEntries(spec.nics.map((nic) => [nic, `virtio=${identity.mac(nic)},bridge=vmbr0,firewall=1`])),
    scsihw: "virtio-scsi-single",
    smbios1: `uuid=${identity.uuid}`,
    sockets: "1",
    ...(spec.template ? { template: "1" } : {}),
    vmgenid: identity.vmgenid,
  };
}

/** A snapshot's section follows as `write_vm_config` has it (qemu-server, PVE/QemuServer.pm); none was recorded. */
export function guestConfigText(world: World, guest: Guest): string {
  if (guest.file !== undefined) return guest.file.text;
  const { spec, createdAt } = guest.life;
  const config = guestConfig(world, guest);
  const now = sortedLines(config);
  if (spec.snapshot === undefined) return now;
  const { parent: _parent, lock: _lock, ...then } = config;
  return `${now}\n[${spec.snapshot}]\n${sortedLines({ ...then, snaptime: String(Math.floor(createdAt / 1000)) })}`;
}

function sortedLines(config: Record<string, string>): string {
  const lines = Object.entries(config).sort(([a], [b]) => (a < b ? -1 : 1));
  return lines.map(([key, value]) => `${key}: ${value}\n`).join("");
}

export const digestOf = (text: string) => createHash("sha1").update(text).digest("hex");

export const storageCfg = (fingerprint: string, pbsPort: number) => `dir: local
	path /var/lib/vz
	content iso,vztmpl,backup,import

lvmthin: local-lvm
	thinpool data
	vgname pve
	content images,rootdir

zfspool: local-zfs
	pool tank
	content images,rootdir
	mountpoint /tank
	sparse 1

nfs: nfs1
	export /srv/pve
	path /mnt/pve/nfs1
	server 192.168.50.5
	content images,rootdir,backup,iso
	prune-backups keep-daily=7,keep-weekly=4

pbs: pbs1
	datastore main
	server 127.0.0.1
	content backup
	fingerprint ${fingerprint}
	namespace pve
	port ${pbsPort}
	prune-backups keep-all=1
	username monitor@pbs!pve

`;

/** The nightly job takes all but templates and test guests, the weekly one the pool; the third is off. */
export const jobsCfg = (spec: ClusterSpec) => `vzdump: backup-nightly
	all 1
	compress zstd
	enabled 1
	exclude ${nightlyExclude(spec).join(",")}
	mode snapshot
	notes-template {{guestname}}
	prune-backups keep-daily=7,keep-weekly=4
	schedule 21:00
	storage nfs1

vzdump: backup-pbs
	enabled 1
	mode snapshot
	notes-template {{guestname}}
	pool prod
	schedule sun 02:30
	storage pbs1

vzdump: 205c4c1e-f6d7-45c9-b864-d4f03ab00214
	all 1
	enabled 0
	mode stop
	schedule sat 03:30
	storage nfs1

`;

export const nightlyExclude = (spec: ClusterSpec): number[] =>
  spec.guests.filter(({ template, tags }) => template || tags.includes("test")).map(({ vmid }) => vmid);

export const poolMembers = (spec: ClusterSpec, pool: string): number[] =>
  spec.guests.filter((guest) => guest.pool === pool).map(({ vmid }) => vmid);

/** alice audits everything, bob uses the first guest, carol administrates the guests but may not see the second (NoAccess). */
export const userCfg = (spec: ClusterSpec, extra: ReadonlyMap<string, readonly number[]> = new Map()) => {
  const [first = 100, second = 101] = spec.guests.map(({ vmid }) => vmid);
  return `user:alice@pve:1:0::::Auditor::
user:bob@pve:1:0::::::
user:carol@pve:1:0::::::
user:dora@pve:0:0::::disabled::
user:root@pam:1:0::::::

group:ops:carol@pve:Operators:

pool:prod:Production:${[...poolMembers(spec, "prod"), ...(extra.get("prod") ?? [])].join(",")}::
${[...extra].map(([pool, members]) => (pool === "prod" ? "" : `pool:${pool}::${members.join(",")}::\n`)).join("")}

acl:1:/:alice@pve:PVEAuditor:
acl:1:/vms:carol@pve:PVEVMUser:
acl:1:/vms/${first}:bob@pve:PVEVMUser:
acl:1:/vms/${second}:carol@pve:NoAccess:
`;
};

export const datacenterCfg = `
notify: package-updates=never
tag-style: color-map=prod:ff0000
`;

/** Shape of pvecm's corosync.conf (pve-cluster, PVE/Corosync.pm); not among the recorded files. */
export const corosyncConf = (spec: ClusterSpec) => `logging {
  debug: off
  to_syslog: yes
}

nodelist {
${spec.nodes
  .map(
    (node) => `  node {
    name: ${node.name}
    nodeid: ${node.id}
    quorum_votes: 1
    ring0_addr: ${node.ip}
  }
`,
  )
  .join("")}}

quorum {
  provider: corosync_votequorum
}

totem {
  cluster_name: ${spec.name}
  config_version: ${spec.nodes.length}
  interface {
    linknumber: 0
  }
  ip_version: ipv4-6
  link_mode: passive
  secauth: on
  version: 2
}

`;

/** The first VM and the second are HA resources. Shape of ha/resources.cfg as `ha-manager add` writes it. */
export const haGuests = (spec: ClusterSpec) =>
  spec.guests.filter(({ type, template }) => type === "qemu" && !template).slice(0, 2);
export const haResourcesCfg = (spec: ClusterSpec) =>
  haGuests(spec)
    .map(({ vmid }) => `vm: ${vmid}\n\tmax_restart 2\n\tstate started\n\n`)
    .join("");

/** First guest on ZFS replicates to the next node. Shape of replication.cfg: pve-guest-common, PVE/ReplicationConfig.pm. */
export function replicationJob(spec: ClusterSpec): { vmid: number; source: string; target: string } | undefined {
  const guest = spec.guests.find(({ drives, template }) => !template && drives.every(({ storage }) => storage === "local-zfs"));
  const target = spec.nodes.find(({ name }) => name !== guest?.node);
  return guest === undefined || target === undefined ? undefined : { vmid: guest.vmid, source: guest.node, target: target.name };
}

export function replicationCfg(spec: ClusterSpec): string {
  const job = replicationJob(spec);
  return job === undefined ? "" : `local: ${job.vmid}-0\n\ttarget ${job.target}\n\tschedule */15\n\tsource ${job.source}\n\n`;
}

export const hostsText = (nodes: readonly NodeSpec[]) =>
  `127.0.0.1 localhost.localdomain localhost\n${nodes.map(({ ip, name }) => `${ip} ${name}.lab.internal ${name}\n`).join("")}`;

/** A version string of a package or kernel is the same on every node of the lab. */
export const pveVersion = { release: "9.2", repoid: "14a22df35955d97d", version: "9.2.11" } as const;
export const kernelRelease = "6.17.4-2-pve";
