import { datastoreKey, parseEntityKey, type StorageId } from "#protocol/ids.ts";
import type { DatastoreFacts, DatastoreJob, UnreadList } from "#protocol/inventory.ts";
import { limits } from "#protocol/limits.ts";
import type { SampleTable } from "../core/table.ts";
import type { PbsApi, PbsLogin, PbsPlace } from "../pbs/client.ts";
import type { Clock, ReadText } from "../ports.ts";
import { speaksFor } from "./cluster-config.ts";
import { fileProblem } from "./files.ts";
import { idsOf } from "./metric-ids.ts";
import {
  type DatastoreStatus,
  hasFailed,
  parseDatastoreStatus,
  parseJobs,
  parseNamespaces,
  SnapshotCount,
} from "./pbs-answers.ts";
import { type PbsStorage, serverIdOf } from "./pbs-config.ts";
import { counted, instanceName, minuteMs, type NodeSight, type SlowSource, Told } from "./slow-source.ts";

const ids = idsOf("datastore");
const source = "pbs";
/** Ten requests to each datastore and one for each namespace, every five minutes, from one agent of the cluster. */
const everyMs = 5 * minuteMs;

export type ConnectPbs = (place: PbsPlace, login: PbsLogin, clock: Clock) => PbsApi;

type Datastore = {
  key: string;
  place: PbsStorage;
  storages: PbsStorage[];
  status?: DatastoreStatus;
  jobs: DatastoreJob[];
  gcEndSec: number;
  namespaces: Map<string, SnapshotCount>;
  problem?: string;
};

/**
 * Datastores of Backup Servers that storage.cfg names, with the access PVE itself has, by the agent that speaks for their storages: from a node that
 * they are not for, a server may well be out of reach.
 */
export class PbsSource implements SlowSource {
  readonly name = source;
  readonly lendMs = 3 * everyMs;
  readonly patienceMs = 5 * minuteMs;
  problem: string | undefined;
  readonly told = new Told<DatastoreFacts[] | undefined>(undefined);
  private datastores: readonly Datastore[] = [];
  private groups: { of: readonly PbsStorage[]; all: PbsStorage[][] } = { of: [], all: [] };
  /** Kept from run to run, for the tickets they hold. */
  private clients = new Map<string, PbsApi>();
  /** Monotonic: when datastores were last this agent's to tell of. */
  private mineMs = Number.NEGATIVE_INFINITY;

  constructor(
    private readonly read: ReadText,
    private readonly clock: Clock,
    private readonly connect: ConnectPbs,
  ) {}

  get version(): number {
    return this.told.version;
  }

  get unread(): UnreadList | undefined {
    return this.told.known ? undefined : "datastores";
  }

  /** What it told it tells on until whoever has the duty now has had time to read it: what nobody tells of is gone, and what fires for it over. */
  everyMs(sight: NodeSight): number | undefined {
    const nowMs = this.clock.monotonicMs();
    if (this.mine(sight).length > 0) {
      this.mineMs = nowMs;
      return everyMs;
    }
    this.datastores = [];
    this.problem = undefined;
    if (sight.files.pbs.length === 0 || nowMs - this.mineMs > this.patienceMs) this.told.set(undefined);
    return undefined;
  }

  found(): string {
    if (this.datastores.length === 0) return "no datastores";
    const snapshots = this.datastores
      .flatMap(({ namespaces }) => [...namespaces.values()])
      .reduce((sum, { total }) => sum + total, 0);
    return `${counted(this.datastores.length, "datastore")}, ${counted(snapshots, "backup")}`;
  }

  async refresh(sight: NodeSight): Promise<void> {
    const clients = new Map<string, PbsApi>();
    const datastores: Datastore[] = [];
    for (const storages of this.mine(sight)) datastores.push(await this.readDatastore(storages, clients));
    this.clients = clients;
    this.datastores = datastores;
    this.problem = datastores.find(({ problem }) => problem !== undefined)?.problem;
    this.told.set(datastores.map(factsOf));
  }

  /** Storages by datastore, of those that this agent tells of. */
  private mine({ files, duties, members }: NodeSight): PbsStorage[][] {
    if (this.groups.of !== files.pbs) this.groups = { of: files.pbs, all: [...byDatastore(files.pbs).values()] };
    return this.groups.all.filter((storages) => speaksFor(nodesOf(storages), members, duties.has("shared-storage")));
  }

  put(table: SampleTable, _sight: unknown, now: number): void {
    for (const datastore of this.datastores) {
      const key = parseEntityKey(datastore.key);
      if (key === undefined) continue;
      const entity = table.entity(key);
      const age = (sec: number) => Math.max(0, now / 1000 - sec);
      table.put(entity, ids.up, source, datastore.status === undefined ? 0 : 1);
      if (datastore.status !== undefined) putStatus(table, entity, datastore.status);
      table.put(entity, ids.gc_age, source, age(datastore.gcEndSec));
      if (datastore.jobs.length > 0) table.put(entity, ids.jobs_failed, source, datastore.jobs.filter(hasFailed).length);
      for (const [namespace, count] of datastore.namespaces) {
        const instance = instanceName(namespace === "" ? "/" : namespace);
        table.put(entity, ids.snapshots, source, count.total, instance);
        table.put(entity, ids.snapshots_ok, source, count.ok, instance);
        table.put(entity, ids.snapshots_failed, source, count.failed, instance);
        table.put(entity, ids.snapshots_unverified, source, count.total - count.ok - count.failed, instance);
        table.put(entity, ids.newest_age, source, age(count.newestSec), instance);
      }
    }
  }

  /** Asks with the access of each storage in turn: one may see namespaces that another does not. */
  private async readDatastore(storages: PbsStorage[], clients: Map<string, PbsApi>): Promise<Datastore> {
    const place = storages[0] as PbsStorage;
    const key = datastoreKey(serverIdOf(place), place.store);
    const datastore: Datastore = { key, place, storages, jobs: [], gcEndSec: Number.NaN, namespaces: new Map() };
    for (const storage of storages) {
      const client = await this.clientOf(storage, clients);
      if (!client.ok) datastore.problem ??= client.problem;
      else await readInto(datastore, client.api, storage);
    }
    return datastore;
  }

  private async clientOf(
    storage: PbsStorage,
    clients: Map<string, PbsApi>,
  ): Promise<{ ok: true; api: PbsApi } | { ok: false; problem: string }> {
    const path = `/etc/pve/priv/storage/${storage.storage}.pw`;
    const secret = await this.read(path, 4096);
    if (!secret.ok) return { ok: false, problem: fileProblem(path, secret.code) };
    const login = { user: storage.username, secret: secret.text.trim() };
    const name = JSON.stringify([serverIdOf(storage), storage.server, storage.port, login]);
    const api = clients.get(name) ?? this.clients.get(name) ?? this.connect(placeOf(storage), login, this.clock);
    clients.set(name, api);
    return { ok: true, api };
  }
}

const placeOf = ({ server, port, fingerprint }: PbsStorage): PbsPlace => ({
  server,
  port,
  ...(fingerprint === undefined ? {} : { fingerprint }),
});

/** Nodes that reach a datastore through one of its storages; none: all do. */
function nodesOf(storages: readonly PbsStorage[]): string[] {
  return storages.some(({ nodes }) => nodes === undefined) ? [] : storages.flatMap(({ nodes = [] }) => nodes);
}

function byDatastore(storages: readonly PbsStorage[]): Map<string, PbsStorage[]> {
  const groups = new Map<string, PbsStorage[]>();
  for (const storage of storages) {
    const key = datastoreKey(serverIdOf(storage), storage.store);
    groups.set(key, [...(groups.get(key) ?? []), storage]);
  }
  return groups;
}

async function readInto(datastore: Datastore, api: PbsApi, { server, store }: PbsStorage): Promise<void> {
  const path = `/admin/datastore/${encodeURIComponent(store)}`;
  const status = await api.get(`${path}/status`, { verbose: "1" });
  const parsed = status.ok ? parseDatastoreStatus(status.data) : undefined;
  if (parsed === undefined) {
    const why = status.ok ? "the status was not understood" : status.problem;
    datastore.problem ??= `${server} ${store}: ${why}`;
    return;
  }
  // Its space is told to who has rights on all of it: perhaps with another storage's access.
  if (datastore.status === undefined || Number.isNaN(datastore.status.total)) datastore.status = parsed;
  await readJobs(datastore, api, store);
  const listed = await api.get(`${path}/namespace`);
  for (const namespace of listed.ok ? parseNamespaces(listed.data).slice(0, limits.namespacesPerDatastore) : []) {
    if (datastore.namespaces.has(namespace)) continue;
    const count = new SnapshotCount();
    const read = await api.each(`${path}/snapshots`, { ns: namespace }, (snapshot) => count.add(snapshot));
    if (read.ok) datastore.namespaces.set(namespace, count);
    else datastore.problem ??= `${server} ${store} ${namespace}: ${read.problem}`;
  }
  if (!listed.ok) datastore.problem ??= `${server} ${store}: ${listed.problem}`;
}

/** Jobs need more rights than a backup does; who may not see them has none to tell, and that is no problem. */
async function readJobs(datastore: Datastore, api: PbsApi, store: string): Promise<void> {
  for (const kind of ["verify", "prune", "sync", "gc"] as const) {
    const answer = await api.get(`/admin/${kind}`, { store });
    if (!answer.ok) continue;
    const jobs = parseJobs(kind, answer.data, store).filter((job) => !datastore.jobs.some((other) => sameJob(job, other)));
    datastore.jobs.push(...jobs);
  }
  const gc = datastore.jobs.find(({ kind }) => kind === "gc");
  datastore.gcEndSec = gc?.endedAt === undefined ? (datastore.status?.gcStartSec ?? Number.NaN) : gc.endedAt / 1000;
}

const sameJob = (a: DatastoreJob, b: DatastoreJob) => a.kind === b.kind && a.id === b.id;

function putStatus(table: SampleTable, entity: number, status: DatastoreStatus): void {
  table.put(entity, ids.total, source, status.total);
  table.put(entity, ids.used, source, status.used);
  table.put(entity, ids.avail, source, status.avail);
  table.put(entity, ids.dedup_factor, source, status.dedupFactor);
  table.put(entity, ids.gc_removed, source, status.gcRemoved);
  table.put(entity, ids.gc_pending, source, status.gcPending);
  table.put(entity, ids.gc_still_bad, source, status.gcStillBad);
}

function factsOf({ key, place, storages, namespaces, jobs, problem }: Datastore): DatastoreFacts {
  return {
    key: key.slice(0, 128),
    store: place.store,
    server: place.server,
    port: place.port,
    storages: storages.map(({ storage, namespace }) => ({ storage: storage satisfies StorageId, namespace })),
    namespaces: [...namespaces.keys()],
    jobs: jobs.slice(0, 200),
    ...(problem === undefined ? {} : { problem: problem.slice(0, 500) }),
  };
}
