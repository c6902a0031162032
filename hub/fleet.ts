import type { ClusterId, EpochMs, NodeName, Vmid } from "#protocol/ids.ts";
import { guestKey, nodeKey } from "#protocol/ids.ts";
import type { Inventory } from "#protocol/inventory.ts";
import { limits } from "#protocol/limits.ts";
import type { Duty } from "#protocol/messages.ts";
import { byText } from "#protocol/order.ts";
import { leaveFormerClusters } from "./agent-keys.ts";
import { saveAgents } from "./agent-memory.ts";
import { type AgentStatus, type ClusterPicture, hasLeft, speaks } from "./core/cluster.ts";
import { assignDuties, dutiesOf, dutyGraceMs, inGrace } from "./core/duties.ts";
import {
  guestChanges,
  guestTitle,
  newStrangers,
  type OwnedGuest,
  type Owners,
  ownersOf,
  stepInventory,
  vanishedGraceMs,
} from "./core/inventory.ts";
import { type AgentId, agentKey, type LiveTable } from "./core/series.ts";
import { isTestGuest } from "./core/test-guest.ts";
import type { Journal } from "./journal.ts";
import type { SessionInfo } from "./link/session-ports.ts";
import { inventoriesOf, type KnownCluster, type Member, Members, shownOwners } from "./members.ts";
import type { Clock } from "./ports.ts";
import type { StateStore } from "./store/state.ts";

/** Skews that differ less look the same. */
const skewShownMs = 500;
/** Link version whose agents tell of what only some nodes reach without a duty for it. */
const speakingSince = 3;
/** A member may be away so long before nothing follows from it any more but that it is. */
const settlingMs = dutyGraceMs + 5000;

export type FleetPorts = { state: StateStore; live: LiveTable; clock: Clock; journal: Journal };

/** Who the agents are and what they last said: the hub's picture of each cluster, kept across restarts. */
export class Fleet {
  private readonly members: Members;
  private readonly changedClusters = new Set<ClusterId>();
  private readonly listeners = new Set<() => void>();
  /** Counts what changes who and what there is: inventories, sessions, owners. Skews and samples are not that. */
  private changes = 0;
  /** Of the store, when it was last asked who is revoked. */
  private askedAtWrites: number | undefined;

  constructor(private readonly ports: FleetPorts) {
    this.members = new Members(ports.state);
  }

  clusterIds(): ClusterId[] {
    return [...this.members.clusters.keys()];
  }

  pictures(): ClusterPicture[] {
    return [...this.members.clusters.keys()].flatMap((id) => this.picture(id) ?? []);
  }

  picture(id: ClusterId): ClusterPicture | undefined {
    const cluster = this.members.clusters.get(id);
    if (cluster === undefined) return undefined;
    const agents = new Map([...cluster.members].map(([node, member]) => [node, this.status(cluster, member)]));
    return { cluster: id, name: cluster.name, agents, owners: shownOwners(cluster) };
  }

  /** Which agent's word counts for each guest, as in the cluster's picture. */
  owners(id: ClusterId): Owners | undefined {
    const cluster = this.members.clusters.get(id);
    return cluster === undefined ? undefined : shownOwners(cluster);
  }

  /** Another number than before: who and what there is may be another too. */
  get version(): number {
    return this.changes;
  }

  /** Calls when facts (not samples) changed. */
  onChange(listener: () => void): void {
    this.listeners.add(listener);
  }

  /** Time alone will change something soon: a guest counts as deleted, a duty moves. */
  get isSettling(): boolean {
    const now = this.ports.clock.now();
    return [...this.members.clusters.values()].some(
      ({ vanished, members }) =>
        vanished.size > 0 ||
        [...members.values()].some((one) => !one.connected && !one.revoked && Math.abs(now - (one.lastSeenAt ?? 0)) < settlingMs),
    );
  }

  /** Clusters whose facts (not samples) changed since the last call. */
  takeChanged(): ClusterId[] {
    const changed = [...this.changedClusters];
    this.changedClusters.clear();
    return changed;
  }

  counts(): { connected: number; total: number } {
    const present = this.members.all().filter((member) => !member.revoked);
    return { connected: present.filter((member) => member.connected).length, total: present.length };
  }

  /** Why the hub doesn't see all that it should, one sentence each. */
  problems(): string[] {
    const now = this.ports.clock.now();
    return this.pictures().flatMap((picture) =>
      [...picture.agents.values()].flatMap((agent) => {
        if (agent.state === "away") return [awayText(picture, agent.node, now)];
        return agent.state === "connected" && !speaks(agent, now) ? [`No fresh samples from ${agent.node}`] : [];
      }),
    );
  }

  opened(session: SessionInfo): readonly Duty[] {
    return this.ports.journal.together(() => this.open(session));
  }

  private open({ agent, clusterName, software, version, skewMs, joinedBy }: SessionInfo): readonly Duty[] {
    const now = this.ports.clock.now();
    const member = this.members.member(agent, clusterName);
    Object.assign(member, { revoked: false, software, version, connected: true, connectedAt: now, lastSeenAt: now });
    const place = this.place(agent);
    if (joinedBy !== undefined) {
      this.ports.journal.emit("agent.joined", { node: agent.node, by: joinedBy }, place);
      leaveFormerClusters(this.ports.state, agent, (former) => this.members.member(former).connected, now);
    }
    this.ports.journal.emit("agent.connected", { node: agent.node, software }, place);
    this.measured(agent, skewMs);
    this.touch(agent.cluster);
    member.unsavedSeen = true;
    this.stepDuties(agent.cluster);
    return dutiesOf(this.members.cluster(agent.cluster).holders, agent.node);
  }

  closed(agent: AgentId, why: string): void {
    const member = this.members.member(agent);
    member.connected = false;
    member.lastSeenAt = this.ports.clock.now();
    this.ports.journal.emit("agent.away", { node: agent.node, why }, this.place(agent));
    member.unsavedSeen = true;
    this.touch(agent.cluster);
  }

  inventory(agent: AgentId, inventory: Inventory): void {
    const now = this.ports.clock.now();
    const member = this.members.member(agent);
    const isNew = member.inventory === undefined;
    const before = member.inventory?.inventory.node.rangeStrangers;
    member.inventory = stepInventory(member.inventory, agent, inventory, now);
    member.unsaved = true;
    this.touch(agent.cluster);
    const newcomers = new Set(isNew ? [agent.node] : []);
    this.ports.journal.together(() => {
      this.stepOwners(agent.cluster, newcomers, now);
      for (const { vmid, why } of newStrangers(before, inventory.node.rangeStrangers)) {
        const place = { cluster: agent.cluster, node: agent.node, entity: guestKey(vmid as Vmid) };
        this.ports.journal.emit("restore-range.stranger", { node: agent.node, vmid, why }, place);
      }
    });
  }

  /** The agent's clock was read: told once when it gets wrong, and when it is right again. */
  measured(agent: AgentId, skewMs: number): void {
    const member = this.members.member(agent);
    const was = Math.abs(member.skewMs ?? 0) > limits.clockSkewMs;
    const is = Math.abs(skewMs) > limits.clockSkewMs;
    const moved = member.skewMs === null || Math.abs(skewMs - member.skewMs) >= skewShownMs;
    member.skewMs = skewMs;
    member.lastSeenAt = this.ports.clock.now();
    // Each agent says its clock once a minute: that it is still right changes nothing.
    if (moved) this.touch(agent.cluster, false);
    if (is && !was) this.ports.journal.emit("agent.clock-skew", { node: agent.node, skewMs }, this.place(agent));
    if (was && !is) this.ports.journal.emit("agent.clock-right", { node: agent.node }, this.place(agent));
  }

  /** Moves duties whose holder is gone. Returns the agents whose duties changed. */
  stepDuties(id: ClusterId): AgentId[] {
    const cluster = this.members.cluster(id);
    const agents = [...cluster.members.values()]
      .filter((member) => !member.revoked)
      .map(({ agent, connected, lastSeenAt }) => ({
        node: agent.node,
        awaySince: connected ? null : (lastSeenAt ?? (0 as EpochMs)),
      }));
    const before = cluster.holders;
    cluster.holders = assignDuties(before, agents, this.ports.clock.now());
    const touched = new Set<NodeName>();
    for (const duty of Object.keys(cluster.holders) as Duty[]) {
      const [from, to] = [before[duty], cluster.holders[duty]];
      if (to === undefined || from === to) continue;
      for (const node of [from, to]) if (node !== undefined) touched.add(node);
      this.ports.journal.emit("duty.moved", { duty, node: to, from }, this.place({ cluster: id, node: to }));
    }
    if (touched.size > 0) this.touch(id);
    return [...touched].map((node) => ({ cluster: id, node }));
  }

  /** Nodes whose agents tell of what only some nodes reach, by name: those that are there, or away no longer than a restart takes. */
  speakers(id: ClusterId): NodeName[] {
    const now = this.ports.clock.now();
    return [...this.members.cluster(id).members.values()]
      .filter(({ revoked, version = speakingSince }) => !revoked && version >= speakingSince)
      .filter(({ connected, lastSeenAt }) => connected || inGrace(lastSeenAt ?? 0, now))
      .map(({ agent }) => agent.node)
      .sort(byText);
  }

  /** Who speaks, and the agents to be told of it: all, where these are others than before. */
  stepSpeakers(id: ClusterId): { speakers: readonly NodeName[]; listeners: AgentId[] } {
    const cluster = this.members.cluster(id);
    const speakers = this.speakers(id);
    const text = speakers.join(" ");
    if (text === cluster.speakers) return { speakers, listeners: [] };
    cluster.speakers = text;
    const connected = [...cluster.members.values()].filter((member) => member.connected);
    return { speakers, listeners: connected.map(({ agent }) => agent) };
  }

  dutiesOf({ cluster, node }: AgentId): Duty[] {
    return dutiesOf(this.members.cluster(cluster).holders, node);
  }

  /** Guests that vanished and that nobody claimed in time were deleted. */
  stepVanished(): void {
    const now = this.ports.clock.now();
    for (const [id, cluster] of this.members.clusters) {
      const { vanished } = cluster;
      for (const [vmid, { guest, since }] of vanished) {
        if (now - since < vanishedGraceMs) continue;
        vanished.delete(vmid);
        cluster.shown = undefined;
        this.touch(id);
        const node = guest.owner.agent.node;
        this.ports.journal.emit("guest.deleted", { ...named(guest.facts), node }, guestPlace(id, vmid, node));
      }
    }
  }

  /** Takes up what another process decided: agents revoked with `proven-hub agent revoke`. Returns the newly revoked. */
  stepRevoked(): AgentId[] {
    const { writes } = this.ports.state;
    if (writes === this.askedAtWrites) return [];
    const revoked: AgentId[] = [];
    for (const cluster of this.members.clusters.values()) {
      for (const member of cluster.members.values()) {
        const isRevoked = this.ports.state.get("agent", agentKey(member.agent))?.publicKey === null;
        if (!isRevoked || member.revoked) continue;
        member.revoked = true;
        revoked.push(member.agent);
        this.touch(member.agent.cluster);
        this.stepOwners(member.agent.cluster, new Set(), this.ports.clock.now());
        this.ports.journal.emit("agent.revoked", { node: member.agent.node }, this.place(member.agent));
      }
    }
    this.askedAtWrites = writes;
    return revoked;
  }

  /** Writes what agents said of themselves. After `budgetMs` the rest waits for the next time. */
  save(budgetMs = Number.POSITIVE_INFINITY): void {
    saveAgents(this.ports, this.members.all(), budgetMs);
  }

  private stepOwners(id: ClusterId, newcomers: ReadonlySet<NodeName>, now: EpochMs): void {
    const cluster = this.members.cluster(id);
    const before = new Map([...cluster.owners, ...[...cluster.vanished].map(([vmid, { guest }]) => [vmid, guest] as const)]);
    const after = ownersOf(inventoriesOf(cluster));
    for (const change of guestChanges(before, after, newcomers)) {
      const { vmid, facts, node } = change;
      if (change.kind === "vanished") {
        const guest = before.get(vmid);
        if (guest !== undefined && !cluster.vanished.has(vmid)) cluster.vanished.set(vmid, { guest, since: now });
        continue;
      }
      const { guest, test } = named(facts);
      const place = guestPlace(id, vmid, node);
      if (change.kind === "migrated") this.ports.journal.emit("guest.migrated", { guest, node, from: change.from }, place);
      else if (change.kind === "created") this.ports.journal.emit("guest.created", { guest, node }, place);
      else this.ports.journal.emit("guest.replaced", { guest, node, test }, place);
    }
    for (const vmid of after.keys()) cluster.vanished.delete(vmid);
    cluster.owners = after;
    cluster.shown = undefined;
  }

  private status(cluster: KnownCluster, member: Member): AgentStatus {
    const { agent, revoked, connected, software, connectedAt, lastSeenAt, skewMs, inventory } = member;
    const reach = connected ? "connected" : "away";
    return {
      node: agent.node,
      state: revoked ? "revoked" : reach,
      software,
      connectedAt,
      lastSeenAt,
      clockSkewMs: skewMs,
      newestFrame: this.ports.live.newestFrame(agent),
      duties: dutiesOf(cluster.holders, agent.node),
      inventory,
    };
  }

  /** `facts`: more than a clock's skew. */
  private touch(id: ClusterId, facts = true): void {
    this.changedClusters.add(id);
    if (facts) this.changes++;
    for (const listener of this.listeners) listener();
  }

  private place({ cluster, node }: AgentId) {
    return { cluster, node, entity: nodeKey(node) };
  }
}

/** Who removed a node from its cluster has to say so here: what may come back is not taken for gone. */
function awayText(picture: ClusterPicture, node: NodeName, now: EpochMs): string {
  const away = `The agent of ${node} is away`;
  if (!hasLeft(picture, node, now)) return away;
  const id = agentKey({ cluster: picture.cluster, node });
  return `${away}, and its cluster lists the node no more: where it was removed for good, proven-hub agent revoke ${id}, or the panel's list of agents`;
}

const named = (facts: OwnedGuest["facts"]) => ({ guest: guestTitle(facts), test: isTestGuest(facts) });

function guestPlace(cluster: ClusterId, vmid: Vmid, node: NodeName) {
  return { cluster, node, entity: guestKey(vmid) };
}
