import { asNumber, asObject, asObjects, asText } from "../core/values.ts";
import type { PbsApi, PbsResult } from "../pbs/client.ts";
import type { Clock } from "../ports.ts";
import type { IntegrityResult } from "../restore/ports.ts";
import { pbsTaskStartSec } from "../sources/pbs-answers.ts";

/** One backup on a Backup Server. `time`: seconds since 1970. */
export type PbsSnapshot = { type: "vm" | "ct"; id: string; time: number };

/** `<storage>:backup/vm/100/2026-08-20T01:00:00Z` (pve-storage `PVE/Storage/PBSPlugin.pm` print_volid). */
export function parsePbsVolid(volid: string): PbsSnapshot | undefined {
  const match = /^[^:]+:backup\/(vm|ct)\/([0-9]+)\/(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)$/.exec(volid);
  if (match === null) return undefined;
  const time = Date.parse(match[3] as string) / 1000;
  return Number.isInteger(time) ? { type: match[1] as "vm" | "ct", id: match[2] as string, time } : undefined;
}

export type PbsTarget = { store: string; namespace: string; snapshot: PbsSnapshot };
export type PbsDeps = { api: PbsApi; clock: Clock };

/** A verification so young is not repeated. */
const freshMs = 24 * 3_600_000;
const lookFirstMs = 500;
const lookLastMs = 10_000;
const logLines = 100;

/**
 * Has the Backup Server verify one snapshot and follows its task to the end. Every chunk is read there and its checksum
 * compared; of encrypted chunks the server can only check the CRC. Calls after pbs-api-types and proxmox-backup's `src/api2/admin/datastore.rs`,
 * never seen from a real server. Aborting stops the waiting; the server goes on.
 */
export async function verifyOnPbs(deps: PbsDeps, target: PbsTarget, signal: AbortSignal): Promise<IntegrityResult> {
  const before = await readVerification(deps.api, target);
  if (!before.ok) return unreadable(`the Backup Server: ${before.problem}`);
  if (before.data === undefined) return unreadable("the Backup Server does not have this backup any more");
  const ageMs = deps.clock.now() - before.data.at;
  if (before.data.state === "ok" && ageMs < freshMs) {
    return { state: "verified", by: "pbs-verify", reason: `the Backup Server verified it ${hours(ageMs)} ago: OK`, log: [] };
  }
  const followed = await runVerification(deps, target.store, paramsOf(target), signal);
  if (!followed.ok) return { ...unreadable(followed.problem), log: followed.log };
  return judgeEnd(followed.exitStatus, await readVerification(deps.api, target), followed.log);
}

type Followed = { log: string[] } & ({ ok: true; upid: string; exitStatus: string } | { ok: false; problem: string });

/** Starts a verification and waits for its end. Aborting stops the waiting; the server goes on. */
export async function runVerification(
  deps: PbsDeps,
  store: string,
  params: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Followed> {
  const started = await deps.api.post(`/admin/datastore/${encodeURIComponent(store)}/verify`, params);
  const upid = started.ok ? asText(started.data) : undefined;
  if (upid === undefined)
    return { ok: false, problem: `verification not started: ${started.ok ? "no task was named" : started.problem}`, log: [] };
  const end = await awaitPbsTask(deps, upid, signal);
  const log = await readPbsLog(deps.api, upid);
  return end.ok ? { ok: true, upid, exitStatus: end.data, log } : { ok: false, problem: end.problem, log };
}

const unreadable = (reason: string): IntegrityResult => ({ state: "unreadable", reason: reason.slice(0, 2000), log: [] });

const hours = (ms: number) =>
  ms < 3_600_000 ? `${Math.max(0, Math.floor(ms / 60_000))} min` : `${Math.floor(ms / 3_600_000)} h`;

function paramsOf({ namespace, snapshot }: PbsTarget): Record<string, string> {
  const ns: Record<string, string> = namespace === "" ? {} : { ns: namespace };
  const { type, id, time } = snapshot;
  return { ...ns, "backup-type": type, "backup-id": id, "backup-time": String(time), "ignore-verified": "false" };
}

type Verification = { state: "ok" | "failed" | "none"; at: number };

/** Of the snapshot; undefined data: there is none. */
async function readVerification(
  api: PbsApi,
  { store, namespace, snapshot }: PbsTarget,
): Promise<PbsResult<Verification | undefined>> {
  const params = { ns: namespace, "backup-type": snapshot.type, "backup-id": snapshot.id };
  let found: Verification | undefined;
  const read = await api.each(`/admin/datastore/${encodeURIComponent(store)}/snapshots`, params, (entry) => {
    if (asNumber(entry["backup-time"]) !== snapshot.time) return;
    const verification = asObject(entry.verification);
    const state = verification?.state === "ok" || verification?.state === "failed" ? verification.state : "none";
    found = { state, at: pbsTaskStartSec(verification?.upid) * 1000 };
  });
  return read.ok ? { ok: true, data: found } : read;
}

function judgeEnd(exitStatus: string, after: PbsResult<Verification | undefined>, log: readonly string[]): IntegrityResult {
  const state = after.ok ? after.data?.state : undefined;
  if (state === "failed") return { state: "damaged", reason: `the Backup Server's verification failed: ${exitStatus}`, log };
  // Both must say so: a task may end well without having looked at it.
  if (exitStatus === "OK" && state === "ok")
    return { state: "verified", by: "pbs-verify", reason: "the Backup Server read all of its chunks and verified them: OK", log };
  return { state: "unreadable", reason: `the Backup Server's verification ended without a verdict: ${exitStatus}`, log };
}

const taskPath = (upid: string) => `/nodes/localhost/tasks/${encodeURIComponent(upid)}`;

/** Waits for a task of the Backup Server; `data` is its exit status. Its UPIDs have a field more than PVE's, so they are passed on as they are. */
async function awaitPbsTask({ api, clock }: PbsDeps, upid: string, signal: AbortSignal): Promise<PbsResult<string>> {
  let silent = 0;
  for (let waitMs = lookFirstMs; ; waitMs = Math.min(lookLastMs, waitMs * 1.5)) {
    const answer = await api.get(`${taskPath(upid)}/status`);
    const task = answer.ok ? asObject(answer.data) : undefined;
    if (task?.status === "stopped") return { ok: true, data: (asText(task.exitstatus) ?? "unknown").slice(0, 500) };
    // The server may restart; its tasks end with it, but say so later.
    silent = answer.ok ? 0 : silent + 1;
    if (!answer.ok && (answer.status !== 0 || silent >= 20)) return { ok: false, status: answer.status, problem: answer.problem };
    if (signal.aborted) return { ok: false, status: 0, problem: "cancelled; the Backup Server may still verify it" };
    await clock.sleep(waitMs, signal);
  }
}

/** Its last lines. */
async function readPbsLog(api: PbsApi, upid: string): Promise<string[]> {
  const answer = await api.get(`${taskPath(upid)}/log`, { start: "0", limit: "5000" });
  const lines = answer.ok ? asObjects(answer.data).flatMap(({ t }) => (typeof t === "string" ? [t.slice(0, 1000)] : [])) : [];
  return lines.slice(-logLines);
}
