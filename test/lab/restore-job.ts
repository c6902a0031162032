import type { Archive, Archives } from "./archives.ts";
import type { Schedule } from "./clock.ts";
import type { Copies, Copy } from "./copies.ts";
import { macOf, uuidOf } from "./random.ts";
import type { Traces } from "./restore-traces.ts";
import type { StorageSpec } from "./spec.ts";
import { readStorage } from "./storage-reading.ts";
import { type Task, TaskError, type TaskHandle, type Tasks } from "./tasks.ts";
import type { Tree } from "./tree.ts";
import { pathOf, type Volume } from "./volumes.ts";
import type { World } from "./world.ts";

/** What a test has decided about restores that come. */
export type RestorePlans = {
  /** The next restore of this number stands still when its data is half written; 0: of any number. */
  hanging: Set<number>;
  /** The target storage runs full when this share of the data is written. */
  fullAt: number | undefined;
  /** What happens in the moment in which a create call for this number comes in. */
  beforeCreate: Map<number, () => void>;
};

export type RestoreParts = {
  world: World;
  tree: Tree;
  schedule: Schedule;
  tasks: Tasks;
  copies: Copies;
  archives: Archives;
  traces: Traces;
  plans: RestorePlans;
};

/** One call that restores, checked. */
export type RestoreCall = {
  vmid: number;
  type: "qemu" | "lxc";
  volid: string;
  storage: string | undefined;
  unique: boolean;
  start: boolean;
  pool: string | undefined;
  /** KiB/s. */
  bwlimit: number | undefined;
  liveRestore: boolean;
  /** What belongs into the configuration. */
  overrides: Record<string, string>;
  user: string;
};

const readBytesPerSec = 2 ** 30;

/** What restores of VMs and containers have in common. */
export class RestoreJob {
  readonly volumes: Volume[] = [];
  private newMacs = 0;

  constructor(
    readonly parts: RestoreParts,
    readonly call: RestoreCall,
    readonly copy: Copy,
    readonly task: TaskHandle,
    readonly pid: number,
  ) {}

  get vmid(): number {
    return this.call.vmid;
  }

  now(): number {
    return this.parts.schedule.now();
  }

  storage(id: string): StorageSpec {
    const storage = this.parts.world.storage(id);
    if (storage === undefined) throw new TaskError(`storage '${id}' does not exist`);
    const content = this.call.type === "qemu" ? "images" : "rootdir";
    if (!storage.content.includes(content)) throw new TaskError(`Content type '${content}' is not available on storage '${id}'`);
    return storage;
  }

  /** Allocates a volume and says so as the storage's plugin does; the lines of block storages were never recorded. */
  allocate(storage: StorageSpec, sizeBytes: number, name: "disk" | "cloudinit" = "disk"): Volume {
    const { world } = this.parts;
    const { vmid, type } = this.call;
    const volume = world.volumes.allocate({ storage, node: this.task.node, vmid, type, sizeBytes, at: this.now() }, name);
    this.volumes.push(volume);
    if (volume.format === "qcow2") {
      this.task.log(
        `Formatting '${pathOf(volume)}', fmt=qcow2 cluster_size=65536 extended_l2=off preallocation=metadata compression_type=zlib size=${sizeBytes} lazy_refcounts=off refcount_bits=16`,
      );
    } else if (storage.type === "lvmthin") {
      this.task.log(`  Logical volume "${volume.volid.slice(volume.volid.indexOf(":") + 1)}" created.`);
    }
    return volume;
  }

  removeVolumes(): void {
    for (const volume of this.volumes) this.parts.world.volumes.remove(volume);
    this.volumes.length = 0;
  }

  newMac(net: string): string {
    this.newMacs++;
    return macOf(`${this.task.upid} ${net} ${this.newMacs}`);
  }

  newUuid(what: string): string {
    return uuidOf(`${this.task.upid} ${what}`);
  }

  /** Time that reading this much takes, ms. */
  durationMs(archive: Archive, readBytes: number): number {
    const { bwlimit } = this.call;
    const free = 350 + (readBytes / readBytesPerSec) * 1000;
    return bwlimit === undefined || bwlimit === 0 ? free : Math.max(free, (archive.backup.sizeBytes / (bwlimit * 1024)) * 1000);
  }

  /** Share of the data at which there is no room left on one of the storages; undefined: it fits. */
  fullAt(needs: readonly { storage: string; bytes: number }[]): number | undefined {
    const { world, plans } = this.parts;
    if (plans.fullAt !== undefined) {
      const { fullAt } = plans;
      plans.fullAt = undefined;
      return fullAt;
    }
    const byStorage = new Map<string, number>();
    for (const { storage, bytes } of needs) byStorage.set(storage, (byStorage.get(storage) ?? 0) + bytes);
    const shares = [...byStorage].map(([id, bytes]) => {
      const storage = world.storage(id);
      const avail = storage === undefined ? 0 : readStorage(world, world.node(this.task.node), storage, this.now()).avail;
      return avail >= bytes ? 1 : avail / bytes;
    });
    const least = Math.min(1, ...shares);
    return least < 1 ? least : undefined;
  }

  /** A test wants this restore to stand still for ever: until it is cancelled or killed. */
  *standStill(): Generator<number, void, undefined> {
    const { hanging } = this.parts.plans;
    if (!hanging.delete(this.vmid) && !hanging.delete(0)) return;
    for (;;) yield 60_000;
  }

  /** The copy is whole: its file, its pool. Without quorum /etc/pve takes nothing: that nothing is cleared away then was never recorded. */
  finish(text: string): void {
    const { copies, world } = this.parts;
    if (!world.quorate(this.now())) {
      const folder = this.call.type === "qemu" ? "qemu-server" : "lxc";
      const path = `/etc/pve/nodes/${this.task.node}/${folder}/${this.vmid}.conf`;
      throw new TaskError(`unable to open file '${path}.tmp.${this.pid}' - Permission denied`);
    }
    copies.write(this.copy.guest, text);
    if (this.call.pool !== undefined) copies.joinPool(this.copy.guest, this.call.pool);
  }
}

/** Number of the task's process, the hexadecimal one of its UPID. */
export const pidOfTask = (upid: string) => Number.parseInt(upid.split(":")[2] ?? "0", 16);

/** What of a killed restore runs on by itself, and for how long: its pipe, as children of nobody in the session of the dead worker. */
export function orphan({ traces, schedule }: RestoreParts, task: Task, commands: readonly string[], ms: number): void {
  const pids = commands.map((command, index) => {
    const pid = task.pid + 8 + index;
    traces.run(task.node, pid, command.split(" "), { session: task.pid, startTicks: task.pstart + 10 });
    return pid;
  });
  schedule.at(schedule.now() + ms, () => {
    for (const pid of pids) traces.end(task.node, pid);
  });
}
