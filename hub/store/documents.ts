import * as z from "zod";
import { scopes } from "#protocol/api.ts";
import type { Inventory } from "#protocol/inventory.ts";
import { inventorySchema } from "#protocol/inventory.ts";
import { layoutSchema } from "#protocol/panel.ts";
import { cluster, epochMs, hexHash, node } from "../core/document-parts.ts";
import { alertKinds } from "./alert-documents.ts";
import { receiverKinds } from "./receiver-documents.ts";
import { restoreKinds } from "./restore-documents.ts";

/**
 * Every kind of document in the state store. `audited`: a decision of someone, each change of it goes into the audit log. Others are what
 * the hub observed and may overwrite as it observes.
 */
export const kinds = {
  /** An agent and its public key; id: `<cluster>/<node>`. */
  agent: {
    audited: true,
    schema: z.strictObject({
      cluster,
      node,
      clusterName: z.string().nullable(),
      /** Base64 of the raw 32 bytes; null: revoked and not joined again. */
      publicKey: z.string().nullable(),
      /** Offered by the agent itself; becomes its key when it is first used. */
      nextKey: z.string().exactOptional(),
      revokedKeys: z.array(z.string()),
      joinedAt: epochMs,
      revokedAt: epochMs.nullable(),
    }),
  },
  /**
   * The key of a machine that left this place for another one; with it the agent may come back. Only where its publicKey is null; id: the agent's. No field
   * of the agent: a hub of the version before would not start with one that it does not know.
   */
  movedKey: { audited: true, schema: z.strictObject({ publicKey: z.string(), since: epochMs }) },
  /** A cluster that the hub knows under another id, by which its only node joined (hub/succession.ts); id: the one that its agents name. */
  succession: { audited: true, schema: z.strictObject({ knownAs: cluster, since: epochMs }) },
  apiKey: {
    audited: true,
    schema: z.strictObject({
      id: z.string(),
      name: z.string(),
      scopes: z.array(z.enum(scopes)),
      secretHash: hexHash,
      createdAt: epochMs,
      expiresAt: epochMs,
      revokedAt: epochMs.nullable(),
    }),
  },
  joinToken: {
    audited: true,
    schema: z.strictObject({
      id: z.string(),
      tokenHash: hexHash,
      createdAt: epochMs,
      expiresAt: epochMs,
      usedAt: epochMs.nullable(),
      usedBy: z.string().nullable(),
    }),
  },
  /** When a key was last used, at most once in a while; id: the key's. */
  keyUse: { audited: false, schema: z.strictObject({ at: epochMs }) },
  /** A browser's session; id: SHA-256 of the cookie. */
  session: { audited: false, schema: z.strictObject({ keyId: z.string(), createdAt: epochMs, expiresAt: epochMs }) },
  /** By which time what is old was let go last (hub/kept-time.ts). One document, id `all`. */
  keptTime: { audited: false, schema: z.strictObject({ at: epochMs }) },
  ...alertKinds,
  ...receiverKinds,
  ...restoreKinds,
  /** What browsers and messages were handed before `at` is good for nothing: sessions, links that act. One document, id `all`. */
  sessionsEnded: { audited: true, schema: z.strictObject({ at: epochMs }) },
  /** What a user arranged in the panel; id: `key <id>` or `user <user@realm>`. */
  layout: { audited: false, schema: layoutSchema },
  /** An agent's last word, so that a restarted hub shows last facts as unknown instead of nothing; id: `<cluster>/<node>`. */
  inventory: {
    audited: false,
    schema: z.strictObject({
      agent: z.strictObject({ cluster, node }),
      receivedAt: epochMs,
      inventory: z.custom<Inventory>((value) => inventorySchema.safeParse(value).success, "not an inventory"),
      claims: z.record(z.string(), epochMs),
    }),
  },
  /** What an agent said of itself at its last session; id: `<cluster>/<node>`. */
  agentSeen: {
    audited: false,
    schema: z.strictObject({
      software: z.string(),
      connectedAt: epochMs,
      lastSeenAt: epochMs,
      clockSkewMs: z.number().nullable(),
    }),
  },
} as const satisfies Record<string, { audited: boolean; schema: z.ZodType }>;

export type Kind = keyof typeof kinds;
export type DocumentOf<K extends Kind> = z.infer<(typeof kinds)[K]["schema"]>;
export type AgentDocument = DocumentOf<"agent">;
