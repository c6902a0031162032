import type { Backup } from "#protocol/backups.ts";
import { parseVmid } from "#protocol/ids.ts";
import { asFlag, asNumber, asObject, asObjects, asText, type JsonObject } from "../core/values.ts";
import { pbsTaskStartSec } from "./pbs-answers.ts";

const firstLine = (text: string | undefined) => text?.split("\n", 1)[0]?.trim().slice(0, 500) || undefined;
const bytesOf = (value: unknown) => (Number.isInteger(asNumber(value)) && asNumber(value) >= 0 ? asNumber(value) : undefined);

type Maybe = "bytes" | "notes" | "owner" | "verification";
type Loose = Omit<Backup, Maybe> & { [K in Maybe]?: Backup[K] | undefined };

/** Without the keys whose value is undefined. */
function compact(backup: Loose): Backup {
  const { bytes, notes, owner, verification, ...sure } = backup;
  return {
    ...sure,
    ...(bytes !== undefined && { bytes }),
    ...(notes !== undefined && { notes }),
    ...(owner !== undefined && { owner }),
    ...(verification !== undefined && { verification }),
  };
}

function verificationOf(value: unknown): Backup["verification"] {
  const verification = asObject(value);
  const state = verification?.state;
  if (state !== "ok" && state !== "failed") return undefined;
  const at = pbsTaskStartSec(verification?.upid) * 1000;
  return { state, ...(at > 0 && { at }) };
}

/**
 * Data of `GET /nodes/{node}/storage/{storage}/content?content=backup` (pve-storage `PVE/API2/Storage/Content.pm`). What names no guest is left out:
 * a foreign file in the folder.
 */
export function parseBackupContent(data: unknown): Backup[] {
  return asObjects(data).flatMap((entry): Backup[] => {
    const [volid, vmid, at] = [asText(entry.volid), parseVmid(entry.vmid), asNumber(entry.ctime)];
    const format = asText(entry.format)?.slice(0, 32);
    const type = typeOf(entry, volid ?? "", format ?? "");
    if (
      volid === undefined ||
      volid.length > 512 ||
      vmid === undefined ||
      !(at > 0) ||
      format === undefined ||
      type === undefined
    )
      return [];
    const bytes = bytesOf(entry.size ?? entry["approximate-size"]);
    const backup = { volid, vmid, type, at: Math.round(at * 1000), bytes, format, notes: firstLine(asText(entry.notes)) };
    const marks = {
      protected: asFlag(entry.protected),
      encrypted: asText(entry.encrypted) !== undefined || asFlag(entry.encrypted),
    };
    return [compact({ ...backup, ...marks, verification: verificationOf(entry.verification) })];
  });
}

/** `subtype` says it since PVE 7; names say it always. */
function typeOf(entry: JsonObject, volid: string, format: string): Backup["type"] | undefined {
  const { subtype } = entry;
  if (subtype === "qemu" || subtype === "lxc") return subtype;
  if (format === "pbs-vm" || volid.includes("/vzdump-qemu-")) return "qemu";
  return format === "pbs-ct" || volid.includes("/vzdump-lxc-") ? "lxc" : undefined;
}

/**
 * One entry of a Backup Server's `GET /admin/datastore/{store}/snapshots`, named as PVE's storage would (pve-storage `PVE/Storage/PBSPlugin.pm`).
 * Undefined: no guest's backup.
 */
export function parseSnapshotBackup(storage: string, entry: JsonObject): Backup | undefined {
  const [kind, vmid, sec] = [entry["backup-type"], parseVmid(entry["backup-id"]), asNumber(entry["backup-time"])];
  if ((kind !== "vm" && kind !== "ct") || vmid === undefined || !(sec > 0 && sec < 1e11)) return undefined;
  const time = new Date(sec * 1000).toISOString().slice(0, 19);
  const files = asObjects(entry.files);
  const fileBytes = files.map(({ size }) => bytesOf(size) ?? 0).reduce((sum, size) => sum + size, 0);
  return compact({
    volid: `${storage}:backup/${kind}/${vmid}/${time}Z`,
    vmid,
    type: kind === "vm" ? "qemu" : "lxc",
    at: sec * 1000,
    bytes: bytesOf(entry.size) ?? (fileBytes > 0 ? fileBytes : undefined),
    format: `pbs-${kind}`,
    notes: firstLine(asText(entry.comment)),
    protected: asFlag(entry.protected),
    encrypted: files.some((file) => file["crypt-mode"] === "encrypt"),
    owner: asText(entry.owner)?.slice(0, 200),
    verification: verificationOf(entry.verification),
  });
}
