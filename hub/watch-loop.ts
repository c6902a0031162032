import type { StreamEvents, TaskView } from "#protocol/api.ts";
import type { ClusterId, EntityKey, EpochMs, NodeName, Vmid } from "#protocol/ids.ts";
import { guestKey, nodeKey, vmidOfKey } from "#protocol/ids.ts";
import { type AgentStatus, type ClusterPicture, nodeState, nodesOf, quorumOf, speaks, storagesOf } from "./core/cluster.ts";
import { inHubTime } from "./core/freshness.ts";
import { guestsAmong, guestTitle, type OwnedGuest } from "./core/inventory.ts";
import { oncePer } from "./core/once-per.ts";
import type { AgentId, LiveTable, SeriesReader } from "./core/series.ts";
import { type KnownGuest, type KnownNode, type KnownStorage, stepGuest, stepKnown, storageNews } from "./core/transitions.ts";
import { guestState, guestView, nodeView, type Sight, storageEntity, storageView } from "./core/views.ts";
import type { Fleet } from "./fleet.ts";
import type { Journal } from "./journal.ts";
import type { Clock } from "./ports.ts";

/** What changed within about a second. */
export type Batch = Partial<Lists>;
type Lists = Pick<StreamEvents, "nodes" | "guests" | "storages" | "gone" | "tasks">;

export type WatchPorts = {
  fleet: Fleet;
  reader: SeriesReader;
  live: LiveTable;
  clock: Clock;
  journal: Journal;
  /** Tells an agent which duties it has now. */
  sendDuties(agent: AgentId): void;
  /** Tells an agent whose agents are there now. */
  sendSpeakers(agent: AgentId, speakers: readonly NodeName[]): void;
  /** What tests of its backups have proven. */
  proofOf?: Sight["proofOf"];
  /** Ends the session of an agent that was revoked. */
  dismiss(agent: AgentId): void;
};

/** Memory of one cluster, to notice what changes. */
type Watched = {
  nodes: Map<string, KnownNode>;
  guests: Map<string, KnownGuest>;
  storages: Map<string, KnownStorage>;
  speaking: Map<NodeName, boolean>;
  quorate: boolean | undefined;
  shown: Set<string>;
  dirty: Set<EntityKey>;
};

/** Between two looks at what only other processes change, and between two writes of inventories. */
const slowMs = 5000;
/** Longest that writing inventories takes at a time: after a restart each of hundreds of agents sends one. */
const saveMs = 15;
/** When that took so long, the look at what changed has a turn of its own. */
const longMs = 8;
/** Longest that guests are looked at in one turn of the event loop: of 10,000 it takes 40 ms. The clock is read once for so many. */
const turnMs = 8;
const guestsPerLook = 100;
/** After what changed, so that what changes together is told together. */
const batchMs = 1000;
/** Nothing changes without an agent but by a command, which makes no haste then. */
const idleMs = 30_000;

/** A list is the same one for all frames of a schema: it is gone through once. */
const withoutGuests = oncePer((entities: readonly EntityKey[]): readonly EntityKey[] =>
  entities.filter((entity) => vmidOfKey(entity) === undefined),
);

/** Looks a second after it came at what samples and inventories changed: tells events and duties, and what open panels have to redraw. */
export class WatchLoop {
  private readonly watched = new Map<ClusterId, Watched>();
  private readonly listeners = new Set<(batch: Batch) => void>();
  private tasks: TaskView[] = [];
  private slowAt = Number.NEGATIVE_INFINITY;
  /** The pass that was begun. */
  private underWay: Generator<void, Lists> | undefined;
  private readonly stopFrames: () => void;
  /** Asks for a tick within so many ms. */
  private wake: (withinMs: number) => void = () => undefined;

  constructor(private readonly ports: WatchPorts) {
    this.stopFrames = ports.live.onFrame(({ agent, entities, turned }) => {
      const { dirty } = this.watchedOf(agent.cluster);
      // Of a guest only its status is news, unless somebody looks at its figures.
      for (const entity of this.isWatched ? entities : withoutGuests(entities)) dirty.add(entity);
      for (const entity of turned) dirty.add(entity);
      dirty.add(nodeKey(agent.node));
      this.wake(batchMs);
    });
    ports.fleet.onChange(() => this.wake(batchMs));
  }

  /** `wake` is called when a tick is due within so many ms, earlier than `tick` said. */
  onWork(wake: (withinMs: number) => void): void {
    this.wake = wake;
  }

  onBatch(listener: (batch: Batch) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Something of this guest that isn't a sample is another one now. */
  guestChanged(cluster: ClusterId, vmid: number): void {
    if (!this.isWatched) return;
    this.watchedOf(cluster).dirty.add(guestKey(vmid as Vmid));
    this.wake(batchMs);
  }

  tasksChanged(tasks: readonly TaskView[]): void {
    if (!this.isWatched) return;
    this.tasks.push(...tasks);
    this.wake(batchMs);
  }

  /** One pass, or the next piece of it where it takes long. Returns in how many ms the next one is due at the latest. */
  tick(): number {
    const { fleet, clock, journal } = this.ports;
    if (this.underWay === undefined && this.tend() >= longMs) return 0;
    const pieces = this.underWay ?? this.pass();
    this.underWay = undefined; // also where the piece throws
    const untilMs = clock.monotonicMs() + turnMs;
    const piece = journal.together(() => {
      let next = pieces.next();
      while (next.done !== true && clock.monotonicMs() < untilMs) next = pieces.next();
      return next;
    });
    if (piece.done !== true) {
      this.underWay = pieces;
      return 0;
    }
    // Behind the events, so that nobody sees a state before he can read why.
    const filled = Object.fromEntries(Object.entries(piece.value).filter(([, list]) => list.length > 0)) as Batch;
    if (Object.keys(filled).length > 0) for (const listener of this.listeners) listener(filled);
    if (fleet.isSettling) return batchMs;
    return fleet.counts().connected > 0 ? slowMs : idleMs;
  }

  /** What needs no haste. Returns how long it took, ms. */
  private tend(): number {
    const { fleet, clock } = this.ports;
    const nowMs = clock.monotonicMs();
    if (nowMs - this.slowAt < slowMs) return 0;
    this.slowAt = nowMs;
    this.ports.journal.together(() => {
      for (const agent of fleet.stepRevoked()) this.ports.dismiss(agent);
    });
    fleet.save(saveMs);
    return clock.monotonicMs() - nowMs;
  }

  /** May stop at each `yield` until the next turn; frames and inventories that come meanwhile are for the next pass. */
  private *pass(): Generator<void, Lists> {
    const { fleet } = this.ports;
    fleet.stepVanished();
    for (const cluster of fleet.clusterIds()) {
      const moved = fleet.stepDuties(cluster);
      for (const agent of moved) this.ports.sendDuties(agent);
      const { speakers, listeners } = fleet.stepSpeakers(cluster);
      for (const agent of listeners.filter(({ node }) => !moved.some((one) => one.node === node))) {
        this.ports.sendSpeakers(agent, speakers);
        yield;
      }
    }
    const changed = new Set(fleet.takeChanged());
    const batch: Lists = { nodes: [], guests: [], storages: [], gone: [], tasks: this.tasks.splice(0) };
    for (const picture of fleet.pictures()) yield* this.tickCluster(picture, changed.has(picture.cluster), batch);
    return batch;
  }

  close(): void {
    this.stopFrames();
    this.ports.fleet.save();
  }

  private *tickCluster(picture: ClusterPicture, changed: boolean, batch: Lists): Generator<void, void> {
    const watched = this.watchedOf(picture.cluster);
    const { dirty } = watched;
    watched.dirty = new Set();
    const { reader, live, clock, proofOf } = this.ports;
    const sight: Sight = { reader, live, now: clock.now(), proofOf };
    const all = this.stepSpeaking(picture, watched, sight) || changed;
    this.stepQuorum(picture, watched, sight);
    const isDirty = (entity: string) => all || dirty.has(entity as EntityKey);
    this.stepNodes(picture, watched, sight, isDirty, batch);
    yield;
    yield* this.stepGuests(picture, watched, sight, all ? picture.owners.values() : guestsAmong(picture.owners, dirty), batch);
    this.stepStorages(picture, watched, sight, isDirty, batch);
    yield;
    if (all) this.stepGone(picture, watched, sight.now, batch);
  }

  /** True when an agent fell silent or speaks again: all that it reports changes its state then. */
  private stepSpeaking(picture: ClusterPicture, { speaking }: Watched, { now }: Sight): boolean {
    let changed = false;
    for (const agent of picture.agents.values()) {
      const { node } = agent;
      const is = speaks(agent, now);
      const was = speaking.get(node);
      speaking.set(node, is);
      if (was === is || was === undefined) continue;
      changed = true;
      const place = { cluster: picture.cluster, node, entity: nodeKey(node) };
      if (is) this.ports.journal.emit("agent.sampling", { node }, place);
      else this.ports.journal.emit("agent.silent", { node, forMs: silentMs(agent, now) }, place);
    }
    return changed;
  }

  private stepQuorum(picture: ClusterPicture, watched: Watched, { now }: Sight): void {
    const quorate = quorumOf(picture, now);
    if (quorate === undefined || quorate === watched.quorate) return;
    const place = { cluster: picture.cluster, entity: "cluster" };
    if (!quorate) this.ports.journal.emit("quorum.lost", { name: picture.name }, place);
    else if (watched.quorate === false) this.ports.journal.emit("quorum.regained", { name: picture.name }, place);
    watched.quorate = quorate;
  }

  /** A node's state hangs on the other members too, so it is judged at every tick. */
  private stepNodes(
    picture: ClusterPicture,
    watched: Watched,
    sight: Sight,
    isDirty: (e: string) => boolean,
    batch: Lists,
  ): void {
    for (const node of nodesOf(picture, sight.now).keys()) {
      const entity = nodeKey(node);
      const before = watched.nodes.get(entity);
      const { known, news } = stepKnown(before, nodeState(picture, node, sight.now));
      watched.nodes.set(entity, known);
      // That sight was lost was told, so that it is back is news too.
      const told = news?.to ?? (before?.unknown && !known.unknown ? before.state : undefined);
      if (told !== undefined) this.ports.journal.emit(`node.${told}`, { node }, { cluster: picture.cluster, node, entity });
      if (!this.isWatched || !(known.unknown !== before?.unknown || told !== undefined || isDirty(entity))) continue;
      const view = nodeView(sight, picture, node);
      if (view !== undefined) batch.nodes.push(view);
    }
  }

  private *stepGuests(
    picture: ClusterPicture,
    watched: Watched,
    sight: Sight,
    guests: Iterable<OwnedGuest>,
    batch: Lists,
  ): Generator<void, void> {
    let looked = 0;
    for (const owned of guests) {
      if (++looked % guestsPerLook === 0) yield;
      const entity = guestKey(owned.facts.vmid as Vmid);
      const node = owned.owner.agent.node;
      const seen = { state: guestState(sight, picture, owned), node, lock: owned.facts.lock ?? null };
      const { known, news } = stepGuest(watched.guests.get(entity), seen);
      if (!sameKnown(watched.guests.get(entity), known)) watched.guests.set(entity, known);
      const place = { cluster: picture.cluster, node, entity };
      if (news !== undefined) this.ports.journal.emit(news, { guest: guestTitle(owned.facts), node }, place);
      if (this.isWatched) batch.guests.push(guestView(sight, picture, owned));
    }
  }

  private stepStorages(
    picture: ClusterPicture,
    watched: Watched,
    sight: Sight,
    isDirty: (e: string) => boolean,
    batch: Lists,
  ): void {
    for (const { facts, node } of storagesOf(picture, sight.now)) {
      if (!isDirty(storageEntity(facts, node))) continue;
      const view = storageView(sight, picture, facts, node);
      const { known, news } = stepKnown(watched.storages.get(view.entity), view.state);
      watched.storages.set(view.entity, known);
      const event = storageNews(news);
      const place = { cluster: picture.cluster, entity: view.entity, ...(node === undefined ? {} : { node }) };
      const storage = node === undefined ? facts.storage : `${facts.storage} on ${node}`;
      if (event !== undefined) this.ports.journal.emit(event, { storage }, place);
      if (this.isWatched) batch.storages.push(view);
    }
  }

  private stepGone(picture: ClusterPicture, watched: Watched, now: EpochMs, batch: Lists): void {
    const shown = new Set<string>();
    for (const node of nodesOf(picture, now).keys()) shown.add(nodeKey(node));
    for (const { facts } of picture.owners.values()) shown.add(`guest/${facts.vmid}`);
    for (const { facts, node } of storagesOf(picture, now)) shown.add(storageEntity(facts, node));
    for (const entity of watched.shown) {
      if (shown.has(entity)) continue;
      for (const memory of [watched.nodes, watched.guests, watched.storages]) memory.delete(entity);
      batch.gone.push({ entity, cluster: picture.cluster });
    }
    watched.shown = shown;
  }

  /** Views are made only while somebody looks. */
  private get isWatched(): boolean {
    return this.listeners.size > 0;
  }

  private watchedOf(cluster: ClusterId): Watched {
    const known = this.watched.get(cluster);
    if (known !== undefined) return known;
    const watched: Watched = {
      nodes: new Map(),
      guests: new Map(),
      storages: new Map(),
      speaking: new Map(),
      quorate: undefined,
      shown: new Set(),
      dirty: new Set(),
    };
    this.watched.set(cluster, watched);
    return watched;
  }
}

const silentMs = ({ newestFrame, clockSkewMs }: AgentStatus, now: EpochMs) =>
  newestFrame === undefined ? 0 : now - inHubTime(newestFrame, clockSkewMs ?? 0);

/** What is the same is not stored again: memory that stays for ten seconds at a time is the dearest to free. */
const sameKnown = (a: KnownGuest | undefined, b: KnownGuest) =>
  a !== undefined && a.state === b.state && a.unknown === b.unknown && a.node === b.node;
