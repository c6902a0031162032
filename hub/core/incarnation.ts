/** One incarnation of a guest: all identity strings that were ever seen together with it. */
export type Incarnation = { number: number; identity: readonly string[] };

/**
 * Which guest this is, from what tells guests apart (`uuid:…`, `mac:…`, `rootfs:…`; protocol/records.ts). `known`: incarnations of this
 * vmid, newest first. Sharing one string with one of them: it is that guest, and what is new is added. No string shared with any: the vmid
 * was reused. Without identity on either side nothing can be told, and unknown is no evidence of a new guest: the newest one goes on.
 */
export function resolveIncarnation(
  known: readonly Incarnation[],
  identity: readonly string[],
): Incarnation & { why: "first" | "same" | "grown" | "untold" | "reused" } {
  const newest = known[0];
  if (newest === undefined) return { number: 1, identity: [...new Set(identity)], why: "first" };
  if (identity.length === 0) return { ...newest, why: "untold" };
  const shared = known.find((one) => one.identity.some((string) => identity.includes(string)));
  const owner = shared ?? (newest.identity.length === 0 ? newest : undefined);
  if (owner === undefined) {
    const highest = Math.max(...known.map((one) => one.number));
    return { number: highest + 1, identity: [...new Set(identity)], why: "reused" };
  }
  const union = new Set([...owner.identity, ...identity]);
  if (union.size === owner.identity.length) return { ...owner, why: "same" };
  return { number: owner.number, identity: [...union], why: "grown" };
}
