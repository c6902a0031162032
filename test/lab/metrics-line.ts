import { type GuestReading, pidOf } from "./guest-reading.ts";
import { nodeCpu } from "./model.ts";
import { readStorage } from "./storage-reading.ts";
import type { RunState } from "./timeline.ts";
import type { Guest, LabNode, World } from "./world.ts";

/**
 * One generation of /run/pve/metrics as pvestatd writes it (pve-manager, PVE/Service/pvestatd.pm and PVE/PullMetric.pm). Numbers that Perl
 * captured from text are strings. `ballooninfo`, `blockstat`, `running-machine` and `proxmox-support` follow qemu-server's vmstatus and
 * QEMU's query-blockstats; a running VM with all of them was not among the recorded lines.
 */

type Json = Record<string, unknown>;

const pressureKeys = [
  "pressurecpusome",
  "pressurecpufull",
  "pressureiosome",
  "pressureiofull",
  "pressurememorysome",
  "pressurememoryfull",
] as const;

const nicNumber = (nic: string) => nic.slice("net".length);
const deviceOf = (guest: Guest, nic: string) =>
  `${guest.life.spec.type === "qemu" ? "tap" : "veth"}${guest.life.spec.vmid}i${nicNumber(nic)}`;

function blockStats(reading: GuestReading): Json {
  return Object.fromEntries(
    [...reading.drives].map(([id, drive]) => [
      id,
      {
        account_failed: true,
        account_invalid: true,
        failed_flush_operations: 0,
        failed_rd_operations: 0,
        failed_unmap_operations: 0,
        failed_wr_operations: drive.failed,
        flush_operations: drive.flushes,
        flush_total_time_ns: drive.flushNs,
        idle_time_ns: 1_204_004,
        invalid_flush_operations: 0,
        invalid_rd_operations: 0,
        invalid_unmap_operations: 0,
        invalid_wr_operations: 0,
        rd_bytes: drive.readBytes,
        rd_merged: 0,
        rd_operations: drive.reads,
        rd_total_time_ns: drive.readNs,
        timed_stats: [],
        unmap_bytes: 0,
        unmap_merged: 0,
        unmap_operations: 0,
        unmap_total_time_ns: 0,
        wr_bytes: drive.writtenBytes,
        wr_highest_offset: 0,
        wr_merged: 0,
        wr_operations: drive.writes,
        wr_total_time_ns: drive.writeNs,
      },
    ]),
  );
}

/** vmstatus of qemu-server PVE/QemuServer.pm; stopped guests have zeros. */
export function qemuStatus(guest: Guest, state: RunState, reading: GuestReading | undefined, full: boolean): Json {
  const { spec } = guest.life;
  const maxdisk = spec.drives[0]?.sizeBytes ?? 0;
  const common: Json = {
    vmid: spec.vmid,
    name: spec.name,
    cpus: spec.cores,
    maxmem: spec.memBytes,
    maxdisk,
    disk: 0,
    ...(spec.tags.length > 0 ? { tags: spec.tags.join(";") } : {}),
    ...(guest.lock === undefined ? {} : { lock: guest.lock }),
    ...(spec.template ? { template: 1 } : {}),
    ...(spec.balloonBytes === undefined ? {} : { balloon_min: spec.balloonBytes, shares: 1000 }),
  };
  if (reading === undefined) {
    return { ...common, status: "stopped", qmpstatus: "stopped", cpu: 0, mem: 0, memhost: 0, uptime: 0, netin: 0, netout: 0 };
  }
  const free = spec.memBytes - reading.memBytes;
  const status: Json = {
    ...common,
    status: "running",
    qmpstatus: state.paused ? "paused" : "running",
    pid: pidOf(spec.vmid, state.startedAt),
    uptime: reading.uptimeSec,
    cpu: reading.cpu,
    mem: reading.memBytes,
    memhost: reading.memHostBytes,
    netin: reading.netInBytes,
    netout: reading.netOutBytes,
    diskread: reading.diskReadBytes,
    diskwrite: reading.diskWrittenBytes,
    ...Object.fromEntries(pressureKeys.map((key, index) => [key, reading.pressure[index]])),
  };
  if (!full) return status;
  return {
    ...status,
    balloon: spec.memBytes,
    freemem: free,
    ballooninfo: {
      actual: spec.memBytes,
      free_mem: free,
      last_update: Math.floor((state.startedAt + reading.uptimeSec * 1000) / 1000),
      major_page_faults: 1204,
      max_mem: spec.memBytes,
      mem_swapped_in: 0,
      mem_swapped_out: 0,
      minor_page_faults: 884_412,
      total_mem: spec.memBytes,
    },
    blockstat: blockStats(reading),
    nics: Object.fromEntries(
      [...reading.nics].map(([nic, { inBytes, outBytes }]) => [deviceOf(guest, nic), { netin: inBytes, netout: outBytes }]),
    ),
    "running-machine": "pc-i440fx-10.1+pve0",
    "running-qemu": "10.1.2",
    "proxmox-support": {
      "backup-fleecing": true,
      "backup-max-workers": true,
      "pbs-dirty-bitmap": true,
      "pbs-dirty-bitmap-migration": true,
      "pbs-dirty-bitmap-savevm": true,
      "pbs-library-version": "1.5.2",
      "query-bitmap-info": true,
    },
  };
}

/** vmstatus of pve-container PVE/LXC.pm; pressure values are strings there. */
export function lxcStatus(guest: Guest, state: RunState, reading: GuestReading | undefined): Json {
  const { spec } = guest.life;
  const common: Json = {
    vmid: spec.vmid,
    type: "lxc",
    name: spec.name,
    cpus: spec.cores,
    maxmem: spec.memBytes,
    maxswap: spec.swapBytes,
    maxdisk: spec.drives[0]?.sizeBytes ?? 0,
    ...(spec.tags.length > 0 ? { tags: spec.tags.join(";") } : {}),
    ...(guest.lock === undefined ? {} : { lock: guest.lock }),
  };
  if (reading === undefined) {
    return {
      ...common,
      status: "stopped",
      cpu: 0,
      mem: 0,
      swap: 0,
      disk: 0,
      uptime: 0,
      netin: 0,
      netout: 0,
      diskread: 0,
      diskwrite: 0,
    };
  }
  return {
    ...common,
    status: "running",
    pid: pidOf(spec.vmid, state.startedAt),
    uptime: reading.uptimeSec,
    cpu: reading.cpu,
    mem: reading.memBytes,
    swap: reading.swapBytes,
    disk: reading.diskBytes,
    netin: reading.netInBytes,
    netout: reading.netOutBytes,
    diskread: reading.diskReadBytes,
    diskwrite: reading.diskWrittenBytes,
    ...Object.fromEntries(pressureKeys.map((key, index) => [key, (reading.pressure[index] as number).toFixed(2)])),
  };
}

/** Devices of the running guests as the host counts them: what goes out of the guest is received. */
export function guestDevices(world: World, node: string, at: number): { name: string; receive: number; transmit: number }[] {
  return world.guestsOn(node, at).flatMap(({ guest }) => {
    const reading = world.reading(guest, at);
    if (reading === undefined) return [];
    return [...reading.nics].map(([nic, { inBytes, outBytes }]) => ({
      name: deviceOf(guest, nic),
      receive: outBytes,
      transmit: inBytes,
    }));
  });
}

function nodeSection(world: World, node: LabNode, at: number): Json {
  const reading = world.nodeReading(node, at);
  const j = reading.jiffies;
  const { cpu, iowait } = nodeCpu(world, node, at);
  const used = j.user + j.nice + j.system + j.irq + j.softirq + j.steal;
  const devices = [
    ...[...reading.nics].map(([name, { inBytes, outBytes }]) => ({ name, receive: inBytes, transmit: outBytes })),
    ...guestDevices(world, node.spec.name, at),
  ];
  return {
    uptime: reading.uptimeSec,
    cpustat: {
      cpu,
      wait: iowait,
      cpus: node.spec.cpus,
      ctime: at / 1000,
      // PVE takes the guests' time out of user and counts it apart (PVE/ProcFSTools.pm, read_proc_stat).
      user: j.user - j.guest,
      nice: j.nice - j.guestNice,
      system: String(j.system),
      idle: String(j.idle),
      iowait: String(j.iowait),
      irq: String(j.irq),
      softirq: String(j.softirq),
      steal: String(j.steal),
      guest: String(j.guest),
      guest_nice: String(j.guestNice),
      used,
      total: used + j.idle + j.iowait,
      sum: 0,
      avg1: reading.load[0].toFixed(2),
      avg5: reading.load[1].toFixed(2),
      avg15: reading.load[2].toFixed(2),
    },
    memory: {
      memtotal: reading.memTotal,
      memfree: reading.memFree,
      memavailable: reading.memAvailable,
      memused: reading.memTotal - reading.memAvailable,
      memshared: 0,
      swaptotal: reading.swapTotal,
      swapfree: reading.swapFree,
      swapused: reading.swapTotal - reading.swapFree,
      arcsize: reading.arcBytes,
      arcmin: Math.floor(reading.arcMax / 16),
      arcmax: reading.arcMax,
    },
    blockstat: rootStat(reading.rootTotal, reading.rootUsed, reading.rootAvail),
    nics: Object.fromEntries(
      devices.map(({ name, receive, transmit }) => [
        name,
        { receive: String(receive), transmit: String(transmit), type: name === "eno1" ? "physical" : "virtual" },
      ]),
    ),
  };
}

/** Filesys::Df of the root file system, in bytes. */
function rootStat(total: number, used: number, avail: number): Json {
  const userBlocks = used + avail;
  const per = Math.round((used / userBlocks) * 100);
  const files = { files: 6_291_456, ffree: 6_180_000, favail: 6_180_000, fused: 111_456, fper: 2 };
  return {
    blocks: total,
    bfree: total - used,
    bavail: avail,
    used,
    per,
    user_blocks: userBlocks,
    user_bavail: avail,
    user_used: used,
    su_blocks: total,
    su_bavail: total - used,
    ...files,
    user_files: files.files,
    user_favail: files.favail,
    user_fused: files.fused,
    su_files: files.files,
    su_favail: files.favail,
  };
}

function storageSection(world: World, node: LabNode, at: number): Json {
  return Object.fromEntries(
    world.spec.storages.map((storage) => {
      const { active, total, used, avail } = readStorage(world, node, storage, at);
      return [
        storage.id,
        {
          type: storage.type,
          content: storage.content.join(","),
          shared: storage.shared ? 1 : 0,
          enabled: 1,
          active: active ? 1 : 0,
          total,
          used,
          avail,
        },
      ];
    }),
  );
}

/** One line, its newline included. `at` is the time of the readings; the timestamps are the node's own clock. */
export function metricsLine(world: World, node: LabNode, at: number): string {
  const timestamp = Math.floor((at + node.clockOffsetMs) / 1000);
  const qemu: Json = {};
  const lxc: Json = {};
  for (const { guest, state } of world.guestsOn(node.spec.name, at)) {
    const reading = world.reading(guest, at);
    if (guest.life.spec.type === "qemu") qemu[guest.life.spec.vmid] = qemuStatus(guest, state, reading, true);
    else lxc[guest.life.spec.vmid] = lxcStatus(guest, state, reading);
  }
  return `${JSON.stringify({
    qemu: { data: qemu, timestamp },
    node: { data: nodeSection(world, node, at), timestamp },
    lxc: { data: lxc, timestamp },
    storage: { data: storageSection(world, node, at), timestamp },
  })}\n`;
}
