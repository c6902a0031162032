import { type Archive, archivePath } from "./archives.ts";
import { parseGuestFile, sizeIn, volumeIn } from "./guest-file.ts";
import { uuidOf } from "./random.ts";
import { RestoreJob } from "./restore-job.ts";
import { mergeContainer } from "./restore-merge.ts";
import { InterruptedError, TaskError, type Worker } from "./tasks.ts";
import { pathOf, type Volume } from "./volumes.ts";

/** What `tar xpf` is called with for an unprivileged container (pve-container PVE/LXC/Create.pm), as recorded. */
function tarCommand(vmid: number, format: string, bwlimit: number | undefined): string {
  const packer = { "tar.zst": "--zstd ", "tar.gz": "-z ", "tar.lzo": "--lzop ", tar: "" }[format] ?? "--zstd ";
  const tar = `lxc-usernsexec -m u:0:100000:65536 -m g:0:100000:65536 -- tar xpf - ${packer}--totals --one-file-system -p --sparse --numeric-owner --acls --xattrs '--xattrs-include=user.*' '--xattrs-include=security.capability' '--warning=no-file-ignored' '--warning=no-xattr-write' -C /var/lib/lxc/${vmid}/rootfs --skip-old-files --anchored --exclude './dev/*'`;
  return bwlimit === undefined ? tar : `set -o pipefail && cstream -t ${bwlimit * 1024} | ${tar}`;
}

/** The worker of `vzrestore`. The file says `lock: create` all the time; whatever fails leaves nothing but an empty folder. */
export class ContainerRestore extends RestoreJob {
  private readonly byKey = new Map<string, Volume>();

  *work(archive: Archive | undefined): ReturnType<Worker> {
    this.copy.archive = archive;
    const { task, call } = this;
    try {
      task.log(`recovering backed-up configuration from '${call.volid}'`);
      yield 300;
      if (archive === undefined) throw new TaskError(`volume '${call.volid}' does not exist`);
      if (archive.backup.type !== "lxc") this.refuseOther();
      this.makeVolumes(archive);
      const read = yield* this.extract(archive);
      task.log(`Total bytes read: ${read}`);
      task.log("merging backed-up and given configuration..");
    } catch (error) {
      if (!(error instanceof InterruptedError) && !(error instanceof TaskError)) throw error;
      const how =
        error instanceof InterruptedError
          ? `command '${tarCommand(this.vmid, archive?.format ?? "tar.zst", call.bwlimit)}' failed: received interrupt`
          : error.message;
      this.cleanUp();
      throw new TaskError(`unable to restore CT ${this.vmid} - ${how}`);
    }
    this.parts.traces.unmount(task.node, this.vmid);
    this.finish(
      mergeContainer({
        archived: archive.config,
        overrides: call.overrides,
        unique: call.unique,
        volumes: this.byKey,
        newMac: (net) => this.newMac(net),
        newUuid: (what) => this.newUuid(what),
      }),
    );
    if (archive.firewall !== undefined) this.parts.copies.writeFirewall(this.vmid, archive.firewall);
    return undefined;
  }

  private refuseOther(): never {
    const lines = [
      "tar: This does not look like a tar archive",
      "tar: Skipping to next header",
      "tar: Exiting with failure status due to previous errors",
    ];
    for (const line of lines) this.task.log(line);
    throw new TaskError("ERROR: archive contains no configuration file");
  }

  /** With a `rootfs` in the call (`vmstore:2`, GiB) only that one is made. */
  private makeVolumes(archive: Archive): void {
    const given = this.call.overrides.rootfs;
    if (given !== undefined) {
      const [id = "", size = "4"] = given.split(":");
      this.make("rootfs", id, sizeIn(given) ?? Number(size.split(",")[0]) * 2 ** 30);
      return;
    }
    for (const { key, sizeBytes, storage } of archive.disks) this.make(key, this.call.storage ?? storage, sizeBytes);
    const mounts = [...parseGuestFile(archive.config).values].filter(([key]) => /^mp\d+$/.test(key) && !this.byKey.has(key));
    for (const [key, value] of mounts) {
      // Without `backup=1` its content is not in the archive; the volume is made anew, and empty.
      if (!value.startsWith("/"))
        this.make(key, this.call.storage ?? volumeIn(value).split(":")[0] ?? "", sizeIn(value) ?? 2 ** 30);
    }
  }

  private make(key: string, storageId: string, sizeBytes: number): void {
    const { task } = this;
    const volume = this.allocate(this.storage(storageId), sizeBytes);
    this.byKey.set(key, volume);
    if (volume.format === "subvol") return;
    const blocks = Math.floor(sizeBytes / 4096);
    const backups = [32_768, 98_304, 163_840, 229_376, 294_912, 819_200, 884_736].filter((block) => block < blocks);
    const lines = [
      `Creating filesystem with ${blocks} 4k blocks and ${blocks / 4} inodes`,
      `Filesystem UUID: ${uuidOf(`${task.upid} ${key}`)}`,
      "Superblock backups stored on blocks: ",
      `\t${backups.join(", ")}`,
    ];
    for (const line of lines) task.log(line);
  }

  private *extract(archive: Archive): Generator<number, string, undefined> {
    const { task, parts } = this;
    const root = this.byKey.get("rootfs");
    if (root !== undefined) parts.traces.mount(task.node, this.vmid, pathOf(root));
    task.log(`restoring '${archive.volid}' now..`);
    task.log(`extracting archive '${archivePath(archive.volid)}'`);
    const bytes = archive.disks.reduce((sum, { dataBytes }) => sum + dataBytes, 0);
    const full = this.fullAt(archive.disks.map(({ key, dataBytes }) => ({ storage: this.storageOf(key), bytes: dataBytes })));
    const durationMs = 700 + this.durationMs(archive, bytes);
    for (let step = 1; step <= 20; step++) {
      yield durationMs / 20;
      if (step === 10) {
        yield* this.standStill();
        this.failDamaged(archive);
      }
      const share = Math.min(step / 20, full ?? 1);
      for (const { key, dataBytes } of archive.disks) {
        const volume = this.byKey.get(key) ?? root;
        if (volume !== undefined) volume.usedBytes = Math.floor(dataBytes * share);
      }
    }
    // A full storage below a sparse image is noticed by nobody: `OK`, and a volume that can't be mounted.
    if (full !== undefined) for (const volume of this.volumes) volume.damage = "incomplete";
    const mebibytes = Math.round(bytes / 2 ** 20);
    return `${bytes} (${mebibytes}MiB, ${Math.round(mebibytes / (durationMs / 1000))}MiB/s)`;
  }

  private storageOf(key: string): string {
    return (this.byKey.get(key) ?? this.byKey.get("rootfs"))?.storage ?? "";
  }

  /** Of a damaged archive only tar's exit code 2 was recorded (a root too small), not these messages. */
  private failDamaged({ damage, format }: Archive): void {
    if (damage === undefined) return;
    if (damage === "missing-chunk") throw new TaskError("reading chunk failed: No such file or directory (os error 2)");
    const zstd =
      damage === "cut-half" ? "Read error (39) : premature end " : "Decoding error (36) : Restored data doesn't match checksum ";
    this.task.log(`/*stdin*\\ : ${zstd}`);
    this.task.log("tar: Child returned status 1");
    this.task.log("tar: Error is not recoverable: exiting now");
    throw new TaskError(`command '${tarCommand(this.vmid, format, this.call.bwlimit)}' failed: exit code 2`);
  }

  private cleanUp(): void {
    this.parts.traces.unmount(this.task.node, this.vmid);
    this.removeVolumes();
    this.parts.copies.remove(this.copy.guest);
  }
}
