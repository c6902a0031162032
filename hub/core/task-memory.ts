import type { TaskView } from "#protocol/api.ts";

/** What a power task wants of its guest. Types as in UPIDs: qemu-server `PVE/API2/Qemu.pm`, pve-container `PVE/API2/LXC/Status.pm`. */
const powerTypes: ReadonlyMap<string, "start" | "stop"> = new Map(
  Object.entries({
    qmstart: "start",
    vzstart: "start",
    hastart: "start",
    qmreboot: "start",
    vzreboot: "start",
    qmresume: "start",
    qmstop: "stop",
    vzstop: "stop",
    hastop: "stop",
    qmshutdown: "stop",
    vzshutdown: "stop",
    qmsuspend: "stop",
    vzsuspend: "stop",
    qmpause: "stop",
    // A snapshot without memory leaves its guest stopped: PVE/AbstractConfig.pm snapshot_rollback.
    qmrollback: "stop",
    vzrollback: "stop",
    qmdestroy: "stop",
    vzdestroy: "stop",
  } as const),
);

/** `goesOnAt`: of a rollback, its end: a guest that runs then was rolled back to a snapshot with its memory. */
export type PowerTask = { wants: "start" | "stop"; at: number; goesOnAt?: number };
/** A vzdump task. With an empty id it is a job's, about several guests. */
export type BackupTask = { at: number; endedAt: number | null; state: TaskView["state"]; ofJob: boolean };

const backupsMax = 40;

/** What rules have to know of tasks: who was told to start or stop, and when backups ran. */
export class TaskMemory {
  private added = 0;
  private readonly power = new Map<string, PowerTask>();
  private readonly stopAlls = new Map<string, number>();
  private readonly backups = new Map<string, Map<string, BackupTask>>();
  private readonly oldest = new Map<string, number>();

  /** Another number than before: something was learned. */
  get version(): number {
    return this.added;
  }

  add(task: TaskView): void {
    this.added++;
    const { cluster, node, id, startedAt } = task;
    this.oldest.set(`${cluster} ${node}`, Math.min(startedAt, this.oldest.get(`${cluster} ${node}`) ?? startedAt));
    const [vmid = ""] = id.split("@");
    const wants = powerTypes.get(task.type);
    if (wants !== undefined && task.state !== "failed") {
      const key = `${cluster} ${vmid}`;
      const goesOn = task.type.endsWith("rollback") && task.endedAt !== null ? { goesOnAt: task.endedAt } : {};
      if (startedAt >= (this.power.get(key)?.at ?? 0)) this.power.set(key, { wants, at: startedAt, ...goesOn });
    } else if (task.type === "stopall") {
      this.stopAlls.set(`${cluster} ${node}`, Math.max(startedAt, this.stopAlls.get(`${cluster} ${node}`) ?? 0));
    } else if (task.type === "vzdump") this.addBackup(task, vmid);
  }

  /** The newest word on whether a guest should run. */
  powerOf(cluster: string, vmid: number): PowerTask | undefined {
    return this.power.get(`${cluster} ${vmid}`);
  }

  /** When a node was last told to stop all its guests: it shuts down. */
  stopAllAt(cluster: string, node: string): number | undefined {
    return this.stopAlls.get(`${cluster} ${node}`);
  }

  /** Backup tasks of the guest itself, on any node, and of jobs on its node, in any order. */
  backupsOf(cluster: string, node: string, vmid: number): BackupTask[] {
    const own = this.backups.get(`${cluster} ${vmid}`)?.values() ?? [];
    const jobs = this.backups.get(`${cluster}/${node}`)?.values() ?? [];
    return [...own, ...jobs];
  }

  /** The newest job of a node that ended. */
  newestJob(cluster: string, node: string): BackupTask | undefined {
    const ended = [...(this.backups.get(`${cluster}/${node}`)?.values() ?? [])].filter(({ state }) => state !== "running");
    return ended.sort((a, b) => b.at - a.at)[0];
  }

  /** Start of the oldest task known of a node: before it nothing is known. */
  knownSince(cluster: string, node: string): number | undefined {
    return this.oldest.get(`${cluster} ${node}`);
  }

  private addBackup({ cluster, node, upid, startedAt, endedAt, state }: TaskView, vmid: string): void {
    const key = vmid === "" ? `${cluster}/${node}` : `${cluster} ${vmid}`;
    const tasks = this.backups.get(key) ?? new Map<string, BackupTask>();
    this.backups.set(key, tasks);
    tasks.set(upid, { at: startedAt, endedAt, state, ofJob: vmid === "" });
    if (tasks.size <= backupsMax) return;
    const [oldest] = [...tasks].sort((a, b) => a[1].at - b[1].at);
    if (oldest !== undefined) tasks.delete(oldest[0]);
  }
}
