import type { NodeName, Vmid } from "#protocol/ids.ts";
import { parseNodeName, parseVmid } from "#protocol/ids.ts";
import type { BackupJobFacts, HaFacts, StorageFacts } from "#protocol/inventory.ts";
import { byText } from "#protocol/order.ts";
import { asFlag, asNumber, asObject, asText, parseJsonObject, splitList } from "../core/values.ts";
import type { ReadText } from "../ports.ts";
import { parseCephMonitors, parseSectionConfig, parseStorageConfig } from "./cluster-config.ts";
import { fileProblem, isJson } from "./files.ts";
import { type PbsStorage, parsePbsStorages } from "./pbs-config.ts";
import { Told } from "./slow-source.ts";

/** A replication job of the cluster. `source` is absent until it ran once. */
export type ReplicationJob = { id: string; vmid: Vmid; target: string; schedule?: string; enabled: boolean };

export type HaStatus = { facts: HaFacts; services: ReadonlyMap<Vmid, string>; atSec: number };

const vmidsOf = (text: string | undefined) =>
  splitList(text)
    .flatMap((id) => parseVmid(id) ?? [])
    .slice(0, 5000);

/** jobs.cfg (pve-manager `PVE/Jobs/VZDump.pm`, `PVE/Jobs/Plugin.pm`). Jobs of every type are told, so that none is thought missing. */
export function parseJobs(text: string): BackupJobFacts[] {
  return parseSectionConfig(text)
    .slice(0, 500)
    .map(({ type, id, keys }) => {
      const word = (key: string, max: number) => asText(keys.get(key))?.slice(0, max);
      const optional = {
        schedule: word("schedule", 200),
        storage: word("storage", 100),
        mode: word("mode", 16),
        node: word("node", 63),
        pool: word("pool", 255),
        pruneBackups: word("prune-backups", 200),
        comment: word("comment", 500),
      };
      return {
        id: id.slice(0, 100),
        type: type.slice(0, 32),
        enabled: asFlag(keys.get("enabled") ?? "1"),
        all: asFlag(keys.get("all")),
        vmids: vmidsOf(keys.get("vmid")),
        exclude: vmidsOf(keys.get("exclude")),
        repeatMissed: asFlag(keys.get("repeat-missed")),
        ...present(optional),
      };
    });
}

/** replication.cfg: `local: <vmid>-<number>` (pve-guest-common `PVE/ReplicationConfig.pm`). */
export function parseReplicationConfig(text: string): ReplicationJob[] {
  return parseSectionConfig(text).flatMap(({ id, keys }) => {
    const vmid = parseVmid(/^(\d+)-\d{1,9}$/.exec(id)?.[1]);
    const target = asText(keys.get("target"))?.slice(0, 63);
    if (vmid === undefined || target === undefined) return [];
    const schedule = asText(keys.get("schedule"))?.slice(0, 200);
    return [{ id, vmid, target, enabled: !asFlag(keys.get("disable")), ...present({ schedule }) }];
  });
}

/**
 * `ha/manager_status`, which the HA manager writes every ten seconds (pve-ha-manager `PVE/HA/Manager.pm`). Only its empty form was seen from a
 * real node: `service_status` after that source.
 */
export function parseHaStatus(text: string): HaStatus | undefined {
  const json = parseJsonObject(text);
  if (json === undefined) return undefined;
  const nodes = Object.entries(asObject(json.node_status) ?? {}).flatMap(([name, state]) => {
    const node = parseNodeName(name);
    const word = asText(state)?.slice(0, 32);
    return node === undefined || word === undefined ? [] : [{ node: node as string, state: word }];
  });
  const services = new Map<Vmid, string>();
  for (const [sid, value] of Object.entries(asObject(json.service_status) ?? {})) {
    const vmid = parseVmid(/^(?:vm|ct):(\d+)$/.exec(sid)?.[1]);
    const state = asText(asObject(value)?.state)?.slice(0, 64);
    if (vmid !== undefined && state !== undefined) services.set(vmid, state);
  }
  const master: NodeName | undefined = parseNodeName(json.master_node);
  nodes.sort((a, b) => byText(a.node, b.node));
  return { facts: { nodes: nodes.slice(0, 256), ...present({ master }) }, services, atSec: asNumber(json.timestamp) };
}

/** Without the keys whose value is undefined. */
function present<T extends object>(values: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}

/** Jobs, HA and replication of the whole cluster, from its files: each is read again only when its counter in `.version` moved. */
export class ClusterFiles {
  problem: string | undefined;
  /** Undefined while it could not be read. */
  readonly backupJobs = new Told<BackupJobFacts[] | undefined>(undefined);
  readonly haFacts = new Told<HaFacts | undefined>(undefined);
  readonly haServices = new Told<[Vmid, string][]>([]);
  ha: HaStatus | undefined;
  /** Undefined while it could not be read. */
  replication: readonly ReplicationJob[] | undefined;
  /** Storages on Backup Servers, as storage.cfg says. */
  pbs: readonly PbsStorage[] = [];
  /** Enabled storages that hold backups. */
  backupStorages: readonly StorageFacts[] = [];
  /** Nodes with a monitor of Ceph; undefined: no Ceph. */
  cephMonitors: readonly string[] | undefined;
  private seen = new Map<string, string>();

  constructor(private readonly read: ReadText) {}

  /** False: nobody knows yet which storages there are. */
  get storagesRead(): boolean {
    return this.seen.has("storage.cfg");
  }

  get version(): number {
    return this.backupJobs.version + this.haFacts.version + this.haServices.version;
  }

  /** `counters`: the newest `.version`. */
  async refresh(counters: ReadonlyMap<string, number>): Promise<void> {
    if (counters.size === 0) return;
    this.problem = undefined;
    await this.whenChanged(counters, "jobs.cfg", (text) => this.backupJobs.set(text === undefined ? [] : parseJobs(text)));
    await this.whenChanged(counters, "replication.cfg", (text) => {
      this.replication = text === undefined ? [] : parseReplicationConfig(text);
    });
    await this.whenChanged(counters, "ha/manager_status", (text) => this.setHa(text));
    await this.whenChanged(counters, "storage.cfg", (text) => {
      this.pbs = text === undefined ? [] : parsePbsStorages(text);
      const storages = text === undefined ? [] : parseStorageConfig(text);
      this.backupStorages = storages.filter(({ enabled, content }) => enabled && content.includes("backup"));
    });
    await this.whenChanged(counters, "ceph.conf", (text) => {
      this.cephMonitors = text === undefined ? undefined : parseCephMonitors(text);
    });
  }

  private setHa(text: string | undefined): void {
    const status = text === undefined ? undefined : parseHaStatus(text);
    if (text !== undefined && status === undefined) this.problem = "/etc/pve/ha/manager_status: not understood";
    this.ha = status;
    this.haFacts.set(status?.facts);
    this.haServices.set([...(status?.services ?? [])].sort(([a], [b]) => a - b));
  }

  /** `take` gets undefined for a file that is not there. */
  private async whenChanged(
    counters: ReadonlyMap<string, number>,
    file: string,
    take: (text: string | undefined) => void,
  ): Promise<void> {
    const mark = `${counters.get("starttime")} ${counters.get(file)}`;
    if (this.seen.get(file) === mark) return;
    const content = await this.read(`/etc/pve/${file}`, 4 << 20, isJson);
    if (!content.ok && content.code !== "ENOENT") {
      this.problem = fileProblem(`/etc/pve/${file}`, content.code);
      return;
    }
    take(content.ok ? content.text : undefined);
    this.seen.set(file, mark);
  }
}
