import { createHash } from "node:crypto";
import * as z from "zod";
import type { Page } from "#protocol/api.ts";
import { auditEntryViewSchema } from "#protocol/audit.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { byText } from "#protocol/order.ts";
import { type PageOptions, page, type Row } from "./history.ts";

export const auditEntrySchema = z.strictObject({
  ...auditEntryViewSchema.shape,
  /** SHA-256 of the document's JSON; null where there was, or is, none. */
  before: z.string().nullable(),
  after: z.string().nullable(),
  /** Hash of the entry before; of the first one: auditRoot. */
  prev: z.string(),
});
export type AuditEntry = z.infer<typeof auditEntrySchema>;
export type Change = { at: EpochMs; actor: string; action: AuditEntry["action"]; kind: string; id: string; reason: string };

/** Of whom, and of what kind of document; absent: of all. */
export type AuditFilter = { actor?: string | undefined; kind?: string | undefined };

/** `rows`: the log's, the newest first. */
export const auditPage = (rows: Iterable<Row>, { actor, kind }: AuditFilter, options: PageOptions): Page<AuditEntry> =>
  page(
    rows,
    options,
    (row) => auditEntrySchema.parse(row),
    (entry) => (actor === undefined || entry.actor === actor) && (kind === undefined || entry.kind === kind),
    () => false,
  );

const auditRoot = "0".repeat(64);

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
const byKey = ([a]: [string, unknown], [b]: [string, unknown]) => byText(a, b);

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

/** Where a document stands in the log. */
type Document = { kind: string; id: string; document: unknown };
const nameOf = (kind: string, id: string) => `${kind}\n${id}`;
const broken = (seq: number, problem: string): AuditVerdict => ({ ok: false, seq, problem });

/** Follows the chain entry by entry, so that a long one can be followed in slices. */
export class ChainWalk {
  private last: AuditEntry | undefined;
  /** The newest entry of each document that was not looked at yet. */
  private readonly newest = new Map<string, AuditEntry>();

  /** The entry that comes next. */
  get next(): number {
    return (this.last?.seq ?? 0) + 1;
  }

  /** Undefined: they follow the ones before. */
  take(entries: Iterable<unknown>): AuditVerdict | undefined {
    for (const raw of entries) {
      const expected = this.next;
      const parsed = auditEntrySchema.safeParse(raw);
      if (!parsed.success) return broken(expected, "the entry is not readable");
      const { hash, ...entry } = parsed.data;
      if (entry.seq !== expected) return broken(expected, "the entry is missing");
      if (entry.prev !== (this.last?.hash ?? auditRoot)) return broken(expected, "the entry does not follow the one before");
      if (hash !== hashOf(entry)) return broken(expected, "the entry was changed");
      this.last = parsed.data;
      this.newest.set(nameOf(entry.kind, entry.id), parsed.data);
    }
    return undefined;
  }

  /** Undefined: the document is as its newest entry says. All entries up to now must have been taken. */
  check({ kind, id, document }: Document): AuditVerdict | undefined {
    const entry = this.newest.get(nameOf(kind, id));
    this.newest.delete(nameOf(kind, id));
    if (entry?.after != null && entry.after === digest(document)) return undefined;
    return broken(entry?.seq ?? 0, `${kind} ${id} was changed outside the audit log`);
  }

  /** Of documents that nobody showed to `check`: those that should be there. */
  unseen(): { kind: string; id: string }[] {
    return [...this.newest.values()].filter(({ after }) => after !== null);
  }

  /** After every document was looked at. */
  verdict(): AuditVerdict {
    for (const { kind, id, after, seq } of this.newest.values())
      if (after !== null) return broken(seq, `${kind} ${id} was removed outside the audit log`);
    return { ok: true, entries: this.last?.seq ?? 0, head: this.last?.hash ?? auditRoot };
  }
}

/**
 * Walks the chain from its first entry. Notices changed, removed and inserted entries, and a digest that no longer fits the stored document
 * (`current`: the audited documents as they are). Cut-off newest entries show by their documents only: keep `head` elsewhere to be sure.
 */
export function verifyChain(entries: Iterable<unknown>, current: Iterable<Document>): AuditVerdict {
  const walk = new ChainWalk();
  const wrong = walk.take(entries);
  if (wrong !== undefined) return wrong;
  for (const document of current) {
    const changed = walk.check(document);
    if (changed !== undefined) return changed;
  }
  return walk.verdict();
}
