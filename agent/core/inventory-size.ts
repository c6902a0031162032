import type { GuestFacts, Inventory } from "#protocol/inventory.ts";

/** The most that one guest's facts hold, as their schema says. */
const snapshotsMax = 500;

/** Length of a value as JSON in UTF-8, at most: a UTF-16 unit beyond ASCII takes up to three bytes. */
function jsonBytes(value: unknown): number {
  const text = JSON.stringify(value);
  let bytes = text.length;
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) > 0x7f) bytes += 2;
  return bytes;
}

/**
 * An inventory that fits into one message. Where guests have too many snapshots for that, each keeps its oldest one (how old it is, is what
 * rules ask) and its newest ones, and says how many were left out; after that the packages to upgrade give way, whose number stays, and at last
 * what is known of the machine. Never more is left out than must be, and the message is never dropped for them.
 */
export function fitInventory(inventory: Inventory, maxBytes: number): Inventory {
  if (jsonBytes(inventory) <= maxBytes) return inventory;
  const limited = (keep: number): Inventory => ({
    ...inventory,
    guests: inventory.guests.map((guest) => keepSnapshots(guest, keep)),
  });
  let [fits, tooMany] = [0, snapshotsMax];
  while (tooMany - fits > 1) {
    const middle = Math.floor((fits + tooMany) / 2);
    if (jsonBytes(limited(middle)) <= maxBytes) fits = middle;
    else tooMany = middle;
  }
  if (fits > 0) return limited(fits);
  const { updates, ...node } = inventory.node;
  const withoutPackages = updates === undefined ? node : { ...node, updates: { ...updates, packages: [] } };
  const lean = { ...limited(1), node: withoutPackages };
  if (jsonBytes(lean) <= maxBytes) return lean;
  const { hardware: _, ...least } = withoutPackages;
  return { ...lean, node: least };
}

function keepSnapshots(guest: GuestFacts, keep: number): GuestFacts {
  const { snapshots } = guest;
  if (snapshots === undefined || snapshots.length <= keep) return guest;
  const sorted = [...snapshots].sort((a, b) => a.at - b.at);
  const kept = [...sorted.slice(0, 1), ...(keep > 1 ? sorted.slice(1 - keep) : [])];
  return { ...guest, snapshots: kept, snapshotsLeftOut: snapshots.length - kept.length };
}
