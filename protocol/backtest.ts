import * as z from "zod";
import { alertSubjectSchema, ruleRequestSchema } from "./alerting.ts";
import { epochMs } from "./api-parts.ts";

/** What a rule would have done: question and answer of `POST /api/v1/rules/backtest`. */

/** `rule` saved or being edited; at most 30 days at once, over series of at most so many entities. */
export const backtestRequestSchema = z.strictObject({ rule: ruleRequestSchema, from: epochMs, to: epochMs });
export type BacktestRequest = z.infer<typeof backtestRequestSchema>;

export const backtestAnswerSchema = z.object({
  from: epochMs,
  to: epochMs,
  /** How fine the history is that it was replayed on, the coarsest of it. */
  stepMs: z.int(),
  subjects: z.int(),
  /** Entities left out, and why (`too-many`, `no-history`). */
  skipped: z.array(z.object({ entity: z.string(), why: z.string() })),
  episodes: z.array(
    alertSubjectSchema.extend({
      title: z.string(),
      activeAt: epochMs,
      firedAt: epochMs,
      /** Null: still firing at the end. */
      resolvedAt: epochMs.nullable(),
      peak: z.number().nullable(),
    }),
  ),
  /** Messages that would have gone out by the present routes, silences and windows aside. */
  notifications: z.array(z.object({ at: epochMs, kind: z.string(), receiver: z.string(), alerts: z.int() })),
});
export type BacktestAnswer = z.infer<typeof backtestAnswerSchema>;
