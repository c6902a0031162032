import { createPublicKey, type KeyObject } from "node:crypto";
import type { EpochMs } from "#protocol/ids.ts";
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
