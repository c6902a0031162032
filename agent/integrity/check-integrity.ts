import { join } from "node:path";
import { asObject, asText } from "../core/values.ts";
import { createPbsApi } from "../pbs/client.ts";
import type { Clock } from "../ports.ts";
import type { PveApi } from "../pve/api.ts";
import type { CheckIntegrity, IntegrityResult } from "../restore/ports.ts";
import { fileProblem, readText } from "../sources/files.ts";
import { apiProblem } from "../sources/node-api.ts";
import type { ConnectPbs } from "../sources/pbs.ts";
import { type PbsStorage, parsePbsStorages } from "../sources/pbs-config.ts";
import type { ArchiveSums } from "./archive-sums.ts";
import { archiveKindOf } from "./compression.ts";
import { judgeReading } from "./judge.ts";
import { parsePbsVolid, verifyOnPbs } from "./pbs-verify.ts";
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
    const pbs = await pbsStorageOf(deps, storage);
    if (!pbs.ok) return unreadable(pbs.problem);
    if (pbs.storage !== undefined) return verifyBackup(deps, pbs.storage, volid, signal);
    return checkFile(deps, storage, volid, onProgress, signal);
  };
}

/** Has the Backup Server behind a storage verify one backup, or without `volid` the storage's whole namespace. */
export async function verifyNamespace(
  deps: Omit<IntegrityDeps, "sums" | "readArchive" | "api" | "node">,
  storage: string,
  volid: string | undefined,
  signal: AbortSignal,
): Promise<IntegrityResult> {
  const pbs = await pbsStorageOf(deps, storage);
  if (!pbs.ok) return unreadable(pbs.problem);
  if (pbs.storage === undefined) return unreadable(`storage ${storage} lies on no Backup Server`);
  return verifyBackup(deps, pbs.storage, volid, signal);
}

type FoundStorage = { ok: true; storage: PbsStorage | undefined } | { ok: false; problem: string };

async function pbsStorageOf({ root }: Pick<IntegrityDeps, "root">, storage: string): Promise<FoundStorage> {
  const path = "/etc/pve/storage.cfg";
  const config = await readText(root)(path);
  if (!config.ok) return { ok: false, problem: fileProblem(path, config.code) };
  return { ok: true, storage: parsePbsStorages(config.text).find((each) => each.storage === storage) };
}

async function verifyBackup(
  deps: Pick<IntegrityDeps, "root" | "clock" | "connectPbs">,
  place: PbsStorage,
  volid: string | undefined,
  signal: AbortSignal,
): Promise<IntegrityResult> {
  const snapshot = volid === undefined ? undefined : parsePbsVolid(volid);
  if (volid !== undefined && snapshot === undefined) return unreadable(`${volid} names no backup on a Backup Server`);
  const path = `/etc/pve/priv/storage/${place.storage}.pw`;
  const secret = await readText(deps.root)(path, 4096);
  if (!secret.ok) return unreadable(fileProblem(path, secret.code));
  const { server, port, fingerprint, store, namespace, username } = place;
  const where = { server, port, ...(fingerprint === undefined ? {} : { fingerprint }) };
  const api = (deps.connectPbs ?? createPbsApi)(where, { user: username, secret: secret.text.trim() }, deps.clock);
  return verifyOnPbs({ api, clock: deps.clock }, { store, namespace, snapshot }, signal);
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
