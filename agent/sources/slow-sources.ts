import { clusterKey } from "#protocol/ids.ts";
import type { GuestFacts, Inventory, UnreadList } from "#protocol/inventory.ts";
import { haStateCodes } from "#protocol/metrics.ts";
import type { ReclaimableMemory } from "../core/guest-memory.ts";
import type { SampleTable } from "../core/table.ts";
import { createPbsApi } from "../pbs/client.ts";
import type { Clock, RunCommand } from "../ports.ts";
import type { PveApi } from "../pve/api.ts";
import { BackupGuests } from "./backup-guests.ts";
import { BackupSource } from "./backups.ts";
import { CephSource } from "./ceph.ts";
import { CertificateSource } from "./certificates.ts";
import { NowReader, readText } from "./files.ts";
import { FilesystemSource, type StatSpace, statSpace } from "./filesystems.ts";
import { GuestAgentSource } from "./guest-agent.ts";
import { HardwareSource } from "./hardware.ts";
import { Lane } from "./lane.ts";
import { idsOf } from "./metric-ids.ts";
import { NewArchives, type SumsDeps } from "./new-archives.ts";
import { type ConnectPbs, PbsSource } from "./pbs.ts";
import type { LocalGuest } from "./pmxcfs.ts";
import { ReplicationSource } from "./replication.ts";
import { SensorSource } from "./sensors.ts";
import { minuteMs, type NodeSight, type SlowSource } from "./slow-source.ts";
import { SmartSource } from "./smart.ts";
import { ThinpoolSource } from "./thinpools.ts";
import { UpdateSource } from "./updates.ts";
import { ZpoolSource } from "./zpool.ts";

export type SlowDeps = {
  root: string;
  api: PveApi;
  run: RunCommand;
  clock: Clock;
  /** Default: the real ones. */
  statSpace?: StatSpace;
  connectPbs?: ConnectPbs;
  /** The catalogue of backups; absent: none is made. */
  backups?: Omit<SumsDeps, "root" | "api" | "clock">;
  /** How the machine is looked at, and how long after the start; absent: it isn't. `self`: program and arguments that start this agent anew. */
  hardware?: { self: readonly string[]; afterMs: number };
};

/** The HA manager writes every ten seconds; of a pmxcfs that does not answer nobody knows what it would say. */
const haLendMs = minuteMs;

const guestIds = idsOf("guest");
const clusterIds = idsOf("cluster");

/** All sources that are read beside the samples, each in its lane, and what they tell the inventory. */
export class SlowSources {
  readonly all: readonly SlowSource[];
  /** `broughtMs`: monotonic time of the newest run that brought values. */
  private readonly lanes: readonly { source: SlowSource; lane: Lane; broughtMs: number; isUsed: boolean }[];
  private readonly zpool: ZpoolSource;
  private readonly smart: SmartSource;
  private readonly thinpools: ThinpoolSource;
  private readonly certificates: CertificateSource;
  private readonly updates: UpdateSource;
  private readonly agents: GuestAgentSource;
  private readonly replication: ReplicationSource;
  private readonly ceph: CephSource;
  private readonly pbs: PbsSource;
  private readonly hardware: HardwareSource | undefined;
  readonly backups: BackupSource | undefined;
  private sight: NodeSight | undefined;
  private readonly clock: Clock;

  constructor({ root, api, run, clock, ...edges }: SlowDeps) {
    this.clock = clock;
    const files = new NowReader(root);
    const read = readText(root);
    this.zpool = new ZpoolSource(root, run, files);
    this.smart = new SmartSource(root, files, run, clock);
    this.thinpools = new ThinpoolSource(root, run);
    this.certificates = new CertificateSource(read);
    this.updates = new UpdateSource(api);
    this.agents = new GuestAgentSource(root, api, read, clock);
    this.replication = new ReplicationSource(api);
    this.ceph = new CephSource(api);
    this.pbs = new PbsSource(read, clock, edges.connectPbs ?? createPbsApi);
    const filesystems = new FilesystemSource(root, files, clock, edges.statSpace ?? statSpace);
    const { zpool, thinpools, smart, agents, replication, ceph, pbs, certificates, updates } = this;
    const sensors = new SensorSource(root, read, clock);
    const catalogue = this.openCatalogue({ root, api, run, clock, ...edges });
    this.backups = catalogue;
    const sampled = [zpool, thinpools, filesystems, sensors, smart, agents, replication, ceph, pbs, certificates, updates];
    this.hardware = edges.hardware && new HardwareSource(run, clock, edges.hardware);
    this.all = [...sampled, catalogue, this.hardware].filter((one) => one !== undefined);
    this.lanes = this.all.map((source) => {
      const entry = {
        source,
        broughtMs: Number.NEGATIVE_INFINITY,
        isUsed: true, // as far as anybody knows
        lane: new Lane(clock, async () => {
          await this.refresh(source);
          if (source.brought !== false) entry.broughtMs = clock.monotonicMs();
        }),
      };
      return entry;
    });
  }

  private openCatalogue({ root, api, clock, backups, connectPbs = createPbsApi }: SlowDeps): BackupSource | undefined {
    if (backups === undefined) return undefined;
    const guests = new BackupGuests(backups.stateDir, api, clock);
    const archives = new NewArchives({ root, api, clock, ...backups });
    return new BackupSource({ api, clock, read: readText(root), connect: connectPbs, guests, archives });
  }

  /** Starts what is due. Never waits. */
  start(sight: NodeSight): void {
    this.sight = sight;
    for (const entry of this.lanes) {
      const everyMs = entry.source.everyMs(sight);
      entry.isUsed = everyMs !== undefined;
      if (everyMs !== undefined) entry.lane.start(everyMs);
    }
  }

  put(table: SampleTable, sight: NodeSight, now: number): void {
    const nowMs = this.clock.monotonicMs();
    for (const { source, broughtMs } of this.lanes) {
      source.putSeen?.(table, sight);
      if (nowMs - broughtMs <= source.lendMs) source.put(table, sight, now);
    }
    if (nowMs - sight.lookedMs <= haLendMs) putHa(table, sight, now);
  }

  /** What VMs' own agents said of their memory. */
  get memory(): ReclaimableMemory {
    return this.agents.memory;
  }

  /** True when each source that is read here has been read once. */
  get settled(): boolean {
    const { sight } = this;
    return sight !== undefined && this.lanes.every(({ source, lane }) => lane.ended || source.everyMs(sight) === undefined);
  }

  /** Each source with its present problem. */
  problems(): [source: string, problem: string | undefined][] {
    return this.lanes.map(({ source, lane }) => {
      const late = lane.hangs(source.patienceMs) ? "does not answer" : lane.bug;
      return [source.name, late ?? source.problem];
    });
  }

  /** Changes when something changed that the functions below tell. */
  get version(): number {
    return this.all.reduce((sum, { version }) => sum + version, 0);
  }

  /** Lists that are not whole yet: that something is missing there says nothing. */
  unread(): UnreadList[] {
    return this.lanes.flatMap(({ source, isUsed }) => (isUsed ? (source.unread ?? []) : []));
  }

  nodeFacts(): Pick<Inventory["node"], "zpools" | "disks" | "thinpools" | "certificates" | "updates" | "hardware"> {
    const [updates, hardware] = [this.updates.told.value, this.hardware?.told.value];
    return {
      zpools: this.zpool.names,
      disks: this.smart.told.value,
      thinpools: this.thinpools.told.value,
      certificates: this.certificates.told.value,
      ...(updates === undefined ? {} : { updates }),
      ...(hardware === undefined ? {} : { hardware }),
    };
  }

  clusterFacts(): Pick<Inventory["cluster"], "ceph"> {
    const ceph = this.ceph.told.value;
    return ceph === undefined ? {} : { ceph };
  }

  facts(): Pick<Inventory, "replication" | "datastores"> {
    const [replication, datastores] = [this.replication.told.value, this.pbs.told.value];
    return { ...(replication === undefined ? {} : { replication }), ...(datastores === undefined ? {} : { datastores }) };
  }

  guestFacts(guest: LocalGuest, { files }: Pick<NodeSight, "files">): Pick<GuestFacts, "agent" | "ha"> {
    const agent = this.agents.stateOf(guest);
    const ha = files.ha?.services.get(guest.vmid);
    return { ...(agent === undefined ? {} : { agent }), ...(ha === undefined ? {} : { ha }) };
  }

  private refresh(source: SlowSource): Promise<void> {
    return this.sight === undefined ? Promise.resolve() : source.refresh(this.sight);
  }
}

/** HA state of this node's guests; how old the manager's word is says the agent that has the duty `cluster`. */
function putHa(table: SampleTable, { guests, files, duties }: NodeSight, now: number): void {
  const { ha } = files;
  if (ha === undefined) return;
  for (const [vmid, state] of ha.services) {
    const guest = guests.get(vmid);
    if (guest?.config === undefined) continue;
    const code = (haStateCodes as readonly string[]).indexOf(state);
    const entity = table.entity(guest.key, guest.config.identity);
    table.put(entity, guestIds.ha_state, "ha", code < 0 ? haStateCodes.indexOf("other") : code);
  }
  if (duties.has("cluster")) {
    table.put(table.entity(clusterKey), clusterIds.ha_manager_age, "ha", Math.max(0, now / 1000 - ha.atSec));
  }
}
