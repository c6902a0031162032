import { createHash } from "node:crypto";
import * as z from "zod";
import type { EpochMs } from "#protocol/ids.ts";

/** Who changed what, when and why. Documents stand in it as digests only, so that no secret can get into it. */
export const auditEntrySchema = z.strictObject({
  seq: z.int().positive(),
  at: z.int().nonnegative(),
  actor: z.string().min(1),
  action: z.enum(["create", "update", "delete"]),
  kind: z.string(),
  id: z.string(),
  reason: z.string(),
  /** SHA-256 of the document's JSON; null where there was, or is, none. */
  before: z.string().nullable(),
  after: z.string().nullable(),
  /** Hash of the entry before; of the first one: auditRoot. */
  prev: z.string(),
  hash: z.string(),
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;
export type Change = { at: EpochMs; actor: string; action: AuditEntry["action"]; kind: string; id: string; reason: string };

export const auditRoot = "0".repeat(64);

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

/** JSON with sorted keys: the same document always has the same digest. */
export function digest(document: unknown): string | null {
  if (document === undefined) return null;
  return sha256(
    JSON.stringify(document, (_, value) => (isPlain(value) ? Object.fromEntries(Object.entries(value).sort(byKey)) : value)),
  );
}

const isPlain = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const byKey = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1);

function hashOf(entry: Omit<AuditEntry, "hash">): string {
  const { seq, at, actor, action, kind, id, reason, before, after, prev } = entry;
  return sha256(JSON.stringify([seq, at, actor, action, kind, id, reason, before, after, prev]));
}

/** The next entry of the chain. */
export function chain(last: AuditEntry | undefined, change: Change, before: unknown, after: unknown): AuditEntry {
  const entry = {
    ...change,
    seq: (last?.seq ?? 0) + 1,
    before: digest(before),
    after: digest(after),
    prev: last?.hash ?? auditRoot,
  };
  return { ...entry, hash: hashOf(entry) };
}

export type AuditVerdict = { ok: true; entries: number; head: string } | { ok: false; seq: number; problem: string };

/**
 * Walks the chain from its first entry. Notices changed, removed and inserted entries, and a digest that no longer fits the stored document
 * (`current`: the audited documents as they are). Cut-off newest entries show by their documents only: keep `head` elsewhere to be sure.
 */
export function verifyChain(
  entries: Iterable<unknown>,
  current: Iterable<{ kind: string; id: string; document: unknown }>,
): AuditVerdict {
  let last: AuditEntry | undefined;
  const newest = new Map<string, AuditEntry>();
  for (const raw of entries) {
    const expected = (last?.seq ?? 0) + 1;
    const parsed = auditEntrySchema.safeParse(raw);
    if (!parsed.success) return { ok: false, seq: expected, problem: "the entry is not readable" };
    const { hash, ...entry } = parsed.data;
    if (entry.seq !== expected) return { ok: false, seq: expected, problem: "the entry is missing" };
    if (entry.prev !== (last?.hash ?? auditRoot))
      return { ok: false, seq: expected, problem: "the entry does not follow the one before" };
    if (hash !== hashOf(entry)) return { ok: false, seq: expected, problem: "the entry was changed" };
    last = parsed.data;
    newest.set(`${entry.kind}\n${entry.id}`, last);
  }
  for (const { kind, id, document } of current) {
    const entry = newest.get(`${kind}\n${id}`);
    newest.delete(`${kind}\n${id}`);
    if (entry === undefined || entry.after !== digest(document)) {
      return { ok: false, seq: entry?.seq ?? 0, problem: `${kind} ${id} was changed outside the audit log` };
    }
  }
  for (const entry of newest.values()) {
    if (entry.after !== null)
      return { ok: false, seq: entry.seq, problem: `${entry.kind} ${entry.id} was removed outside the audit log` };
  }
  return { ok: true, entries: last?.seq ?? 0, head: last?.hash ?? auditRoot };
}
