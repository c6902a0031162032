import { kernelRelease } from "./config-files.ts";
import type { NodeReading } from "./node-reading.ts";
import type { NodeSpec } from "./spec.ts";

/** Texts of /proc as Linux writes them; paths are relative to the node's root. */

const kB = (bytes: number) => String(bytes / 1024).padStart(8);

const memLine = (name: string, bytes: number) => `${`${name}:`.padEnd(16)}${kB(Math.round(bytes / 1024) * 1024)} kB\n`;

export function statText(reading: NodeReading, cpus: number, bootedAt: number): string {
  const { user, nice, system, idle, iowait, irq, softirq, steal, guest, guestNice } = reading.jiffies;
  const all = [user, nice, system, idle, iowait, irq, softirq, steal, guest, guestNice];
  const each = Array.from({ length: cpus }, (_, cpu) => `cpu${cpu} ${all.map((value) => Math.floor(value / cpus)).join(" ")}\n`);
  return `cpu  ${all.join(" ")}\n${each.join("")}intr 0\nctxt 0\nbtime ${Math.floor(bootedAt / 1000)}\nprocesses ${1000 + Math.floor(reading.uptimeSec / 3)}\nprocs_running 2\nprocs_blocked 0\nsoftirq 0 0 0 0 0 0 0 0 0 0 0\n`;
}

export function meminfoText(
  reading: Pick<NodeReading, "memTotal" | "memFree" | "memAvailable" | "swapTotal" | "swapFree">,
): string {
  const { memTotal, memFree, memAvailable, swapTotal, swapFree } = reading;
  const cached = Math.max(0, memAvailable - memFree);
  return [
    memLine("MemTotal", memTotal),
    memLine("MemFree", memFree),
    memLine("MemAvailable", memAvailable),
    memLine("Buffers", 2 ** 20 * 60),
    memLine("Cached", cached),
    memLine("SwapCached", 0),
    memLine("Active", cached / 2),
    memLine("Inactive", cached / 2),
    memLine("SwapTotal", swapTotal),
    memLine("SwapFree", swapFree),
    memLine("Dirty", 2 ** 20 * 3),
    memLine("Writeback", 0),
    memLine("Shmem", 2 ** 20 * 70),
    memLine("SReclaimable", 2 ** 20 * 300),
  ].join("");
}

const netLine = (name: string, receive: number, transmit: number) =>
  `${name.padStart(6)}: ${String(receive).padStart(7)} ${String(Math.floor(receive / 800)).padStart(7)}    0    0    0     0          0         0 ${String(transmit).padStart(8)} ${String(Math.floor(transmit / 800)).padStart(7)}    0    0    0     0       0          0\n`;

/** `guests`: devices of the running guests, `tap100i0`, as the host sees them: receive = out of the guest. */
export function netDevText(devices: readonly { name: string; receive: number; transmit: number }[]): string {
  return `Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n${devices
    .map(({ name, receive, transmit }) => netLine(name, receive, transmit))
    .join("")}`;
}

/** 20 columns as since Linux 5.5. A partition has half of its disk's numbers; loop devices none. */
export function diskstatsText(reading: NodeReading, spec: NodeSpec): string {
  const line = (major: number, minor: number, name: string, fields: number[]) =>
    `${String(major).padStart(4)} ${String(minor).padStart(7)} ${name} ${fields.join(" ")}\n`;
  const lines = [
    line(
      7,
      0,
      "loop0",
      Array.from({ length: 17 }, () => 0),
    ),
  ];
  for (const [index, disk] of spec.disks.entries()) {
    const block = reading.disks.get(disk.name);
    if (block === undefined) continue;
    const { reads, writes, sectorsRead, sectorsWritten, readMs, writeMs, busyMs } = block;
    const major = disk.kind === "nvme" ? 259 : 8;
    const fields = [
      reads,
      0,
      sectorsRead,
      readMs,
      writes,
      0,
      sectorsWritten,
      writeMs,
      0,
      busyMs,
      readMs + writeMs,
      0,
      0,
      0,
      0,
      0,
      0,
    ];
    lines.push(line(major, index * 16, disk.name, fields));
    for (const [number, partition] of disk.partitions.entries()) {
      lines.push(
        line(
          major,
          index * 16 + number + 1,
          partition,
          fields.map((value) => Math.floor(value / 2)),
        ),
      );
    }
  }
  return lines.join("");
}

const two = (value: number) => value.toFixed(2);

export function pressureText(some: number, full: number, uptimeSec: number): string {
  const line = (word: string, avg: number) =>
    `${word} avg10=${two(avg)} avg60=${two(avg * 0.9)} avg300=${two(avg * 0.85)} total=${Math.floor(uptimeSec * avg * 1e4)}\n`;
  return line("some", some) + line("full", full);
}

export const arcstatsText = (reading: NodeReading) =>
  `13 1 0x01 147 39984 4482034215 ${Math.floor(reading.uptimeSec * 1e9)}
name                            type data
hits                            4    ${reading.uptimeSec * 900}
misses                          4    ${reading.uptimeSec * 30}
c                               4    ${reading.arcMax}
c_min                           4    ${Math.floor(reading.arcMax / 16)}
c_max                           4    ${reading.arcMax}
size                            4    ${reading.arcBytes}
compressed_size                 4    ${Math.floor(reading.arcBytes * 0.7)}
`;

export const cpuinfoText = (spec: NodeSpec) =>
  Array.from(
    { length: spec.cpus },
    (_, cpu) => `processor	: ${cpu}
vendor_id	: ${spec.cpuModel.startsWith("AMD") ? "AuthenticAMD" : "GenuineIntel"}
cpu family	: 25
model		: 1
model name	: ${spec.cpuModel}
stepping	: 1
cpu MHz		: 2596.140
physical id	: 0
siblings	: ${spec.cpus}
core id		: ${Math.floor(cpu / 2)}
cpu cores	: ${spec.cpus / 2}
flags		: fpu vme de pse tsc msr pae mce cx8 apic sep mtrr pge mca cmov svm
bogomips	: 5199.99

`,
  ).join("");

export const versionText = `Linux version ${kernelRelease} (build@proxmox) (gcc (Debian 14.2.0-19) 14.2.0, GNU ld (GNU Binutils for Debian) 2.44) #1 SMP PREEMPT_DYNAMIC PMX ${kernelRelease.replace("-pve", "")}\n`;

export const mountsText = `sysfs /sys sysfs rw,nosuid,nodev,noexec,relatime 0 0
proc /proc proc rw,relatime 0 0
/dev/mapper/pve-root / ext4 rw,relatime,errors=remount-ro 0 0
tmpfs /run tmpfs rw,nosuid,nodev,size=10%,mode=755,inode64 0 0
tank /tank zfs rw,relatime,xattr,posixacl,casesensitive 0 0
/dev/fuse /etc/pve fuse rw,nosuid,nodev,relatime,user_id=0,group_id=0,default_permissions,allow_other 0 0
192.168.50.5:/srv/pve /mnt/pve/nfs1 nfs4 rw,relatime,vers=4.2,proto=tcp,addr=192.168.50.5 0 0
`;

/** The files of /proc that change, by path below the node's root. */
export function procFiles(
  spec: NodeSpec,
  reading: NodeReading,
  bootedAt: number,
  guests: readonly { name: string; receive: number; transmit: number }[],
): Record<string, string> {
  const host = [...reading.nics].map(([name, { inBytes, outBytes }]) => ({ name, receive: inBytes, transmit: outBytes }));
  const loopback = { name: "lo", receive: reading.uptimeSec * 500, transmit: reading.uptimeSec * 500 };
  return {
    "proc/stat": statText(reading, spec.cpus, bootedAt),
    "proc/meminfo": meminfoText(reading),
    "proc/loadavg": `${reading.load.map(two).join(" ")} 2/${400 + guests.length * 20} ${1000 + (reading.uptimeSec % 30_000)}\n`,
    "proc/uptime": `${reading.uptimeSec.toFixed(2)} ${(reading.jiffies.idle / 100).toFixed(2)}\n`,
    "proc/diskstats": diskstatsText(reading, spec),
    "proc/net/dev": netDevText([loopback, ...host, ...guests]),
    "proc/pressure/cpu": pressureText(reading.psiCpu, 0, reading.uptimeSec),
    "proc/pressure/io": pressureText(reading.psiIoSome, reading.psiIoFull, reading.uptimeSec),
    "proc/pressure/memory": pressureText(reading.psiMemSome, reading.psiMemFull, reading.uptimeSec),
    "proc/spl/kstat/zfs/arcstats": arcstatsText(reading),
  };
}
