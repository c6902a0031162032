import * as z from "zod";
import { problemSchema, recurrenceSchema, scopeSchema, slugSchema } from "./alerting.ts";
import { epochMs, text } from "./api-parts.ts";
import { restoreCheckSchema, restoreChecksMax } from "./restore.ts";

/** Policies: which guests' backups are tested how often and when. Times are ms since the Unix epoch, UTC. */

const names = (max: number) => z.array(text(100)).max(max);

/** `restoreCheckSchema`, whose kinds this document can't describe: see protocol/restore.ts. */
const checkSchema = z
  .looseObject({ kind: text(32), name: text(64) })
  .refine((check) => restoreCheckSchema.safeParse(check).success, "no check of a kind that there is, with the fields it takes");

export const policySchema = z.strictObject({
  id: slugSchema,
  name: text(100),
  enabled: z.boolean(),
  /** A guest belongs to the first enabled policy that holds it. */
  order: z.int().min(0).max(1_000_000),
  scope: scopeSchema,
  /** A guest's proof is overdue when it is older. */
  everyDays: z.int().min(1).max(365),
  /** Tests begin only within these times. */
  window: recurrenceSchema,
  parallel: z.strictObject({ total: z.int().min(1).max(64), perNode: z.int().min(1).max(16) }),
  /** Where tests run, and the storages whose backups are tested; empty: any. */
  nodes: names(256),
  storages: names(256),
  /** Where the test guests' disks go; absent: the node's own choice. */
  target: text(100).optional(),
  /** For guests with one of the tags (`web` means `web.shop` too); no tags: for all. */
  checks: z.array(z.strictObject({ tags: names(50), checks: z.array(checkSchema).min(1).max(restoreChecksMax) })).max(100),
  integrity: z.boolean(),
  screenshot: z.boolean(),
  benchmark: z.boolean(),
  keepSec: z.int().min(0).max(86_400),
  timeoutSec: z.int().min(60).max(86_400),
  bootSec: z.int().min(10).max(3600),
  /** Comes with Proven. */
  shipped: z.boolean(),
});
export type Policy = z.infer<typeof policySchema>;
/** Bodies of `POST /api/v1/policies` and `PUT /api/v1/policies/{id}`. Whether one comes with Proven is the hub's to say; what is sent of it does not count. */
export const newPolicySchema = policySchema.partial({ shipped: true });
export const changedPolicySchema = policySchema.partial({ id: true, shipped: true });

/** Why a guest is, or isn't, tested now. `test`: it is begun. `later`: its turn comes within this night. All others: not this night. */
const policyDecisions = [
  "test",
  "later",
  "running",
  "recent",
  "retry-later",
  "quota",
  "no-backup",
  "backup-unknown",
  "maintenance",
  "node-busy",
  "no-node",
  "window-closing",
] as const;
export const policyDecisionSchema = z.object({
  cluster: z.string(),
  vmid: z.int(),
  name: z.string(),
  decision: z.enum(policyDecisions),
  /** A sentence. */
  why: z.string(),
  dueAt: epochMs,
});
export type PolicyDecision = z.infer<typeof policyDecisionSchema>;

export const policyNightSchema = z.object({
  from: epochMs,
  until: epochMs,
  /** Guests in the order of their turn. */
  guests: z.array(z.object({ cluster: z.string(), vmid: z.int(), name: z.string(), dueAt: epochMs, overdue: z.boolean() })),
});
export type PolicyNight = z.infer<typeof policyNightSchema>;

export const policyViewSchema = policySchema.extend({
  /** Guests it holds; of these proven in time, overdue or never proven. */
  guests: z.int(),
  proven: z.int(),
  overdue: z.int(),
  open: z.boolean(),
  /** Of its window. */
  nextAt: epochMs.nullable(),
});
export type PolicyView = z.infer<typeof policyViewSchema>;

/** What a policy would do: nothing is begun. */
export const policyPlanSchema = z.object({
  /** As of now, each guest of the policy with the reason. */
  decisions: z.array(policyDecisionSchema),
  /** The next nights, if every test passes. */
  nights: z.array(policyNightSchema),
  /** Guests that the nights to come can't test in time, with the parallelism and durations known. */
  short: z.int(),
});
export type PolicyPlan = z.infer<typeof policyPlanSchema>;

export const policyPreviewSchema = z.object({ problems: z.array(problemSchema), plan: policyPlanSchema.nullable() });
export type PolicyPreview = z.infer<typeof policyPreviewSchema>;
