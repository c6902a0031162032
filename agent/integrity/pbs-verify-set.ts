import { type SnapshotVerdict, snapshotVerdictsMax } from "#protocol/operations.ts";
import { asNumber, asObject, asText } from "../core/values.ts";
import type { PbsResult } from "../pbs/client.ts";
import type { IntegrityResult } from "../restore/ports.ts";
import { type PbsStorage, serverIdOf } from "../sources/pbs-config.ts";
import { type PbsDeps, runVerification } from "./pbs-verify.ts";

/** What is to be verified behind a storage: all backups of one guest, its namespace, or the datastore with all namespaces. */
export type PbsSet = { place: PbsStorage; storages: readonly PbsStorage[]; outdatedDays: number | undefined } & (
  | { extent: "group"; type: "qemu" | "lxc"; vmid: number }
  | { extent: "namespace" | "datastore" }
);

/** Damaged backups that the verdict names. */
const named = 5;

/**
 * Has the Backup Server verify many backups, follows its task to the end, and then reads what became of each one that a storage of this node shows.
 * A task that ends well says nothing of a backup it passed over: only the backup's own verification does. As pbs-verify.ts, never seen from a real
 * server; namespaces below the one asked for are verified with it.
 */
export async function verifySetOnPbs(deps: PbsDeps, set: PbsSet, signal: AbortSignal): Promise<IntegrityResult> {
  const followed = await runVerification(deps, set.place.store, paramsOf(set), signal);
  if (!followed.ok) return unreadable(followed.problem, followed.log);
  const found = await readVerdicts(deps, set);
  if (!found.ok) return unreadable(`verified, but what became of each backup can't be read: ${found.problem}`, followed.log);
  return judge(found.data, followed.exitStatus, followed.log);
}

const unreadable = (reason: string, log: readonly string[]): IntegrityResult => ({
  state: "unreadable",
  reason: reason.slice(0, 2000),
  log,
});

const pbsType = (type: "qemu" | "lxc") => (type === "qemu" ? "vm" : "ct");

function groupOf(set: PbsSet): Record<string, string> {
  return set.extent === "group" ? { "backup-type": pbsType(set.type), "backup-id": String(set.vmid) } : {};
}

/** `POST /admin/datastore/{store}/verify`; without `ns` it begins at the root. */
function paramsOf(set: PbsSet): Record<string, string> {
  const { namespace } = set.place;
  const passedOver: Record<string, string> =
    set.outdatedDays === undefined
      ? { "ignore-verified": "false" }
      : { "ignore-verified": "true", "outdated-after": String(set.outdatedDays) };
  return { ...(set.extent !== "datastore" && namespace !== "" && { ns: namespace }), ...groupOf(set), ...passedOver };
}

/** Storages of this node that show backups of the set. */
function shownBy(set: PbsSet): PbsStorage[] {
  const { place } = set;
  const isBelow = (namespace: string) => place.namespace === "" || namespace.startsWith(`${place.namespace}/`);
  return set.storages.filter((one) => {
    if (one.store !== place.store || serverIdOf(one) !== serverIdOf(place)) return false;
    if (set.extent === "datastore" || one.namespace === place.namespace) return true;
    return set.extent === "namespace" && isBelow(one.namespace);
  });
}

async function readVerdicts({ api }: PbsDeps, set: PbsSet): Promise<PbsResult<SnapshotVerdict[]>> {
  const shown = shownBy(set);
  const verdicts: SnapshotVerdict[] = [];
  for (const ns of new Set(shown.map(({ namespace }) => namespace))) {
    const storages = shown.filter(({ namespace }) => namespace === ns);
    const path = `/admin/datastore/${encodeURIComponent(set.place.store)}/snapshots`;
    const read = await api.each(path, { ns, ...groupOf(set) }, (entry) => {
      const name = snapshotName(entry);
      if (name === undefined) return;
      const state = stateOf(entry.verification);
      for (const { storage } of storages) verdicts.push({ storage, volid: `${storage}:backup/${name}`, state });
    });
    if (!read.ok) return read;
  }
  return { ok: true, data: verdicts };
}

/** `vm/100/2026-08-20T01:00:00Z`; undefined: no guest's, or not understood. */
function snapshotName(entry: Readonly<Record<string, unknown>>): string | undefined {
  const [type, id, time] = [asText(entry["backup-type"]), asText(entry["backup-id"]), asNumber(entry["backup-time"])];
  if ((type !== "vm" && type !== "ct") || id === undefined || !/^\d+$/.test(id) || !Number.isSafeInteger(time)) return undefined;
  if (time < 0 || time > 0xffff_ffff) return undefined;
  return `${type}/${id}/${new Date(time * 1000).toISOString().replace(".000Z", "Z")}`;
}

function stateOf(verification: unknown): SnapshotVerdict["state"] {
  const state = asObject(verification)?.state;
  return state === "ok" ? "verified" : state === "failed" ? "damaged" : "not-checked";
}

function judge(verdicts: readonly SnapshotVerdict[], exitStatus: string, log: readonly string[]): IntegrityResult {
  const of = (state: SnapshotVerdict["state"]) => verdicts.filter((one) => one.state === state);
  const [damaged, unchecked, verified] = [of("damaged"), of("not-checked"), of("verified")];
  const snapshots = [...damaged, ...unchecked, ...verified].slice(0, snapshotVerdictsMax);
  const all = verdicts.length;
  if (damaged.length > 0) {
    const names = damaged.slice(0, named).map(({ volid }) => volid);
    const more = damaged.length > named ? " and more" : "";
    return {
      state: "damaged",
      reason: `${damaged.length} of ${all} backups are damaged: ${names.join(", ")}${more}`,
      snapshots,
      log,
    };
  }
  if (exitStatus !== "OK")
    return { ...unreadable(`the Backup Server's verification ended without a verdict: ${exitStatus}`, log), snapshots };
  if (all === 0) return { state: "not-checked", reason: "There are no backups of guests", snapshots, log };
  if (unchecked.length > 0) {
    const reason = `${verified.length} of ${all} backups are verified; the Backup Server says nothing of the others`;
    return { state: "not-checked", reason, snapshots, log };
  }
  return { state: "verified", by: "pbs-verify", reason: `The Backup Server verified all ${all} backups`, snapshots, log };
}
