import { createPublicKey, type KeyObject } from "node:crypto";
import type { EpochMs } from "#protocol/ids.ts";
import { type AgentId, agentKey } from "./core/series.ts";
import type { StateStore } from "./store/state.ts";

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

/** Takes the node's key away. Its session ends at the next look, and only a new key with a new join gets in. False: no such agent. */
export function revokeAgent(state: StateStore, agent: string, by: { actor: string; reason: string }, now: EpochMs): boolean {
  if (state.get("agent", agent) === undefined) return false;
  state.update("agent", agent, by, (present) => {
    if (present === undefined || present.publicKey === null) return undefined;
    const { nextKey, ...rest } = present;
    const keys = [present.publicKey, ...(nextKey === undefined ? [] : [nextKey])];
    return { ...rest, publicKey: null, revokedKeys: [...present.revokedKeys, ...keys], revokedAt: now };
  });
  return true;
}

/**
 * A machine that joined a cluster, or made one of itself, comes as that cluster's: what the hub knew it as before would be away for ever, with all that
 * follows from that. So an agent that joins takes the place that the same key had under the same name, where nobody is connected from there: a copy of
 * its disk can't throw it out.
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
    if (publicKey !== key || node !== agent.node || cluster === agent.cluster || isConnected({ cluster, node })) continue;
    revokeAgent(
      state,
      id,
      { actor: `agent ${agentKey(agent)}`, reason: `its machine is of the cluster ${agent.cluster} now` },
      now,
    );
  }
}
