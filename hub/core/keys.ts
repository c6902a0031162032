import type { Scope } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";

/** An API key as it is stored: never the secret, only its SHA-256 (the secret has 192 random bits, so no slow hash is needed). */
export type ApiKey = {
  id: string;
  name: string;
  scopes: Scope[];
  secretHash: string;
  createdAt: EpochMs;
  expiresAt: EpochMs;
  revokedAt: EpochMs | null;
};

/** `pvn_<12 hex digits>_<48 hex digits>`. Undefined: not shaped like a key of ours. */
export function parseApiKey(text: string): { id: string; secret: string } | undefined {
  const match = /^pvn_([0-9a-f]{12})_([0-9a-f]{48})$/.exec(text);
  return match === null ? undefined : { id: match[1] as string, secret: match[2] as string };
}

export const formatApiKey = (id: string, secret: string) => `pvn_${id}_${secret}`;

/** `Authorization: Bearer …`; undefined: no such header or another scheme. */
export function parseBearer(header: string | undefined): string | undefined {
  return /^Bearer +(\S+) *$/i.exec(header ?? "")?.[1];
}

/** Why a key can't be used now; undefined: it can. */
export function keyProblem(key: Pick<ApiKey, "expiresAt" | "revokedAt">, now: EpochMs): "revoked" | "expired" | undefined {
  if (key.revokedAt !== null) return "revoked";
  return now >= key.expiresAt ? "expired" : undefined;
}

const implied: Record<Scope, readonly Scope[]> = {
  read: ["read"],
  write: ["read", "write"],
  admin: ["read", "write", "admin", "ingest"],
  ingest: ["ingest"],
};

/** A wider scope holds the narrower ones: admin may write, write may read. */
export function allows(granted: readonly Scope[], needed: Scope): boolean {
  return granted.some((scope) => implied[scope].includes(needed));
}

/** A single-use token by which an agent outside the cluster joins, stored hashed. */
export type JoinToken = {
  id: string;
  tokenHash: string;
  createdAt: EpochMs;
  expiresAt: EpochMs;
  usedAt: EpochMs | null;
  usedBy: string | null;
};

export function joinTokenProblem(token: JoinToken, now: EpochMs): "used" | "expired" | undefined {
  if (token.usedAt !== null) return "used";
  return now >= token.expiresAt ? "expired" : undefined;
}
