import * as z from "zod";

/** How the hash-chained audit log stood when it was last followed from its first entry, and the evidence whose digests stand in it. */
export const auditStateSchema = z.object({
  /** `unchecked`: not since the hub started. */
  state: z.enum(["unchecked", "checking", "intact", "broken"]),
  /** ms since the Unix epoch; null: never. */
  checkedAt: z.int().nonnegative().nullable(),
  /** Of the last check that found it intact. `head`: the newest entry's SHA-256, hex; kept elsewhere it shows when newest entries were cut off. */
  entries: z.int().nullable(),
  head: z.string().nullable(),
  /** A sentence. */
  problem: z.string().nullable(),
});
export type AuditState = z.infer<typeof auditStateSchema>;

/** Who changed what, when and why. Documents stand in the log as digests only: no secret can get into it. */
export const auditEntryViewSchema = z.object({
  seq: z.int().positive(),
  /** ms since the Unix epoch. */
  at: z.int().nonnegative(),
  /** A user, a key's name, `hub`, or `a link sent to` a receiver. */
  actor: z.string().min(1),
  action: z.enum(["create", "update", "delete"]),
  kind: z.string(),
  id: z.string(),
  reason: z.string(),
  /** SHA-256, hex; it covers the hash of the entry before. */
  hash: z.string(),
});
export type AuditEntryView = z.infer<typeof auditEntryViewSchema>;
