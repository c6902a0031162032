import type { EntityKind } from "#protocol/ids.ts";
import { guestStatusCodes, metricByName, zpoolHealthCodes } from "#protocol/metrics.ts";
import type { DriveReading, GuestReading } from "./guest-reading.ts";
import {
  cephTruth,
  datastoreTruth,
  diskTruth,
  guestHardware,
  nodeHardware,
  scrubTruth,
  thinpoolTruth,
} from "./hardware-model.ts";
import { cpuShares, type NodeReading } from "./node-reading.ts";
import { tellsMemory } from "./spec.ts";
import { readPool, readStorage } from "./storage-reading.ts";
import type { Guest, LabNode, World } from "./world.ts";

/**
 * What is true in the lab: a function of the seed, of what was done to the cluster, and of the time, in the units of protocol/metrics.ts.
 * Undefined: nobody can know it (VMs' disk_used, a stopped guest's load, anything of a dead node).
 */
export type Truth = (entity: string, metric: string, instance: string | undefined, at: number) => number | undefined;
/** One series of it, its names resolved once. */
export type SeriesTruth = (at: number) => number | undefined;

type OfGuest = (reading: GuestReading, guest: Guest, instance: string) => number | undefined;
type OfNode = (reading: NodeReading, instance: string) => number | undefined;

const drive =
  (field: keyof DriveReading): OfGuest =>
  (reading, guest, instance) =>
    guest.life.spec.type === "qemu" ? reading.drives.get(instance)?.[field] : undefined;
const pressure =
  (index: 0 | 1 | 2 | 3 | 4 | 5): OfGuest =>
  (reading) =>
    reading.pressure[index];

/** Of a running guest. `cpus`, `mem_max`, `disk_max` and `status` are known of stopped ones too: below. */
const guestMetrics: Record<string, OfGuest> = {
  uptime: (reading) => reading.uptimeSec,
  cpu: (reading) => reading.cpu,
  /** From the first answer of the guest's agent on, where there is one. */
  mem_used: (reading, guest) => reading.memBytes - (tellsMemory(guest.life.spec) ? reading.pageCacheBytes : 0),
  mem_host: (reading, guest) => (guest.life.spec.type === "qemu" ? reading.memHostBytes : undefined),
  swap_used: (reading, guest) => (guest.life.spec.type === "lxc" ? reading.swapBytes : undefined),
  disk_used: (reading, guest) => (guest.life.spec.type === "lxc" ? reading.diskBytes : undefined),
  net_in: (reading) => reading.netInBytes,
  net_out: (reading) => reading.netOutBytes,
  disk_read: (reading, guest) => (guest.load.countsDiskIo ? reading.diskReadBytes : undefined),
  disk_written: (reading, guest) => (guest.load.countsDiskIo ? reading.diskWrittenBytes : undefined),
  psi_cpu_some: pressure(0),
  psi_cpu_full: pressure(1),
  psi_io_some: pressure(2),
  psi_io_full: pressure(3),
  psi_mem_some: pressure(4),
  psi_mem_full: pressure(5),
  drive_reads: drive("reads"),
  drive_writes: drive("writes"),
  drive_flushes: drive("flushes"),
  drive_read: drive("readBytes"),
  drive_written: drive("writtenBytes"),
  drive_read_ns: drive("readNs"),
  drive_write_ns: drive("writeNs"),
  drive_flush_ns: drive("flushNs"),
  drive_failed: drive("failed"),
  nic_in: (reading, _guest, instance) => reading.nics.get(instance)?.inBytes,
  nic_out: (reading, _guest, instance) => reading.nics.get(instance)?.outBytes,
};

const nodeMetrics: Record<string, OfNode> = {
  load1: (reading) => reading.load[0],
  mem_total: (reading) => reading.memTotal,
  mem_used: (reading) => reading.memTotal - reading.memAvailable,
  mem_available: (reading) => reading.memAvailable,
  arc: (reading) => reading.arcBytes,
  arc_max: (reading) => reading.arcMax,
  arc_hits: (reading) => reading.uptimeSec * 900,
  arc_misses: (reading) => reading.uptimeSec * 30,
  swap_total: (reading) => reading.swapTotal,
  swap_used: (reading) => reading.swapTotal - reading.swapFree,
  psi_cpu_some: (reading) => reading.psiCpu,
  psi_io_some: (reading) => reading.psiIoSome,
  psi_io_full: (reading) => reading.psiIoFull,
  psi_mem_some: (reading) => reading.psiMemSome,
  psi_mem_full: (reading) => reading.psiMemFull,
  uptime: (reading) => reading.uptimeSec,
  root_total: (reading) => reading.rootTotal,
  root_used: (reading) => reading.rootUsed,
  nic_in: (reading, nic) => reading.nics.get(nic)?.inBytes,
  nic_out: (reading, nic) => reading.nics.get(nic)?.outBytes,
  disk_reads: (reading, disk) => reading.disks.get(disk)?.reads,
  disk_writes: (reading, disk) => reading.disks.get(disk)?.writes,
  disk_read: (reading, disk) => times512(reading.disks.get(disk)?.sectorsRead),
  disk_written: (reading, disk) => times512(reading.disks.get(disk)?.sectorsWritten),
  disk_read_ms: (reading, disk) => reading.disks.get(disk)?.readMs,
  disk_write_ms: (reading, disk) => reading.disks.get(disk)?.writeMs,
  disk_busy_ms: (reading, disk) => reading.disks.get(disk)?.busyMs,
};

const times512 = (sectors: number | undefined) => (sectors === undefined ? undefined : sectors * 512);

/** Shares over the ten seconds before, which is what pvestatd and the agent see at their cadence. */
export function nodeCpu(world: World, node: LabNode, at: number): { cpu: number; iowait: number; steal: number } {
  const booted = world.bootedAt(node, at);
  return cpuShares(world.jiffies(node, Math.max(booted, at - 10_000)), world.jiffies(node, at));
}

function guestSeries(world: World, vmid: number, metric: string, instance: string): SeriesTruth | undefined {
  const of = guestMetrics[metric];
  const always = guestAlways(world)[metric];
  return (at) => {
    const guest = world.guestAt(vmid, at);
    if (guest === undefined) return undefined;
    if (of === undefined && always === undefined) {
      const state = world.state(guest, at);
      const running = state?.running === true && !state.paused;
      return state?.known === true ? guestHardware(world, guest, metric, instance, running, at) : undefined;
    }
    if (always !== undefined) return always(guest, at);
    const reading = world.reading(guest, at);
    return reading === undefined ? undefined : (of as OfGuest)(reading, guest, instance);
  };
}

/** What is known of a guest whether it runs or not, while its node lives. */
function guestAlways(world: World): Record<string, (guest: Guest, at: number) => number | undefined> {
  const known =
    (of: (guest: Guest) => number) =>
    (guest: Guest, at: number): number | undefined =>
      world.state(guest, at)?.known === true ? of(guest) : undefined;
  return {
    cpus: known(({ life }) => life.spec.cores),
    mem_max: known(({ life }) => life.spec.memBytes),
    disk_max: known(({ life }) => life.spec.drives[0]?.sizeBytes ?? 0),
    status: (guest: Guest, at: number) => {
      const state = world.state(guest, at);
      if (state?.known !== true) return undefined;
      const status = !state.running ? "stopped" : state.paused ? "paused" : "running";
      return guestStatusCodes.indexOf(status);
    },
  };
}

function nodeSeries(world: World, node: LabNode, metric: string, instance: string): SeriesTruth | undefined {
  const alive =
    (value: SeriesTruth): SeriesTruth =>
    (at) =>
      world.isDown(node, at) ? undefined : value(at);
  if (metric === "cpus") return alive(() => node.spec.cpus);
  if (metric === "cpu" || metric === "iowait" || metric === "steal") return alive((at) => nodeCpu(world, node, at)[metric]);
  const of = nodeMetrics[metric];
  if (of !== undefined) return alive((at) => of(world.nodeReading(node, at), instance));
  return alive((at) => nodeHardware(world, node, metric, instance, at));
}

function storageSeries(world: World, id: string, nodeName: string | undefined, metric: string): SeriesTruth | undefined {
  const storage = world.storage(id);
  if (storage === undefined || (storage.shared && nodeName !== undefined)) return undefined;
  if (metric !== "total" && metric !== "used" && metric !== "avail" && metric !== "active") return undefined;
  return (at) => {
    const reporters = nodeName === undefined ? [...world.nodes.values()] : [world.node(nodeName)];
    const node = reporters.find((candidate) => !world.isDown(candidate, at));
    if (node === undefined) return undefined;
    const reading = readStorage(world, node, storage, at);
    if (metric === "active") return reading.active ? 1 : 0;
    return reading.active ? reading[metric] : undefined;
  };
}

function poolSeries(world: World, node: LabNode, metric: string): SeriesTruth | undefined {
  const fields = {
    size: "size",
    allocated: "allocated",
    free: "free",
    fragmentation: "fragmentation",
    read_errors: "readErrors",
    write_errors: "writeErrors",
    checksum_errors: "checksumErrors",
  } as const;
  return (at) => {
    if (world.isDown(node, at)) return undefined;
    const reading = readPool(world, node, at);
    if (metric === "health") return zpoolHealthCodes.indexOf(reading.health as (typeof zpoolHealthCodes)[number]);
    if (metric === "vdev_errors") return reading.readErrors + reading.writeErrors + reading.checksumErrors;
    const field = fields[metric as keyof typeof fields];
    return field === undefined ? scrubTruth(metric, at) : reading[field];
  };
}

function clusterSeries(world: World, metric: string): SeriesTruth | undefined {
  if (metric === "quorate") return (at) => (world.quorate(at) ? 1 : 0);
  if (metric === "nodes_total") return () => world.nodes.size;
  if (metric === "nodes_online") return (at) => [...world.nodes.values()].filter((node) => !world.isDown(node, at)).length;
  if (metric === "ha_manager_age") return (at) => (at % 10_000) / 1000;
  return () => cephTruth(world, metric);
}

/** One series with its names resolved; undefined when the lab has no such series. */
export function seriesTruth(world: World, entity: string, metric: string, instance = ""): SeriesTruth | undefined {
  const [kind, first, second] = entity.split("/");
  if (metricByName(kind as EntityKind, metric) === undefined) return undefined;
  if (kind === "cluster") return clusterSeries(world, metric);
  if (first === undefined) return undefined;
  if (kind === "guest") return guestSeries(world, Number(first), metric, instance);
  if (kind === "storage") {
    const [id, node] = second === undefined ? [first, undefined] : [second, first];
    return storageSeries(world, id, node, metric);
  }
  if (kind === "datastore") return (at) => (second === "main" ? datastoreTruth(world, metric, at) : undefined);
  const node = world.nodes.get(first);
  if (node === undefined) return undefined;
  const alive =
    (of: SeriesTruth): SeriesTruth =>
    (at) =>
      world.isDown(node, at) ? undefined : of(at);
  if (kind === "disk") return alive((at) => diskTruth(world, node, second ?? "", metric, at));
  if (kind === "thinpool") return alive((at) => thinpoolTruth(world, node, metric, at));
  if (kind === "zpool") return second === "tank" ? poolSeries(world, node, metric) : undefined;
  return kind === "node" ? nodeSeries(world, node, metric, instance) : undefined;
}

export function truthOf(world: World): Truth {
  const resolved = new Map<string, SeriesTruth | undefined>();
  return (entity, metric, instance, at) => {
    const key = `${entity} ${metric} ${instance ?? ""}`;
    if (!resolved.has(key)) resolved.set(key, seriesTruth(world, entity, metric, instance));
    return resolved.get(key)?.(at);
  };
}
