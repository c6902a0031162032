import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { foldJournal, type JournalEntry, owesCleaning, parseJournal, printEntry } from "../../../agent/core/restore/journal.ts";
import { Journals } from "../../../agent/restore/journal.ts";
import { fc } from "../../support/property.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

const id = "00000000-0000-4000-8000-000000000001";
const upid = "UPID:pve1:00002FB4:00096CD7:6B03AAEA:vzrestore:990000:root@pam:";
const operation = { kind: "archive-check", params: { storage: "nfs1", volid: "nfs1:backup/x" } } as const;
const start: JournalEntry = { entry: "start", at: 1, operation, expiresAt: 2, actor: "root@pam", reason: "", process: "1:1:b" };
const intent: JournalEntry = { entry: "intent", at: 3, vmid: 990_000, type: "lxc", wasFree: true };
const entries: JournalEntry[] = [
  start,
  { entry: "sandbox", at: 2, name: "abc", open: true },
  intent,
  { entry: "call", at: 3, call: "POST /nodes/pve1/lxc" },
  { entry: "task", at: 4, upid },
  { entry: "keep", at: 5, untilAt: 99, actor: "policy" },
  { entry: "gone", at: 6 },
  { entry: "sandbox", at: 7, name: "abc", open: false },
];

function journals(t: TestContext) {
  const dir = temporaryDir(t);
  return { dir, journals: new Journals(dir), path: join(dir, `${id}.jsonl`) };
}

test("what a journal says after each of its entries", () => {
  const after = entries.map((_, count) => {
    const state = foldJournal(id, entries.slice(0, count + 1));
    return [
      state?.intent?.vmid,
      state?.intent?.upid !== undefined,
      state !== undefined && owesCleaning(state),
      state?.sandbox,
      state?.keptUntil,
    ];
  });
  assert.deepEqual(after, [
    [undefined, false, false, undefined, undefined],
    [undefined, false, false, "abc", undefined],
    [990_000, false, true, "abc", undefined],
    [990_000, false, true, "abc", undefined],
    [990_000, true, true, "abc", undefined],
    [990_000, true, true, "abc", 99],
    [990_000, true, false, "abc", 99],
    [990_000, true, false, undefined, 99],
  ]);
});

test("after a refused create call the number is nobody's business of ours", () => {
  const state = foldJournal(id, [start, intent, { entry: "refused", at: 4, why: "VM 990000 already exists" }]);
  assert.deepEqual([state?.intent, state && owesCleaning(state)], [undefined, false]);
});

test("a journal cut anywhere says what its whole lines say, and goes on behind the cut", (t) => {
  const { journals: all, path } = journals(t);
  const text = entries.map(printEntry).join("");
  fc.assert(
    fc.property(fc.nat(text.length), (cut) => {
      writeFileSync(path, text);
      truncateSync(path, cut);
      const whole = parseJournal(text.slice(0, cut));
      assert.deepEqual(all.read(id), foldJournal(id, whole));
      all.open(id).append({ entry: "seen", at: 9 });
      assert.deepEqual(parseJournal(readFileSync(path, "utf8")), [...whole, { entry: "seen", at: 9 }]);
    }),
    { numRuns: 60 },
  );
});

test("an entry that a full disk takes a part of is refused and leaves nothing: the next one is a line of its own", (t) => {
  const { dir, path } = journals(t);
  const program = `
    const { Journals } = await import(${JSON.stringify(new URL("../../../agent/restore/journal.ts", import.meta.url).href)});
    process.on("SIGXFSZ", () => undefined);
    const [start, long, short] = JSON.parse(process.argv[2]);
    const journal = new Journals(process.argv[1]).open("${id}");
    journal.append(start);
    try {
      journal.append(long);
      console.log("taken");
    } catch (error) {
      console.log(error.code);
    }
    journal.append(short);`;
  const long = { ...start, reason: "x".repeat(5000) };
  const limited = ["--fsize=4096", process.execPath, "--import", "tsx", "--input-type=module", "-e", program, dir];
  const env = { ...process.env, TSX_DISABLE_CACHE: "1" };
  const { stdout } = spawnSync("prlimit", [...limited, JSON.stringify([start, long, intent])], { encoding: "utf8", env });
  assert.equal(stdout.trim(), "EFBIG");
  assert.equal(readFileSync(path, "utf8"), printEntry(start) + printEntry(intent));
});

test("garbage in a journal is no entry", () => {
  fc.assert(
    fc.property(fc.string(), (garbage) => {
      assert.deepEqual(parseJournal(`${printEntry(start)}x${garbage.replaceAll("\n", "")}\n${printEntry(intent)}`), [
        start,
        intent,
      ]);
    }),
  );
});

test("what is told and cleared away is shelved and found again; what a guest depends on is never pruned", (t) => {
  const { dir, journals: all } = journals(t);
  const result = { kind: "refused", code: "busy", reason: "full" } as const;
  const journal = all.open(id);
  for (const entry of [start, { entry: "result", at: 2, result }, { entry: "seen", at: 3 }] as JournalEntry[])
    journal.append(entry);
  all.shelve(id);
  assert.deepEqual([readdirSync(dir), all.read(id)?.seen], [[`${id}.done`], true]);
  const other = "00000000-0000-4000-8000-000000000002";
  const owing = all.open(other);
  for (const entry of [start, intent, { entry: "result", at: 2, result }, { entry: "seen", at: 3 }] as JournalEntry[])
    owing.append(entry);
  all.prune(100 * 86_400_000);
  assert.deepEqual(all.ids(), [other]);
});

test("a file that no id names is not read", (t) => {
  const { journals: all } = journals(t);
  assert.equal(all.read("../../etc/passwd"), undefined);
});
