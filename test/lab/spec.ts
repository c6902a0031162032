import { between, hash32, macOf, pick, unit, uuidOf } from "./random.ts";

/** What the simulated cluster is made of before anything happens. A pure function of the options. */
export type ClusterSpec = {
  seed: string;
  name: string;
  nodes: NodeSpec[];
  guests: GuestSpec[];
  storages: StorageSpec[];
};

export type DiskSpec = {
  name: string;
  model: string;
  serial: string;
  sizeBytes: number;
  kind: "ssd" | "nvme";
  partitions: string[];
};

export type NodeSpec = {
  name: string;
  id: number;
  ip: string;
  cpus: number;
  cpuModel: string;
  memBytes: number;
  swapBytes: number;
  rootBytes: number;
  tankBytes: number;
  disks: DiskSpec[];
};

export type DriveSpec = { id: string; storage: string; sizeBytes: number };

/** `office`: runs from 06:00 to 20:00 UTC. */
export type GuestHabit = "always" | "stopped" | "office" | "paused";

export type GuestSpec = {
  vmid: number;
  type: "qemu" | "lxc";
  name: string;
  node: string;
  cores: number;
  memBytes: number;
  swapBytes: number;
  /** VMs: the smallest size the balloon may shrink to. */
  balloonBytes?: number;
  /** First one: the boot disk or root file system. */
  drives: DriveSpec[];
  cdrom: boolean;
  nics: string[];
  tags: string[];
  pool?: string;
  onboot: boolean;
  template: boolean;
  habit: GuestHabit;
  agent: "none" | "dead" | "answers";
  /** What its agent reads files of: a Windows has no /proc, and the RHEL family disables guest-file-open. Absent: a Linux that lets it. */
  files?: "windows" | "disabled";
  /** Lock that it has when the lab starts. */
  lock?: string;
  /** Name of a snapshot that was taken when the guest was made. */
  snapshot?: string;
};

/** True of a guest whose agent lets its memory be read. */
export const tellsMemory = ({ type, agent, files }: GuestSpec) => type === "qemu" && agent === "answers" && files === undefined;

export type StorageSpec = {
  id: string;
  type: "dir" | "zfspool" | "lvmthin" | "nfs" | "pbs";
  shared: boolean;
  content: string[];
  totalBytes: number;
};

const GiB = 2 ** 30;
const names = ["web", "db", "mail", "dns", "proxy", "files", "git", "ci", "wiki", "cache", "queue", "auth", "log", "mon", "app"];
const cpuModels = [
  "AMD EPYC 7313P 16-Core Processor",
  "Intel(R) Xeon(R) Silver 4314 CPU @ 2.40GHz",
  "AMD EPYC 9124 16-Core Processor",
];

function nodeSpec(seed: string, index: number): NodeSpec {
  const name = `pve${index + 1}`;
  const key = `${seed} ${name}`;
  const tankBytes = 3_985_729_650_688; // a mirror of two 4 TB drives, as zpool says SIZE
  return {
    name,
    id: index + 1,
    ip: `192.168.${50 + Math.floor(index / 200)}.${11 + (index % 200)}`,
    cpus: pick(`${key} cpus`, [16, 24, 32]),
    cpuModel: pick(`${key} model`, cpuModels),
    memBytes: pick(`${key} mem`, [96, 128, 192]) * GiB - 412 * 1024 * 1024,
    swapBytes: 8 * GiB,
    rootBytes: 100_861_726_720,
    tankBytes,
    disks: [
      {
        name: "sda",
        model: "SAMSUNG MZ7L3960HCJR-00A07",
        serial: `S662NN0W${hash32(`${key} sda`) % 1_000_000}`,
        sizeBytes: 960_197_124_096,
        kind: "ssd",
        partitions: ["sda1", "sda2", "sda3"],
      },
      ...["nvme0n1", "nvme1n1"].map(
        (disk): DiskSpec => ({
          name: disk,
          model: "SAMSUNG MZQL23T8HCLS-00A07",
          serial: `S64HNN0X${hash32(`${key} ${disk}`) % 1_000_000}`,
          sizeBytes: 3_840_755_982_336,
          kind: "nvme",
          partitions: [`${disk}p1`, `${disk}p9`],
        }),
      ),
    ],
  };
}

/** What makes some of each forty guests special, by their place among them. */
const roles: Record<number, Partial<GuestSpec>> = {
  1: { snapshot: "as-installed" },
  5: { habit: "stopped", onboot: false },
  6: { files: "windows" },
  8: { habit: "stopped", onboot: false },
  11: { lock: "backup" },
  16: { files: "disabled" },
  17: { habit: "office" },
  18: { habit: "office" },
  20: { habit: "paused" },
  26: { agent: "dead" },
  30: { agent: "none" },
  39: { habit: "stopped", template: true, onboot: false, agent: "none" },
};

function guestSpec(seed: string, index: number, nodes: readonly NodeSpec[], guests: number): GuestSpec {
  const place = index % 40;
  const template = place === 39;
  const vmid = template ? 9000 + Math.floor(index / 40) + (guests > 8000 ? 900_000 : 0) : 100 + index;
  const key = `${seed} guest ${vmid}`;
  const type = place % 5 < 3 || [20, 26, 30, 39].includes(place) ? "qemu" : "lxc";
  const name = template
    ? "tmpl-debian13"
    : `${type === "lxc" ? "ct-" : ""}${names[index % names.length]}${String(1 + Math.floor(index / names.length)).padStart(2, "0")}`;
  const memBytes = type === "qemu" ? pick(`${key} mem`, [2, 4, 8, 16]) * GiB : pick(`${key} mem`, [0.5, 1, 2]) * GiB;
  const disk = (id: string, storage: string, low: number, high: number): DriveSpec => ({
    id,
    storage,
    sizeBytes: Math.round(between(`${key} ${id}`, low, high)) * GiB,
  });
  const home = nodes[index % nodes.length] as NodeSpec;
  // Every tenth place lives on the NFS; LVM-thin and ZFS share the rest.
  const storage = index % 10 === 3 ? "nfs1" : index % 3 === 1 ? "local-lvm" : "local-zfs";
  const drives = type === "lxc" ? [disk("rootfs", storage, 4, 24)] : [disk("scsi0", storage, 16, 64)];
  if (type === "qemu" && index % 4 === 1) drives.push(disk("scsi1", "local-zfs", 50, 300));
  const spec: GuestSpec = {
    vmid,
    type,
    name,
    node: home.name,
    cores: type === "qemu" ? pick(`${key} cores`, [2, 4, 8]) : pick(`${key} cores`, [1, 2, 4]),
    memBytes,
    swapBytes: type === "lxc" ? 512 * 1024 * 1024 : 0,
    drives,
    cdrom: index % 7 === 2 && type === "qemu",
    nics: type === "qemu" && index % 6 === 0 ? ["net0", "net1"] : ["net0"],
    tags: [
      index % 4 === 3 ? "test" : "prod",
      ...(name.includes("db") ? ["database"] : []),
      ...(name.includes("web") ? ["web"] : []),
    ].sort(),
    onboot: true,
    template: false,
    habit: "always",
    agent: "answers",
  };
  if (index % 4 === 0) spec.pool = "prod";
  if (type === "qemu" && unit(`${key} balloon`) < 0.3) spec.balloonBytes = memBytes / 2;
  const { lock, ...role } = roles[place] ?? {};
  return { ...spec, ...role, ...(lock === undefined ? {} : { lock }) };
}

const storages: readonly StorageSpec[] = [
  { id: "local", type: "dir", shared: false, content: ["iso", "vztmpl", "backup", "import"], totalBytes: 100_861_726_720 },
  { id: "local-lvm", type: "lvmthin", shared: false, content: ["images", "rootdir"], totalBytes: 794_290_126_848 },
  { id: "local-zfs", type: "zfspool", shared: false, content: ["images", "rootdir"], totalBytes: 3_861_146_517_504 },
  { id: "nfs1", type: "nfs", shared: true, content: ["images", "rootdir", "backup", "iso"], totalBytes: 23_952_010_051_584 },
  { id: "pbs1", type: "pbs", shared: true, content: ["backup"], totalBytes: 35_184_372_088_832 },
];

/** `guests`: of the whole cluster, spread over the nodes in turn. */
export function buildSpec(seed: string, nodeCount: number, guestCount: number): ClusterSpec {
  const nodes = Array.from({ length: nodeCount }, (_, index) => nodeSpec(seed, index));
  const guests = Array.from({ length: guestCount }, (_, index) => guestSpec(seed, index, nodes, guestCount));
  return { seed, name: "lab", nodes, guests, storages: [...storages] };
}

/** What one life of a vmid is told apart by; a recreated guest has another. */
export function identityOf(seed: string, guest: GuestSpec, incarnation: number) {
  const key = `${seed} guest ${guest.vmid} life ${incarnation}`;
  return { uuid: uuidOf(`${key} smbios`), vmgenid: uuidOf(`${key} vmgen`), mac: (nic: string) => macOf(`${key} ${nic}`) };
}
