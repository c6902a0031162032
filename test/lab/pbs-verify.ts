import { type Backup, volidOf } from "./backups.ts";

/**
 * Verification on the lab's Backup Server: `POST admin/datastore/{store}/verify`, its task and the task's log. Words and fields after proxmox-backup's
 * src/backup/verify.rs and src/api2/admin/datastore.rs; **no answer of a real server was ever seen**.
 */
export type VerifyParts = {
  now(): number;
  /** Whether chunks of it are missing or wrong. */
  isDamaged(backup: Backup): boolean;
};

type Task = { upid: string; endsAt: number; backups: readonly Backup[]; log: string[]; status: string | undefined };

const perBackupMs = 8000;
const hex = (value: number) => value.toString(16).toUpperCase().padStart(8, "0");
const snapshotOf = (backup: Backup) => volidOf(backup).slice("pbs1:backup/".length);

export class PbsVerification {
  private readonly tasks = new Map<string, Task>();

  constructor(private readonly parts: VerifyParts) {}

  /** Of these snapshots; the answer is the UPID, with the field that PVE's have not. */
  start(backups: readonly Backup[], what: { worker: string; id: string; user: string }): string {
    const at = this.parts.now();
    const number = this.tasks.size + 1;
    const time = hex(Math.floor(at / 1000));
    const id = what.id.replaceAll(":", "\\x3a").replaceAll("/", "-");
    const upid = `UPID:pbs:${hex(1000 + number)}:${hex(0x1f40)}:${hex(number)}:${time}:${what.worker}:${id}:${what.user}:`;
    this.tasks.set(upid, { upid, endsAt: at + Math.max(1, backups.length) * perBackupMs, backups, log: [], status: undefined });
    return upid;
  }

  /** Undefined: there is no such task. */
  status(upid: string): Record<string, unknown> | undefined {
    const task = this.looked(upid);
    if (task === undefined) return undefined;
    return { upid, status: task.status === undefined ? "running" : "stopped", ...(task.status && { exitstatus: task.status }) };
  }

  log(upid: string): { n: number; t: string }[] | undefined {
    return this.looked(upid)?.log.map((t, index) => ({ n: index + 1, t }));
  }

  private looked(upid: string): Task | undefined {
    const task = this.tasks.get(upid);
    if (task !== undefined && task.status === undefined && this.parts.now() >= task.endsAt) this.finish(task);
    return task;
  }

  private finish(task: Task): void {
    let failed = 0;
    for (const backup of task.backups) {
      const archive = backup.type === "qemu" ? "drive-scsi0.img.fidx" : "root.pxar.didx";
      const damaged = this.parts.isDamaged(backup);
      task.log.push(`verify main:${snapshotOf(backup)}`, `  check ${archive}`);
      if (damaged) {
        failed++;
        task.log.push(
          "can't verify chunk, load failed - store 'main', unable to load chunk - No such file or directory (os error 2)",
          `verify main:${snapshotOf(backup)}/${archive} failed: chunks could not be verified`,
        );
      }
      backup.verification = { state: damaged ? "failed" : "ok", upid: task.upid };
    }
    task.status = failed === 0 ? "OK" : "verification failed - please check the log for details";
    task.log.push(failed === 0 ? "TASK OK" : `TASK ERROR: ${task.status}`);
  }
}
