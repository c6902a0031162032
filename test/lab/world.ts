import { GuestLoad, type GuestReading } from "./guest-reading.ts";
import type { CephState } from "./hardware.ts";
import { type Jiffies, NodeLoad, type NodeReading } from "./node-reading.ts";
import { type Override, overrideGuest, overrideJiffies, overrideNode } from "./override.ts";
import type { ClusterSpec, GuestSpec, NodeSpec, StorageSpec } from "./spec.ts";
import { bootedAt, type GuestEvent, type GuestLife, isDown, type NodeTimeline, type RunState, runState } from "./timeline.ts";
import { Volumes } from "./volumes.ts";
import { origin } from "./wave.ts";

/** `slow` and `hang`: of a shared storage, as seen by pvestatd. */
export type StorageFault = "inactive" | "slow" | "hang";

/** A life with what is derived from it and what only the present knows. */
export type Guest = {
  readonly life: GuestLife;
  load: GuestLoad;
  /** Node it lives on now; empty: deleted. */
  home: string;
  /** Present lock; PVE writes it into the configuration. */
  lock?: string;
  /** Version in .vmlist. */
  version: number;
  /** Restored guests: the configuration is this text, not derived from the specification. */
  file?: { text: string };
};

export type LabNode = {
  readonly spec: NodeSpec;
  readonly timeline: NodeTimeline;
  readonly load: NodeLoad;
  /** Since when pvestatd doesn't run; undefined: it runs. */
  statsStoppedAt?: number;
  /** The node's clock minus the true one, ms. */
  clockOffsetMs: number;
};

type Change = "vmlist" | "clinfo" | "tasklist" | string;

/** The cluster at any time: the specification, what was done to it, and what hangs on both. All times are ms of the lab's clock. */
export class World {
  readonly nodes: Map<string, LabNode>;
  /** Lives by vmid, oldest first. */
  readonly lives = new Map<number, Guest[]>();
  private readonly residents = new Map<string, Set<Guest>>();
  readonly storageFaults = new Map<string, { fault: StorageFault; from: number }>();
  readonly zpoolHealth = new Map<string, string>();
  /** By entity, in the order of time. */
  readonly overrides = new Map<string, Override[]>();
  /** Counters of .version, by file. */
  readonly versions = new Map<string, number>();
  quorumLostAt: number | undefined;
  /** A Ceph cluster, once a test has given the lab one. */
  ceph: CephState | undefined;
  /** `<node>/<disk>` that stand still: smartctl -n standby leaves them alone. */
  readonly sleepingDisks = new Set<string>();
  /** What restores made, beside the drives of the specification. */
  readonly volumes = new Volumes();
  /** Looks whether somebody has edited the file of a restored guest. */
  lookAtFile: (guest: Guest) => void = () => undefined;
  /** How a guest's agent behaves now, where a test or a restored guest's start decides it. */
  agentOf: (guest: Guest, at: number) => "none" | "dead" | "answers" = (guest) => guest.life.spec.agent;
  membersVersion = 4;
  private memo = new WeakMap<Guest, { at: number; state: RunState | undefined; reading: GuestReading | undefined }>();
  private nodeMemo = new WeakMap<LabNode, { at: number; reading: NodeReading }>();
  private listeners: ((change: Change) => void)[] = [];

  constructor(readonly spec: ClusterSpec) {
    this.nodes = new Map(
      spec.nodes.map((node) => [
        node.name,
        { spec: node, timeline: { name: node.name, outages: [] }, load: new NodeLoad(spec.seed, node), clockOffsetMs: 0 },
      ]),
    );
    for (const guest of spec.guests) this.addLife(guest, 1, origin - 400 * 86_400_000);
  }

  node(name: string): LabNode {
    const node = this.nodes.get(name);
    if (node === undefined) throw new Error(`no node ${name}`);
    return node;
  }

  storage(id: string): StorageSpec | undefined {
    return this.spec.storages.find((storage) => storage.id === id);
  }

  /** The guest that has this vmid now, or had it last. */
  newest(vmid: number): Guest | undefined {
    return this.lives.get(vmid)?.at(-1);
  }

  /** The present guest; undefined when there is none. */
  guest(vmid: number): Guest | undefined {
    const guest = this.newest(vmid);
    return guest?.life.deletedAt === undefined ? guest : undefined;
  }

  guestsNow(): Guest[] {
    return [...this.lives.keys()].map((vmid) => this.guest(vmid)).filter((guest) => guest !== undefined);
  }

  /** Guests that live on a node now, with their state at `at`, a time not before their newest move. */
  guestsOn(node: string, at: number): { guest: Guest; state: RunState }[] {
    const found: { guest: Guest; state: RunState }[] = [];
    for (const guest of this.residents.get(node) ?? []) {
      const state = this.state(guest, at);
      if (state !== undefined) found.push({ guest, state });
    }
    return found;
  }

  addLife(spec: GuestSpec, incarnation: number, createdAt: number): Guest {
    const life: GuestLife = { spec, incarnation, createdAt, events: [] };
    const guest: Guest = { life, load: new GuestLoad(this.spec.seed, life), home: "", version: 1 };
    if (spec.lock !== undefined) guest.lock = spec.lock;
    this.lives.set(spec.vmid, [...(this.lives.get(spec.vmid) ?? []), guest]);
    this.settleOn(guest, spec.node);
    return guest;
  }

  /** `node` undefined: nowhere any more. */
  private settleOn(guest: Guest, node: string | undefined): void {
    this.residents.get(guest.home)?.delete(guest);
    guest.home = node ?? "";
    if (node === undefined) return;
    const guests = this.residents.get(node) ?? new Set();
    this.residents.set(node, guests.add(guest));
  }

  deleteLife(guest: Guest, at: number): void {
    guest.life.deletedAt = at;
    this.settleOn(guest, undefined);
    this.memo.delete(guest);
    this.changed("vmlist");
  }

  /** Who had this vmid at that time. */
  guestAt(vmid: number, at: number): Guest | undefined {
    return this.lives
      .get(vmid)
      ?.find(({ life }) => at >= life.createdAt && (life.deletedAt === undefined || at < life.deletedAt));
  }

  private looked(guest: Guest, at: number) {
    const known = this.memo.get(guest);
    if (known?.at === at) return known;
    const state = runState(this.spec.seed, guest.life, (name) => this.node(name).timeline, at);
    const running = state?.running === true && state.known;
    const reading = running ? guest.load.read(state, at) : undefined;
    const overrides = this.overrides.get(`guest/${guest.life.spec.vmid}`);
    if (reading !== undefined && overrides !== undefined) {
      overrideGuest(reading, overrides, at, (from) => state && guest.load.read(state, Math.max(from, state.startedAt)));
    }
    const entry = { at, state, reading };
    this.memo.set(guest, entry);
    return entry;
  }

  state(guest: Guest, at: number): RunState | undefined {
    return this.looked(guest, at).state;
  }

  /** Undefined unless it runs on a living node. */
  reading(guest: Guest, at: number): GuestReading | undefined {
    return this.looked(guest, at).reading;
  }

  bootedAt(node: LabNode, at: number): number {
    return bootedAt(this.spec.seed, node.timeline, at);
  }

  isDown(node: LabNode, at: number): boolean {
    return isDown(node.timeline, at);
  }

  nodeReading(node: LabNode, at: number): NodeReading {
    const known = this.nodeMemo.get(node);
    if (known?.at === at) return known.reading;
    const reading = node.load.read(this.bootedAt(node, at), at);
    const overrides = this.overrides.get(`node/${node.spec.name}`);
    if (overrides !== undefined) {
      overrideNode(reading, overrides, at);
      reading.jiffies = this.jiffies(node, at);
    }
    this.nodeMemo.set(node, { at, reading });
    return reading;
  }

  jiffies(node: LabNode, at: number): Jiffies {
    const plain = (when: number) => node.load.jiffies(this.bootedAt(node, at), when);
    return overrideJiffies(plain, this.overrides.get(`node/${node.spec.name}`) ?? [], at);
  }

  quorate(at: number): boolean {
    if (this.quorumLostAt !== undefined && at >= this.quorumLostAt) return false;
    const online = [...this.nodes.values()].filter((node) => !this.isDown(node, at)).length;
    return online * 2 > this.nodes.size;
  }

  /** Records what happens to a guest and forgets what was computed from before. */
  record(guest: Guest, event: GuestEvent): void {
    guest.life.events.push(event);
    if (event.what === "move") this.settleOn(guest, event.node);
    this.memo.delete(guest);
    this.touchGuest(guest);
  }

  /** The configuration of the guest changed, or its place. */
  touchGuest(guest: Guest): void {
    guest.version++;
    this.changed("vmlist");
  }

  override(entity: string, override: Override): void {
    this.overrides.set(entity, [...(this.overrides.get(entity) ?? []), override]);
    this.forgetReadings();
  }

  forgetReadings(): void {
    this.memo = new WeakMap();
    this.nodeMemo = new WeakMap();
  }

  /** Counts a file of .version up and tells whoever writes it. */
  changed(file: Change): void {
    this.versions.set(file, (this.versions.get(file) ?? 1) + 1);
    for (const listener of this.listeners) listener(file);
  }

  onChange(listener: (change: Change) => void): void {
    this.listeners.push(listener);
  }
}
