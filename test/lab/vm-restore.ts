import { type Archive, archivePath, type Damage, headerLines } from "./archives.ts";
import { parseGuestFile } from "./guest-file.ts";
import { RestoreJob } from "./restore-job.ts";
import { isCloudInit, mergeVm } from "./restore-merge.ts";
import { InterruptedError, TaskError, type Worker } from "./tasks.ts";
import { pathOf, type Volume } from "./volumes.ts";

/** How a damaged archive of each form ends; texts as recorded. `after`: share of the data that is read before. */
type End = { after: number; zstd?: string; vma?: string; totals?: true; how: string };

const plainEnds: Partial<Record<Damage, End>> = {
  "cut-at-extent": { after: 0.99, vma: "detected missing cluster 3630 for stream drive-scsi0", how: "got signal 5" },
  "cut-last-byte": { after: 0.99, vma: "read short extent (511 bytes)", how: "got signal 5" },
  "cut-half": { after: 0.5, vma: "short vma extent (1504768 < 3801600)", how: "got signal 5" },
  "only-header": { after: 0, vma: "read short extent (32 bytes)", how: "got signal 5" },
  "flipped-extent-header": { after: 0, vma: "wrong vma extent header chechsum", how: "got signal 5" },
  appended: { after: 1, vma: "wrong vma extent header chechsum", how: "got signal 5" },
};
const checksum = "Decoding error (36) : Restored data doesn't match checksum ";
const zstdEnds: Partial<Record<Damage, End>> = {
  "cut-half": {
    after: 0.5,
    zstd: "Read error (39) : premature end ",
    vma: "short vma extent (116707 < 3801600)",
    how: "exit code 133",
  },
  "cut-tail": { after: 1, zstd: "Read error (39) : premature end ", totals: true, how: "exit code 1" },
  "flipped-data": { after: 0.8, zstd: checksum, vma: "short vma extent (585880 < 655872)", how: "exit code 133" },
};
export const headerProblems: Partial<Record<Damage, string>> = {
  "wrong-magic": "not a vma file - wrong magic number",
  "flipped-header": "wrong vma header chechsum",
  empty: "can't read vma header - got EOF",
};
export const plainEndOf = (damage: Damage | undefined) => (damage === undefined ? undefined : plainEnds[damage]);
export const zstdEndOf = (damage: Damage | undefined) => (damage === undefined ? undefined : zstdEnds[damage]);
const noSpace = "blk_pwrite to  failed (-28)";

/** Damages that were seen in an archive of this format. */
export function damagesOf(format: string): Damage[] {
  if (format === "vma") return ["flipped-data", ...(Object.keys({ ...plainEnds, ...headerProblems }) as Damage[])];
  if (format === "vma.zst") return Object.keys(zstdEnds) as Damage[];
  if (format.startsWith("pbs-")) return ["missing-chunk"];
  return format.startsWith("tar") ? ["flipped-data", "cut-half"] : [];
}

/** The worker of `qmrestore` for a file archive (qemu-server PVE/QemuServer.pm restore_vma_archive) or a Backup Server. */
export class VmRestore extends RestoreJob {
  *work(archive: Archive): ReturnType<Worker> {
    this.copy.archive = archive;
    if (archive.backup.type !== "qemu") throw new TaskError(this.notForTar());
    const { task } = this;
    if (this.call.liveRestore && archive.format !== "pbs-vm") {
      this.abandon("");
      throw new TaskError("live-restore is only compatible with backup images from a Proxmox Backup Server");
    }
    const pipe = this.pipe(archive);
    try {
      yield 100;
      yield* this.start(archive, pipe);
      yield* this.data(archive);
    } catch (error) {
      if (!(error instanceof InterruptedError) && !(error instanceof TaskError)) throw error;
      const how = error instanceof InterruptedError ? "interrupted by signal" : error.message;
      this.cleanUp();
      throw new TaskError(`command '${archive.format === "pbs-vm" ? "" : "set -o pipefail && "}${pipe}' failed: ${how}`);
    }
    this.parts.traces.removeTemporary(task.node, this.pid);
    this.finish(this.merged(archive));
    task.log("rescan volumes...");
    if (this.copy.guest.lock !== undefined) task.log(`VM is locked (${this.copy.guest.lock})`);
    if (this.call.start) task.log("Execute autostart");
    return undefined;
  }

  private notForTar(): string {
    this.abandon("");
    return `cannot pass along options (${Object.keys(this.call.overrides).join(" ")}) when restoring from tar archive`;
  }

  /** The command as PVE prints it. A Backup Server's was never recorded; after qemu-server PVE/QemuServer.pm. */
  private pipe({ format, volid, backup }: Archive): string {
    const path = archivePath(volid);
    const temporary = `/var/tmp/vzdumptmp${this.pid}`;
    const limit = this.call.bwlimit === undefined ? undefined : `cstream -t ${this.call.bwlimit * 1024} -- ${path}`;
    if (format === "pbs-vm") {
      const snapshot = volid.slice(volid.indexOf("/") + 1);
      return `/usr/bin/pbs-restore --repository monitor@pbs!pve@127.0.0.1:main --ns pve ${snapshot} drive-scsi0.img.fidx ${backup.vmid} --verbose --format raw --skip-zero`;
    }
    const extract = (from: string) => `vma extract -v -r ${temporary}.fifo ${from} ${temporary}`;
    const unpacker = { "vma.zst": "zstd -q -d -c", "vma.gz": "zcat", "vma.lzo": "lzop -d -c" }[format];
    if (unpacker === undefined) return limit === undefined ? extract(path) : `${limit} | ${extract("-")}`;
    return `${limit === undefined ? `${unpacker} ${path}` : `${limit} | ${unpacker} -`} | ${extract("-")}`;
  }

  /** Until the header is read the file says `lock: create`; from then on `memory: 128`: PVE's restore overwrites its own lock. */
  private *start(archive: Archive, pipe: string): Generator<number, void, undefined> {
    const { task, parts, call } = this;
    const { node } = task;
    const problem = archive.damage === undefined ? undefined : headerProblems[archive.damage];
    if (problem !== undefined) this.logBadHeader(archive, problem);
    if (call.bwlimit !== undefined) task.log(`applying read rate limit: ${call.bwlimit}`);
    task.log(archive.format === "pbs-vm" ? `restore proxmox backup image: ${pipe}` : `restore vma archive: ${pipe}`);
    if (archive.format !== "pbs-vm") parts.traces.makeTemporary(node, this.pid);
    if (problem !== undefined) {
      yield 60_000;
      throw new TaskError("got timeout reading VMA header - corrupted?");
    }
    yield 150;
    if (archive.format !== "pbs-vm") for (const line of headerLines(archive)) task.log(line);
    if (archive.firewall !== undefined) parts.copies.writeFirewall(this.vmid, archive.firewall);
    const targets = archive.disks.map((disk) => ({ disk, storage: this.storage(call.storage ?? disk.storage) }));
    if (call.bwlimit !== undefined) {
      for (const id of new Set(targets.map(({ storage }) => storage.id)))
        task.log(`rate limit for storage ${id}: ${call.bwlimit} KiB/s`);
    }
    this.makeCloudInit(archive);
    for (const { disk, storage } of targets) this.byKey.set(disk.key, this.named(this.allocate(storage, disk.sizeBytes)));
    parts.copies.write(this.copy.guest, "memory: 128\n");
    for (const { disk } of targets) {
      const volume = this.byKey.get(disk.key) as Volume;
      task.log(`map 'drive-${disk.key}' to '${pathOf(volume)}' (write zeros = ${volume.format === "qcow2" ? 0 : 1})`);
    }
  }

  private readonly byKey = new Map<string, Volume>();

  private named(volume: Volume): Volume {
    this.task.log(`new volume ID is '${volume.volid}'`);
    return volume;
  }

  private makeCloudInit(archive: Archive): void {
    for (const [key, value] of parseGuestFile(archive.config).values) {
      if (!/^(ide|sata|scsi|virtio)\d+$/.test(key) || !isCloudInit(value)) continue;
      const storage = this.storage(this.call.storage ?? value.split(":")[0] ?? "");
      this.byKey.set(key, this.named(this.allocate(storage, 4 * 2 ** 20, "cloudinit")));
    }
  }

  private logBadHeader({ volid }: Archive, problem: string): void {
    const lines = [
      `vma: ${problem}`,
      `Could not extract backed up config: command 'vma config ${archivePath(volid)}' failed: got signal 5`,
      "",
      "Skipping early checks!",
    ];
    for (const line of lines) this.task.log(line);
  }

  /** Reads the data percent by percent, until it is over or something is wrong with it. */
  private *data(archive: Archive): Generator<number, void, undefined> {
    const { task } = this;
    const { disks } = archive;
    const total = disks.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    const stored = disks.reduce((sum, { dataBytes }) => sum + dataBytes, 0);
    const needs = disks.map(({ key, dataBytes }) => ({ storage: this.byKey.get(key)?.storage ?? "", bytes: dataBytes }));
    const full = this.fullAt(needs);
    const end = full === undefined ? this.endOf(archive) : this.fullEnd(archive, full);
    const startedAt = this.now();
    const stepMs = this.durationMs(archive, total) / 100;
    const last = Math.floor((end?.after ?? 1) * 100);
    for (let percent = 1; percent <= last; percent++) {
      yield stepMs;
      if (percent === 50) yield* this.standStill();
      for (const { key, dataBytes } of disks) {
        const volume = this.byKey.get(key);
        if (volume !== undefined) volume.usedBytes = Math.floor((dataBytes * percent) / 100);
      }
      if (percent === 100 && end?.zstd !== undefined) task.log(`${archivePath(archive.volid)} : ${end.zstd}`);
      const seconds = Math.floor((this.now() - startedAt) / 1000);
      task.log(`progress ${percent}% (read ${Math.floor((total * percent) / 100)} bytes, duration ${seconds} sec)`);
    }
    if (end === undefined || end.totals === true) this.logTotals(archive, total, stored);
    if (end !== undefined) this.fail(archive, end);
    if (archive.damage === "flipped-data") for (const volume of this.byKey.values()) volume.damage = "different";
  }

  private logTotals({ format, disks }: Archive, total: number, stored: number): void {
    if (format === "pbs-vm") {
      for (const { sizeBytes } of disks)
        this.task.log(`restore image complete (bytes=${sizeBytes}, duration=1.00s, speed=${(sizeBytes / 1e6).toFixed(2)}MB/s)`);
      return;
    }
    this.task.log(
      `total bytes read ${total}, sparse bytes ${total - stored} (${(((total - stored) / total) * 100).toPrecision(3)}%)`,
    );
    this.task.log("space reduction due to 4K zero blocks 0.0837%");
  }

  private endOf({ damage, format }: Archive): End | undefined {
    if (damage === undefined) return undefined;
    // What a Backup Server's client says of a missing chunk was never recorded.
    if (damage === "missing-chunk") return { after: 0.4, how: "exit code 255" };
    return format === "vma" ? plainEnds[damage] : zstdEnds[damage];
  }

  private fullEnd({ format }: Archive, after: number): End {
    return { after, vma: noSpace, how: format === "vma" ? "got signal 5" : "exit code 133" };
  }

  private fail({ volid, format }: Archive, { after, zstd, vma, how }: End): never {
    const { task, pid } = this;
    const path = archivePath(volid);
    if (format === "pbs-vm") task.log("restore failed: reading chunk failed: No such file or directory (os error 2)");
    else {
      if (zstd !== undefined && after < 1) task.log(`${path} : ${zstd}`);
      if (vma !== undefined) task.log(`vma: restore failed - ${vma}`);
      if (format !== "vma" && vma !== undefined) {
        const first = vma === noSpace ? "Broken pipe            " : "Exit 1                 ";
        task.log(`/bin/bash: line 1: ${pid + 9} ${first} zstd -q -d -c ${path}`);
        task.log(
          `     ${pid + 10} Trace/breakpoint trap   | vma extract -v -r /var/tmp/vzdumptmp${pid}.fifo - /var/tmp/vzdumptmp${pid}`,
        );
      }
    }
    throw new TaskError(how);
  }

  /** What PVE clears away itself. The copy of the firewall file stays, and a configuration without any lock. */
  private cleanUp(): void {
    const { task, parts } = this;
    const inData = this.volumes.length > 0;
    for (const { volid } of this.volumes) task.log(`temporary volume '${volid}' successfully removed`);
    this.removeVolumes();
    parts.traces.removeTemporary(task.node, this.pid);
    if (inData) task.log("no lock found trying to remove 'create'  lock");
    this.abandon(inData ? "memory: 128\n" : "");
  }

  private abandon(text: string): void {
    this.task.log(
      `error before or during data restore, some or all disks were not completely restored. VM ${this.vmid} state is NOT cleaned up.`,
    );
    this.parts.copies.write(this.copy.guest, text);
  }

  private merged(archive: Archive): string {
    return mergeVm({
      archived: archive.config,
      overrides: this.call.overrides,
      unique: this.call.unique,
      volumes: this.byKey,
      newMac: (net) => this.newMac(net),
      newUuid: (what) => this.newUuid(what),
    });
  }
}
