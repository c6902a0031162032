import assert from "node:assert/strict";
import { chmodSync, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { open } from "lmdb";
import type { TaskView } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { describeEvent } from "../../../hub/core/events.ts";
import { createKey, listKeys, revokeKey } from "../../../hub/keys.ts";
import { verifyChain } from "../../../hub/store/audit.ts";
import { envFileProblem } from "../../../hub/store/env-file.ts";
import { StateStore } from "../../../hub/store/state.ts";
import { StoreError } from "../../../hub/store/store-error.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

const by = { actor: "root", reason: "test" };
const now = 1_700_000_000_000 as EpochMs;
const openIn = (dir: string) => StateStore.open({ dir, now: () => now });
const wanted = { name: "ci", scopes: ["read" as const], expiresInDays: 1 };

test("a document outlives the process, and two processes see each other's changes", async (t) => {
  const dir = temporaryDir(t);
  const [one, two] = [openIn(dir), openIn(dir)];
  const { stored } = createKey(one, wanted, by, now);
  assert.deepEqual(
    listKeys(two).map((key) => key.id),
    [stored.id],
  );
  await one.close();
  assert.equal(revokeKey(two, stored.id, by, now), true);
  await two.close();
  const three = openIn(dir);
  assert.deepEqual(listKeys(three), []);
  await three.close();
});

test("a document that isn't valid is neither written nor believed", async (t) => {
  const state = openIn(temporaryDir(t));
  t.after(() => state.close());
  assert.throws(() => state.put("apiKey", "x", { id: "x" } as never, by), StoreError);
  assert.deepEqual(state.auditLog(), []);
});

test("the audit log tells who changed what and why, and holds no secret", async (t) => {
  const state = openIn(temporaryDir(t));
  t.after(() => state.close());
  const { stored, key } = createKey(state, wanted, { actor: "anna", reason: "for CI" }, now);
  revokeKey(state, stored.id, { actor: "bert", reason: "leaked" }, now);

  const log = state.auditLog();

  assert.deepEqual(
    log.map(({ seq, actor, action, kind, id, reason }) => ({ seq, actor, action, kind, id, reason })),
    [
      { seq: 1, actor: "anna", action: "create", kind: "apiKey", id: stored.id, reason: "for CI" },
      { seq: 2, actor: "bert", action: "update", kind: "apiKey", id: stored.id, reason: "leaked" },
    ],
  );
  assert.deepEqual(state.verifyAudit(), { ok: true, entries: 2, head: log[1]?.hash });
  state.note("update", "apiKey", stored.id, { actor: "carl", reason: "asked about it" });
  assert.deepEqual(state.verifyAudit(), { ok: true, entries: 3, head: state.auditLog()[2]?.hash });
  const secret = key.split("_")[2] ?? "";
  assert.equal(JSON.stringify(log).includes(secret) || JSON.stringify(log).includes(stored.secretHash), false);
});

test("changed, removed, reordered and cut-off audit entries are noticed", async (t) => {
  const state = openIn(temporaryDir(t));
  t.after(() => state.close());
  for (let i = 0; i < 3; i++) createKey(state, { ...wanted, name: `key ${i}` }, by, now);
  const [first, second, third] = state.auditLog();
  const documents = state.list("apiKey").map(({ id, document }) => ({ kind: "apiKey", id, document }));
  const problem = (entries: unknown[], current = documents) => {
    const verdict = verifyChain(entries, current);
    return verdict.ok ? "none" : `${verdict.seq}: ${verdict.problem}`;
  };
  assert.equal(problem([first, second, third]), "none");
  assert.equal(problem([first, { ...second, actor: "nobody" }, third]), "2: the entry was changed");
  assert.equal(problem([first, third]), "2: the entry is missing");
  assert.equal(problem([second, first, third]), "1: the entry is missing");
  assert.equal(problem([first, { ...second, prev: third?.hash }, third]), "2: the entry does not follow the one before");
  assert.match(problem([first, second]), /was changed outside the audit log/);
  assert.match(problem([first, second, third], documents.slice(1)), /was removed outside the audit log/);
});

test("a document changed behind the hub's back is noticed", async (t) => {
  const dir = temporaryDir(t);
  const state = openIn(dir);
  const { stored } = createKey(state, wanted, by, now);
  await state.close();
  const raw = open<unknown, string>({ path: join(dir, "state"), encoding: "json", maxDbs: 8, overlappingSync: false });
  const documents = raw.openDB<unknown, [string, string]>("documents", { encoding: "json" });
  documents.putSync(["apiKey", stored.id], { ...stored, scopes: ["admin"] });
  await raw.close();
  const again = openIn(dir);
  t.after(() => again.close());
  const found = { ok: false, seq: 1, problem: `apiKey ${stored.id} was changed outside the audit log` };
  assert.deepEqual(again.verifyAudit(), found);
  assert.deepEqual(await again.verifyAuditInSlices(async () => true), found);
});

test("the audit log is followed in slices while documents come, change and go; nothing of that looks like a break", async (t) => {
  const state = openIn(temporaryDir(t));
  t.after(() => state.close());
  const ids = Array.from({ length: 230 }, (_, n) => String(n).padStart(3, "0"));
  const report = (id: string, name: string) => ({
    ...{ id: `r${id}`, name, enabled: false, calendar: "daily", timezone: "UTC", receiver: "ops", language: "en" as const },
  });
  const put = (id: string, name: string) => state.put("report", `r${id}`, report(id, name), by);
  state.together(() => {
    for (const id of ids) put(id, "first");
  });
  let slices = 0;
  const verdict = await state.verifyAuditInSlices(async () => {
    slices++;
    assert.ok(slices < 50, "it comes to an end though each slice brings new entries");
    state.together(() => {
      put("999", `slice ${slices}`);
      put(ids[slices] ?? "", "changed");
      state.remove("report", `r${ids[200 - slices]}`, by);
      put(`a${slices}`, "new");
    });
    return true;
  });
  assert.ok(slices > 4, `${slices} slices`);
  assert.deepEqual(verdict, state.verifyAudit());
  assert.equal(verdict?.ok, true);
  assert.equal(await state.verifyAuditInSlices(async () => false), undefined, "who says no has no verdict");
});

test("a store of another version, or a file that is none, is refused with a remedy and left as it is", async (t) => {
  const dir = temporaryDir(t);
  const raw = open<unknown, string>({ path: join(dir, "state"), encoding: "json", maxDbs: 8, overlappingSync: false });
  raw.putSync("version", 99);
  await raw.close();
  assert.throws(() => openIn(dir), /has version 99, this hub reads up to 1: .* proven-hub store rollback/);

  const other = temporaryDir(t);
  mkdirSync(join(other, "state"));
  writeFileSync(join(other, "state", "data.mdb"), "this is no database, but somebody's text ".repeat(500));
  assert.throws(
    () => openIn(other),
    /can't be opened as the hub's state store \(data.mdb is no LMDB file\)\. Restore it from a backup/,
  );
});

test("a store that another user has, or that everybody may change, is refused with what to do", async (t) => {
  const dir = temporaryDir(t);
  await openIn(dir).close();
  const folder = join(dir, "state");
  const [mine, other] = [process.getuid?.() ?? 0, 4242];
  assert.equal(envFileProblem(folder), undefined);
  assert.equal(
    envFileProblem(folder, other),
    `${folder} belongs to the user ${mine}, and this hub runs as ${other}: run it as that user, or chown it`,
  );
  chmodSync(join(folder, "data.mdb"), 0o666);
  assert.throws(() => openIn(dir), /everybody may change .*data\.mdb: chmod o-w/);
});

test("a store file that was cut off is refused before it can end the process", async (t) => {
  const dir = temporaryDir(t);
  const state = openIn(dir);
  for (let i = 0; i < 50; i++) createKey(state, { ...wanted, name: `key ${i}` }, by, now);
  await state.close();
  const file = join(dir, "state", "data.mdb");
  truncateSync(file, Math.floor(statSync(file).size / 8192) * 4096);
  assert.throws(() => openIn(dir), /data.mdb is cut off/);
});

const task = (n: number, startedAt: number, more: Partial<TaskView> = {}): TaskView => ({
  cluster: "00000000000000aa",
  upid: `UPID:pve1:${n}`,
  node: "pve1",
  type: "vzdump",
  id: "100",
  user: "root@pam",
  startedAt,
  endedAt: null,
  state: "running",
  status: null,
  ...more,
});

test("tasks are kept once, move on when they end, and never back", async (t) => {
  const state = openIn(temporaryDir(t));
  t.after(() => state.close());
  const ended = task(1, 1000, { state: "ok", status: "OK", endedAt: 5000 });
  assert.equal(state.history.upsertTasks([task(1, 1000)]).length, 1);
  assert.deepEqual(state.history.upsertTasks([ended]), [{ task: ended, known: true }]);
  assert.deepEqual(state.history.upsertTasks([task(1, 1000), ended]), []);
  assert.deepEqual(state.history.tasks({}, { limit: 10, cursor: undefined }).items, [ended]);
});

test("pages of tasks go on where the page before ended, also among tasks of the same second", async (t) => {
  const state = openIn(temporaryDir(t));
  t.after(() => state.close());
  state.history.upsertTasks([1, 2, 3, 4, 5].map((n) => task(n, n < 4 ? 1000 : 2000)));
  const seen: string[] = [];
  let cursor: number | undefined;
  for (let pages = 0; pages < 4; pages++) {
    const { items, next } = state.history.tasks({}, { limit: 2, cursor });
    seen.push(...items.map((one) => one.upid));
    cursor = next ?? undefined;
    if (next === null) break;
  }
  assert.deepEqual(seen, ["UPID:pve1:5", "UPID:pve1:4", "UPID:pve1:3", "UPID:pve1:2", "UPID:pve1:1"]);
});

test("tasks are filtered by guest, state and time", async (t) => {
  const state = openIn(temporaryDir(t));
  t.after(() => state.close());
  state.history.upsertTasks([
    task(1, 1000),
    task(2, 2000, { id: "101" }),
    task(3, 3000, { id: "100@local", state: "failed", status: "x" }),
  ]);
  const found = (filter: Parameters<typeof state.history.tasks>[0]) =>
    state.history.tasks(filter, { limit: 10, cursor: undefined }).items.map((one) => one.upid.split(":")[2]);
  assert.deepEqual(found({ guest: 100 }), ["3", "1"]);
  assert.deepEqual(found({ state: "failed" }), ["3"]);
  assert.deepEqual(found({ since: 2000 }), ["3", "2"]);
  assert.deepEqual(found({ node: "pve2" }), []);
});

test("event ids grow, also after old events were dropped", async (t) => {
  const state = openIn(temporaryDir(t));
  t.after(() => state.close());
  const event = (at: number) => describeEvent("hub.started", { version: "1" }, {}, at);
  state.history.addEvents([event(1), event(2)]);
  assert.equal(state.history.prune(1000 as EpochMs), 1);
  assert.deepEqual(
    state.history.addEvents([event(3)]).map((stored) => stored.id),
    [3],
  );
});

test("a store whose last pages were given back before they were written is whole: a killed hub starts on it", async (t) => {
  const dir = temporaryDir(t);
  const state = openIn(dir);
  const { stored } = createKey(state, wanted, by, now);
  await state.close();
  const file = join(dir, "state", "data.mdb");
  const bytes = readFileSync(file);
  // Both meta pages say that more pages were allocated than the file has: mm_last_pg, the 64 bit number at 144.
  for (const meta of [0, 4096]) bytes.writeBigUInt64LE(BigInt(bytes.length / 4096 + 1), meta + 144);
  writeFileSync(file, bytes);
  const again = openIn(dir);
  assert.deepEqual(
    listKeys(again).map((key) => key.id),
    [stored.id],
  );
  await again.close();
});

test("a key that was revoked is revoked at the next look, and one that is gone is gone", async (t) => {
  const state = openIn(temporaryDir(t));
  const by = { actor: "test", reason: "test" };
  const key = { id: "0123456789ab", name: "panel", scopes: ["read" as const], secretHash: "a".repeat(64) };
  const stored = { ...key, createdAt: now, expiresAt: (now + 1000) as EpochMs, revokedAt: null };
  state.put("apiKey", key.id, stored, by);
  assert.deepEqual(state.get("apiKey", key.id), stored);
  assert.deepEqual(state.get("apiKey", key.id), stored);
  state.put("apiKey", key.id, { ...stored, revokedAt: now }, by);
  assert.equal(state.get("apiKey", key.id)?.revokedAt, now);
  state.remove("apiKey", key.id, by);
  assert.equal(state.get("apiKey", key.id), undefined);
  await state.close();
});

const hurried = async () => true;

/** As a program that takes any document would leave it. */
function spoil(dir: string, id: string): Promise<void> {
  const root = open({ path: join(dir, "state"), encoding: "json", maxDbs: 8 });
  root.openDB("documents", { encoding: "json" }).putSync(["agentSeen", id], { software: 5 });
  return root.close();
}

const seen = { software: "1", connectedAt: now, lastSeenAt: now, clockSkewMs: null };

test("a program that starts again takes what it checked as it stands, and looks at everything after its start", async (t) => {
  const dir = temporaryDir(t);
  const openAs = (program: string | undefined) => StateStore.open({ dir, now: () => now, program });
  const first = openAs("a");
  first.put("agentSeen", "c/one", seen, by);
  await first.close();
  await spoil(dir, "c/two");

  const again = openAs("a");
  assert.equal(again.list("agentSeen").length, 2);
  again.started();
  assert.throws(() => again.list("agentSeen"), StoreError);
  await again.close();
  for (const other of ["b", undefined]) {
    const state = openAs(other);
    assert.throws(() => state.list("agentSeen"), StoreError);
    await state.close();
  }
});

test("what another program wrote is checked again before a start trusts it, and what isn't valid is named", async (t) => {
  const dir = temporaryDir(t);
  const openAs = (program: string | undefined) => StateStore.open({ dir, now: () => now, program });
  const isTrusted = async () => {
    await spoil(dir, "c/probe");
    const state = openAs("a");
    let trusted = true;
    try {
      state.get("agentSeen", "c/probe");
    } catch {
      trusted = false;
    }
    state.remove("agentSeen", "c/probe", by);
    await state.close();
    return trusted;
  };
  await openAs("a").close();
  assert.equal(await isTrusted(), true);
  for (const other of ["b", undefined]) {
    const writer = openAs(other);
    writer.put("agentSeen", "c/one", seen, by);
    await writer.close();
    assert.equal(await isTrusted(), false);
    const checker = openAs("a");
    assert.equal(await checker.checkInSlices(hurried), undefined);
    await checker.close();
    assert.equal(await isTrusted(), true);
  }

  const writer = openAs("b");
  writer.put("agentSeen", "c/one", seen, by);
  await writer.close();
  await spoil(dir, "c/two");
  const checker = openAs("a");
  assert.match(String(await checker.checkInSlices(hurried)), /^agentSeen c\/two is not valid: /);
  checker.remove("agentSeen", "c/two", by);
  const between = async () => {
    const state = openAs("b");
    state.put("agentSeen", "c/three", seen, by);
    await state.close();
    return true;
  };
  await checker.checkInSlices(between);
  await checker.close();
  assert.equal(await isTrusted(), false);
});
