import { cephHealthCodes, haStateCodes, zpoolScanCodes } from "#protocol/metrics.ts";
import { haGuests, replicationJob } from "./config-files.ts";
import { chipCelsius, guestFilesystems, lastScrub, readDisk, readThinpool, spaceAt } from "./hardware.ts";
import { tellsMemory } from "./spec.ts";
import { readStorage } from "./storage-reading.ts";
import type { Guest, LabNode, World } from "./world.ts";

/** The truth about what hardware.ts shows; see model.ts. `undefined`: the lab has no such series. */
type Value = number | undefined;

export function nodeHardware(world: World, node: LabNode, metric: string, instance: string, at: number): Value {
  const field = ({ fs_total: "total", fs_used: "used", fs_avail: "avail" } as const)[metric];
  if (field !== undefined) return spaceAt(world, node, instance, at)?.[field];
  if (metric === "updates") return 1;
  if (metric !== "temperature") return undefined;
  if (instance === "k10temp/Tctl") return chipCelsius(world, node, at);
  const nvme = /^nvme@nvme(\d)\/Composite$/.exec(instance)?.[1];
  const disk = nvme === undefined ? undefined : node.spec.disks.filter(({ kind }) => kind === "nvme")[Number(nvme)];
  return disk && readDisk(world, node, disk, at).celsius;
}

export function diskTruth(world: World, node: LabNode, serial: string, metric: string, at: number): Value {
  const disk = node.spec.disks.find((one) => one.serial === serial);
  if (disk === undefined) return undefined;
  const nvme = disk.kind === "nvme";
  const reading = readDisk(world, node, disk, at);
  const values: Record<string, Value> = {
    temperature: reading.celsius,
    wear: reading.wornPercent / 100,
    reallocated: nvme ? undefined : reading.reallocated,
    pending: nvme ? undefined : reading.pending,
    media_errors: nvme ? reading.mediaErrors : undefined,
    crc_errors: nvme ? undefined : reading.crcErrors,
    power_on: reading.powerOnHours * 3600,
    healthy: Number(reading.passed),
    spare: nvme ? 1 : undefined,
  };
  return values[metric];
}

export function thinpoolTruth(world: World, node: LabNode, metric: string, at: number): Value {
  const { size, dataPercent, metadataPercent, metadataSize, provisioned } = readThinpool(world, node, at);
  const values: Record<string, Value> = {
    size,
    data: Number(dataPercent) / 100,
    metadata: Number(metadataPercent) / 100,
    metadata_size: metadataSize,
    provisioned,
  };
  return values[metric];
}

export function scrubTruth(metric: string, at: number): Value {
  const values: Record<string, Value> = {
    scrub_age: at / 1000 - lastScrub(at).endSec,
    scrub_errors: 0,
    scan_state: zpoolScanCodes.indexOf("finished"),
    data_errors: 0,
  };
  return values[metric];
}

/** What a guest's agent, its HA state and its replication say; the guest runs when `running`. */
export function guestHardware(world: World, guest: Guest, metric: string, instance: string, running: boolean, at: number): Value {
  const { spec } = guest.life;
  if (metric === "ha_state") {
    return haGuests(world.spec).some(({ vmid }) => vmid === spec.vmid) ? haStateCodes.indexOf("started") : undefined;
  }
  if (metric.startsWith("replication_")) {
    const job = replicationJob(world.spec);
    if (job?.vmid !== spec.vmid || instance !== `${spec.vmid}-0`) return undefined;
    const age = at / 1000 - Math.floor(at / 900_000) * 900;
    return ({ replication_age: age, replication_fails: 0, replication_duration: 4.8 } as Record<string, number>)[metric];
  }
  const asked = running && spec.type === "qemu" && spec.agent !== "none" && guest.lock === undefined;
  if (!asked) return undefined;
  if (metric === "agent_up") return spec.agent === "answers" ? 1 : 0;
  if (metric === "mem_reclaimable") return tellsMemory(spec) ? world.reading(guest, at)?.pageCacheBytes : undefined;
  if (spec.agent !== "answers" || (metric !== "fs_total" && metric !== "fs_used")) return undefined;
  const found = guestFilesystems(guest).find(({ mountpoint, type }) => mountpoint === instance && type !== "squashfs");
  return metric === "fs_total" ? found?.total : found?.used;
}

/** The one Backup Server's datastore `main`. */
export function datastoreTruth(world: World, metric: string, at: number): Value {
  const [node] = world.nodes.values();
  const storage = world.storage("pbs1");
  if (node === undefined || storage === undefined) return undefined;
  const { total, used, avail } = readStorage(world, node, storage, at);
  const values: Record<string, Value> = {
    up: 1,
    total,
    used,
    avail,
    dedup_factor: 9,
    gc_removed: 0,
    gc_pending: 0,
    gc_still_bad: 0,
  };
  return values[metric];
}

export function cephTruth({ ceph }: World, metric: string): Value {
  if (ceph === undefined) return undefined;
  const values: Record<string, Value> = {
    ceph_health: cephHealthCodes.indexOf(ceph.health),
    ceph_osds: ceph.osds,
    ceph_osds_up: ceph.up,
    ceph_osds_in: ceph.in,
    ceph_total: ceph.total,
    ceph_used: ceph.used,
    ceph_avail: ceph.total - ceph.used,
  };
  return values[metric];
}
