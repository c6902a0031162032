import * as z from "zod";
import { alertSchema, recurrenceSchema, scopeSchema, severitySchema, slugSchema } from "./alerting.ts";
import { epochMs, text } from "./api-parts.ts";
import { sheetSchema } from "./sheet.ts";

/** Who is told of alerts, how, and what became of it. */

const seconds = (max: number) => z.int().min(0).max(max);

/** A secret's name in the hub's root-only file. The API takes values beside the receiver (`secrets`) and never returns one. */
export const secretRefSchema = z.strictObject({ ref: text(128) });
export type SecretRef = z.infer<typeof secretRefSchema>;
const url = z.url({ protocol: /^https?$/ }).max(2000);
const tls = z.enum(["none", "starttls", "tls"]);

const common = {
  id: slugSchema,
  name: text(100),
  enabled: z.boolean(),
  /** Recoveries are sent, too. */
  resolved: z.boolean(),
  /** Template of the message's body below its first line; absent: the built-in one. */
  template: text(10_000).optional(),
  /** Its messages carry links that acknowledge or silence without signing in; absent: they do. For a channel with strangers: false. */
  actions: z.boolean().optional(),
  /** Lets its address be one of the private ranges (10/8, 192.168/16 …); link-local and metadata addresses are always refused. */
  privateAddress: z.boolean(),
};

export const receiverSchema = z.discriminatedUnion("type", [
  z.strictObject({
    ...common,
    type: z.literal("email"),
    /** Absent: the local sendmail. */
    smtp: z
      .strictObject({
        host: text(255),
        port: z.int().min(1).max(65_535),
        tls,
        user: text(255).optional(),
        password: secretRefSchema.optional(),
      })
      .optional(),
    from: text(320),
    to: z.array(text(320)).min(1).max(50),
  }),
  /** Standard Webhooks 1.0.0. */
  z.strictObject({ ...common, type: z.literal("webhook"), url, secret: secretRefSchema }),
  z.strictObject({ ...common, type: z.literal("telegram"), token: secretRefSchema, chat: text(64), thread: z.int().optional() }),
  z.strictObject({ ...common, type: z.literal("ntfy"), url, topic: text(64), token: secretRefSchema.optional() }),
  z.strictObject({ ...common, type: z.literal("gotify"), url, token: secretRefSchema }),
  z.strictObject({ ...common, type: z.literal("discord"), url: secretRefSchema }),
  z.strictObject({ ...common, type: z.literal("slack"), url: secretRefSchema }),
  z.strictObject({ ...common, type: z.literal("teams"), url: secretRefSchema }),
  z.strictObject({ ...common, type: z.literal("pagerduty"), routingKey: secretRefSchema }),
  z.strictObject({
    ...common,
    type: z.literal("alertmanager"),
    url,
    user: text(255).optional(),
    password: secretRefSchema.optional(),
  }),
  /** Every browser that asked for it; keys are the hub's. */
  z.strictObject({ ...common, type: z.literal("web-push") }),
  /** The agents of the nodes an alert is about: journal, hook directory, PVE's mail to root. */
  z.strictObject({ ...common, type: z.literal("node"), journal: z.boolean(), hooks: z.boolean(), mail: z.boolean() }),
]);
export type Receiver = z.infer<typeof receiverSchema>;
export type ReceiverType = Receiver["type"];

/** Body that creates or changes a receiver. `secrets`: new values by field name (`password`, `token`, `url` …); absent: as before. */
export const receiverRequestSchema = z.strictObject({
  receiver: receiverSchema,
  secrets: z.record(z.string(), z.string().min(1).max(4096)).optional(),
});

export const groupLabels = ["rule", "cluster", "node", "entity", "severity", "pool", "storage"] as const;
export type GroupLabel = (typeof groupLabels)[number];

const matchSchema = z.strictObject({
  severities: z.array(severitySchema).min(1).optional(),
  scope: scopeSchema.optional(),
  rules: z.array(slugSchema).min(1).optional(),
  /** Only within these times. */
  times: recurrenceSchema.optional(),
});

/** Routes are asked in order; the first that matches takes the alert, unless it says `continue`. */
export const routeSchema = z.strictObject({
  id: slugSchema,
  name: text(100),
  enabled: z.boolean(),
  order: z.int().min(0).max(1_000_000),
  match: matchSchema,
  continue: z.boolean(),
  /** Another route that takes what this one's quiet hours hold, instead of waiting. Chains must end. */
  otherwise: slugSchema.optional(),
  receivers: z.array(slugSchema).max(50),
  groupBy: z.array(z.enum(groupLabels)),
  /** From a group's first alert to its first message, and the least time between two messages of a group. */
  groupWaitSec: seconds(3600),
  groupIntervalSec: seconds(86_400),
  /** 0: never. */
  repeatSec: seconds(2_592_000),
  /** While something in the group fires and is not acknowledged. */
  escalation: z
    .array(
      z.strictObject({
        afterSec: z.int().min(30).max(604_800),
        receivers: z.array(slugSchema).min(1).max(50),
        severities: z.array(severitySchema).min(1).optional(),
      }),
    )
    .max(10),
  /** Not told in these times, caught up at their end. `upTo`: worse ones are told all the same. */
  quietHours: z.strictObject({ times: recurrenceSchema, upTo: severitySchema }).optional(),
});
export type Route = z.infer<typeof routeSchema>;

const notificationKinds = ["firing", "resolved", "repeat", "escalation", "catch-up", "acknowledged", "test", "report"] as const;
/** Why it was sent; `kind` follows from it. */
export const notifyReasons = [
  "first",
  "new-firing",
  "repeat",
  "escalation",
  "catch-up",
  /** Some of what was told is over, the rest fires on. */
  "some-resolved",
  "all-resolved",
  /** Only to receivers that keep incidents of their own, so that they stop calling people. */
  "acknowledged",
  "test",
  /** Nobody is alarmed: a report came due. */
  "report",
] as const;
export type NotifyReason = (typeof notifyReasons)[number];

/** What one receiver gets in one message. `id` never changes for one decision: a second one with it is the same message. */
export const notificationSchema = z.object({
  id: z.string(),
  kind: z.enum(notificationKinds),
  reason: z.enum(notifyReasons),
  at: epochMs,
  /** The same for all messages of one trouble: threads, dedup keys. */
  group: z.string(),
  /** Counts up within the group and receiver, from 1. */
  sequence: z.int(),
  route: z.string(),
  receiver: z.string(),
  /** 0: the route's own receivers; 1 …: its escalation steps. */
  step: z.int(),
  severity: severitySchema,
  /** First line of every message: the verdict. */
  verdict: z.string(),
  /** Firing ones first, the worst first. Resolved ones have been told as firing before. */
  alerts: z.array(alertSchema),
  /** How many more there are than are listed. */
  more: z.int(),
  /** By alert: as which severities this receiver was told of it before, where that is not what it is now. */
  toldAs: z.record(z.string(), z.array(severitySchema)).optional(),
  /** Agents that should hear of it: nodes the alerts are on. */
  nodes: z.array(z.object({ cluster: z.string(), node: z.string() })),
  /** Of a report: mailed as text, with a PDF. */
  sheet: sheetSchema.optional(),
});
export type Notification = z.infer<typeof notificationSchema>;

export const deliveryStates = ["queued", "retrying", "delivered", "dead", "dropped"] as const;

/** One notification's way to its receiver. */
export const deliverySchema = z.object({
  /** The notification's id. */
  id: z.string(),
  receiver: z.string(),
  state: z.enum(deliveryStates),
  createdAt: epochMs,
  nextAttemptAt: epochMs.nullable(),
  deliveredAt: epochMs.nullable(),
  attempts: z.array(
    z.object({
      at: epochMs,
      tookMs: z.int(),
      ok: z.boolean(),
      /** What the other side said, without secrets. */
      answer: z.string(),
    }),
  ),
  /** Why it is dead or was dropped (`410`, a day of failures, receiver removed). */
  problem: z.string().nullable(),
  notification: notificationSchema,
});
export type Delivery = z.infer<typeof deliverySchema>;

/** `PushSubscription.toJSON()` of a browser. */
export const pushSubscriptionSchema = z.object({
  endpoint: z.url({ protocol: /^https?$/ }).max(2000),
  expirationTime: z.number().nullable().optional(),
  keys: z.strictObject({ p256dh: z.string().regex(/^[A-Za-z0-9_-]{80,100}$/), auth: z.string().regex(/^[A-Za-z0-9_-]{20,30}$/) }),
});
export type PushSubscriptionJson = z.infer<typeof pushSubscriptionSchema>;

/** A receiver as the API shows it, with what became of its messages. */
export const receiverViewSchema = z.object({
  receiver: receiverSchema,
  /** Fields whose secret is set. */
  secrets: z.array(z.string()),
  queued: z.int(),
  dead: z.int(),
  lastDeliveredAt: epochMs.nullable(),
  /** Why it fails now; null: the last attempt went through, or there was none. */
  problem: z.string().nullable(),
});
export type ReceiverView = z.infer<typeof receiverViewSchema>;

/** What came of a test message, sent the way of all others. */
export const receiverTestSchema = z.object({
  ok: z.boolean(),
  /** What the other side said, or why it could not be asked. */
  answer: z.string(),
  tookMs: z.int(),
  delivery: z.string(),
});

export const templatePreviewRequestSchema = z.strictObject({ template: text(10_000) });
/** `text`: with example alerts; null with a `problem`. */
export const templatePreviewSchema = z.object({
  text: z.string().nullable(),
  problem: z.string().nullable(),
  remedy: z.string().nullable(),
  placeholders: z.object({ message: z.array(z.string()), alert: z.array(z.string()) }),
});
export type TemplatePreview = z.infer<typeof templatePreviewSchema>;
