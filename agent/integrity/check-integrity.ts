import { join } from "node:path";
import { asObject, asText } from "../core/values.ts";
import { createPbsApi, type PbsApi } from "../pbs/client.ts";
import type { Clock } from "../ports.ts";
import type { PveApi } from "../pve/api.ts";
import type { CheckIntegrity, IntegrityResult, VerifyPbs } from "../restore/ports.ts";
import { fileProblem, readText } from "../sources/files.ts";
import { apiProblem } from "../sources/node-api.ts";
import type { ConnectPbs } from "../sources/pbs.ts";
import { type PbsStorage, parsePbsStorages } from "../sources/pbs-config.ts";
import type { ArchiveSums } from "./archive-sums.ts";
import { archiveKindOf } from "./compression.ts";
import { judgeReading } from "./judge.ts";
import { parsePbsVolid, verifyOnPbs } from "./pbs-verify.ts";
import { verifySetOnPbs } from "./pbs-verify-set.ts";
import type { ReadArchive } from "./reading-process.ts";

export type IntegrityDeps = {
  api: PveApi;
  node: string;
  /** Files of the node, and archives, are read below it. */
  root: string;
  clock: Clock;
  sums: Pick<ArchiveSums, "of">;
  readArchive: ReadArchive;
  /** Default: the real one. */
  connectPbs?: ConnectPbs;
};

const unreadable = (reason: string): IntegrityResult => ({ state: "unreadable", reason: reason.slice(0, 2000), log: [] });

/** Reads a backup to its end without restoring it, or has the Backup Server do so. Never throws. */
export function createCheckIntegrity(deps: IntegrityDeps): CheckIntegrity {
  return async ({ storage, volid }, onProgress, signal) => {
    const storages = await pbsStorages(deps);
    if (!storages.ok) return unreadable(storages.problem);
    const place = storages.all.find((one) => one.storage === storage);
    if (place !== undefined) return verifyBackup(deps, place, volid, signal);
    return checkFile(deps, storage, volid, onProgress, signal);
  };
}

/** Has the Backup Server behind a storage verify many backups at once. Never throws. */
export function createVerifyPbs(deps: Pick<IntegrityDeps, "root" | "clock" | "connectPbs">): VerifyPbs {
  return async ({ storage, group, datastore, outdatedDays }, signal) => {
    const storages = await pbsStorages(deps);
    if (!storages.ok) return unreadable(storages.problem);
    const place = storages.all.find((one) => one.storage === storage);
    if (place === undefined) return unreadable(`storage ${storage} lies on no Backup Server`);
    const api = await loggedIn(deps, place);
    if (!api.ok) return unreadable(api.problem);
    const extent =
      group !== undefined
        ? ({ extent: "group", ...group } as const)
        : ({ extent: datastore === true ? "datastore" : "namespace" } as const);
    return verifySetOnPbs(
      { api: api.api, clock: deps.clock },
      { place, storages: storages.all, outdatedDays, ...extent },
      signal,
    );
  };
}

type FoundStorages = { ok: true; all: PbsStorage[] } | { ok: false; problem: string };

async function pbsStorages({ root }: Pick<IntegrityDeps, "root">): Promise<FoundStorages> {
  const path = "/etc/pve/storage.cfg";
  const config = await readText(root)(path);
  if (!config.ok) return { ok: false, problem: fileProblem(path, config.code) };
  return { ok: true, all: parsePbsStorages(config.text) };
}

async function verifyBackup(
  deps: Pick<IntegrityDeps, "root" | "clock" | "connectPbs">,
  place: PbsStorage,
  volid: string,
  signal: AbortSignal,
): Promise<IntegrityResult> {
  const snapshot = parsePbsVolid(volid);
  if (snapshot === undefined) return unreadable(`${volid} names no backup on a Backup Server`);
  const api = await loggedIn(deps, place);
  if (!api.ok) return unreadable(api.problem);
  return verifyOnPbs({ api: api.api, clock: deps.clock }, { ...place, snapshot }, signal);
}

/** The server behind a storage, with the storage's own login. */
async function loggedIn(
  { root, clock, connectPbs = createPbsApi }: Pick<IntegrityDeps, "root" | "clock" | "connectPbs">,
  { storage, server, port, fingerprint, username }: PbsStorage,
): Promise<{ ok: true; api: PbsApi } | { ok: false; problem: string }> {
  const path = `/etc/pve/priv/storage/${storage}.pw`;
  const secret = await readText(root)(path, 4096);
  if (!secret.ok) return { ok: false, problem: fileProblem(path, secret.code) };
  const where = { server, port, ...(fingerprint === undefined ? {} : { fingerprint }) };
  return { ok: true, api: connectPbs(where, { user: username, secret: secret.text.trim() }, clock) };
}

async function checkFile(
  { api, node, root, sums, readArchive }: IntegrityDeps,
  storage: string,
  volid: string,
  onProgress: (fraction: number) => void,
  signal: AbortSignal,
): Promise<IntegrityResult> {
  const kind = archiveKindOf(volid);
  if (kind === undefined) return unreadable(`${volid}: not a kind of archive that is known`);
  const volume = await api.get(`/nodes/${node}/storage/${encodeURIComponent(storage)}/content/${encodeURIComponent(volid)}`);
  if (!volume.ok) return unreadable(apiProblem(volume.error));
  const path = asText(asObject(volume.data)?.path);
  if (path === undefined) return unreadable(`${volid}: its storage names no file for it`);
  const facts = await readArchive({ path: join(root, path), kind }, onProgress, signal);
  return judgeReading(facts, kind, sums.of(volid));
}
