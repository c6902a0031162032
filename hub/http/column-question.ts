import type * as z from "zod";
import type { Answered } from "./columns.ts";
import { problemOf } from "./errors.ts";
import type { SeenHistory } from "./seen.ts";

export type AnyAnswer = Answered<object, object, string>;

/** A question by POST whose answer is columns: what its route does behind the door. */
export type ColumnQuestion = { path: string; answer(seen: SeenHistory, json: unknown): Promise<AnyAnswer> };

export function columnQuestion<Schema extends z.ZodType>(
  path: string,
  schema: Schema,
  answer: (seen: SeenHistory, asked: z.output<Schema>) => AnyAnswer | Promise<AnyAnswer>,
): ColumnQuestion {
  return {
    path,
    answer: async (seen, json) => {
      const parsed = schema.safeParse(json);
      if (!parsed.success) throw problemOf(parsed.error);
      return answer(seen, parsed.data);
    },
  };
}
