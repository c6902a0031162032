import { type EntityKey, type EpochMs, type NodeName, type Vmid, vmidOfKey } from "#protocol/ids.ts";
import type { DiskFacts, GuestFacts, Inventory, RangeStranger, UnreadList } from "#protocol/inventory.ts";
import type { AgentId } from "./series.ts";

/** What one agent last said, and since when (the hub's time) it has claimed each guest without a pause. */
export type AgentInventory = {
  agent: AgentId;
  receivedAt: EpochMs;
  inventory: Inventory;
  claims: Readonly<Record<string, EpochMs>>;
};

/**
 * What an agent could not read yet since its start is as it was: a pool that hangs through a restart, or a disk that was not asked yet, is not gone, and
 * what fires for it is not over.
 */
function withUnread(before: Inventory, now: Inventory): Inventory {
  const keep = <T>(list: UnreadList, old: readonly T[] = [], fresh: T[] | undefined, keyOf: (one: T) => string) => {
    if (now.unread?.includes(list) !== true) return fresh;
    const there = new Set(fresh?.map(keyOf));
    return [...(fresh ?? []), ...old.filter((one) => !there.has(keyOf(one)))];
  };
  const [old, node] = [before.node, now.node];
  const disks = keep("disks", old.disks, node.disks, ({ id }) => id);
  const thinpools = keep("thinpools", old.thinpools, node.thinpools, ({ vg, lv }) => `${vg}/${lv}`);
  const datastores = keep("datastores", before.datastores, now.datastores, ({ key }) => key);
  return {
    ...now,
    node: {
      ...node,
      zpools: keep("zpools", old.zpools, node.zpools, (pool) => pool) ?? [],
      ...(disks === undefined ? {} : { disks }),
      ...(thinpools === undefined ? {} : { thinpools }),
    },
    ...(datastores === undefined ? {} : { datastores }),
  };
}

/**
 * A disk that sleeps or answers nothing tells no serial number to an agent that has just started: it is the one that had its name before, unless that
 * one is there by another name. Else a disk that dies would be told as gone, and as well.
 */
function withSilentDisks(before: readonly DiskFacts[] = [], now: readonly DiskFacts[]): DiskFacts[] {
  const there = new Set(now.map(({ id }) => id));
  return now.map((disk) => {
    if (disk.serial !== undefined || disk.smart === "read") return disk;
    const known = before.find(({ name, serial, id }) => name === disk.name && serial !== undefined && !there.has(id));
    return known === undefined ? disk : { ...known, smart: disk.smart };
  });
}

/**
 * The newest inventory replaces the one before; a guest listed in both keeps the time of its claim. An agent looks at its machine minutes after it
 * started: until then the machine is the one before, or a node that dies while it starts would take the knowledge of what it was with it.
 */
export function stepInventory(
  before: AgentInventory | undefined,
  agent: AgentId,
  inventory: Inventory,
  now: EpochMs,
): AgentInventory {
  const claims: Record<string, EpochMs> = {};
  for (const { vmid } of inventory.guests) claims[vmid] = before?.claims[vmid] ?? now;
  const hardware = inventory.node.hardware ?? before?.inventory.node.hardware;
  const lists = before === undefined || inventory.unread === undefined ? inventory : withUnread(before.inventory, inventory);
  const { disks } = lists.node;
  const node = {
    ...lists.node,
    ...(disks === undefined ? {} : { disks: withSilentDisks(before?.inventory.node.disks, disks) }),
    ...(hardware === undefined ? {} : { hardware }),
  };
  return { agent, receivedAt: now, inventory: { ...lists, node }, claims };
}

/** A guest and the agent whose claim counts. */
export type OwnedGuest = { facts: GuestFacts; owner: AgentInventory };
export type Owners = ReadonlyMap<Vmid, OwnedGuest>;

/** Of any number that somebody names: one that is no vmid is nobody's. */
export const ownedGuest = (owners: Owners, vmid: number | undefined): OwnedGuest | undefined => owners.get(vmid as Vmid);

/** Those of these entities that are guests and have an owner. */
export function* guestsAmong(owners: Owners, entities: Iterable<EntityKey>): Iterable<OwnedGuest> {
  for (const entity of entities) {
    const vmid = vmidOfKey(entity);
    const owned = vmid === undefined ? undefined : owners.get(vmid);
    if (owned !== undefined) yield owned;
  }
}

/**
 * Each guest of one cluster once. Two agents list the same guest while it migrates, or when its node died and another took it over: the newer
 * claim counts, whatever was repeated since.
 */
export function ownersOf(inventories: Iterable<AgentInventory>): Owners {
  const owners = new Map<Vmid, OwnedGuest>();
  for (const owner of inventories) {
    for (const facts of owner.inventory.guests) {
      const vmid = facts.vmid;
      const rival = owners.get(vmid);
      if (rival === undefined || claimOf(rival) < claimOf({ facts, owner })) owners.set(vmid, { facts, owner });
    }
  }
  return owners;
}

const claimOf = ({ facts, owner }: OwnedGuest) => owner.claims[facts.vmid] ?? owner.receivedAt;

/** PVE's defaults: `VM 100` (qemu-server `vmstatus`) and `CT100` (pve-container `LXC.pm` vmstatus). */
export function guestName({ name, type, vmid }: Pick<GuestFacts, "name" | "type" | "vmid">): string {
  return name ?? (type === "qemu" ? `VM ${vmid}` : `CT${vmid}`);
}

/** How events name a guest. */
export function guestTitle(facts: GuestFacts): string {
  return facts.name === undefined ? guestName(facts) : `${facts.type === "qemu" ? "VM" : "CT"} ${facts.vmid} (${facts.name})`;
}

/** Two sets of identity strings that share one are the same guest; nothing known is no evidence of another one. */
export function sameGuest(a: Pick<GuestFacts, "identity" | "type">, b: Pick<GuestFacts, "identity" | "type">): boolean {
  if (a.type !== b.type) return false;
  return a.identity.length === 0 || b.identity.length === 0 || a.identity.some((id) => b.identity.includes(id));
}

export type GuestChange =
  | { kind: "created" | "replaced" | "vanished"; vmid: Vmid; facts: GuestFacts; node: NodeName }
  | { kind: "migrated"; vmid: Vmid; facts: GuestFacts; node: NodeName; from: NodeName };

/**
 * What happened to a cluster's guests between two pictures. `newcomers`: nodes of agents heard for the first time, whose guests were there
 * before us and are not news. `vanished` is not yet deleted: between the two reports of a migration a guest is on no node.
 */
export function guestChanges(before: Owners, after: Owners, newcomers: ReadonlySet<NodeName>): GuestChange[] {
  const changes: GuestChange[] = [];
  for (const [vmid, { facts, owner }] of after) {
    const node = owner.agent.node;
    const old = before.get(vmid);
    if (old === undefined) {
      if (!newcomers.has(node)) changes.push({ kind: "created", vmid, facts, node });
    } else if (!sameGuest(old.facts, facts)) changes.push({ kind: "replaced", vmid, facts, node });
    else if (old.owner.agent.node !== node) changes.push({ kind: "migrated", vmid, facts, node, from: old.owner.agent.node });
  }
  for (const [vmid, { facts, owner }] of before) {
    if (!after.has(vmid)) changes.push({ kind: "vanished", vmid, facts, node: owner.agent.node });
  }
  return changes;
}

/** A vanished guest that nobody claims within this time was deleted: agents report every second, one after the other. */
export const vanishedGraceMs = 15_000;

/** Guests in a node's range of test guests that were not known to be there. */
export function newStrangers(
  before: readonly RangeStranger[] | undefined,
  after: readonly RangeStranger[] | undefined,
): readonly RangeStranger[] {
  const known = new Set(before?.map(({ vmid }) => vmid));
  return (after ?? []).filter(({ vmid }) => !known.has(vmid));
}
