import * as z from "zod";
import type { AlertView } from "./alerting.ts";
import { epochMs } from "./api-parts.ts";
import { proofBadgeSchema, type RunView } from "./proof.ts";

/**
 * Shapes of `/api/v1`. The hub validates its requests and documents itself (OpenAPI) with them; the panel imports their types only, because
 * zod would be most of its bundle. Times are ms since the Unix epoch, UTC; sizes are bytes; `cpu` is a fraction (a guest's: of its own cores).
 */

/**
 * A value with its age. `fresh`: sampled within the last limits.staleAfterMs. `stale`: known once, `at` says when, and shown as unknown now.
 * `absent`: never known, or its source says nothing. `value` is null unless fresh or stale.
 */
export const readingSchema = z.object({
  state: z.enum(["fresh", "stale", "absent"]),
  value: z.number().nullable(),
  at: epochMs.nullable(),
});
export type Reading = z.infer<typeof readingSchema>;

export const healthSchema = z.object({
  status: z.enum(["ok", "degraded"]),
  version: z.string(),
  startedAt: epochMs,
  agents: z.object({ connected: z.int(), total: z.int() }),
  /** Age of the newest sample of any agent; null before the first. */
  newestSampleAgeMs: z.int().nullable(),
  /** Why it is degraded, one sentence each. */
  problems: z.array(z.string()),
  counters: z.object({
    records: z.int(),
    samples: z.int(),
    duplicates: z.int(),
    /** Messages that could not be understood, by reason. */
    refused: z.record(z.string(), z.int()),
  }),
});
export type Health = z.infer<typeof healthSchema>;

export const agentSchema = z.object({
  /** `connected` · `away` (was here, spools) · `never` (a member of the cluster that never had an agent) · `revoked`. */
  state: z.enum(["connected", "away", "never", "revoked"]),
  software: z.string().nullable(),
  connectedAt: epochMs.nullable(),
  lastSeenAt: epochMs.nullable(),
  /** Agent's clock minus the hub's, ms. */
  clockSkewMs: z.number().nullable(),
  duties: z.array(z.string()),
  sources: z.array(z.object({ source: z.string(), problem: z.string().nullable() })),
});
export type AgentView = z.infer<typeof agentSchema>;

/** `online`: corosync sees it, or its own agent talks. `offline`: the other members say so. `unknown`: nobody can tell. */
const nodeStates = ["online", "offline", "unknown"] as const;

export const nodeSchema = z.object({
  cluster: z.string(),
  node: z.string(),
  entity: z.string(),
  state: z.enum(nodeStates),
  agent: agentSchema,
  pveVersion: z.string().nullable(),
  kernel: z.string().nullable(),
  cpuModel: z.string().nullable(),
  /** IANA's name of the one that the node's calendars are in; null: it couldn't be told. */
  timezone: z.string().nullable(),
  ip: z.string().nullable(),
  guests: z.object({ total: z.int(), running: z.int(), unknown: z.int() }),
  zpools: z.array(z.string()),
  cpu: readingSchema,
  cpus: readingSchema,
  memUsed: readingSchema,
  memTotal: readingSchema,
  rootUsed: readingSchema,
  rootTotal: readingSchema,
  uptime: readingSchema,
});
export type NodeView = z.infer<typeof nodeSchema>;

/** `unknown`: the node that would know has not spoken for limits.staleAfterMs. */
const guestStates = ["running", "stopped", "paused", "suspended", "prelaunch", "io-error", "other", "unknown"] as const;

export const guestSchema = z.object({
  cluster: z.string(),
  vmid: z.int(),
  entity: z.string(),
  /** Counts up when a vmid is used again for another guest. */
  incarnation: z.int(),
  type: z.enum(["qemu", "lxc"]),
  name: z.string(),
  node: z.string(),
  state: z.enum(guestStates),
  template: z.boolean(),
  lock: z.string().nullable(),
  tags: z.array(z.string()),
  pool: z.string().nullable(),
  onboot: z.boolean(),
  cpu: readingSchema,
  cpus: readingSchema,
  memUsed: readingSchema,
  memMax: readingSchema,
  /** Who says memUsed: `agent`, `balloon`, `host` (what it costs the node), `cgroup` (containers); null while absent. */
  memSource: z.string().nullable(),
  diskUsed: readingSchema,
  diskMax: readingSchema,
  /** Bytes a second. */
  netIn: readingSchema,
  netOut: readingSchema,
  diskRead: readingSchema,
  diskWrite: readingSchema,
  uptime: readingSchema,
  /** What tests of its backups have proven; absent where the hub tests none. */
  proof: proofBadgeSchema.optional(),
});
export type GuestView = z.infer<typeof guestSchema>;

export const storageSchema = z.object({
  cluster: z.string(),
  storage: z.string(),
  entity: z.string(),
  /** Null for a shared storage: it exists once in the cluster. */
  node: z.string().nullable(),
  type: z.string(),
  shared: z.boolean(),
  content: z.array(z.string()),
  state: z.enum(["available", "inactive", "disabled", "unknown"]),
  used: readingSchema,
  total: readingSchema,
  avail: readingSchema,
});
export type StorageView = z.infer<typeof storageSchema>;

export const taskViewSchema = z.object({
  cluster: z.string(),
  upid: z.string(),
  node: z.string(),
  type: z.string(),
  id: z.string(),
  user: z.string(),
  startedAt: epochMs,
  endedAt: epochMs.nullable(),
  /** `lost`: its node's agent came back and knows it no longer. */
  state: z.enum(["running", "ok", "warnings", "failed", "lost"]),
  /** PVE's own text. */
  status: z.string().nullable(),
});
export type TaskView = z.infer<typeof taskViewSchema>;

export const eventSchema = z.object({
  /** Grows; the cursor for the next page. */
  id: z.int(),
  at: epochMs,
  cluster: z.string().nullable(),
  type: z.string(),
  severity: z.enum(["info", "warning", "critical"]),
  entity: z.string().nullable(),
  node: z.string().nullable(),
  text: z.string(),
  actor: z.string().nullable(),
  /** Of its type: `GET /api/v1/events/schema`. Absent in events of early versions. */
  data: z.record(z.string(), z.unknown()).optional(),
});
export type EventView = z.infer<typeof eventSchema>;

export const aggregates = ["avg", "min", "max", "last", "rate"] as const;
export type Aggregate = (typeof aggregates)[number];

/** Points one answer may hold, over all its series. */
export const pointsMax = 500_000;
const seriesPerQueryMax = 1000;

export const seriesSelectorSchema = z.strictObject({
  cluster: z.string().optional(),
  /** `node/pve1`, `guest/100`, `storage/nfs1`, `zpool/pve1/tank`, `cluster`. */
  entity: z.string(),
  metric: z.string(),
  instance: z.string().optional(),
  /** Of a reused vmid; default: the present guest. */
  incarnation: z.int().positive().optional(),
});
export type SeriesSelector = z.infer<typeof seriesSelectorSchema>;

/** Either `stepMs` or `points`; neither: raw samples. Gauges default to avg, min and max, counters to rate. */
export const seriesQuerySchema = z.strictObject({
  series: z
    .array(seriesSelectorSchema)
    .min(1)
    .max(seriesPerQueryMax, `at most ${seriesPerQueryMax} series: ask in several queries, or series/group for sums`),
  from: epochMs,
  to: epochMs,
  stepMs: z.int().min(1000).optional(),
  points: z.int().min(1).max(20_000).optional(),
  /** "Compared with last week": what was so long before is answered, its times moved into the asked range. A whole number of steps. */
  offsetMs: z.int().nonnegative().optional(),
  aggregates: z.array(z.enum(aggregates)).min(1).max(5).optional(),
});
export type SeriesQuery = z.infer<typeof seriesQuerySchema>;

/** Columns: `at[i]` belongs to every column's [i]. null = no sample in that step. Rates are per second. */
export const seriesAnswerSchema = z.object({
  from: epochMs,
  to: epochMs,
  /** Null: raw samples. */
  stepMs: z.int().nullable(),
  /** So long before its times the data is of; absent: 0. */
  offsetMs: z.int().optional(),
  /** `raw`: from 10 s samples. `rollup`: from 15 min minima, averages and maxima. */
  tier: z.enum(["raw", "rollup"]),
  series: z.array(
    z.object({
      entity: z.string(),
      metric: z.string(),
      instance: z.string().nullable(),
      unit: z.string(),
      source: z.string().nullable(),
      at: z.array(epochMs),
      columns: z.partialRecord(z.enum(aggregates), z.array(z.number().nullable())),
    }),
  ),
});
export type SeriesAnswer = z.infer<typeof seriesAnswerSchema>;

/** Current values of one entity, as the live stream and `nodes/{node}/metrics` give them; counters as rates per second. */
export const metricReadingSchema = readingSchema.extend({
  metric: z.string(),
  instance: z.string().nullable(),
  unit: z.string(),
  source: z.string(),
});
export const entityMetricsSchema = z.object({ cluster: z.string(), entity: z.string(), metrics: z.array(metricReadingSchema) });
export type EntityMetrics = z.infer<typeof entityMetricsSchema>;

/** Server-sent events of `GET /api/v1/stream`: `event:` is the key, `data:` the JSON. The first three come at once, then what changed. */
export type StreamEvents = {
  nodes: NodeView[];
  guests: GuestView[];
  storages: StorageView[];
  /** Keys that are gone. */
  gone: { entity: string; cluster: string }[];
  tasks: TaskView[];
  /** All at first, where the hub judges rules; then what changed. `resolved` and `inactive` ones are over. */
  alerts: AlertView[];
  /** Operations on agents: all that have not finished at first; then what changed. */
  runs: RunView[];
  event: EventView;
  /** Every 5 s, so that the panel knows the stream lives: the hub's time and the newest sample's age. */
  beat: { now: number; newestSampleAgeMs: number | null };
};

/** `ingest`: hands in Proxmox VE's own notifications, and nothing else. */
export const scopes = ["read", "write", "admin", "ingest"] as const;
export type Scope = (typeof scopes)[number];

export const apiKeySchema = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(z.enum(scopes)),
  createdAt: epochMs,
  expiresAt: epochMs,
  lastUsedAt: epochMs.nullable(),
});
export type ApiKeyView = z.infer<typeof apiKeySchema>;

export const newApiKeySchema = z.strictObject({
  name: z.string().min(1).max(64),
  scopes: z.array(z.enum(scopes)).min(1),
  expiresInDays: z.int().min(1).max(730),
});

/** The one answer that holds the key itself, `pvn_<id>_<secret>`: it is stored hashed. */
export const createdApiKeySchema = apiKeySchema.extend({ key: z.string() });

/** `settings` and `agentsOf` say which buttons make sense; absent where an older hub was asked. */
export const sessionSchema = z.object({
  user: z.string(),
  scopes: z.array(z.enum(scopes)),
  expiresAt: epochMs,
  /** He may change what is the hub's own: rules, routes, receivers, windows, policies, reports. */
  settings: z.boolean().optional(),
  /** Clusters whose agents he may shut out or give another key; null: every one. */
  agentsOf: z.array(z.string()).nullable().optional(),
});
export type SessionView = z.infer<typeof sessionSchema>;

/** Where one can sign in with a Proxmox VE account; without realms while no agent of the cluster answers. */
export const signInRealmsSchema = z.object({
  clusters: z.array(
    z.object({
      cluster: z.string(),
      name: z.string(),
      realms: z.array(
        z.object({ realm: z.string(), type: z.string(), comment: z.string().nullable(), preselected: z.boolean() }),
      ),
    }),
  ),
});
export type SignInRealms = z.infer<typeof signInRealmsSchema>;

/** `user` without the realm. `cluster` only where the hub serves several. */
export const loginRequestSchema = z.strictObject({
  cluster: z.string().max(16).optional(),
  user: z.string().min(1).max(64),
  realm: z.string().min(1).max(32),
  password: z.string().min(1).max(4096),
});
export type LoginRequest = z.infer<typeof loginRequestSchema>;

/** The second step. A recovery key is used up by it. */
export const loginAnswerRequestSchema = z.strictObject({
  challenge: z.string().max(64),
  kind: z.enum(["totp", "recovery", "yubico"]),
  code: z.string().min(1).max(128),
});
export type LoginAnswerRequest = z.infer<typeof loginAnswerRequestSchema>;

/** `tfa-needed`: the password was right, and a code of one of these kinds is wanted within 5 minutes. */
export const loginStateSchema = z.discriminatedUnion("state", [
  z.object({ state: z.literal("ok"), session: sessionSchema }),
  z.object({
    state: z.literal("tfa-needed"),
    challenge: z.string(),
    kinds: z.array(z.enum(["totp", "recovery", "yubico"])),
  }),
]);
export type LoginState = z.infer<typeof loginStateSchema>;

/** Why a request was refused. `code` is stable, `message` names the field and the remedy. */
export const refusals = {
  invalid: 400,
  unauthenticated: 401,
  forbidden: 403,
  "not-found": 404,
  conflict: 409,
  "too-large": 413,
  /** To gateways only: viewer.ts. */
  "view-needed": 428,
  "privilege-needed": 428,
  "rate-limited": 429,
  "agent-offline": 503,
  overloaded: 503,
  /** Nothing was changed. */
  "disk-full": 507,
} as const;
export type RefusalKind = keyof typeof refusals;
export const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string(), field: z.string().optional() }) });
export type ApiError = z.infer<typeof errorSchema>;

export const page = <T extends z.ZodType>(item: T) => z.object({ items: z.array(item), next: z.int().nullable() });
export type Page<T> = { items: T[]; next: number | null };
