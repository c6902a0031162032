import type { ClusterId, EntityKey, EpochMs, NodeName, Vmid } from "#protocol/ids.ts";
import { entityKind } from "#protocol/ids.ts";
import type { GuestFacts, HaFacts, Inventory, ReplicationFacts, StorageFacts } from "#protocol/inventory.ts";
import { metricByName } from "#protocol/metrics.ts";
import { encodeFrame, encodeSchema, FrameState, type Schema } from "#protocol/records.ts";
import type { AgentStatus, ClusterPicture } from "../../hub/core/cluster.ts";
import { ownersOf } from "../../hub/core/inventory.ts";
import type { AgentId, RecordSink, RecordStream } from "../../hub/core/series.ts";

export const cluster = "0123456789abcdef" as ClusterId;
export const agentOf = (node: string, id = cluster): AgentId => ({ cluster: id, node: node as NodeName });

type GuestSetup = Partial<Omit<GuestFacts, "vmid">> & { vmid: number };
type StorageSetup = Partial<StorageFacts> & Pick<StorageFacts, "storage">;
export type PictureSetup = {
  cluster?: ClusterId;
  /** Corosync's name; absent: a standalone node. */
  name?: string;
  /** Each node's guests; every node has an agent that was heard at `at`. */
  nodes: Record<string, GuestSetup[]>;
  storages?: StorageSetup[];
  zpools?: string[];
  thinpools?: { vg: string; lv: string }[];
  ha?: HaFacts;
  /** Jobs of the first node. */
  replication?: ReplicationFacts[];
  at: EpochMs;
};

/** The hub's picture of a cluster whose agents are connected and just spoke. */
export function testPicture({
  nodes,
  name,
  at,
  storages = [],
  zpools = [],
  thinpools = [],
  ha,
  ...rest
}: PictureSetup): ClusterPicture {
  const id = rest.cluster ?? cluster;
  const names = Object.keys(nodes);
  const members = names.map((node, index) => ({ node, nodeId: index + 1, online: true }));
  const agents = names.map((node): AgentStatus => {
    const inventory: Inventory = {
      at,
      cluster: { ...(name === undefined ? {} : { name }), quorate: true, members, ...(ha === undefined ? {} : { ha }) },
      node: { pveVersion: "pve-manager/9.2.11/14a22df35955d97d", zpools, thinpools, sources: [{ source: "proc" }] },
      guests: (nodes[node] ?? []).map(({ vmid, ...guest }) => ({
        vmid: vmid as Vmid,
        type: "qemu",
        identity: [],
        template: false,
        tags: [],
        onboot: false,
        configured: true,
        unprotected: [],
        ...guest,
      })),
      storages: storages.map((storage) => ({ type: "dir", shared: false, content: [], enabled: true, nodes: [], ...storage })),
      replication: node === names[0] ? (rest.replication ?? []) : [],
    };
    return {
      node: node as NodeName,
      state: "connected",
      software: "0.1.0",
      connectedAt: at,
      lastSeenAt: at,
      clockSkewMs: 0,
      newestFrame: at,
      duties: node === names[0] ? ["cluster", "shared-storage"] : [],
      inventory: { agent: agentOf(node, id), receivedAt: at, inventory, claims: {} },
    };
  });
  return {
    cluster: id,
    name: name ?? id,
    agents: new Map(agents.map((agent) => [agent.node, agent])),
    owners: ownersOf(agents.flatMap(({ inventory }) => inventory ?? [])),
  };
}

export type Wanted = { entity: string; metric: string; instance?: string; source?: string };

/** One agent's record stream into a fake store: whole frames, as real agents send them. */
export class TestAgent {
  private seq = 0;
  private readonly stream: RecordStream;
  private readonly state: FrameState;

  constructor(
    series: { sink: Pick<RecordSink, "open"> },
    readonly agent: AgentId,
    private readonly wanted: readonly Wanted[],
  ) {
    this.stream = series.sink.open(agent, "0".repeat(32));
    this.state = new FrameState(wanted.length);
    this.stream.accept(encodeSchema(++this.seq, schemaOf(wanted)), 0 as EpochMs);
  }

  /** Values in the order of the series, in the catalogue's units; undefined: absent. */
  frame(at: number, values: readonly (number | undefined)[]): void {
    const scaled = Float64Array.from(this.wanted, ({ entity, metric }, index) => {
      const row = metricByName(entityKind(entity as EntityKey), metric);
      return Math.round((values[index] ?? Number.NaN) * (row?.scale ?? Number.NaN));
    });
    this.stream.accept(encodeFrame(++this.seq, at as EpochMs, this.seq === 2, scaled, this.state), at as EpochMs);
  }
}

function schemaOf(wanted: readonly Wanted[]): Schema {
  const keys = [...new Set(wanted.map(({ entity }) => entity))];
  return {
    entities: keys.map((key) => ({ key: key as EntityKey, identity: [] })),
    series: wanted.map(({ entity, metric, instance, source = "test" }) => ({
      entity: keys.indexOf(entity),
      metric: metricByName(entityKind(entity as EntityKey), metric)?.id ?? -1,
      source,
      ...(instance === undefined ? {} : { instance }),
    })),
  };
}
