import * as z from "zod";
import { slugSchema } from "./alerting.ts";
import { epochMs } from "./api-parts.ts";
import { proofLevelSchema } from "./proof.ts";

/** Reports about restore tests. Times are ms since the Unix epoch, UTC. */

export const reportLanguages = ["en", "it"] as const;
export type ReportLanguage = (typeof reportLanguages)[number];

/** Mailed at each instant of its calendar, about the time since the one before. */
export const reportSchema = z.strictObject({
  id: slugSchema,
  name: z.string().min(1).max(100),
  enabled: z.boolean(),
  /** A Proxmox calendar event: `mon 07:00` weekly, `*-*-01 07:00` monthly. */
  calendar: z.string().min(1).max(200),
  timezone: z.string().min(1).max(64),
  /** Of type email; null: nobody chose one yet, and it is mailed to nobody. */
  receiver: slugSchema.nullable(),
  language: z.enum(reportLanguages),
});
export type Report = z.infer<typeof reportSchema>;

const testSchema = z.object({
  run: z.string(),
  cluster: z.string(),
  vmid: z.int(),
  name: z.string(),
  at: epochMs,
  outcome: z.string(),
  level: proofLevelSchema,
  verdict: z.string(),
  durationMs: z.int().nullable(),
});

/** Only what ended within the period counts, so that the same period always has the same numbers. */
export const restoreReportViewSchema = z.object({
  from: epochMs,
  to: epochMs,
  tests: z.int(),
  passed: z.int(),
  failed: z.int(),
  /** Refused, cancelled, interrupted, expired. */
  notDone: z.int(),
  guestsTested: z.int(),
  /** By the newest test of each guest in the period: how many reached which level; failed ones count for what they reached. */
  levels: z.record(proofLevelSchema, z.int()),
  restoredBytes: z.int(),
  medianMs: z.int().nullable(),
  /** Guests whose newest test in the period failed. */
  broken: z.array(testSchema),
  notDoneTests: z.array(testSchema),
  slower: z.array(z.object({ vmid: z.int(), name: z.string(), measure: z.string(), factor: z.number() })),
  passedTests: z.array(testSchema),
  /** Of all guests there are, when the report is made: the one figure that is of no period. Null: nobody counted. */
  coverage: z.object({ guests: z.int(), unproven: z.int() }).nullable(),
  /** First line of the report. */
  verdict: z.string(),
});
export type RestoreReportView = z.infer<typeof restoreReportViewSchema>;
