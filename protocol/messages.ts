import * as z from "zod/mini";
import english from "zod/v4/locales/en.js";
import { backupsSchema } from "./backups.ts";
import { loginMessages } from "./login.ts";
import { outletMessages } from "./outlet.ts";
import { renewalMessages } from "./renewal.ts";
import { encodeUtf8 } from "./utf8.ts";

/**
 * Control messages of the agent–hub link, as JSON text frames `{type, body}`. The sample stream is binary: records.ts. A new row or field
 * is a new version and a line in docs/PROTOCOL.md. zod/mini: the agent carries this file, and all of zod would be most of its bundle.
 */

// zod/mini comes without words: a problem would say "Invalid input" and no more.
z.config(english());

const text = (max: number) => z.string().check(z.minLength(1), z.maxLength(max));
const base64 = (max: number) => z.string().check(z.regex(/^[A-Za-z0-9+/]+={0,2}$/), z.maxLength(max));
const int = z.int().check(z.nonnegative());
const list = <T extends z.ZodMiniType>(item: T, max: number) => z.array(item).check(z.maxLength(max));

/** A task as its node knows it. `endedAt` and `status` are absent while it runs; `status` is PVE's text (`OK`, `WARNINGS: 1`, an error). */
export const taskSchema = z.lazy(() =>
  z.strictObject({
    upid: text(512),
    endedAt: z.optional(int),
    status: z.optional(text(4096)),
  }),
);

export const guestFactsSchema = z.lazy(() =>
  z.strictObject({
    vmid: z.int().check(z.minimum(100), z.maximum(999_999_999)),
    type: z.enum(["qemu", "lxc"]),
    /** `name` of a VM, `hostname` of a container; absent: PVE's default (`VM 100`, `CT100`). */
    name: z.optional(text(255)),
    identity: list(text(208), 64),
    template: z.boolean(),
    tags: list(text(128), 128),
    /** PVE's lock (`backup`, `migrate`, `snapshot` …); absent: none. */
    lock: z.optional(text(64)),
    onboot: z.boolean(),
    pool: z.optional(text(255)),
    /** False while no configuration could be read: only what .vmlist says is known. */
    configured: z.boolean(),
    /** The guest's own agent, virtual machines only: `off` in the configuration, `unasked` so far, or what became of the newest question. */
    agent: z.optional(z.enum(["off", "unasked", "answers", "silent"])),
    /** State as HA resource, PVE's word (`started`, `error` …); absent: it is none. */
    ha: z.optional(text(64)),
    /** Storages of its volumes; absent while nobody could say. */
    storages: z.optional(list(text(100), 64)),
    /**
     * Disks and mount points that its backups leave out. `off`: a drive's `backup=0`, a mount point without `backup=1`; `no-volume`: a directory or device
     * of the node, mounted into a container. Absent while nobody could say.
     */
    unprotected: z.optional(list(z.strictObject({ disk: text(32), why: z.enum(["off", "no-volume"]) }), 64)),
    /** Its snapshots (`snaptime` of each section of the configuration); absent while nobody could say. */
    snapshots: z.optional(list(z.strictObject({ name: text(64), at: int }), 500)),
    /** How many of them the message had no room for; the oldest one is always there. */
    snapshotsLeftOut: z.optional(int),
  }),
);

export const storageFactsSchema = z.lazy(() =>
  z.strictObject({
    storage: text(100),
    type: text(32),
    shared: z.boolean(),
    content: list(text(32), 16),
    enabled: z.boolean(),
    /** Restricted to these nodes; empty: all. */
    nodes: list(text(63), 256),
  }),
);

/** A physical disk. `id` stands in its entity's key. */
export const diskFactsSchema = z.lazy(() =>
  z.strictObject({
    id: text(100),
    /** Device name now (`sda`): it may be another one after the next boot. */
    name: text(32),
    model: z.optional(text(200)),
    serial: z.optional(text(100)),
    sizeBytes: z.optional(int),
    /** `none`: nothing answers SMART there (virtual, behind a RAID controller, smartctl missing). `asleep`: not woken to be asked. */
    smart: z.enum(["read", "asleep", "none"]),
  }),
);

export const certificateFactsSchema = z.lazy(() =>
  z.strictObject({
    file: text(100),
    subject: z.optional(text(500)),
    issuer: z.optional(text(500)),
    /** `AA:BB:…`, SHA-256. */
    fingerprint: text(95),
    validTo: int,
  }),
);

export const updateFactsSchema = z.lazy(() =>
  z.strictObject({
    package: text(100),
    /** Absent: it would be installed newly. */
    installed: z.optional(text(100)),
    available: text(100),
    origin: z.optional(text(100)),
  }),
);

export const rangeStrangerSchema = z.lazy(() =>
  z.strictObject({ vmid: z.int().check(z.minimum(100), z.maximum(999_999_999)), why: text(300) }),
);

const hardwareText = z.optional(text(100));

/** What a machine says of itself, to buy another one like it. Whatever is absent is unknown; what vendors write where they know nothing counts as absent. */
export const hardwareFactsSchema = z.lazy(() =>
  z.strictObject({
    maker: hardwareText,
    model: hardwareText,
    serial: hardwareText,
    board: z.strictObject({ maker: hardwareText, model: hardwareText, version: hardwareText, serial: hardwareText }),
    /** BIOS or UEFI; `date`: `2023-03-15`. */
    firmware: z.strictObject({
      maker: hardwareText,
      version: hardwareText,
      date: z.optional(z.string().check(z.regex(/^\d{4}-\d\d-\d\d$/))),
    }),
    /** `cores` and `threads` of all sockets together. */
    cpu: z.strictObject({ model: hardwareText, sockets: z.optional(int), cores: z.optional(int), threads: z.optional(int) }),
    /** Absent where nobody could look at the slots; `place` counts all of them from 1. */
    memory: z.optional(
      z.strictObject({
        emptySlots: int,
        modules: list(
          z.strictObject({
            place: int,
            slot: hardwareText,
            sizeBytes: z.optional(int),
            type: hardwareText,
            /** Millions of transfers a second. */
            speed: z.optional(int),
            maker: hardwareText,
            part: hardwareText,
            serial: hardwareText,
          }),
          128,
        ),
      }),
    ),
    /** Why there is no `memory`: no SMBIOS table (some virtual machines), dmidecode not installed, or it told of no slot. */
    missing: z.optional(z.enum(["smbios", "dmidecode", "modules"])),
  }),
);

export const nodeFactsSchema = z.lazy(() =>
  z.strictObject({
    /** `pve-manager/9.2.11/…`; absent where it couldn't be read. */
    pveVersion: z.optional(text(200)),
    kernel: z.optional(text(200)),
    cpuModel: z.optional(text(200)),
    cpus: z.optional(int),
    /** IANA's name of the timezone that the node's calendars are in; absent where it couldn't be told. */
    timezone: z.optional(text(64)),
    bootedAt: z.optional(int),
    zpools: list(text(100), 256),
    /** What each source found, as `proven-agent --check` prints it: problem absent means that it works. */
    sources: list(z.strictObject({ source: text(32), problem: z.optional(text(500)) }), 64),
    /** Guests of this node in the range of test guests that are none of ours, and why they aren't; absent: nobody has looked. */
    rangeStrangers: z.optional(list(rangeStrangerSchema, 64)),
    disks: z.optional(list(diskFactsSchema, 256)),
    thinpools: z.optional(list(z.strictObject({ vg: text(127), lv: text(127) }), 64)),
    certificates: z.optional(list(certificateFactsSchema, 16)),
    /** Absent while nobody could say; `total` counts also what did not fit into the list. */
    updates: z.optional(z.strictObject({ total: int, packages: list(updateFactsSchema, 200) })),
    /** Absent until it was read, and from agents that don't read it. */
    hardware: z.optional(hardwareFactsSchema),
  }),
);

/** A job of jobs.cfg, in its words. */
export const backupJobSchema = z.lazy(() =>
  z.strictObject({
    id: text(100),
    type: text(32),
    enabled: z.boolean(),
    /** A calendar event of Proxmox. */
    schedule: z.optional(text(200)),
    storage: z.optional(text(100)),
    mode: z.optional(text(16)),
    /** Only on this node. */
    node: z.optional(text(63)),
    all: z.boolean(),
    vmids: list(z.int().check(z.minimum(100), z.maximum(999_999_999)), 5000),
    exclude: list(z.int().check(z.minimum(100), z.maximum(999_999_999)), 5000),
    pool: z.optional(text(255)),
    pruneBackups: z.optional(text(200)),
    comment: z.optional(text(500)),
    repeatMissed: z.boolean(),
  }),
);

/** A replication job whose source this node is. Times are samples. */
export const replicationFactsSchema = z.lazy(() =>
  z.strictObject({
    id: text(32),
    vmid: z.int().check(z.minimum(100), z.maximum(999_999_999)),
    target: text(63),
    schedule: z.optional(text(200)),
    enabled: z.boolean(),
    /** Why its newest run failed. */
    error: z.optional(text(1000)),
  }),
);

/** A job of a Backup Server. Absent fields: it did not say. */
export const datastoreJobSchema = z.lazy(() =>
  z.strictObject({
    kind: z.enum(["verify", "prune", "sync", "gc"]),
    id: text(200),
    schedule: z.optional(text(200)),
    /** How its newest run ended, in the server's words (`OK`, `WARNINGS: 1`, an error). */
    state: z.optional(text(500)),
    endedAt: z.optional(int),
    nextRunAt: z.optional(int),
  }),
);

/** A datastore of a Backup Server that the cluster's storages use. `key` is its entity. */
export const datastoreFactsSchema = z.lazy(() =>
  z.strictObject({
    key: text(128),
    store: text(100),
    server: text(255),
    port: int,
    /** Storages of PVE that lie on it, with their namespace (empty: the root). */
    storages: list(z.strictObject({ storage: text(100), namespace: z.string().check(z.maxLength(256)) }), 100),
    namespaces: list(z.string().check(z.maxLength(256)), 1000),
    jobs: list(datastoreJobSchema, 200),
    problem: z.optional(text(500)),
  }),
);

export const cephFactsSchema = z.lazy(() =>
  z.strictObject({
    health: text(32),
    checks: list(z.strictObject({ code: text(64), severity: z.optional(text(32)), text: z.optional(text(500)) }), 64),
  }),
);

/** What the HA manager says, times aside. */
export const haFactsSchema = z.lazy(() =>
  z.strictObject({
    master: z.optional(text(63)),
    /** PVE's words: `online`, `maintenance`, `unknown`, `fence`, `gone`. */
    nodes: list(z.strictObject({ node: text(63), state: text(32) }), 256),
  }),
);

export const memberSchema = z.lazy(() =>
  z.strictObject({ node: text(63), nodeId: int, online: z.boolean(), ip: z.optional(text(45)) }),
);

/** The whole picture one agent has; the newest replaces the one before. Guests are those of its own node, members and storages the cluster's. */
export const inventorySchema = z.lazy(() =>
  z.strictObject({
    at: int,
    cluster: z.strictObject({
      name: z.optional(text(100)),
      quorate: z.boolean(),
      members: list(memberSchema, 256),
      /** Absent: HA was never used. */
      ha: z.optional(haFactsSchema),
      /** Only from the agent that has the duty `cluster`, where there is Ceph. */
      ceph: z.optional(cephFactsSchema),
    }),
    node: nodeFactsSchema,
    guests: list(guestFactsSchema, 5000),
    storages: list(storageFactsSchema, 1000),
    /** The cluster's; absent while jobs.cfg could not be read. */
    backupJobs: z.optional(list(backupJobSchema, 500)),
    /** Of this node's guests; absent while nobody could say. */
    replication: z.optional(list(replicationFactsSchema, 5000)),
    /** Only from the agent that has the duty `shared-storage`. */
    datastores: z.optional(list(datastoreFactsSchema, 100)),
  }),
);

/** An alert as its node's agent tells it. `id` and `firedAt` name one episode: the same one may come again, at each connect it does. */
export const agentAlertSchema = z.lazy(() =>
  z.strictObject({
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
    body: z.lazy(() => z.strictObject({ nonce: base64(64), min: int, max: int, hub: text(64), now: int })),
  },
  /** `publicKey`: SPKI DER. `signature`: Ed25519 over helloBytes(). `join`: at the first connection, or after `not-joined`. */
  hello: {
    from: "agent",
    since: 1,
    body: z.lazy(() =>
      z.strictObject({
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
    body: z.lazy(() => z.strictObject({ version: int, lastSeq: int, now: int, duties: list(z.enum(duties), 16) })),
  },
  /** The session ends. */
  refused: { from: "hub", since: 1, body: z.lazy(() => z.strictObject({ code: refusalCode, problem: text(1000) })) },
  /** All records up to `seq` are durable. */
  ack: { from: "hub", since: 1, body: z.lazy(() => z.strictObject({ seq: int })) },
  /** The stream can't be decoded further: send the schema and a key frame. */
  resync: { from: "hub", since: 1, body: z.lazy(() => z.strictObject({ problem: text(1000) })) },
  duties: { from: "hub", since: 1, body: z.lazy(() => z.strictObject({ duties: list(z.enum(duties), 16) })) },
  /** Alerts about the agent's node, for its outlet. `all`: no others fire, so what the agent raised and isn't listed is over. */
  alerts: {
    from: "hub",
    since: 1,
    body: z.lazy(() => z.strictObject({ all: z.boolean(), alerts: list(agentAlertSchema, 500) })),
  },
  inventory: { from: "agent", since: 1, body: inventorySchema },
  /** Started and ended tasks; the same one may come again. At connect: those of the last day. */
  tasks: { from: "agent", since: 1, body: z.lazy(() => z.strictObject({ tasks: list(taskSchema, 2000) })) },
  /** Once a minute, for the skew. */
  clock: { from: "agent", since: 1, body: z.lazy(() => z.strictObject({ at: int })) },
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
      z.strictObject({
        id: operationId,
        step: z.optional(carried),
        fraction: z.optional(z.number().check(z.minimum(0), z.maximum(1))),
        testVmid: z.optional(int),
        keepUntil: z.optional(int),
      }),
    ),
  },
  /** `result`: operationResultSchema. Said again at each connect until `op.seen`. */
  "op.result": { from: "agent", since: 2, body: z.lazy(() => z.strictObject({ id: operationId, result: carried })) },
  "op.seen": { from: "hub", since: 2, body: z.lazy(() => z.strictObject({ id: operationId })) },
  /** Part of the catalogue of one storage's backups. */
  backups: { from: "agent", since: 2, body: backupsSchema },
  /** Something the other side sent was not understood. Never answered, so that two ends can't play ping-pong. */
  problem: { from: "both", since: 1, body: z.lazy(() => z.strictObject({ about: text(64), problem: text(1000) })) },
  ...outletMessages(agentAlertSchema),
  ...loginMessages,
  ...renewalMessages,
} as const satisfies Record<string, MessageRow>;

type Table = typeof messages;
export type MessageType = keyof Table;
export type Message = { [T in MessageType]: { type: T; body: z.output<Table[T]["body"]> } }[MessageType];
export type MessageOf<T extends MessageType> = Extract<Message, { type: T }>;
export type Inventory = z.output<typeof inventorySchema>;
export type GuestFacts = z.output<typeof guestFactsSchema>;
export type RangeStranger = z.output<typeof rangeStrangerSchema>;
export type StorageFacts = z.output<typeof storageFactsSchema>;
export type DiskFacts = z.output<typeof diskFactsSchema>;
export type HardwareFacts = z.output<typeof hardwareFactsSchema>;
export type CertificateFacts = z.output<typeof certificateFactsSchema>;
export type UpdateFacts = z.output<typeof updateFactsSchema>;
export type BackupJobFacts = z.output<typeof backupJobSchema>;
export type ReplicationFacts = z.output<typeof replicationFactsSchema>;
export type DatastoreFacts = z.output<typeof datastoreFactsSchema>;
export type DatastoreJob = z.output<typeof datastoreJobSchema>;
export type CephFacts = z.output<typeof cephFactsSchema>;
export type HaFacts = z.output<typeof haFactsSchema>;
export type NodeFacts = z.output<typeof nodeFactsSchema>;
export type Member = z.output<typeof memberSchema>;
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
