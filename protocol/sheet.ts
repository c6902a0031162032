import * as z from "zod";

const text = z.string();

/** A page or two that people read or file: as PDF, and as text in a mail. */
export const sheetSchema = z.object({
  title: text,
  /** When it was made, ms since the Unix epoch. */
  at: z.int().nonnegative(),
  blocks: z.array(
    z.discriminatedUnion("is", [
      z.object({ is: z.enum(["title", "heading", "text", "note"]), text }),
      z.object({ is: z.literal("facts"), rows: z.array(z.tuple([text, text])) }),
      z.object({ is: z.literal("table"), head: z.array(text), rows: z.array(z.array(text)) }),
      z.object({ is: z.literal("log"), lines: z.array(text) }),
      /** PNG, base64. */
      z.object({ is: z.literal("image"), png: text }),
    ]),
  ),
});
export type Sheet = z.infer<typeof sheetSchema>;
export type SheetBlock = Sheet["blocks"][number];
