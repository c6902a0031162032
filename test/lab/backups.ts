import { nightlyExclude, poolMembers } from "./config-files.ts";
import { between, unit } from "./random.ts";
import type { World } from "./world.ts";

const dayMs = 86_400_000;

export type Backup = {
  storage: "nfs1" | "pbs1";
  vmid: number;
  type: "qemu" | "lxc";
  at: number;
  sizeBytes: number;
  notes: string;
  protected: boolean;
  /** Of the file, where it is not the usual one. */
  format?: string;
  /** PBS: undefined = never verified. */
  verification?: { state: "ok" | "failed"; upid: string };
};

const two = (value: number) => String(value).padStart(2, "0");

/** Local time of the node, which is UTC in the lab, as vzdump writes it into names: 2026_11_23-02_13_47. */
export function fileStamp(at: number): string {
  const date = new Date(at);
  const day = `${date.getUTCFullYear()}_${two(date.getUTCMonth() + 1)}_${two(date.getUTCDate())}`;
  return `${day}-${two(date.getUTCHours())}_${two(date.getUTCMinutes())}_${two(date.getUTCSeconds())}`;
}

/** `2026-11-23 02:13:47`, as in logs. */
export const logStamp = (at: number) => new Date(at).toISOString().slice(0, 19).replace("T", " ");

export const formatOf = ({ storage, type, format }: Backup) =>
  format ?? (storage === "pbs1" ? (type === "qemu" ? "pbs-vm" : "pbs-ct") : type === "qemu" ? "vma.zst" : "tar.zst");

export function volidOf(backup: Backup): string {
  const { storage, type, vmid, at } = backup;
  if (storage === "pbs1")
    return `pbs1:backup/${type === "qemu" ? "vm" : "ct"}/${vmid}/${new Date(at).toISOString().slice(0, 19)}Z`;
  return `nfs1:backup/vzdump-${type}-${vmid}-${fileStamp(at)}.${formatOf(backup)}`;
}

/** One line of GET …/storage/{s}/content, as recorded for files; the PBS fields after pve-storage PVE/Storage/PBSPlugin.pm. */
export function contentEntry(backup: Backup): Record<string, unknown> {
  return {
    content: "backup",
    ctime: Math.floor(backup.at / 1000),
    format: formatOf(backup),
    ...(backup.notes === "" ? {} : { notes: backup.notes }),
    ...(backup.protected ? { protected: 1 } : {}),
    size: backup.sizeBytes,
    subtype: backup.type,
    ...(backup.verification === undefined ? {} : { verification: backup.verification }),
    vmid: backup.vmid,
    volid: volidOf(backup),
  };
}

/** Compressed size of a guest's backup, bytes; PBS says the size of the images instead. */
export function backupSize(world: World, vmid: number, storage: Backup["storage"], at: number): number {
  const spec = world.newest(vmid)?.life.spec;
  const full = spec?.drives.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) ?? 0;
  if (storage === "pbs1") return full;
  return Math.floor(full * between(`${world.spec.seed} ${vmid} packed`, 0.1, 0.35) * (1 + 0.02 * unit(`${vmid} ${at}`)));
}

/** What the jobs of jobs.cfg left before the lab began: seven nights on nfs1, four Sundays on pbs1. */
export function pastBackups(world: World, at: number): Backup[] {
  const { spec } = world;
  const skipped = new Set(nightlyExclude(spec));
  const lastNight = Math.floor((at - 21 * 3_600_000) / dayMs) * dayMs + 21 * 3_600_000;
  const lastSunday = Math.floor((at / dayMs + 4) / 7) * 7 * dayMs - 4 * dayMs + 2.5 * 3_600_000;
  const sunday = lastSunday > at ? lastSunday - 7 * dayMs : lastSunday;
  const backups: Backup[] = [];
  const add = (storage: Backup["storage"], vmid: number, when: number) => {
    const guest = world.newest(vmid);
    if (guest === undefined || when < guest.life.createdAt) return;
    const { type, name } = guest.life.spec;
    const sizeBytes = backupSize(world, vmid, storage, when);
    const backup: Backup = { storage, vmid, type, at: when, sizeBytes, notes: name, protected: false };
    if (storage === "pbs1" && unit(`${vmid} ${when} verified`) < 0.7) {
      const state = unit(`${vmid} ${when} bad`) < 0.02 ? "failed" : "ok";
      backup.verification = {
        state,
        upid: `UPID:pbs:00000A1B:00C0FFEE:00000001:${Math.floor(when / 1000 + 7200)
          .toString(16)
          .toUpperCase()}:verify:main:root@pam:`,
      };
    }
    backups.push(backup);
  };
  for (const { vmid } of spec.guests) {
    if (skipped.has(vmid)) continue;
    for (let night = 6; night >= 0; night--) add("nfs1", vmid, lastNight - night * dayMs + (vmid % 100) * 7000);
  }
  for (const vmid of poolMembers(spec, "prod")) {
    for (let week = 3; week >= 0; week--) add("pbs1", vmid, sunday - week * 7 * dayMs + (vmid % 100) * 9000);
  }
  return backups;
}
