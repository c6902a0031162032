import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import type { ProofBadge } from "#protocol/proof.ts";
import type { RestoreReport } from "#protocol/restore.ts";
import { badgeOf, isOfGuest, notProven, stepProof } from "../../../hub/core/proof.ts";
import { newRun, withResult } from "../../../hub/core/run.ts";
import type { ProofRecord, Run } from "../../../hub/core/run-record.ts";
import { reportOf } from "../../support/operating-agent.ts";
import { orderOf, restoreTest } from "../../support/operations-world.ts";

const day = 86_400_000;
const start = Date.UTC(2026, 0, 5);
const guestOf = (identity: string[]) => ({ vmid: 100, type: "qemu" as const, name: "web", identity });

/** A restore test of guest 100 that ended so many days after the first, and what its agent told. */
function ended(atDay: number, overrides: Partial<RestoreReport> = {}, identity = ["uuid:a"]) {
  const at = (start + atDay * day) as EpochMs;
  const order = { ...orderOf(at), id: `run-${atDay}`, createdAt: at, guest: guestOf(identity) };
  const report = reportOf(restoreTest(100), { startedAt: at - 60_000, endedAt: at, ...overrides });
  const result = { kind: "restore-test", report } as const;
  return { result, run: withResult(newRun(order), result, { evidence: "e", screenshot: null }, null, at) };
}
/** What these tests show together, the one after the other. */
const shown = (...tests: ReturnType<typeof ended>[]) =>
  tests.reduce<ProofRecord | undefined>((record, { run, result }) => stepProof(record, run, result), undefined);
const badge = (record: ProofRecord | undefined, atDay: number, everyDays?: number, identity = ["uuid:a"]): ProofBadge =>
  badgeOf(record, identity, everyDays, (start + atDay * day) as EpochMs);
const short = ({ state, level, runId }: ProofBadge) => [state, level, runId];

const good = ended(0);
const failed = (atDay: number) => ended(atDay, { outcome: "failed", level: "bytes" });
const interrupted = (atDay: number) => ended(atDay, { outcome: "interrupted", level: "none" });

const cases: [name: string, record: ProofRecord | undefined, everyDays: number | undefined, shown: unknown[]][] = [
  ["no test: never", undefined, 30, ["never", "none", null]],
  ["the newest passed: proven, to its level", shown(ended(0, { level: "boots" })), 30, ["proven", "boots", "run-0"]],
  ["a failure after it counts more", shown(good, failed(1)), 30, ["failed", "bytes", "run-1"]],
  ["a test that passes after a failure makes it good", shown(failed(0), ended(1)), 30, ["proven", "works", "run-1"]],
  ["an older failure that is told late changes nothing", shown(ended(1), failed(0)), 30, ["proven", "works", "run-1"]],
  ["an older proof that is told late changes nothing", shown(ended(1), ended(0)), 30, ["proven", "works", "run-1"]],
  ["an interrupted test takes no proof away", shown(good, interrupted(1)), 30, ["proven", "works", "run-0"]],
  ["only interrupted ones: nobody knows", shown(interrupted(0)), 30, ["unknown", "none", "run-0"]],
  [
    "a cancelled or refused one is none",
    shown(ended(0, { outcome: "cancelled" }), ended(1, { outcome: "refused" })),
    30,
    ["never", "none", null],
  ],
  ["older than its policy allows: overdue", shown(good), 2, ["overdue", "works", "run-0"]],
  ["no policy: nothing is overdue", shown(good), undefined, ["proven", "works", "run-0"]],
];
for (const [name, record, everyDays, expected] of cases) {
  test(`proof: ${name}`, () => assert.deepEqual(short(badge(record, 3, everyDays)), expected));
}

test("proof: to the very end of its period it is in time", () => {
  assert.equal(badge(shown(good), 3, 3).state, "proven");
  assert.equal(badgeOf(shown(good), ["uuid:a"], 3, (start + 3 * day + 1) as EpochMs).state, "overdue");
});

test("proof: a guest that took over the number has no proof of the one before it; nothing known is no evidence of another one", () => {
  assert.equal(badge(shown(good), 1, 30, ["uuid:b"]).state, "never");
  assert.equal(badge(shown(good), 1, 30, []).state, "proven");
  assert.equal(badge(shown(good), 1, 30, ["mac:x", "uuid:a"]).state, "proven");
  assert.equal(badge(shown(ended(0, {}, [])), 1, 30, ["uuid:b"]).state, "proven");
  assert.equal(isOfGuest({ identity: [] }, []), true);
  const taken = shown(good, ended(1, { outcome: "failed" }, ["uuid:b"]));
  assert.deepEqual([taken?.identity, taken?.lastGood], [["uuid:b"], null]);
  const grown = shown(good, ended(1, {}, ["uuid:a", "mac:x"]));
  assert.deepEqual(grown?.identity, ["uuid:a", "mac:x"]);
});

test("proof: only restore tests that ended prove; a check of the archive, or one that still runs, changes nothing", () => {
  const before = shown(good);
  const { run, result } = failed(1);
  for (const other of [{ kind: "archive-check" }, { guest: null }, { finishedAt: null }, { verdict: null }] as Partial<Run>[]) {
    assert.equal(stepProof(before, { ...run, ...other }, result), before);
  }
  assert.notEqual(stepProof(before, run, result), before);
});

test("proof: the end of a test that was given up counts when it is told after all, though it lies before the hub's own", () => {
  const { run, result } = ended(1);
  const givenUp = { ...run, outcome: "interrupted", measures: null, finishedAt: (start + 3 * day) as EpochMs } as const;
  const before = stepProof(undefined, givenUp, undefined);
  assert.deepEqual(short(badge(before, 3)), ["unknown", "none", "run-1"]);
  const after = stepProof(before, run, result);
  assert.deepEqual([after?.lastTest?.outcome, after?.lastTest?.at], ["passed", start + day]);
  assert.deepEqual(short(badge(after, 3)), ["proven", "works", "run-1"]);
});

test("proof: without its agent's report a test proves nothing, whatever it is called", () => {
  const { run } = ended(1);
  assert.equal(stepProof(undefined, run, undefined)?.lastGood, null);
  assert.equal(stepProof(shown(good), run, undefined)?.lastGood?.runId, "run-0");
});

test("proof: of a failed test the last lines of the step that failed are kept for the alert", () => {
  const lines = Array.from({ length: 30 }, (_, line) => `line ${line}`);
  const step = { step: "start", state: "failed", startedAt: start, log: lines } as const;
  const record = shown(
    ended(0, { outcome: "failed", steps: [{ ...step, step: "restore", state: "passed", log: ["fine"] }, step] }),
  );
  assert.deepEqual([record?.lastTest?.log.length, record?.lastTest?.log.at(-1)], [20, "line 29"]);
});

test("what a test does not prove is said: bytes, boot, services, checks and steps that were skipped", () => {
  const whole = reportOf(restoreTest(100));
  assert.deepEqual(notProven(whole, "qemu"), []);
  const { bytesBy: _, ...unread } = whole;
  assert.deepEqual(notProven(unread, "qemu"), ["Not every byte of the backup was verified"]);
  const restored = notProven({ ...whole, level: "bytes", checks: [] }, "qemu");
  assert.deepEqual(restored, ["The guest was not seen to boot", "No check says whether its services work"]);
  const skipped = { name: "db", kind: "postgresql", state: "skipped", reason: "no port" } as const;
  assert.deepEqual(notProven({ ...whole, level: "boots", checks: [skipped] }, "qemu"), [
    "Not every check of its services passed",
    "Check db was skipped: no port",
  ]);
  const stepOf = (step: RestoreReport["steps"][number]["step"], state: "skipped" | "unknown") => ({
    ...whole,
    steps: [{ step, state, startedAt: start, log: [], reason: "so" }],
  });
  assert.deepEqual(notProven(stepOf("screenshot", "skipped"), "qemu"), ["Step screenshot: skipped, so"]);
  assert.deepEqual(notProven(stepOf("screenshot", "skipped"), "lxc"), []);
  assert.deepEqual(notProven(stepOf("benchmark", "skipped"), "qemu"), []);
  assert.deepEqual(notProven(stepOf("benchmark", "unknown"), "qemu"), ["Step benchmark: unknown, so"]);
});
