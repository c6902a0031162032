import { type Backup, backupSize, fileStamp, formatOf, logStamp } from "./backups.ts";
import { nightlyExclude, volumeOf } from "./config-files.ts";
import type { Operations } from "./operations.ts";
import { uuidOf } from "./random.ts";
import { InterruptedError, type Task, type TaskHandle, type Tasks, type Worker } from "./tasks.ts";
import type { Guest, World } from "./world.ts";

export type VzdumpOptions = {
  storage: string;
  mode: "snapshot" | "suspend" | "stop";
  compress: string;
  /** Absent: all guests of the node but those that the nightly job excludes. */
  vmids?: readonly number[];
  protected?: boolean;
};

const bytesPerSec = 250 * 2 ** 20;
const word = (guest: Guest) => (guest.life.spec.type === "qemu" ? "VM" : "CT");

/** Backups: one vzdump per node at a time, the log in vzdump's words (recorded for VMs and containers on a directory). */
export class Vzdump {
  /** Guests whose next backup fails, with the reason that the log gives. */
  readonly failing = new Map<number, string>();
  /** Task that holds the node's global lock, /var/run/vzdump.lock. */
  private readonly holders = new Map<string, string>();

  constructor(
    private readonly world: World,
    private readonly operations: Operations,
    private readonly tasks: Tasks,
    private readonly backups: Backup[],
  ) {
    tasks.onEnd(({ node, upid }) => {
      if (this.holders.get(node) === upid) this.holders.delete(node);
    });
  }

  /** `POST vzdump`; guests of other nodes are left out without a word, a vmid that exists nowhere fails. */
  start(node: string, options: VzdumpOptions, user: string): Task {
    const excluded = new Set(nightlyExclude(this.world.spec));
    const here = this.world.guestsNow().filter(({ home }) => home === node);
    const all = here.map(({ life }) => life.spec.vmid).filter((vmid) => !excluded.has(vmid));
    const vmids = options.vmids?.filter((vmid) => (this.world.guest(vmid)?.home ?? node) === node) ?? all;
    const id = options.vmids?.length === 1 ? String(options.vmids[0]) : "";
    return this.tasks.start({ node, type: "vzdump", id, user }, (task) => this.job(task, vmids, options));
  }

  private *job(task: TaskHandle, vmids: readonly number[], options: VzdumpOptions): ReturnType<Worker> {
    if (!(yield* this.lock(task))) return "unexpected status";
    this.holders.set(task.node, task.upid);
    const { mode, storage, compress } = options;
    const what = options.vmids === undefined ? "--all 1" : options.vmids.join(" ");
    task.log(
      `INFO: starting new backup job: vzdump ${what} --node ${task.node} --mode ${mode} --storage ${storage} --compress ${compress}`,
    );
    let failed = 0;
    let current = 0;
    try {
      for (const vmid of vmids) {
        current = vmid;
        const problem = yield* this.guest(task, vmid, options);
        if (problem === undefined) continue;
        failed++;
        task.log(`ERROR: Backup of VM ${vmid} failed - ${problem}`);
        task.log(`INFO: Failed at ${logStamp(task.now())}`);
      }
    } catch (error) {
      if (error instanceof InterruptedError) this.logInterrupt(task, current);
      throw error;
    }
    task.log(failed > 0 ? "INFO: Backup job finished with errors" : "INFO: Backup job finished successfully");
    return failed > 0 ? "job errors" : undefined;
  }

  /** False: stopped while it waited. */
  private *lock(task: TaskHandle): Generator<number, boolean, undefined> {
    if (!this.holders.has(task.node)) return true;
    task.log("INFO: trying to get global lock - waiting...");
    try {
      while (this.holders.has(task.node)) yield 1000;
    } catch (error) {
      if (!(error instanceof InterruptedError)) throw error;
      task.log("ERROR: can't acquire lock '/var/run/vzdump.lock' - interrupted by signal");
      return false;
    }
    task.log("INFO: got global lock");
    return true;
  }

  private logInterrupt(task: TaskHandle, vmid: number): void {
    task.log("ERROR: interrupted by signal");
    task.log("INFO: aborting backup job");
    task.log(`ERROR: Backup of VM ${vmid} failed - interrupted by signal`);
    task.log(`INFO: Failed at ${logStamp(task.now())}`);
    task.log("ERROR: Backup job failed - interrupted by signal");
  }

  /** One guest's part; returns why it failed. The guest is locked meanwhile, also when the worker is killed. */
  private *guest(task: TaskHandle, vmid: number, options: VzdumpOptions): Generator<number, string | undefined, undefined> {
    const guest = this.world.guest(vmid);
    if (guest === undefined) return `unable to find VM '${vmid}'`;
    const { type } = guest.life.spec;
    task.log(`INFO: Starting Backup of VM ${vmid} (${type})`);
    task.log(`INFO: Backup started at ${logStamp(task.now())}`);
    task.log(`INFO: status = ${this.operations.running(guest) ? "running" : "stopped"}`);
    if (guest.lock !== undefined) return `${word(guest)} is locked (${guest.lock})`;
    this.operations.setLock(guest, "backup");
    try {
      return yield* this.archive(task, guest, options);
    } finally {
      this.operations.setLock(guest, undefined);
    }
  }

  private *archive(task: TaskHandle, guest: Guest, options: VzdumpOptions): Generator<number, string | undefined, undefined> {
    const { vmid, type, name } = guest.life.spec;
    const startedAt = task.now();
    this.logGuest(task, guest, options);
    const storage = options.storage === "pbs1" ? "pbs1" : "nfs1";
    const sizeBytes = backupSize(this.world, vmid, storage, startedAt);
    const at = Math.floor(startedAt / 1000) * 1000;
    const backup: Backup = { storage, vmid, type, at, sizeBytes, notes: name, protected: options.protected === true };
    task.log(archiveLine(backup));
    if (type === "qemu") {
      task.log("INFO: starting backup via QMP command");
      task.log(`INFO: started backup task '${uuidOf(`${vmid} ${startedAt}`)}'`);
    }
    const problem = this.failing.get(vmid) ?? this.storageProblem(options.storage);
    const durationMs = Math.max(2000, (backupSize(this.world, vmid, "nfs1", startedAt) / bytesPerSec) * 1000);
    yield durationMs / 2;
    if (problem !== undefined) {
      this.failing.delete(vmid);
      task.log("INFO: aborting backup job");
      return problem;
    }
    yield durationMs / 2;
    if (storage === "nfs1") task.log(`INFO: archive file size: ${Math.round(sizeBytes / 2 ** 20)}MB`);
    task.log("INFO: adding notes to backup");
    if (backup.protected) task.log("INFO: marking backup as protected");
    this.backups.push(backup);
    if (storage === "nfs1") this.prune(task, vmid);
    task.log(`INFO: Finished Backup of VM ${vmid} (${new Date(task.now() - startedAt).toISOString().slice(11, 19)})`);
    task.log(`INFO: Backup finished at ${logStamp(task.now())}`);
    return undefined;
  }

  /** Keeps eight: seven days and the week before, as the job's retention nearly does. */
  private prune(task: TaskHandle, vmid: number): void {
    task.log("INFO: prune older backups with retention: keep-daily=7, keep-weekly=4");
    const own = this.backups.filter((backup) => backup.storage === "nfs1" && backup.vmid === vmid && !backup.protected);
    const old = own.sort((a, b) => b.at - a.at).slice(8);
    for (const backup of old) this.backups.splice(this.backups.indexOf(backup), 1);
    task.log(`INFO: pruned ${old.length} backup(s)`);
  }

  private logGuest(task: TaskHandle, guest: Guest, options: VzdumpOptions): void {
    const { type, name, drives } = guest.life.spec;
    task.log(`INFO: ${word(guest)} Name: ${name}`);
    for (const drive of drives) {
      const volume = `include disk '${drive.id}' '${volumeOf(guest, drive)}' ${drive.sizeBytes / 2 ** 30}G`;
      task.log(`INFO: ${type === "qemu" ? volume : "including mount point rootfs ('/') in backup"}`);
    }
    task.log(`INFO: backup mode: ${this.operations.running(guest) ? options.mode : "stop"}`);
    task.log("INFO: ionice priority: 7");
  }

  private storageProblem(storage: string): string | undefined {
    const fault = this.world.storageFaults.get(storage);
    return fault !== undefined && fault.fault !== "slow" ? `storage '${storage}' is not online` : undefined;
  }
}

function archiveLine(backup: Backup): string {
  if (backup.storage === "pbs1") {
    const kind = backup.type === "qemu" ? "vm" : "ct";
    const stamp = `${new Date(backup.at).toISOString().slice(0, 19)}Z`;
    return `INFO: creating Proxmox Backup Server archive '${kind}/${backup.vmid}/${stamp}'`;
  }
  const file = `vzdump-${backup.type}-${backup.vmid}-${fileStamp(backup.at)}.${formatOf(backup)}`;
  return `INFO: creating vzdump archive '/mnt/pve/nfs1/dump/${file}'`;
}
