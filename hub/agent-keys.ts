import { createPublicKey, type KeyObject } from "node:crypto";
import type { EpochMs } from "#protocol/ids.ts";
import { type AgentId, agentKey } from "./core/series.ts";
import type { Actor, StateStore } from "./store/state.ts";

const spkiPrefix = Buffer.from("302a300506032b6570032100", "hex");

/** An Ed25519 public key in base64, as its raw 32 bytes or as SubjectPublicKeyInfo (RFC 8410). Undefined: neither. */
export function parsePublicKey(text: string): { key: KeyObject; raw: string } | undefined {
  const bytes = Buffer.from(text, "base64");
  const raw = bytes.length === 44 && bytes.subarray(0, 12).equals(spkiPrefix) ? bytes.subarray(12) : bytes;
  if (raw.length !== 32) return undefined;
  const key = createPublicKey({ key: Buffer.concat([spkiPrefix, raw]), format: "der", type: "spki" });
  return { key, raw: raw.toString("base64") };
}

/** A raw public key as SubjectPublicKeyInfo, both in base64: the form in which an agent knows and signs its own. */
export const asSpki = (raw: string) => Buffer.concat([spkiPrefix, Buffer.from(raw, "base64")]).toString("base64");

/**
 * Takes the node's key away, here and wherever its machine was before. Its session ends at the next look, and only a new key with a new join gets in.
 * False: no such agent.
 */
export function revokeAgent(state: StateStore, agent: string, by: Actor, now: EpochMs): boolean {
  return state.together(() => {
    const known = state.get("agent", agent);
    if (known === undefined) return false;
    const moved = state.get("movedKey", agent);
    const keys = [known.publicKey, known.nextKey, moved?.publicKey].filter((key) => typeof key === "string");
    if (keys.length === 0) return true;
    const { nextKey: _, ...rest } = known;
    state.put("agent", agent, { ...rest, publicKey: null, revokedKeys: [...known.revokedKeys, ...keys], revokedAt: now }, by);
    state.remove("movedKey", agent, by);
    closeFormerPlaces(state, keys, by);
    return true;
  });
}

/** With none of these keys an agent may come back to a place that its machine left. */
export function closeFormerPlaces(state: StateStore, keys: readonly string[], by: Actor): void {
  for (const { id, document } of state.list("movedKey")) {
    const { publicKey } = document;
    if (!keys.includes(publicKey)) continue;
    state.remove("movedKey", id, by);
    state.update("agent", id, by, (left) => left && { ...left, revokedKeys: [...left.revokedKeys, publicKey] });
  }
}

/**
 * A machine that joined a cluster, or got another name, comes as that: what the hub knew it as before would be away for ever, with all that follows
 * from that. So an agent that joins takes the place that the same key had, where nobody is connected from there: a copy of a disk can't throw the
 * original out. Nor for good: with the same key it may come back to the place that it left.
 */
export function leaveFormerClusters(
  state: StateStore,
  agent: AgentId,
  isConnected: (former: AgentId) => boolean,
  now: EpochMs,
): void {
  const key = state.get("agent", agentKey(agent))?.publicKey;
  if (typeof key !== "string") return;
  for (const { id, document } of state.list("agent")) {
    const { cluster, node, publicKey } = document;
    const isElsewhere = cluster === agent.cluster ? node !== agent.node : node === agent.node;
    if (publicKey !== key || !isElsewhere || isConnected({ cluster, node })) continue;
    const by = { actor: `agent ${agentKey(agent)}`, reason: `its machine is ${agent.node} of the cluster ${agent.cluster} now` };
    const { nextKey: _, ...rest } = document;
    state.put("agent", id, { ...rest, publicKey: null, revokedAt: now }, by);
    state.put("movedKey", id, { publicKey, since: now }, by);
  }
}
