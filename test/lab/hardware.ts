import { haGuests } from "./config-files.ts";
import { between } from "./random.ts";
import type { DiskSpec } from "./spec.ts";
import { readPool, readStorage } from "./storage-reading.ts";
import type { Guest, LabNode, World } from "./world.ts";

/** Disks, sensors, thin pools, guests' file systems and HA as the lab's nodes show them, each figure made in one place. */

export type DiskReading = {
  celsius: number;
  /** Used life in percent. */
  wornPercent: number;
  reallocated: number;
  pending: number;
  mediaErrors: number;
  crcErrors: number;
  powerOnHours: number;
  passed: boolean;
};

/** What a disk says of itself; the second NVMe of a node whose pool is not well has errors and says that it fails. */
export function readDisk(world: World, node: LabNode, disk: DiskSpec, at: number): DiskReading {
  const sick = disk.name === "nvme1n1" && (world.zpoolHealth.get(node.spec.name) ?? "ONLINE") !== "ONLINE";
  return {
    celsius: Math.round(between(`${disk.serial} temperature`, 31, 46)),
    wornPercent: Math.round(between(`${node.spec.name} ${disk.serial} worn`, 1, 12)),
    reallocated: 0,
    pending: 0,
    mediaErrors: sick ? 7 : 0,
    crcErrors: 0,
    powerOnHours: 9000 + Math.floor(world.nodeReading(node, at).uptimeSec / 3600),
    passed: !sick,
  };
}

export function chipCelsius(world: World, node: LabNode, at: number): number {
  const load = world.nodeReading(node, at).load[0] / node.spec.cpus;
  return Math.round((38 + 35 * load) * 10) / 10;
}

/** Files of /sys below a node's root that never change. */
export function fixedSysFiles(node: LabNode): Record<string, string> {
  const files: Record<string, string> = { "sys/module/dm_thin_pool/refcnt": "12\n" };
  for (const { name, model, kind } of node.spec.disks) {
    files[`sys/block/${name}/device/model`] = `${model}\n`;
    if (kind !== "nvme") files[`sys/block/${name}/device/vendor`] = "ATA     \n";
  }
  for (const name of ["dm-0", "loop0", "zd0"]) files[`sys/block/${name}/size`] = "2048\n";
  return files;
}

/** Symbolic links of /sys: path → target. */
export const sysLinks = (node: LabNode): Record<string, string> => ({
  "sys/class/hwmon/hwmon0/device": "../../../0000:00:18.3",
  ...Object.fromEntries(nvmesOf(node).map((_, index) => [`sys/class/hwmon/hwmon${index + 1}/device`, `../../../nvme${index}`])),
  "sys/class/hwmon/hwmon9/device": "../../../0:0:0:0",
});

const nvmesOf = (node: LabNode) => node.spec.disks.filter(({ kind }) => kind === "nvme");

/** Thermometers and the pool's state. The last chip would wake a disk: who reads it gets a wrong value. */
export function changingSysFiles(world: World, node: LabNode, at: number): Record<string, string> {
  const milli = (celsius: number) => `${Math.round(celsius * 1000)}\n`;
  const files: Record<string, string> = {
    "sys/class/hwmon/hwmon0/name": "k10temp\n",
    "sys/class/hwmon/hwmon0/temp1_label": "Tctl\n",
    "sys/class/hwmon/hwmon0/temp1_input": milli(chipCelsius(world, node, at)),
    "sys/class/hwmon/hwmon9/name": "drivetemp\n",
    "sys/class/hwmon/hwmon9/temp1_input": milli(99),
    "proc/spl/kstat/zfs/tank/state": `${readPool(world, node, at).health}\n`,
  };
  for (const [index, disk] of nvmesOf(node).entries()) {
    const folder = `sys/class/hwmon/hwmon${index + 1}`;
    files[`${folder}/name`] = "nvme\n";
    files[`${folder}/temp1_label`] = "Composite\n";
    files[`${folder}/temp1_input`] = milli(readDisk(world, node, disk, at).celsius);
  }
  return files;
}

/** The thin pool `pve/data`; percents as lvs prints them. */
export function readThinpool(world: World, node: LabNode, at: number) {
  const storage = world.storage("local-lvm");
  const { total, used } = storage === undefined ? { total: 0, used: 0 } : readStorage(world, node, storage, at);
  const percent = total === 0 ? 0 : (used / total) * 100;
  const provisioned = world
    .guestsOn(node.spec.name, at)
    .flatMap(({ guest }) => guest.life.spec.drives)
    .filter((drive) => drive.storage === "local-lvm")
    .reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  return {
    size: total,
    dataPercent: percent.toFixed(2),
    metadataPercent: (percent / 6 + 0.8).toFixed(2),
    metadataSize: 8 * 2 ** 30,
    provisioned,
  };
}

const weekMs = 7 * 86_400_000;
/** Every Sunday at 00:24 UTC (the epoch was a Thursday) a scrub begins; it takes 97 minutes. */
const firstScrubMs = 3 * 86_400_000 + 24 * 60_000;
const scrubTakesMs = 97 * 60_000;

/** The newest scrub that has ended. */
export function lastScrub(at: number): { startSec: number; endSec: number } {
  const start = Math.floor((at - firstScrubMs - scrubTakesMs) / weekMs) * weekMs + firstScrubMs;
  return { startSec: start / 1000, endSec: (start + scrubTakesMs) / 1000 };
}

/** What statfs of a node's mount point says; undefined: nothing is mounted there. */
export function spaceAt(world: World, node: LabNode, point: string, at: number) {
  if (point === "/") {
    const { rootTotal, rootUsed, rootAvail } = world.nodeReading(node, at);
    return { total: rootTotal, used: rootUsed, avail: rootAvail };
  }
  const storage = world.storage("local-zfs");
  if (point !== "/tank" || storage === undefined) return undefined;
  const { total, used, avail } = readStorage(world, node, storage, at);
  return { total, used, avail };
}

export type GuestFilesystemReading = { name: string; mountpoint: string; type: string; total: number; used: number };

/** A VM's file systems as its agent sees them: its root, the EFI's, and a snap's image that is full by nature. */
export function guestFilesystems(guest: Guest): GuestFilesystemReading[] {
  const total = guest.life.spec.drives[0]?.sizeBytes ?? 0;
  return [
    { name: "sda1", mountpoint: "/", type: "ext4", total, used: Math.floor(total * 0.4) },
    { name: "sda15", mountpoint: "/boot/efi", type: "vfat", total: 106_832_896, used: 9_142_272 },
    { name: "loop0", mountpoint: "/snap/core/1", type: "squashfs", total: 77_463_552, used: 77_463_552 },
  ];
}

/** ha/manager_status; `service_status` after pve-ha-manager PVE/HA/Manager.pm, not a recording. */
export function haManagerStatus(world: World, at: number) {
  const nodes = [...world.nodes.values()].map((node) => [node.spec.name, world.isDown(node, at) ? "unknown" : "online"]);
  const services = haGuests(world.spec).map(({ vmid }) => {
    const guest = world.guest(vmid);
    const node = guest && world.state(guest, at)?.node;
    return [`vm:${vmid}`, { node, running: 1, state: "started", uid: `lab${vmid}` }];
  });
  return {
    master_node: [...world.nodes.keys()][0],
    node_status: Object.fromEntries(nodes),
    service_status: Object.fromEntries(services),
    timestamp: Math.floor(at / 1000),
  };
}

/** State of a Ceph cluster that a test gave the lab; it has none by itself. */
export type CephState = {
  health: "HEALTH_OK" | "HEALTH_WARN" | "HEALTH_ERR";
  osds: number;
  up: number;
  in: number;
  total: number;
  used: number;
};

/** `ceph status -f json`, the parts that are read; after Ceph's documentation, never seen from a real cluster. */
export function cephStatus(state: CephState) {
  const down = state.osds - state.up;
  const checks =
    down === 0
      ? {}
      : { OSD_DOWN: { severity: "HEALTH_WARN", summary: { message: `${down} osds down`, count: down }, muted: false } };
  return {
    fsid: "4d0f6d4e-0000-4000-8000-00000000c390",
    health: { status: state.health, checks, mutes: [] },
    quorum_names: ["pve1", "pve2", "pve3"],
    osdmap: { epoch: 41, num_osds: state.osds, num_up_osds: state.up, num_in_osds: state.in, num_remapped_pgs: 0 },
    pgmap: { num_pgs: 129, bytes_total: state.total, bytes_used: state.used, bytes_avail: state.total - state.used },
  };
}
