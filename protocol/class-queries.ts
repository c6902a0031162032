import * as z from "zod";
import { aggregates, seriesAnswerSchema } from "./api.ts";
import { epochMs } from "./api-parts.ts";
import type { EntityKind } from "./ids.ts";

/** Questions about all guests, nodes or storages at once: rankings and groups. Shapes as in api.ts. */

export const seriesClasses = { guests: "guest", nodes: "node", storages: "storage" } as const satisfies Record<
  string,
  EntityKind
>;
export type SeriesClass = keyof typeof seriesClasses;
const classNames = Object.keys(seriesClasses) as [SeriesClass, ...SeriesClass[]];

const hourMs = 3_600_000;

/** Places one ranking may have. */
const topMax = 100;
/** A ranking's window: one sample at least, a quarter at most. */
const topWindowMs = { min: 10_000, max: 92 * 24 * hourMs } as const;
/** Groups one answer may have. */
export const groupsMax = 200;

/** Which of a class: what all given fields hold for, as the inventory has it now. Only guests have tags and pools. */
const filter = {
  cluster: z.string().optional(),
  node: z.string().optional(),
  tag: z.string().optional(),
  pool: z.string().optional(),
};
export const classFilterSchema = z.object(filter);
export type ClassFilter = z.infer<typeof classFilterSchema>;

/**
 * "Guests by cpu, last hour." Of a metric with instances each instance is ranked by itself. `aggregate`: over the whole window; default avg of
 * gauges and rate of counters, whose min, max and last are of their rates too.
 */
export const topQuerySchema = z.strictObject({
  class: z.enum(classNames),
  metric: z.string(),
  /** Metrics of the same unit and kind that are added to it: `net_in` with `net_out` is all traffic. With avg or rate only. */
  plus: z.array(z.string()).min(1).max(3).optional(),
  n: z.int().min(1).max(topMax, `at most ${topMax} places`).default(10),
  windowMs: z
    .int()
    .min(topWindowMs.min, `a window is ${topWindowMs.min} ms or longer`)
    .max(topWindowMs.max, `a window is at most ${topWindowMs.max} ms: ask series/group for longer ranges`)
    .default(hourMs),
  /** End of the window; default: now. */
  to: epochMs.optional(),
  aggregate: z.enum(aggregates).optional(),
  /** The least first. */
  lowest: z.boolean().default(false),
  ...filter,
});
export type TopQuery = z.input<typeof topQuerySchema>;

const rankedSchema = seriesAnswerSchema.shape.series.element.extend({
  cluster: z.string(),
  name: z.string(),
  /** Null: it belongs to the whole cluster. */
  node: z.string().nullable(),
});

/** As a series answer with one step, the window: series in the order of their rank, each with one value. */
export const topAnswerSchema = seriesAnswerSchema.extend({
  /** Members of the class that the filter takes, and how many places there are: a member without a sample in the window has none. */
  members: z.int(),
  ranked: z.int(),
  series: z.array(rankedSchema),
});
export type TopAnswer = z.infer<typeof topAnswerSchema>;

export const groupings = ["cluster", "node", "tag", "pool"] as const;
export type Grouping = (typeof groupings)[number];
export const combinations = ["sum", "avg", "min", "max", "count"] as const;
export type Combination = (typeof combinations)[number];

/**
 * One series per group. Each member's series is brought on common steps first (`aggregate`; default avg of gauges, rate of counters); then
 * each step combines those that have a sample in it. Members are grouped by where they are and what they have now, whatever they had then.
 */
export const groupQuerySchema = z.strictObject({
  class: z.enum(classNames),
  metric: z.string(),
  by: z.enum(groupings),
  from: epochMs,
  to: epochMs,
  /** Either `stepMs` or `points`; neither: 300 points. */
  stepMs: z.int().min(1000).optional(),
  points: z.int().min(1).max(20_000).optional(),
  /** As in a series query. */
  offsetMs: z.int().nonnegative().optional(),
  aggregate: z.enum(aggregates).optional(),
  combine: z.array(z.enum(combinations)).min(1).max(combinations.length).default(["sum"]),
  ...filter,
});

/** `count`: series that had a sample in that step; a sum is over so many. null: none had. */
export const groupAnswerSchema = seriesAnswerSchema.extend({
  stepMs: z.int(),
  series: z.array(
    z.object({
      cluster: z.string(),
      /** Null: members without a tag, pool or node of their own. A member with several tags counts in each group. */
      group: z.string().nullable(),
      members: z.int(),
      metric: z.string(),
      unit: z.string(),
      at: z.array(epochMs),
      columns: z.partialRecord(z.enum(combinations), z.array(z.number().nullable())),
    }),
  ),
});
