import type { Backup } from "#protocol/backups.ts";
import { datastoreKey, type NodeName } from "#protocol/ids.ts";
import type { StorageFacts } from "#protocol/inventory.ts";
import { limits } from "#protocol/limits.ts";
import { byText } from "#protocol/order.ts";
import type { BackupSet } from "../core/backup-parts.ts";
import type { PbsApi } from "../pbs/client.ts";
import type { Clock, ReadText } from "../ports.ts";
import type { PveApi } from "../pve/api.ts";
import { parseBackupContent, parseSnapshotBackup } from "./backup-answers.ts";
import { fileProblem } from "./files.ts";
import { apiProblem } from "./node-api.ts";
import type { ConnectPbs } from "./pbs.ts";
import { parseNamespaces } from "./pbs-answers.ts";
import { type PbsStorage, serverIdOf } from "./pbs-config.ts";

export type ListingDeps = { api: PveApi; read: ReadText; clock: Clock; connect: ConnectPbs };

/** The backups of one storage as PVE lists them. */
export async function listStorage(
  { api, clock }: ListingDeps,
  node: NodeName,
  { storage, shared }: StorageFacts,
): Promise<BackupSet> {
  const set = { storage, shared, at: clock.now() };
  const answer = await api.get(`/nodes/${node}/storage/${encodeURIComponent(storage)}/content`, { content: "backup" });
  if (!answer.ok) return { ...set, backups: [], problem: apiProblem(answer.error).slice(0, 1000) };
  return { ...set, backups: inOrder(parseBackupContent(answer.data)) };
}

/**
 * The backups of a datastore, namespace by namespace, from the Backup Server itself, which also says whose they are. Two clusters may share a
 * datastore: each namespace is a set of its own. `done`: datastore and namespace that another storage has told already. Where the server does not
 * answer us, PVE's own listing of the storage's namespace must do.
 */
export async function listDatastore(
  deps: ListingDeps,
  node: NodeName,
  facts: StorageFacts,
  place: PbsStorage,
  done: Set<string>,
): Promise<BackupSet[]> {
  const key = datastoreKey(serverIdOf(place), place.store).slice(0, 128);
  const connected = await connect(deps, place);
  const path = `/admin/datastore/${encodeURIComponent(place.store)}`;
  const listed = connected.ok ? await connected.api.get(`${path}/namespace`) : connected;
  if (!connected.ok || !listed.ok) {
    const set = await listStorage(deps, node, facts);
    return [{ ...set, datastore: { key, namespace: place.namespace } }];
  }
  const sets: BackupSet[] = [];
  // Its own first: what it names there, PVE can restore.
  const others = parseNamespaces(listed.data).filter((namespace) => namespace !== place.namespace);
  for (const namespace of [place.namespace, ...others].slice(0, limits.namespacesPerDatastore)) {
    const mark = `${key} ${namespace}`;
    if (namespace !== place.namespace && done.has(mark)) continue;
    done.add(mark);
    const backups: Backup[] = [];
    const read = await connected.api.each(`${path}/snapshots`, { ns: namespace }, (entry) => {
      const backup = parseSnapshotBackup(place.storage, entry);
      if (backup !== undefined) backups.push(backup);
    });
    const set = { storage: place.storage, shared: facts.shared, datastore: { key, namespace }, at: deps.clock.now() };
    sets.push(read.ok ? { ...set, backups: inOrder(backups) } : { ...set, backups: [], problem: read.problem.slice(0, 1000) });
  }
  return sets;
}

/** A list's order is chance in PVE: sorted, it changes only when a backup does. */
const inOrder = (backups: Backup[]) => backups.sort((a, b) => byText(a.volid, b.volid));

async function connect(
  { read, clock, connect: open }: ListingDeps,
  place: PbsStorage,
): Promise<{ ok: true; api: PbsApi } | { ok: false; problem: string }> {
  const path = `/etc/pve/priv/storage/${place.storage}.pw`;
  const secret = await read(path, 4096);
  if (!secret.ok) return { ok: false, problem: fileProblem(path, secret.code) };
  const { server, port, fingerprint, username } = place;
  const where = { server, port, ...(fingerprint === undefined ? {} : { fingerprint }) };
  return { ok: true, api: open(where, { user: username, secret: secret.text.trim() }, clock) };
}
