import * as z from "zod";
import {
  acknowledgementSchema,
  alertSubjectSchema,
  automaticWindows,
  decisionSchema,
  ruleSchema,
  severitySchema,
  silenceSchema,
  suppressionSchema,
  windowSchema,
} from "#protocol/alerting.ts";
import { deliverySchema, receiverSchema, routeSchema } from "#protocol/notifications.ts";
import { epochMs } from "../core/document-parts.ts";

const alertStateSchema = z.discriminatedUnion("state", [
  z.strictObject({ state: z.literal("inactive") }),
  z.strictObject({ state: z.literal("pending"), activeAt: epochMs }),
  z.strictObject({ state: z.literal("firing"), activeAt: epochMs, firedAt: epochMs, okSince: epochMs.nullable() }),
  z.strictObject({ state: z.literal("resolved"), activeAt: epochMs, firedAt: epochMs, resolvedAt: epochMs }),
]);

/** `AlertRecord` of hub/core/alert-record.ts. */
const alertRecordSchema = z.strictObject({
  id: z.string(),
  rule: z.string(),
  ruleName: z.string(),
  severity: severitySchema,
  subject: alertSubjectSchema,
  alert: alertStateSchema,
  reason: z.string(),
  node: z.string().nullable(),
  title: z.string(),
  tags: z.array(z.string()),
  pool: z.string().nullable(),
  value: z.number().nullable(),
  valueText: z.string().nullable(),
  unit: z.string().nullable(),
  threshold: z.number().nullable(),
  worst: z.number().nullable().default(null),
  text: z.string(),
  remedy: z.string().nullable(),
  inhibits: z.boolean(),
  affected: z.array(z.string()),
  fires: z.array(epochMs),
  flapping: z.boolean(),
  acknowledged: acknowledgementSchema.nullable(),
  heldBy: suppressionSchema.nullable(),
  wasHeld: z.boolean(),
  freedAt: epochMs.nullable().default(null),
  told: z.array(z.strictObject({ receiver: z.string(), at: epochMs })),
  groups: z.array(z.string()),
  decisions: z.array(decisionSchema),
});

const toldSchema = z.strictObject({
  sequence: z.int(),
  at: epochMs,
  step: z.int(),
  episodes: z.array(
    z.strictObject({
      key: z.string(),
      alert: z.string(),
      severity: severitySchema,
      toldAs: z.array(severitySchema).exactOptional(),
      firedAt: epochMs,
      toldAt: epochMs,
      resolvedAt: epochMs.nullable(),
      endText: z.string().nullable().default(null),
    }),
  ),
});

/** Kinds of documents that alerting keeps. Rules, silences, windows, routes and receivers are decisions of people; their ids are their own. */
export const alertKinds = {
  rule: { audited: true, schema: ruleSchema },
  /** A shipped rule as the newest version that ran here brought it; id: the rule's. What still equals it nobody has changed. */
  shippedRule: { audited: false, schema: ruleSchema },
  silence: { audited: true, schema: silenceSchema },
  window: { audited: true, schema: windowSchema },
  /** A window that facts opened a while ago (hub/alerting/automatic-leases.ts). */
  automaticWindow: {
    audited: false,
    schema: z.strictObject({
      id: z.string(),
      kind: z.enum(automaticWindows),
      cluster: z.string(),
      entity: z.string(),
      node: z.string().optional(),
      since: epochMs,
      until: epochMs,
      text: z.string(),
    }),
  },
  route: { audited: true, schema: routeSchema },
  receiver: { audited: true, schema: receiverSchema },
  /** Who acknowledged which alert; id: the alert's episode, `<alert>~<firedAt>`. Removed with it. */
  acknowledgement: { audited: true, schema: acknowledgementSchema },
  /** Pending and firing alerts, and resolved ones until their end was told and they are history; id: the alert's. */
  alert: { audited: false, schema: alertRecordSchema },
  /** Ended episodes; id: end and episode, so that they sort by time. */
  alertHistory: { audited: false, schema: alertRecordSchema },
  alertGroup: {
    audited: false,
    schema: z.strictObject({
      id: z.string(),
      route: z.string(),
      labels: z.record(z.string(), z.string()),
      openedAt: epochMs,
      told: z.record(z.string(), toldSchema),
    }),
  },
  /** When a guest that stopped was last seen running; id: `<cluster>/<vmid>#<incarnation>`. */
  guestRun: { audited: false, schema: z.strictObject({ at: epochMs }) },
  /** Notifications on their way; id: the notification's. */
  delivery: { audited: false, schema: deliverySchema },
} as const;
