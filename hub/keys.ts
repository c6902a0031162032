import { randomBytes } from "node:crypto";
import type { Scope } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { type ApiKey, formatApiKey, type JoinToken, joinTokenProblem } from "./core/keys.ts";
import { hashSecret } from "./secret-text.ts";
import type { Actor, StateStore } from "./store/state.ts";

const dayMs = 86_400_000;

export type NewKey = { name: string; scopes: Scope[]; expiresInDays: number };

/** Makes a key and stores its hash. `key` is the only copy of the secret. */
export function createKey(state: StateStore, wanted: NewKey, by: Actor, now: EpochMs): { stored: ApiKey; key: string } {
  const id = randomBytes(6).toString("hex");
  const secret = randomBytes(24).toString("hex");
  const { name, scopes, expiresInDays } = wanted;
  const expiresAt = (now + expiresInDays * dayMs) as EpochMs;
  const stored: ApiKey = {
    id,
    name,
    scopes: [...new Set(scopes)],
    secretHash: hashSecret(secret),
    createdAt: now,
    expiresAt,
    revokedAt: null,
  };
  state.put("apiKey", id, stored, by);
  return { stored, key: formatApiKey(id, secret) };
}

/** The key stops working at once, its sessions too. False: there is none, or it was revoked before. */
export function revokeKey(state: StateStore, id: string, by: Actor, now: EpochMs): boolean {
  let revoked = false;
  state.update("apiKey", id, by, (present) => {
    if (present === undefined || present.revokedAt !== null) return undefined;
    revoked = true;
    return { ...present, revokedAt: now };
  });
  return revoked;
}

/** Keys that were not revoked, oldest first; expired ones are still shown. */
export function listKeys(state: StateStore): (ApiKey & { lastUsedAt: EpochMs | null })[] {
  return state
    .list("apiKey")
    .map(({ document }) => ({ ...document, lastUsedAt: state.get("keyUse", document.id)?.at ?? null }))
    .filter((key) => key.revokedAt === null)
    .sort((a, b) => a.createdAt - b.createdAt);
}

/** A single-use token for an agent outside the cluster; `token` is its only copy. */
export function createJoinToken(
  state: StateStore,
  validMinutes: number,
  by: Actor,
  now: EpochMs,
): { id: string; token: string; expiresAt: EpochMs } {
  const id = randomBytes(6).toString("hex");
  const secret = randomBytes(24).toString("hex");
  const expiresAt = (now + validMinutes * 60_000) as EpochMs;
  state.put("joinToken", id, { id, tokenHash: hashSecret(secret), createdAt: now, expiresAt, usedAt: null, usedBy: null }, by);
  return { id, token: `pvj_${id}_${secret}`, expiresAt };
}

/** Join tokens that were not revoked, oldest first. `problem`: why it lets nobody in any more; undefined: it is good for one agent. */
export function listJoinTokens(state: StateStore, now: EpochMs): (JoinToken & { problem: "used" | "expired" | undefined })[] {
  return state
    .list("joinToken")
    .map(({ document }) => ({ ...document, problem: joinTokenProblem(document, now) }))
    .sort((a, b) => a.createdAt - b.createdAt);
}

/** The token lets nobody in from now on; an agent that joined by it stays. False: there is none of this id that was not used. */
export function revokeJoinToken(state: StateStore, id: string, by: Actor): boolean {
  return state.together(() => {
    const present = state.get("joinToken", id);
    return present !== undefined && present.usedAt === null && state.remove("joinToken", id, by);
  });
}

/** Every browser must sign in again, and no link in a message that is out acts any more. The running hub goes by it at once. */
export function endSessions(state: StateStore, by: Actor, now: EpochMs): void {
  state.put("sessionsEnded", "all", { at: now }, by);
}

/** What was handed out until then is over; 0: everything goes on. */
export const sessionsEndedAt = (state: StateStore): number => state.get("sessionsEnded", "all")?.at ?? 0;
