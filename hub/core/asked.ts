import { type EntityKey, type NodeName, parseEntityKey, parseNodeName, parseVmid, type Vmid } from "#protocol/ids.ts";
import { Refusal } from "./refusal.ts";

// What a caller names in a request, as the type it must be. Each throws a Refusal where it is something else.

const dayMs = 86_400_000;

/** A range ends after it begins, and is no longer than `maxMs`, which are whole days. */
export function checkRange({ from, to }: { from: number; to: number }, maxMs = Number.POSITIVE_INFINITY): void {
  if (to <= from) throw new Refusal("invalid", "to must be later than from", { field: "to" });
  if (to - from > maxMs) {
    throw new Refusal("invalid", `from may be at most ${maxMs / dayMs} days before to: ask for a later one`, { field: "from" });
  }
}

export function askedNode(text: string): NodeName {
  const node = parseNodeName(text);
  if (node !== undefined) return node;
  throw new Refusal("invalid", "node: not a node's name, which has letters, digits and hyphens", { field: "node" });
}

export function askedVmid(text: string): Vmid {
  const vmid = parseVmid(text);
  if (vmid !== undefined) return vmid;
  throw new Refusal("invalid", "vmid: a whole number from 100 to 999999999", { field: "vmid" });
}

export function askedEntity(text: string, field: string): EntityKey {
  const entity = parseEntityKey(text);
  if (entity !== undefined) return entity;
  throw new Refusal("invalid", `${field}: ${text} is no entity; guest/100 is one, node/pve1, storage/nfs1, cluster`, { field });
}
