import * as z from "zod";
import { epochMs, text, vmid } from "./api-parts.ts";

/**
 * Rules, alerts, and what keeps an alert from being told. Notifications and where they go: notifications.ts. The hub validates and documents
 * its API with these schemas; the panel imports their types only. Times are ms since the Unix epoch, UTC; durations end in `Sec`.
 */

const list = <T extends z.ZodType>(item: T) => z.array(item).min(1).max(1000);
/** Ids that people choose and see in addresses. Documents are kept by them: what every object of JavaScript has by that name is none. */
export const slugSchema = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,63}$/, "lower-case letters, digits and dashes, at most 64")
  .refine((id) => id !== "constructor", "this word is taken: choose another id");

export const severities = ["info", "warning", "critical"] as const;
export const severitySchema = z.enum(severities);
export type Severity = z.infer<typeof severitySchema>;

export const alertEntityKinds = ["cluster", "node", "guest", "storage", "zpool", "disk", "thinpool", "datastore"] as const;
const entityKindSchema = z.enum(alertEntityKinds);

const scopeFields = {
  clusters: list(text(16)).optional(),
  /** Keys as in series: `guest/100`, `zpool/pve1/tank`. */
  entities: list(text(300)).optional(),
  guests: list(vmid).optional(),
  /** What is on these nodes, the nodes themselves included. */
  nodes: list(text(63)).optional(),
  storages: list(text(100)).optional(),
  /** A guest's tags; `prod` means `prod.web` too. */
  tags: list(text(128)).optional(),
  /** A guest's pool; `clients` means `clients/acme` too. */
  pools: list(text(255)).optional(),
  /** `qemu`, `lxc`, or a storage's type (`nfs`, `zfspool` …). */
  types: list(text(32)).optional(),
  /** Names with `*`: a drive, NIC, sensor, file system … of the entity. */
  instances: list(text(200)).optional(),
  /** `tag=prod and not name~test*`: see hub/core/scope.ts. */
  expression: text(1000).optional(),
};
/** What something applies to: every field that is given must hold, one of its entries is enough. Empty: everything. `except` takes out again. */
export const scopeSchema = z.strictObject({ ...scopeFields, except: z.strictObject(scopeFields).optional() });
export type Scope = z.infer<typeof scopeSchema>;

const direction = z.enum(["above", "below"]);
/** A metric of the catalogue, by name and the rule's kind of entity, or a fact of hub/core/signals.ts (`clock_skew`, `backup_age`). A counter counts as its rate per second. */
const signal = text(64);
/** Divides by another metric of the same entity and instance: `used` per `total`. */
const per = text(64).optional();

export const conditionSchema = z.discriminatedUnion("kind", [
  /** Breached beyond `trigger`; over only when `clear` is reached. `window`: the aggregate of so long, not the newest value. */
  z.strictObject({
    kind: z.literal("threshold"),
    signal,
    per,
    direction,
    trigger: z.number(),
    clear: z.number(),
    window: z.strictObject({ aggregate: z.enum(["avg", "min", "max"]), sec: z.int().min(20).max(86_400) }).optional(),
  }),
  /** Change over `windowSec`, per hour. */
  z.strictObject({
    kind: z.literal("rate-of-change"),
    signal,
    per,
    direction,
    trigger: z.number(),
    clear: z.number(),
    windowSec: z.int().min(60).max(604_800),
  }),
  /** No sample for so long of something that is there. */
  z.strictObject({ kind: z.literal("absence"), signal, absentSec: z.int().min(30).max(604_800) }),
  /** One of these values: of a fact (`node_state`), a `code` metric (`health`: `DEGRADED`) or a `bool` metric (`yes`, `no`). */
  z.strictObject({ kind: z.literal("state"), signal, is: list(text(64)) }),
  /**
   * The newest one is older than `maxSec`. `schedule` (backup, replication): than its own calendar allows, plus `graceSec`; without a
   * calendar nothing is expected. certificate: ends within `maxSec`.
   */
  z.strictObject({
    kind: z.literal("age"),
    of: z.enum(["backup", "snapshot", "scrub", "replication", "certificate"]),
    maxSec: z.union([z.literal("schedule"), z.int().min(60)]),
    graceSec: z.int().min(0).max(2_592_000).optional(),
  }),
  /** `signal` reaches `capacity` (a metric of the same entity, or 1 for a share) within so many days. */
  z.strictObject({
    kind: z.literal("forecast"),
    signal,
    capacity: z.union([text(64), z.number()]),
    withinDays: z.number().min(0.5).max(365),
  }),
  /** A counter, or a number that should stay, grew by at least `by` within `windowSec`. */
  z.strictObject({ kind: z.literal("increase"), signal, by: z.number().positive(), windowSec: z.int().min(60).max(2_592_000) }),
  /** Further from the hour-of-week median than so many MADs. Information only. */
  z.strictObject({ kind: z.literal("baseline"), signal, per, mads: z.number().min(2).max(100) }),
]);
export type Condition = z.infer<typeof conditionSchema>;
export type ConditionKind = Condition["kind"];

/** What an override may change for what its scope holds. `trigger` and `clear` also stand for `maxSec`, `absentSec`, `by`, `withinDays`: `trigger`. */
const overrideSchema = z.strictObject({
  scope: scopeSchema,
  enabled: z.boolean().optional(),
  severity: severitySchema.optional(),
  trigger: z.number().optional(),
  clear: z.number().optional(),
  forSec: z.int().min(0).max(604_800).optional(),
});

export const ruleSchema = z.strictObject({
  id: slugSchema,
  name: text(100),
  enabled: z.boolean(),
  severity: severitySchema,
  entity: entityKindSchema,
  scope: scopeSchema,
  condition: conditionSchema,
  /** The condition must hold so long before it fires … */
  forSec: z.int().min(0).max(604_800),
  /** … and be over so long before it is resolved. */
  clearForSec: z.int().min(0).max(86_400),
  /** While it is pending or firing, alerts of what depends on its entity are not told: they are its consequence. */
  inhibits: z.boolean(),
  /** The first that matches counts. */
  overrides: z.array(overrideSchema).max(500),
  /** Sentence with `{name} {node} {value} {threshold} {instance} {since}`, with a noun `{value:sector|sectors}`; absent: made from the condition. */
  text: text(500).optional(),
  /** What to do. */
  remedy: text(500).optional(),
  annotations: z.record(slugSchema, text(500)).optional(),
  /** Comes with Proven; changed ones keep the mark, and can be reset. */
  shipped: z.boolean(),
});
export type Rule = z.infer<typeof ruleSchema>;
/** A rule as people send it: whether it comes with Proven is the hub's to say. */
export const ruleRequestSchema = ruleSchema.extend({ shipped: z.boolean().default(false) });

/** Why something is wrong with a rule, silence, window or route. `field`: `condition.clear`. `remedy`: what would be right. */
export const problemSchema = z.object({ field: z.string(), problem: z.string(), remedy: z.string() });
export type FieldProblem = z.infer<typeof problemSchema>;

export const alertStates = ["inactive", "pending", "firing", "resolved"] as const;

/** What keeps a firing alert from being told now. `until` null: as long as its reason lasts. */
export const suppressionSchema = z.object({
  by: z.enum(["silence", "snooze", "inhibited", "window", "quiet-hours"]),
  /** Of the silence, window, route or inhibiting alert. */
  id: z.string(),
  until: epochMs.nullable(),
  text: z.string(),
});
export type Suppression = z.infer<typeof suppressionSchema>;

/**
 * What became of a firing alert: every one is in exactly one of these. `waiting`: its group or its receiver's turn comes within the minute.
 * `no-route`: no route takes it. Pending and resolved alerts have `null`.
 */
const dispositions = ["notified", "acknowledged", "waiting", "suppressed", "no-route"] as const;

export const alertSubjectSchema = z.object({
  cluster: z.string(),
  entity: z.string(),
  /** 1 for what has no incarnations. */
  incarnation: z.int(),
  instance: z.string().nullable(),
});
export type AlertSubject = z.infer<typeof alertSubjectSchema>;

export const acknowledgementSchema = z.object({
  by: z.string(),
  at: epochMs,
  until: epochMs.nullable(),
  note: z.string().nullable(),
});
export type Acknowledgement = z.infer<typeof acknowledgementSchema>;

export const alertSchema = alertSubjectSchema.extend({
  /** `<rule>@<cluster>/<entity>#<incarnation>[!<instance>]`: the same through migrations and restarts. */
  id: z.string(),
  rule: z.string(),
  ruleName: z.string(),
  severity: severitySchema,
  state: z.enum(alertStates),
  /** When the condition began to hold; when it fired; when it was over. */
  activeAt: epochMs.nullable(),
  firedAt: epochMs.nullable(),
  resolvedAt: epochMs.nullable(),
  /** Where it is now: follows migrations. */
  node: z.string().nullable(),
  /** What people call the entity: `web (VM 100)`, `nfs1`. */
  title: z.string(),
  tags: z.array(z.string()),
  pool: z.string().nullable(),
  /** Of the newest evaluation; null: no value (a state, or no data). */
  value: z.number().nullable(),
  /** A state's word, where the condition is one. */
  valueText: z.string().nullable(),
  unit: z.string().nullable(),
  threshold: z.number().nullable(),
  /** The worst value of this episode; absent or null where values have no order (a state), and where nobody knows. */
  worst: z.number().nullable().optional(),
  /** The sentence, and what to do. */
  text: z.string(),
  remedy: z.string().nullable(),
  /** Why it is in its state: `breach`, `held`, `no-data`, `cleared`, `flapping`, `gone`, `rule-changed`, `untold`. */
  reason: z.string(),
  flapping: z.boolean(),
  acknowledged: acknowledgementSchema.nullable(),
  suppressedBy: suppressionSchema.nullable(),
  disposition: z.enum(dispositions).nullable(),
  /** Who was told of this episode, and first when. */
  notified: z.array(z.object({ receiver: z.string(), at: epochMs })),
  /** Titles of what stands on it: a dead node's guests. */
  affected: z.array(z.string()),
});
export type AlertView = z.infer<typeof alertSchema>;

/** One decision in an alert's life. `what`: `evaluated`, `pending`, `fired`, `held-back`, `notified`, `acknowledged`, `resolved`, `not-fired` … */
export const decisionSchema = z.object({
  at: epochMs,
  what: z.string(),
  /** Stable word: `above-trigger`, `between-clear-and-trigger`, `no-data`, `hold-not-over`, `inhibited`, `repeat` … */
  reason: z.string(),
  value: z.number().nullable(),
  text: z.string(),
});
export type Decision = z.infer<typeof decisionSchema>;

/** Why did, or didn't, this rule fire for this entity. */
export const whySchema = z.object({
  rule: z.string(),
  subject: alertSubjectSchema,
  state: z.enum(alertStates),
  /** False with a reason in the newest decision: disabled, out of scope, no such series. */
  applies: z.boolean(),
  /** The condition as it counts here, overrides included. */
  effective: z.object({
    trigger: z.number().nullable(),
    clear: z.number().nullable(),
    forSec: z.int(),
    severity: severitySchema,
  }),
  /** The newest first: evaluations of the last minutes, and every decision of the last episodes. */
  decisions: z.array(decisionSchema),
});
export type Why = z.infer<typeof whySchema>;

/** Not told while it lasts, recorded all the same. One alert: `alerts`; a snooze is a silence of one alert made from a message. */
export const silenceSchema = z.strictObject({
  id: slugSchema,
  kind: z.enum(["silence", "snooze"]),
  /** Alerts by id, or what the scope and rules hold. */
  alerts: z.array(z.string()).max(1000),
  scope: scopeSchema.nullable(),
  rules: z.array(slugSchema).max(1000),
  startsAt: epochMs,
  endsAt: epochMs,
  createdBy: text(200),
  comment: z.string().max(1000),
});
export type Silence = z.infer<typeof silenceSchema>;

/** `pending`, `active` and `expired` follow from the time and are never stored. */
export const silenceViewSchema = silenceSchema.extend({ state: z.enum(["pending", "active", "expired"]), alertsHeld: z.int() });
export type SilenceView = z.infer<typeof silenceViewSchema>;

/** A repeated time: starts at each instant of a Proxmox calendar event in a timezone of IANA, lasts `durationSec` of real time. */
export const recurrenceSchema = z.strictObject({
  calendar: text(200),
  timezone: text(64),
  durationSec: z.int().min(60).max(604_800),
});
export type Recurrence = z.infer<typeof recurrenceSchema>;

/** A maintenance window. `once` or `recurrence`, never both. */
export const windowSchema = z.strictObject({
  id: slugSchema,
  name: text(100),
  enabled: z.boolean(),
  scope: scopeSchema,
  once: z.strictObject({ startsAt: epochMs, endsAt: epochMs }).nullable(),
  recurrence: recurrenceSchema.nullable(),
  /** This occurrence was ended early or extended. */
  adjusted: z.strictObject({ startsAt: epochMs, endsAt: epochMs }).nullable(),
  comment: z.string().max(1000),
});
export type Window = z.infer<typeof windowSchema>;

/** Windows that facts open and close: nobody writes them down. */
export const automaticWindows = ["ha-maintenance", "upgrade", "stop-mode-backup", "backup-lock"] as const;

export const windowViewSchema = z.object({
  id: z.string(),
  name: z.string(),
  automatic: z.enum(automaticWindows).nullable(),
  window: windowSchema.nullable(),
  active: z.boolean(),
  endsAt: epochMs.nullable(),
  next: z.array(z.object({ startsAt: epochMs, endsAt: epochMs })),
});
export type WindowView = z.infer<typeof windowViewSchema>;

/** Acknowledges until `until`; null: until it is over. */
export const acknowledgeRequestSchema = z.strictObject({
  until: epochMs.nullable().default(null),
  note: text(500).nullable().default(null),
});
export const snoozeRequestSchema = z.strictObject({
  sec: z.int().min(60).max(2_592_000),
  comment: z.string().max(1000).default(""),
});

/** Body that creates a silence or changes one; `id` absent: the hub makes one. */
export const silenceRequestSchema = silenceSchema.omit({ kind: true, createdBy: true, id: true }).extend({
  id: slugSchema.optional(),
  alerts: silenceSchema.shape.alerts.default([]),
  rules: silenceSchema.shape.rules.default([]),
});
export type SilenceRequest = z.input<typeof silenceRequestSchema>;

/** What a window being edited would do. */
export const windowPreviewSchema = z.object({
  problems: z.array(problemSchema),
  next: z.array(z.object({ startsAt: epochMs, endsAt: epochMs })),
});
export type WindowPreview = z.infer<typeof windowPreviewSchema>;

/** What rules about a kind of entity can be about. */
export const signalSchema = z.object({
  entity: entityKindSchema,
  signal: z.string(),
  kind: z.enum(["metric", "fact"]),
  /** A counter counts as its rate. */
  counter: z.boolean(),
  unit: z.string().nullable(),
  /** Its words, where it is a state. */
  values: z.array(z.string()).nullable(),
  help: z.string(),
});
export type SignalView = z.infer<typeof signalSchema>;
