import { type Backup, volidOf } from "./backups.ts";
import { guestConfigText } from "./config-files.ts";
import { isVolumeKey, parseGuestFile, sizeIn, volumeIn } from "./guest-file.ts";
import type { GuestSpec } from "./spec.ts";
import { dataBytes } from "./volumes.ts";
import type { World } from "./world.ts";

/** The ways in which a file archive was broken on a real node (and `missing-chunk`, which only a Backup Server knows). */
export const damages = [
  "flipped-data",
  "cut-at-extent",
  "cut-last-byte",
  "cut-half",
  "only-header",
  "flipped-extent-header",
  "appended",
  "wrong-magic",
  "flipped-header",
  "empty",
  "cut-tail",
  "missing-chunk",
] as const;
export type Damage = (typeof damages)[number];

export type ArchiveDisk = { key: string; storage: string; format: string; sizeBytes: number; dataBytes: number };

/** What is in one backup. */
export type Archive = {
  readonly backup: Backup;
  readonly volid: string;
  /** `qemu-server.conf` or `pct.conf`, with its `#qmdump#map:` lines. */
  readonly config: string;
  readonly firewall: string | undefined;
  /** VMs: disks with their data. Containers: rootfs and the mount points in the backup. */
  readonly disks: readonly ArchiveDisk[];
  readonly format: string;
  damage: Damage | undefined;
  /** Nodes on which its file was written, and how it was broken then. */
  written?: Map<string, Damage | undefined>;
  /** How its guest behaves once restored. */
  agent: GuestSpec["agent"];
};

/** A backup that a test lays down itself, with whatever it wants in its configuration. */
export type PlantedBackup = {
  vmid: number;
  type: "qemu" | "lxc";
  storage?: Backup["storage"];
  /** Without `#qmdump#map:` lines: they are added for every disk that has a volume and no `backup=0`. */
  config: string;
  firewall?: string;
  at: number;
  /** `vma`, `vma.zst`, `tar.gz` …; default: PVE's usual one of that storage. */
  format?: string;
  sizeBytes?: number;
  agent?: GuestSpec["agent"];
};

const isCdrom = (value: string) => /(^|,)media=cdrom(,|$)/.test(value);

function disksIn(world: World, type: "qemu" | "lxc", vmid: number, config: string): ArchiveDisk[] {
  // PVE goes through a container's volumes root first (PVE::LXC::Config foreach_volume).
  const values = [...parseGuestFile(config).values].sort(([a], [b]) => Number(b === "rootfs") - Number(a === "rootfs"));
  return values.flatMap(([key, value]) => {
    const volume = volumeIn(value);
    const skipped = !isVolumeKey(type, key) || isCdrom(value) || volume.startsWith("/") || !volume.includes(":");
    if (skipped || /(^|,)backup=0(,|$)/.test(value) || (type === "lxc" && key !== "rootfs" && !/(^|,)backup=1/.test(value)))
      return [];
    const sizeBytes = sizeIn(value) ?? 2 ** 30;
    const format = /\.(raw|qcow2)$/.exec(volume)?.[1] ?? "raw";
    const storage = volume.slice(0, volume.indexOf(":"));
    return [{ key, storage, format, sizeBytes, dataBytes: dataBytes(`${world.spec.seed} ${vmid} ${key}`, sizeBytes) }];
  });
}

/** Archive config = main section of the guest's config, then a line per disk (qemu-server PVE/VZDump/QemuServer.pm). */
function mapLines(type: "qemu" | "lxc", disks: readonly ArchiveDisk[]): string {
  if (type === "lxc") return "";
  return `\n${disks.map(({ key, storage, format }) => `#qmdump#map:${key}:drive-${key}:${storage}:${format}:`).join("\n")}`;
}

/** Every backup with its content. What a guest's older backups held is what its configuration says now: the lab keeps no history of it. */
export class Archives {
  private readonly opened = new Map<string, Archive>();

  constructor(
    private readonly world: World,
    private readonly backups: Backup[],
  ) {}

  find(volid: string): Archive | undefined {
    const known = this.opened.get(volid);
    const backup = this.backups.find((one) => volidOf(one) === volid);
    if (backup === undefined) {
      this.opened.delete(volid);
      return undefined;
    }
    if (known !== undefined) return known;
    const guest = this.world.guestAt(backup.vmid, backup.at) ?? this.world.newest(backup.vmid);
    if (guest === undefined) return undefined;
    const main = (guestConfigText(this.world, guest).split("\n[")[0] ?? "")
      .split("\n")
      .filter((line) => !/^(lock|parent): /.test(line))
      .join("\n");
    return this.open(backup, main, undefined, guest.life.spec.agent);
  }

  /** By the path of its file on a node, or by the file's name. */
  byPath(path: string): Archive | undefined {
    const name = path.slice(path.lastIndexOf("/") + 1);
    const backup = this.backups.find((one) => volidOf(one).endsWith(`/${name}`));
    return backup === undefined ? undefined : this.find(volidOf(backup));
  }

  plant({ vmid, type, storage = "nfs1", config, firewall, at, format, sizeBytes, agent = "answers" }: PlantedBackup): string {
    const whole = Math.floor(at / 1000) * 1000;
    const disks = disksIn(this.world, type, vmid, config);
    const size = sizeBytes ?? Math.max(1, Math.floor(disks.reduce((sum, disk) => sum + disk.dataBytes, 0) * 0.8));
    const notes = /^(?:name|hostname): (.*)$/m.exec(config)?.[1] ?? "";
    const backup: Backup = {
      storage,
      vmid,
      type,
      at: whole,
      sizeBytes: size,
      notes,
      protected: false,
      ...(format === undefined ? {} : { format }),
    };
    this.backups.push(backup);
    this.open(backup, config, firewall, agent);
    return volidOf(backup);
  }

  damage(volid: string, damage: Damage | undefined): void {
    const archive = this.find(volid);
    if (archive === undefined) throw new Error(`no backup ${volid}`);
    archive.damage = damage;
  }

  /** A prune took it away. */
  prune(volid: string): void {
    const place = this.backups.findIndex((one) => volidOf(one) === volid);
    if (place < 0) throw new Error(`no backup ${volid}`);
    this.backups.splice(place, 1);
  }

  private open(backup: Backup, config: string, firewall: string | undefined, agent: GuestSpec["agent"]): Archive {
    const volid = volidOf(backup);
    const disks = disksIn(this.world, backup.type, backup.vmid, config);
    const text = config.endsWith("\n") || config === "" ? config : `${config}\n`;
    const archive: Archive = {
      backup,
      volid,
      config: `${text}${mapLines(backup.type, disks)}`,
      firewall,
      disks,
      format: /\.((?:vma|tar)(?:\.\w+)?)$/.exec(volid)?.[1] ?? (backup.type === "qemu" ? "pbs-vm" : "pbs-ct"),
      damage: undefined,
      agent,
    };
    this.opened.set(volid, archive);
    return archive;
  }
}

/** Where the file of a backup lies on every node. */
export const archivePath = (volid: string) => `/mnt/pve/nfs1/dump/${volid.slice(volid.lastIndexOf("/") + 1)}`;

/** `Mon Nov 23 03:13:06 2026`, as vma prints a time. */
function vmaTime(at: number): string {
  const [day, date, month, year, time] = new Date(at).toUTCString().replace(",", "").split(" ");
  return `${day} ${month} ${String(Number(date)).padStart(2)} ${time} ${year}`;
}

/** First lines that `vma list` and a restore print of a good header. */
export function headerLines({ config, firewall, disks, backup }: Archive): string[] {
  return [
    `CFG: size: ${Buffer.byteLength(config)} name: qemu-server.conf`,
    ...(firewall === undefined ? [] : [`CFG: size: ${Buffer.byteLength(firewall)} name: qemu-server.fw`]),
    ...disks.map(({ key, sizeBytes }, index) => `DEV: dev_id=${index + 1} size: ${sizeBytes} devname: drive-${key}`),
    `CTIME: ${vmaTime(backup.at)}`,
  ];
}
