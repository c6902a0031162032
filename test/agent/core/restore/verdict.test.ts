import assert from "node:assert/strict";
import { test } from "node:test";
import { type CheckRecord, type RestoreTest, restoreSteps, type StepRecord } from "#protocol/restore.ts";
import type { OperationState } from "../../../../agent/core/restore/journal.ts";
import { restoreReport } from "../../../../agent/core/restore/report.ts";
import { judgeChecks, passedReason, proofLevel } from "../../../../agent/core/restore/verdict.ts";

const step = (name: StepRecord["step"], state: StepRecord["state"] = "passed"): StepRecord => ({
  step: name,
  state,
  startedAt: 1,
  endedAt: 2,
  log: [],
});
const check = (state: CheckRecord["state"], name = "web"): CheckRecord => ({ name, kind: "http", state, reason: "why" });
const booted = [step("start"), step("heartbeat")];
const worked = [...booted, step("checks")];

const levels: [name: string, steps: StepRecord[], checks: CheckRecord[], bytes: boolean, level: string][] = [
  ["nothing", [], [], false, "none"],
  ["bytes alone", [], [], true, "bytes"],
  ["a start without any sign of life", [step("start")], [], true, "bytes"],
  ["a sign of life without a start", [step("heartbeat")], [], false, "none"],
  ["a heartbeat", booted, [], false, "boots"],
  ["a word in the sandbox", [step("start"), step("network")], [], false, "boots"],
  ["a heartbeat that was skipped", [step("start"), step("heartbeat", "skipped")], [], false, "none"],
  ["a heartbeat whose end nobody saw", [step("start"), step("heartbeat", "unknown")], [], false, "none"],
  ["a start that failed", [step("start", "failed"), step("heartbeat")], [], false, "none"],
  ["checks that all passed", worked, [check("passed"), check("passed")], false, "works"],
  ["no check at all", worked, [], false, "boots"],
  ["a check that was skipped", worked, [check("passed"), check("skipped")], false, "boots"],
  ["a check that failed", worked, [check("passed"), check("failed")], false, "boots"],
  ["checks that passed in a step that did not", [...booted, step("checks", "failed")], [check("passed")], false, "boots"],
  ["checks that passed of a guest that was not seen to boot", [step("start"), step("checks")], [check("passed")], false, "none"],
];
for (const [name, steps, checks, bytes, level] of levels) {
  test(`${name} proves ${level}`, () => assert.equal(proofLevel(steps, checks, bytes), level));
}

const judged: [checks: CheckRecord[], state: string, reason: string][] = [
  [[], "skipped", "No checks are defined"],
  [[check("skipped")], "skipped", "No check could run: web (why)"],
  [[check("passed")], "passed", "All 1 checks passed"],
  [[check("passed"), check("skipped", "db")], "passed", "1 of 2 checks passed, the others could not run: db (why)"],
  [[check("passed"), check("failed", "db"), check("skipped")], "failed", "1 of 3 checks failed: db (why)"],
];
for (const [checks, state, reason] of judged) {
  test(`checks that are ${checks.map((one) => one.state).join(", ") || "none"}: ${state}`, () => {
    assert.deepEqual(judgeChecks(checks), { state, reason });
  });
}

test("the verdict says what is proven, and that its bytes were not checked where nobody did", () => {
  assert.equal(passedReason("works", undefined), "The backup is good: it restores, boots and works; its bytes were not checked");
  assert.match(passedReason("boots", "pbs-verify"), /boots; its bytes are verified by the Backup Server$/);
  assert.equal(passedReason("bytes", "own-sha256"), "The backup is good: the backup's bytes are verified");
});

const state = (given: Partial<OperationState>): OperationState =>
  ({ startedAt: 1, steps: [], checks: [], measures: {}, facts: {}, intent: undefined, ...given }) as OperationState;
const of = { vmid: 100, backup: { storage: "nfs1", volid: "nfs1:backup/a" } } as unknown as RestoreTest;
const end = { node: "pve1", outcome: "interrupted", reason: "x".repeat(3000), endedAt: 9, leftovers: [] } as const;

test("a report has each step once: what was not reached is skipped, what nobody saw the end of is unknown, and neither is passed", () => {
  const { steps } = restoreReport(state({ steps: [step("locate"), step("restore", "running")] }), of, end);
  assert.deepEqual([...steps.map((one) => one.step)].sort(), [...restoreSteps].sort());
  assert.deepEqual(steps.slice(0, 2), [
    step("locate"),
    { ...step("restore", "unknown"), endedAt: 9, reason: "Nobody saw its end: the agent ended in it" },
  ]);
  for (const one of steps.slice(2)) assert.deepEqual([one.state, one.reason], ["skipped", "The test ended before it"]);
});

test("a report says what is known of backup, guest and screen, and has no field for what is not", () => {
  const known = { backupAt: 5, backupBytes: 6, configurationDigest: "c", bytesBy: "pbs-verify" } as const;
  const intent = { operation: "o", vmid: 9230, type: "qemu", at: 1, wasFree: true } as const;
  const full = restoreReport(state({ facts: known, intent }), of, { ...end, screenshot: "png", leftovers: ["y".repeat(600)] });
  assert.deepEqual(
    { ...known, testVmid: 9230, screenshot: "png", level: "bytes" },
    {
      backupAt: full.backupAt,
      backupBytes: full.backupBytes,
      configurationDigest: full.configurationDigest,
      bytesBy: full.bytesBy,
      testVmid: full.testVmid,
      screenshot: full.screenshot,
      level: full.level,
    },
  );
  assert.deepEqual([full.reason.length, full.leftovers[0]?.length], [2000, 500]);
  assert.equal(restoreReport(state({ intent }), of, { ...end, testVmid: 9231 }).testVmid, 9231);
  const bare = Object.keys(restoreReport(state({}), of, end));
  for (const key of [...Object.keys(known), "testVmid", "screenshot"]) assert.ok(!bare.includes(key), key);
});
