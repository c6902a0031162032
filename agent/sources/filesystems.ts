import { statfs } from "node:fs/promises";
import { join } from "node:path";
import { nodeKey } from "#protocol/ids.ts";
import { errorCode } from "../core/error.ts";
import type { SampleTable } from "../core/table.ts";
import type { Clock } from "../ports.ts";
import { fileProblem, type NowReader } from "./files.ts";
import { Lane } from "./lane.ts";
import { idsOf } from "./metric-ids.ts";
import { counted, instanceName, minuteMs, type NodeSight, type SlowSource } from "./slow-source.ts";

const ids = idsOf("node");
const source = "statfs";
const filesystemsMax = 64;
const deadlineMs = 2000;

// Local ones on a disk. Whatever may ask another machine is not among them: NFS, CIFS, Ceph, FUSE and their like are never touched.
const localTypes = new Set(["ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "vfat", "f2fs", "jfs", "bcachefs"]);

export type Mount = { device: string; point: string; type: string };

/** Space in bytes. */
export type Space = { total: number; used: number; avail: number };
export type StatSpace = (path: string) => Promise<Space>;

export const statSpace: StatSpace = async (path) => {
  const { bsize, blocks, bfree, bavail } = await statfs(path);
  return { total: blocks * bsize, used: (blocks - bfree) * bsize, avail: bavail * bsize };
};

/**
 * The local file systems of /proc/mounts but the root's, each once: not the guests' own (a container's volume on ZFS, an image that is mounted
 * by a loop device).
 */
export function localMounts(text: string): Mount[] {
  const byDevice = new Map<string, Mount>();
  for (const line of text.split("\n")) {
    const [device, point, type] = line.split(" ").map(unescapeMount);
    if (device === undefined || point === undefined || type === undefined || !localTypes.has(type)) continue;
    if (device.startsWith("/dev/loop") || /(^|\/)(subvol|basevol)-\d+-disk-\d+$/.test(device)) continue;
    const known = byDevice.get(device);
    if (known === undefined || point.length < known.point.length) byDevice.set(device, { device, point, type });
  }
  return [...byDevice.values()].filter(({ point }) => point !== "/").slice(0, filesystemsMax);
}

/** The kernel writes space, tab, newline and backslash as three octal digits. */
const unescapeMount = (text: string) =>
  text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)));

/** Use of the node's local file systems, once a minute. Each has its own lane: one that hangs is absent, and the others come. */
export class FilesystemSource implements SlowSource {
  readonly name = "filesystems";
  readonly version = 0;
  readonly lendMs = 3 * minuteMs;
  readonly patienceMs = 30_000;
  problem: string | undefined;
  private readonly mounts = new Map<
    string,
    { mount: Mount; lane: Lane; space: Space | undefined; problem: string | undefined }
  >();

  constructor(
    private readonly root: string,
    private readonly files: NowReader,
    private readonly clock: Clock,
    private readonly stat: StatSpace,
  ) {}

  everyMs(): number | undefined {
    return minuteMs;
  }

  found(): string {
    const known = [...this.mounts.values()].filter(({ space }) => space !== undefined).length;
    return `${counted(known, "file system")} besides the root's`;
  }

  async refresh(): Promise<void> {
    const mounts = new Map(localMounts(this.files.tryRead("/proc/mounts") ?? "").map((mount) => [mount.device, mount]));
    for (const device of this.mounts.keys()) if (!mounts.has(device)) this.mounts.delete(device);
    for (const mount of mounts.values()) {
      if (this.mounts.get(mount.device)?.mount.point !== mount.point) this.add(mount);
    }
    this.problem = undefined;
    for (const entry of this.mounts.values()) {
      const { mount, lane } = entry;
      const suspended = mount.type === "zfs" && this.isSuspended(mount.device);
      if (suspended || !(await lane.run(deadlineMs))) entry.space = undefined;
      if (!suspended && lane.hangs(deadlineMs)) entry.problem = fileProblem(mount.point, "TIMEOUT");
      this.problem ??= entry.problem;
    }
  }

  put(table: SampleTable, { node }: Pick<NodeSight, "node">): void {
    const entity = table.entity(nodeKey(node));
    for (const { mount, space } of this.mounts.values()) {
      if (space === undefined) continue;
      const instance = instanceName(mount.point);
      table.put(entity, ids.fs_total, source, space.total, instance);
      table.put(entity, ids.fs_used, source, space.used, instance);
      table.put(entity, ids.fs_avail, source, space.avail, instance);
    }
  }

  /** Whoever touches a pool that waits for its disks may wait with it. */
  private isSuspended(dataset: string): boolean {
    const pool = dataset.split("/", 1)[0];
    return this.files.tryRead(`/proc/spl/kstat/zfs/${pool}/state`)?.trim() === "SUSPENDED";
  }

  private add(mount: Mount): void {
    const lane = new Lane(this.clock, async () => {
      try {
        entry.space = await this.stat(join(this.root, mount.point));
        entry.problem = undefined;
      } catch (error) {
        entry.space = undefined;
        // Unmounted in between, or a simulated root that does not have it.
        entry.problem = errorCode(error) === "ENOENT" ? undefined : fileProblem(mount.point, errorCode(error));
      }
    });
    const entry = { mount, lane, space: undefined as Space | undefined, problem: undefined as string | undefined };
    this.mounts.set(mount.device, entry);
  }
}
