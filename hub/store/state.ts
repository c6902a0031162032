import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { type Database, open, type RootDatabase } from "lmdb";
import type * as z from "zod";
import type { Page } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { errorMessage } from "../core/error.ts";
import { BoundedMap } from "../core/limits.ts";
import {
  type AuditEntry,
  type AuditFilter,
  type AuditVerdict,
  auditEntrySchema,
  auditPage,
  ChainWalk,
  type Change,
  chain,
  verifyChain,
} from "./audit.ts";
import { CheckedStore } from "./checked-store.ts";
import { type DocumentOf, type Kind, kinds } from "./documents.ts";
import { envFileProblem, envPageSize } from "./env-file.ts";
import { downwards, History, type PageOptions } from "./history.ts";
import { StoreError } from "./store-error.ts";
import { type StoreSchema, type UpgradePorts, upgradeStore } from "./upgrade.ts";

/** What a migration of the state store works on. */
export type StateEnv = {
  root: RootDatabase<unknown, string>;
  documents: Database<unknown, [Kind, string]>;
  audit: Database<unknown, number>;
};

/** A new layout is a new version, and a row here for stores of the version before. */
export const stateSchema: StoreSchema<StateEnv> = { version: 1, migrations: [] };

/** Of the state directory. */
export const statePath = (dir: string) => join(dir, "state");

/** Asked for with each request to the API, and of each agent when something was written: whether it was revoked. */
const askedOften: ReadonlySet<Kind> = new Set<Kind>(["apiKey", "keyUse", "session", "agent"]);
const recalledMax = 1000;
/** Some milliseconds of work each, while the hub does other things, too. */
const entriesPerSlice = 200;
const documentsPerSlice = 50;

export type StateOptions = {
  dir: string;
  now: () => EpochMs;
  /** The hub itself: it may bring a store of an earlier version to this one. */
  upgrade?: UpgradePorts;
  /** Layout of what is stored; default: this program's. */
  schema?: StoreSchema<StateEnv>;
  /** Names the program with its schemas: see CheckedStore. */
  program?: string | undefined;
};

export type Actor = { actor: string; reason: string };

/**
 * What the hub decided and last observed: documents by kind, and the history of tasks and events. Reads are synchronous, a write is durable
 * when it returns. Several processes may have it open (`proven-hub key create` beside the running hub): LMDB serializes their writes.
 */
export class StateStore {
  private readonly recalled = new BoundedMap<string, { text: string; document: unknown }>(recalledMax);

  private constructor(
    private readonly root: RootDatabase<unknown, string>,
    private readonly documents: Database<unknown, [Kind, string]>,
    private readonly audit: Database<unknown, number>,
    readonly history: History,
    private readonly checked: CheckedStore,
    private readonly now: () => EpochMs,
  ) {}

  /** @throws StoreError when the directory holds no readable store of this version, or of an earlier one and this is not the hub. */
  static open(options: StateOptions): StateStore {
    const path = statePath(options.dir);
    const problem = envFileProblem(path);
    if (problem !== undefined) throw unusable(path, problem);
    mkdirSync(path, { recursive: true, mode: 0o700 });
    try {
      // Without overlappingSync a transaction is on the disk when it returns.
      const root = open<unknown, string>({ path, encoding: "json", maxDbs: 8, pageSize: envPageSize, overlappingSync: false });
      const documents = root.openDB<unknown, [Kind, string]>("documents", { encoding: "json" });
      const audit = root.openDB<unknown, number>("audit", { encoding: "json" });
      const checked = new CheckedStore(root, options.program);
      if (settleVersion({ root, documents, audit }, path, options) === "new") checked.noteNew();
      return new StateStore(root, documents, audit, History.open(root), checked, options.now);
    } catch (cause) {
      throw cause instanceof StoreError ? cause : unusable(path, errorMessage(cause), cause);
    }
  }

  /** Another number than before: something was written, by this or another process. What is read afterwards is at least as new. */
  get writes(): number {
    this.root.resetReadTxn();
    const { lastTxnId } = this.root.getStats() as { lastTxnId: number }; // of LMDB's MDB_envinfo; lmdb declares no fields
    // What is read next would be read as before that number, which it got after it had begun to read.
    this.root.resetReadTxn();
    return lastTxnId;
  }

  get<K extends Kind>(kind: K, id: string): DocumentOf<K> | undefined {
    if (askedOften.has(kind)) return this.recall(kind, id);
    const raw = this.documents.get([kind, id]);
    return raw === undefined ? undefined : this.read(kind, id, raw);
  }

  private read<K extends Kind>(kind: K, id: string, raw: unknown): DocumentOf<K> {
    return this.checked.trusted ? (raw as DocumentOf<K>) : parseDocument(kind, id, raw); // it was parsed before it was written
  }

  /** The start is over: from now on each document that is read is checked, as another version's command may write beside this hub. */
  started(): void {
    this.checked.distrust();
  }

  /**
   * Looks at every document in slices of a few milliseconds, so that the next start of this program needs not. `goOn` is awaited after each.
   * Returns what is wrong with the first document that isn't valid.
   */
  async checkInSlices(goOn: () => Promise<boolean>): Promise<string | undefined> {
    if (!this.checked.isDue) return undefined;
    this.checked.begin();
    let isAsWritten = true;
    for (const kind of Object.keys(kinds) as Kind[]) {
      const ids = [...this.documents.getKeys({ start: [kind, ""], end: [kind, "\uffff"] })].map(([, id]) => id);
      for (let at = 0; at < ids.length; at += documentsPerSlice) {
        for (const id of ids.slice(at, at + documentsPerSlice)) {
          const raw = this.documents.get([kind, id]);
          const parsed = raw === undefined ? undefined : kinds[kind].schema.safeParse(raw);
          if (parsed?.success === false) return invalid(kind, id, parsed.error);
          // What a schema has to add would be missing where documents are taken as they are.
          isAsWritten &&= parsed === undefined || isDeepStrictEqual(parsed.data, raw);
        }
        if (!(await goOn())) return undefined;
      }
    }
    if (isAsWritten) this.checked.end();
    return undefined;
  }

  /** Read each time, since another process may have written it; parsed again only when it says something else than last time. */
  private recall<K extends Kind>(kind: K, id: string): DocumentOf<K> | undefined {
    const bytes = this.documents.getBinaryFast([kind, id]);
    if (bytes === undefined) return undefined;
    const text = bytes.toString("utf8", 0, bytes.length);
    const key = `${kind} ${id}`;
    const known = this.recalled.get(key);
    if (known?.text === text) return known.document as DocumentOf<K>; // the key names the kind
    const document = this.read(kind, id, JSON.parse(text));
    Object.freeze(document);
    this.recalled.set(key, { text, document });
    return document;
  }

  /** All documents of a kind from the id `from` on, by id. */
  list<K extends Kind>(kind: K, from = ""): { id: string; document: DocumentOf<K> }[] {
    return [...this.range(kind, from)].map(({ id, raw }) => ({ id, document: this.read(kind, id, raw) }));
  }

  /** Ids of a kind that sort before `end`: where ids begin with a time, the older ones. At most `limit`. */
  idsBefore(kind: Kind, end: string, limit: number): string[] {
    return [...this.documents.getKeys({ start: [kind, ""], end: [kind, end], limit })].map(([, id]) => id);
  }

  /** Reads, decides and writes in one transaction: `decide` gets the present document and returns the new one; undefined leaves it as it is. */
  update<K extends Kind>(
    kind: K,
    id: string,
    by: Actor,
    decide: (present: DocumentOf<K> | undefined) => DocumentOf<K> | undefined,
  ): DocumentOf<K> | undefined {
    return this.root.transactionSync(() => {
      const present = this.get(kind, id);
      const next = decide(present);
      if (next === undefined) return present;
      this.write(kind, id, by, present, parseDocument(kind, id, next));
      return next;
    });
  }

  /** All writes of `work` become durable as one, or, when it throws, none. */
  together<T>(work: () => T): T {
    return this.root.transactionSync(work);
  }

  put<K extends Kind>(kind: K, id: string, document: DocumentOf<K>, by: Actor): void {
    this.update(kind, id, by, () => document);
  }

  /** Writes into the audit log what somebody did that changes no audited document: signing in, asking an agent for a new key. */
  note(action: AuditEntry["action"], kind: Kind, id: string, by: Actor): void {
    this.root.transactionSync(() => {
      const present = kinds[kind].audited ? this.documents.get([kind, id]) : undefined;
      this.record({ at: this.now(), ...by, action, kind, id }, present, present);
    });
  }

  /** False: there was none. */
  remove(kind: Kind, id: string, by: Actor): boolean {
    return this.root.transactionSync(() => {
      const present = this.documents.get([kind, id]);
      if (present === undefined) return false;
      this.write(kind, id, by, present, undefined);
      return true;
    });
  }

  /** Drops browsers' sessions that are over. */
  removeEndedSessions(now: EpochMs): void {
    for (const { id, document } of this.list("session")) {
      if (now >= document.expiresAt) this.remove("session", id, { actor: "hub", reason: "expired" });
    }
  }

  auditLog(): AuditEntry[] {
    return [...this.audit.getRange()].map(({ value }) => auditEntrySchema.parse(value));
  }

  /** Newest first. */
  auditPage(filter: AuditFilter, options: PageOptions): Page<AuditEntry> {
    return auditPage(downwards(this.audit, options.cursor), filter, options);
  }

  /** What was recorded of one document, oldest first. */
  auditOf(kind: Kind, id: string): AuditEntry[] {
    const found: AuditEntry[] = [];
    for (const { value } of this.audit.getRange()) {
      const entry = auditEntrySchema.parse(value);
      if (entry.kind === kind && entry.id === id) found.push(entry);
    }
    return found;
  }

  verifyAudit(): AuditVerdict {
    const audited = (Object.keys(kinds) as Kind[]).filter((kind) => kinds[kind].audited);
    const current = audited.flatMap((kind) => [...this.range(kind)].map(({ id, raw }) => ({ kind, id, document: raw })));
    return verifyChain(
      [...this.audit.getRange()].map(({ value }) => value),
      current,
    );
  }

  /**
   * As `verifyAudit`, in slices of a few milliseconds: what is written meanwhile is taken along. A document is compared in the same turn in which
   * the log was read to its end. `goOn` is awaited after each slice; undefined: it said no.
   */
  async verifyAuditInSlices(goOn: () => Promise<boolean>): Promise<AuditVerdict | undefined> {
    const walk = new ChainWalk();
    const catchUp = (limit?: number) =>
      walk.take(
        [...this.audit.getRange({ start: walk.next, ...(limit === undefined ? {} : { limit }) })].map(({ value }) => value),
      );
    for (let from = 0; walk.next - from >= entriesPerSlice || from === 0; ) {
      from = walk.next;
      const wrong = catchUp(entriesPerSlice);
      if (wrong !== undefined) return wrong;
      if (!(await goOn())) return undefined;
    }
    for (const kind of (Object.keys(kinds) as Kind[]).filter((one) => kinds[one].audited)) {
      const ids = [...this.range(kind)].map(({ id }) => id);
      for (let at = 0; at < ids.length; at += documentsPerSlice) {
        const wrong = catchUp() ?? this.checkDocuments(walk, kind, ids.slice(at, at + documentsPerSlice));
        if (wrong !== undefined) return wrong;
        if (!(await goOn())) return undefined;
      }
    }
    const wrong = catchUp();
    if (wrong !== undefined) return wrong;
    for (const { kind, id } of walk.unseen()) {
      const changed = this.checkDocuments(walk, kind as Kind, [id]); // the log's kinds are ours
      if (changed !== undefined) return changed;
    }
    return walk.verdict();
  }

  /** One that is gone meanwhile is left to the walk's verdict. */
  private checkDocuments(walk: ChainWalk, kind: Kind, ids: readonly string[]): AuditVerdict | undefined {
    for (const id of ids) {
      const document = this.documents.get([kind, id]);
      const wrong = document === undefined ? undefined : walk.check({ kind, id, document });
      if (wrong !== undefined) return wrong;
    }
    return undefined;
  }

  async close(): Promise<void> {
    await this.root.close();
  }

  private *range(kind: Kind, from = ""): Iterable<{ id: string; raw: unknown }> {
    for (const { key, value } of this.documents.getRange({ start: [kind, from], end: [kind, "\uffff"] }))
      yield { id: key[1], raw: value };
  }

  private write(kind: Kind, id: string, by: Actor, before: unknown, after: unknown): void {
    if (kinds[kind].audited) this.record({ at: this.now(), ...by, action: actionOf(before, after), kind, id }, before, after);
    this.checked.noteWrite();
    if (after === undefined) this.documents.removeSync([kind, id]);
    else this.documents.putSync([kind, id], after);
  }

  private record(change: Change, before: unknown, after: unknown): void {
    const [last] = this.audit.getRange({ reverse: true, limit: 1 });
    const entry = chain(last === undefined ? undefined : auditEntrySchema.parse(last.value), change, before, after);
    this.audit.putSync(entry.seq, entry);
  }
}

const unusable = (path: string, problem: string, cause?: unknown) =>
  new StoreError(
    `${path} can't be opened as the hub's state store (${problem}). Restore it from a backup, or move it away to start with an empty one`,
    { cause },
  );

const actionOf = (before: unknown, after: unknown): AuditEntry["action"] =>
  before === undefined ? "create" : after === undefined ? "delete" : "update";

function parseDocument<K extends Kind>(kind: K, id: string, raw: unknown): DocumentOf<K> {
  const parsed = kinds[kind].schema.safeParse(raw);
  if (!parsed.success) throw new StoreError(`state store: ${invalid(kind, id, parsed.error)}`);
  return parsed.data as DocumentOf<K>; // the schema stands in the kind's own row
}

const invalid = (kind: Kind, id: string, { issues }: z.ZodError) => `${kind} ${id} is not valid: ${issues[0]?.message}`;

/** Version of the state store in this environment. Undefined: an empty one. @throws StoreError for something else than a state store. */
export function stateVersion(root: RootDatabase<unknown, string>, path: string): number | undefined {
  const version = root.get("version");
  if (typeof version === "number") return version;
  if (version === undefined && root.openDB("documents", { encoding: "json" }).getCount() === 0) return undefined;
  throw new StoreError(`${path} has version ${String(version)}, which no proven-hub has written: restore it from a backup`);
}

/** An empty store gets this program's version; one of an earlier version is brought to it by the hub alone. */
function settleVersion(env: StateEnv, path: string, { upgrade, schema = stateSchema }: StateOptions): "new" | "settled" {
  const { root } = env;
  const writeVersion = (version: number) => void root.putSync("version", version);
  const found = root.transactionSync(() => {
    const version = stateVersion(root, path);
    if (version === undefined) writeVersion(schema.version);
    return version;
  });
  if (found === undefined) return "new";
  if (found === schema.version) return "settled";
  if (found < schema.version && upgrade === undefined) {
    throw new StoreError(`${path} has version ${found}, this program reads ${schema.version}: start the hub once`);
  }
  upgradeStore(found, { dir: path, env, root, writeVersion }, schema, upgrade ?? { log: () => undefined });
  return "settled";
}
