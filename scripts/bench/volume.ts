import { spawnSync } from "node:child_process";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, truncateSync } from "node:fs";
import { basename } from "node:path";

/**
 * A small ext4 file system of its own on a loop device: what one program writes can then be read at its device, to the sector, journal
 * included. /proc/<pid>/io is no measure for that: where the page cache uses large folios it counts a page of 4 KiB as up to 2 MiB.
 */
export class Volume {
  private constructor(
    readonly dir: string,
    private readonly image: string,
    private readonly device: string,
  ) {}

  /** Undefined where this user may not mount, or there are no loop devices. */
  static create(dir: string, megabytes: number): Volume | undefined {
    const image = `${dir}.img`;
    mkdirSync(dir, { recursive: true });
    closeSync(openSync(image, "w"));
    truncateSync(image, megabytes * 1_000_000);
    // Everything is laid out now: lazy initialisation would write in the background for minutes.
    const made = run("mkfs.ext4", "-q", "-m", "0", "-E", "lazy_itable_init=0,lazy_journal_init=0", image);
    if (made === undefined || run("mount", "-o", "loop,noatime", image, dir) === undefined) {
      rmSync(image, { force: true });
      return undefined;
    }
    const device = basename(run("findmnt", "-no", "SOURCE", dir)?.trim() ?? "");
    return new Volume(dir, image, device);
  }

  /** Bytes that reached the device since it is there; what is dirty is written out first. */
  writtenBytes(): number {
    run("sync", "-f", this.dir);
    // Field 7 of Documentation/block/stat.rst: sectors of 512 bytes written.
    return Number(readFileSync(`/sys/block/${this.device}/stat`, "latin1").trim().split(/ +/)[6]) * 512;
  }

  remove(): void {
    run("umount", this.dir);
    rmSync(this.image, { force: true });
  }
}

function run(file: string, ...args: string[]): string | undefined {
  const { status, stdout } = spawnSync(file, args, {
    encoding: "utf8",
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` },
  });
  return status === 0 ? stdout : undefined;
}
