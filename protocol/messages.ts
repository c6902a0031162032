import * as z from "zod/mini";
import english from "zod/v4/locales/en.js";
import { backupsSchema } from "./backups.ts";
import { inventorySchema } from "./inventory.ts";
import { loginMessages } from "./login.ts";
import { outletMessages } from "./outlet.ts";
import { renewalMessages } from "./renewal.ts";
import { base64, int, list, text } from "./schema-parts.ts";
import { encodeUtf8 } from "./utf8.ts";

/**
 * Control messages of the agent–hub link, as JSON text frames `{type, body}`. The sample stream is binary: records.ts. A new row, and a field
 * without which a message can't be understood, is a new version and a line in docs/PROTOCOL.md (schema-parts.ts: what else may come). zod/mini:
 * the agent carries this file, and all of zod would be most of its bundle.
 */

// zod/mini comes without words: a problem would say "Invalid input" and no more.
z.config(english());

/** A task as its node knows it. `endedAt` and `status` are absent while it runs; `status` is PVE's text (`OK`, `WARNINGS: 1`, an error). */
export const taskSchema = z.lazy(() =>
  z.object({
    upid: text(512),
    endedAt: z.optional(int),
    status: z.optional(text(4096)),
  }),
);

/** An alert as its node's agent tells it. `id` and `firedAt` name one episode: the same one may come again, at each connect it does. */
export const agentAlertSchema = z.lazy(() =>
  z.object({
    id: text(600),
    firedAt: int,
    /** Absent: it fires. */
    resolvedAt: z.optional(int),
    /** Silenced, inhibited, in a window or in quiet hours: not to be told now, but not over either. */
    held: z.boolean(),
    rule: text(64),
    severity: z.enum(["info", "warning", "critical"]),
    entity: text(300),
    title: text(300),
    text: text(1000),
    remedy: z.optional(text(500)),
  }),
);

/** A v4 UUID in lower case: names one operation for ever. */
const operationId = z.string().check(z.regex(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/));
/** Checked by operations.ts where somebody works on it: most agents never load that. */
const carried = z.record(z.string(), z.unknown());

/** Answers of the hub that end a session, and whether trying again can help. */
export const refusalCodes = {
  "version-too-old": { retry: false, text: "This agent is too old for the hub: upgrade proven-agent" },
  "hub-too-old": { retry: true, text: "The hub is too old for this agent: upgrade proven-hub" },
  "bad-signature": { retry: false, text: "The signature does not fit the key or the challenge" },
  "not-joined": { retry: true, text: "The hub does not know this agent's key: join it" },
  "key-changed": { retry: false, text: "The hub knows this node by another key: revoke it there first" },
  revoked: { retry: false, text: "This agent was revoked" },
  "bad-join": { retry: true, text: "The join token or key is wrong, used or expired" },
  "already-connected": { retry: true, text: "Another session of this agent is newer" },
  overloaded: { retry: true, text: "The hub takes no more agents for now" },
  malformed: { retry: true, text: "The message could not be understood" },
  "rate-limited": { retry: true, text: "Too many messages" },
} as const;
export type RefusalCode = keyof typeof refusalCodes;
const refusalCode = z.enum(Object.keys(refusalCodes) as [RefusalCode, ...RefusalCode[]]);

/** Work for the whole cluster that the hub gives to exactly one healthy agent. */
export const duties = ["cluster", "shared-storage", "backup-jobs"] as const;
export type Duty = (typeof duties)[number];

/** `secret`: its body holds a password or what is as good as one, and is never logged, nor a part of it. */
export type MessageRow = { from: "agent" | "hub" | "both"; since: number; body: z.ZodMiniType; secret?: true };

export const messages = {
  /** First word of the hub. `nonce`: 32 random bytes. */
  challenge: {
    from: "hub",
    since: 1,
    body: z.lazy(() => z.object({ nonce: base64(64), min: int, max: int, hub: text(64), now: int })),
  },
  /** `publicKey`: SPKI DER. `signature`: Ed25519 over helloBytes(). `join`: at the first connection, or after `not-joined`. */
  hello: {
    from: "agent",
    since: 1,
    body: z.lazy(() =>
      z.object({
        node: text(63),
        clusterId: z.string().check(z.regex(/^[0-9a-f]{16}$/)),
        clusterName: z.optional(text(100)),
        publicKey: base64(64),
        signature: base64(128),
        min: int,
        max: int,
        software: text(64),
        /** Names the sequence of records: a new one whenever the agent lost its spool. */
        stream: z.string().check(z.regex(/^[0-9a-f]{32}$/)),
        sentAt: int,
        join: z.optional(z.union([z.strictObject({ proof: base64(64) }), z.strictObject({ token: text(200) })])),
      }),
    ),
  },
  /** `lastSeq`: last record of this stream that is durable on the hub, 0 for none. The agent goes on behind it, from a key frame. */
  welcome: {
    from: "hub",
    since: 1,
    body: z.lazy(() => z.object({ version: int, lastSeq: int, now: int, duties: list(z.enum(duties), 16) })),
  },
  /** The session ends. */
  refused: { from: "hub", since: 1, body: z.lazy(() => z.object({ code: refusalCode, problem: text(1000) })) },
  /** All records up to `seq` are durable. */
  ack: { from: "hub", since: 1, body: z.lazy(() => z.object({ seq: int })) },
  /** The stream can't be decoded further: send the schema and a key frame. */
  resync: { from: "hub", since: 1, body: z.lazy(() => z.object({ problem: text(1000) })) },
  /** `speakers`: nodes whose agents are there and tell of what only some nodes reach; absent: the hub is too old to say. */
  duties: {
    from: "hub",
    since: 1,
    body: z.lazy(() => z.object({ duties: list(z.enum(duties), 16), speakers: z.optional(list(text(63), 256)) })),
  },
  /** Alerts about the agent's node, for its outlet. `all`: no others fire, so what the agent raised and isn't listed is over. */
  alerts: {
    from: "hub",
    since: 1,
    body: z.lazy(() => z.object({ all: z.boolean(), alerts: list(agentAlertSchema, 500) })),
  },
  inventory: { from: "agent", since: 1, body: inventorySchema },
  /** Started and ended tasks; the same one may come again. At connect: those of the last day. */
  tasks: { from: "agent", since: 1, body: z.lazy(() => z.object({ tasks: list(taskSchema, 2000) })) },
  /** Once a minute, for the skew. */
  clock: { from: "agent", since: 1, body: z.lazy(() => z.object({ at: int })) },
  /** After `expiresAt` it must not begin any more. `operation`: operationSchema. `actor` and `reason` go to the node's journal. */
  "op.start": {
    from: "hub",
    since: 2,
    body: z.lazy(() =>
      z.strictObject({ id: operationId, operation: carried, expiresAt: int, actor: text(200), reason: text(500) }),
    ),
  },
  /** Stop it and clear away what it made; its result says `cancelled`. */
  "op.cancel": { from: "hub", since: 2, body: z.lazy(() => z.strictObject({ id: operationId, actor: text(200) })) },
  /** A kept test guest stays until then, at most as long as the node allows; in the past: not any longer. */
  "op.keep": { from: "hub", since: 2, body: z.lazy(() => z.strictObject({ id: operationId, untilAt: int, actor: text(200) })) },
  /** `step`: stepRecordSchema, the newest of each step; the same one may come again. `fraction`: 0 … 1 of the step that runs. */
  "op.progress": {
    from: "agent",
    since: 2,
    body: z.lazy(() =>
      z.object({
        id: operationId,
        step: z.optional(carried),
        fraction: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
        testVmid: z.optional(int),
        keepUntil: z.optional(int),
      }),
    ),
  },
  /** `result`: operationResultSchema. Said again at each connect until `op.seen`. */
  "op.result": { from: "agent", since: 2, body: z.lazy(() => z.object({ id: operationId, result: carried })) },
  "op.seen": { from: "hub", since: 2, body: z.lazy(() => z.object({ id: operationId })) },
  /** Part of the catalogue of one storage's backups. */
  backups: { from: "agent", since: 2, body: backupsSchema },
  /** Something the other side sent was not understood. Never answered, so that two ends can't play ping-pong. */
  problem: { from: "both", since: 1, body: z.lazy(() => z.object({ about: text(64), problem: text(1000) })) },
  ...outletMessages(agentAlertSchema),
  ...loginMessages,
  ...renewalMessages,
} as const satisfies Record<string, MessageRow>;

type Table = typeof messages;
export type MessageType = keyof Table;
export type Message = { [T in MessageType]: { type: T; body: z.output<Table[T]["body"]> } }[MessageType];
export type MessageOf<T extends MessageType> = Extract<Message, { type: T }>;
export type AgentAlert = z.output<typeof agentAlertSchema>;
export type TaskReport = z.output<typeof taskSchema>;

/** Made once: a schema's first use is when zod compiles it. */
const outerSchema = z.object({ type: z.string(), body: z.unknown() });

/** The only door for messages of the other side. A bad one is answered and counted, never thrown. */
export function parseMessage(
  json: unknown,
  from: "agent" | "hub",
  version: number,
): { ok: true; message: Message } | { ok: false; about: string; problem: string } {
  const outer = outerSchema.safeParse(json);
  if (!outer.success) return { ok: false, about: "message", problem: "no type and body" };
  const type = outer.data.type.slice(0, 64) || "message";
  const row = Object.hasOwn(messages, type) ? messages[type as MessageType] : undefined;
  if (row === undefined || (row.from !== from && row.from !== "both") || row.since > version) {
    return { ok: false, about: type, problem: `unknown type for version ${version}` };
  }
  const body = row.body.safeParse(outer.data.body);
  // What is wrong with a message is logged, and names what stands in it.
  if (!body.success && "secret" in row) return { ok: false, about: type, problem: "its body is not one of this type" };
  if (!body.success) return { ok: false, about: type, problem: z.prettifyError(body.error).slice(0, 900) };
  return { ok: true, message: { type, body: body.data } as Message }; // type and body come from one row
}

/** As parseMessage, from the text of a WebSocket message. */
export function parseMessageText(text: string, from: "agent" | "hub", version: number): ReturnType<typeof parseMessage> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { ok: false, about: "message", problem: "not JSON" };
  }
  return parseMessage(json, from, version);
}

export function encodeMessage<T extends MessageType>(type: T, body: MessageOf<T>["body"]): string {
  return JSON.stringify({ type, body });
}

/** What a hello signs: bound to the challenge, to the hub's certificate (a relay has another) and to all that the hub will believe. */
export function helloBytes(hello: {
  nonce: string;
  /** SHA-256 of the hub's certificate as the agent saw it, `AA:BB:…`. */
  fingerprint: string;
  node: string;
  clusterId: string;
  stream: string;
  publicKey: string;
  sentAt: number;
}): Uint8Array {
  const { nonce, fingerprint, node, clusterId, stream, publicKey, sentAt } = hello;
  return encodeUtf8(["proven hello 1", nonce, fingerprint, node, clusterId, stream, publicKey, sentAt].join("\n"));
}

/** What a cluster's join key proves: HMAC-SHA256 over these bytes, with the bytes whose base64 stands in `/etc/pve/priv/proven/join.key`. */
export function joinProofBytes(join: { nonce: string; clusterId: string; publicKey: string }): Uint8Array {
  return encodeUtf8(["proven join 1", join.nonce, join.clusterId, join.publicKey].join("\n"));
}
