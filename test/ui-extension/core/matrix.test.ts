import assert from "node:assert/strict";
import { test } from "node:test";
import type { GuestProofView, ProofBadge, RunView } from "#protocol/proof.ts";
import { noRuns, openRunOf, upToDate, withoutCopies, withRuns } from "../../../ui-extension/core/live-runs.ts";
import {
  countdown,
  countMatrix,
  filterMatrix,
  lookWords,
  type MatrixRow,
  matrixCsv,
  matrixRows,
  matrixVerdict,
  toggledLook,
} from "../../../ui-extension/core/matrix.ts";
import { inEnglish as t } from "../../../ui-extension/core/text.ts";
import { fakeRun } from "../../support/fake-proof-api.ts";

const day = 86_400_000;
const now = Date.UTC(2026, 10, 23);
const none = { level: "none", at: null, durationMs: null, runId: null } as const;
const tested = (state: ProofBadge["state"], level: ProofBadge["level"]): ProofBadge => ({
  ...{ state, level, at: now - 6 * day, durationMs: 192_000, runId: "r1" },
});

function guest(vmid: number, proof: ProofBadge, change: Partial<GuestProofView> = {}): GuestProofView {
  return {
    ...{ cluster: "c", entity: `guest/${vmid}`, vmid, type: "qemu", name: `web${vmid}`, node: "pve1", tags: ["prod.web"] },
    ...{ pool: null, protected: "yes", gaps: [], backups: 1, lastBackup: null, lastVerifiedAt: null, proof },
    ...{ dueAt: now + day, notProven: [], slower: [] },
    ...change,
  };
}

const guests = [
  guest(100, tested("proven", "works")),
  guest(101, tested("proven", "boots"), { notProven: ["No check says whether its services work"] }),
  guest(102, tested("overdue", "works")),
  guest(103, { state: "never", ...none }, { dueAt: null }),
  guest(104, { ...tested("failed", "bytes"), runId: "bad" }, { node: "pve2" }),
  guest(105, tested("unknown", "none")),
  guest(106, tested("proven", "none")),
];
const rowsOf = (list: readonly GuestProofView[]) => matrixRows(list, noRuns, new Map([["bad", "nginx did not answer"]]), t);

test("a guest whose backups leave out a disk never looks as if all of it worked", () => {
  const gaps = [{ gap: "disk-left-out" as const, text: "Backups leave out scsi1" }];
  const rows = rowsOf([guest(100, tested("proven", "works"), { gaps }), guest(101, tested("proven", "boots"), { gaps })]);
  assert.deepEqual(
    rows.map(({ look, why, guest: { proof } }) => [look, lookWords(look, proof.level, t), why]),
    [
      ["part", "works, without a disk", "Backups leave out scsi1"],
      ["part", "only: boots", "Backups leave out scsi1"],
    ],
  );
});

test("failed, never, too old, unknown, in part and works are six different things; what needs somebody comes first", () => {
  assert.deepEqual(
    rowsOf(guests).map(({ guest: { vmid, proof }, look, why }) => [vmid, look, lookWords(look, proof.level, t), why]),
    [
      [104, "failed", "FAILED", "nginx did not answer"],
      [103, "never", "never proven", "No policy takes it"],
      [102, "old", "too old", ""],
      [105, "unknown", "unknown", ""],
      [106, "unknown", "unknown", ""],
      [101, "part", "only: boots", "No check says whether its services work"],
      [100, "works", "works", ""],
    ],
  );
  assert.deepEqual(countMatrix(rowsOf(guests)), { failed: 1, never: 1, old: 1, unknown: 2, part: 1, works: 1 });
});

const verdicts: [name: string, vmids: number[], level: string, text: string][] = [
  ["one that failed is red", [100, 104], "critical", "The backup of 1 guest does NOT restore"],
  ["a gap is a warning", [100, 102, 103], "warning", "2 of 3 guests have no proof that counts"],
  ["nothing proven at all is unknown", [103], "unknown", "1 of 1 guests has no proof that counts"],
  ["what only boots is not green", [100, 101], "calm", "All restore; whether all work was not checked for 1"],
  ["only what works is green", [100], "fine", "The guest restores and works"],
  ["no guest is not green", [], "unknown", "No guest is known"],
];
for (const [name, vmids, level, text] of verdicts) {
  test(`the verdict: ${name}`, () => {
    const rows = rowsOf(guests.filter(({ vmid }) => vmids.includes(vmid)));
    assert.deepEqual(matrixVerdict(rows, t), { level, text });
  });
}

test("a filter takes names, tags, nodes and looks; a look is switched on and off in it", () => {
  const found = (filter: string) => filterMatrix(rowsOf(guests), filter).map(({ guest: { vmid } }) => vmid);
  assert.deepEqual(found("web101"), [101]);
  assert.deepEqual(found("tag:prod proof:failed"), [104]);
  assert.deepEqual(found("node:pve2"), [104]);
  assert.deepEqual(found("is:slower"), []);
  assert.equal(toggledLook("web tag:prod", "old"), "web tag:prod proof:old");
  assert.equal(toggledLook("web proof:old", "old"), "web");
  assert.equal(toggledLook("proof:old", "failed"), "proof:failed");
});

test("the table for spreadsheets has times in UTC, and no text that one would run as a formula", () => {
  const slower = [{ measure: "restoreMs", before: 1, now: 3.5, factor: 3.5 }];
  const [row] = rowsOf([guest(100, tested("proven", "works"), { name: "=cmd()", slower })]) as [MatrixRow];
  const [head = "", line = ""] = matrixCsv([row]).split("\r\n");
  assert.equal(head.split(",")[9], "tested");
  assert.equal(
    line,
    "c,100,'=cmd(),qemu,pve1,,prod.web,works,works,2026-11-17T00:00:00.000Z,192,restoreMs 3.5x,,r1,,,2026-11-24T00:00:00.000Z",
  );
});

test("what is left of a kept guest's time counts down to nothing", () => {
  assert.deepEqual([3_849_000, 249_000, 9_000, 0, -5000].map(countdown), ["1:04:09", "4:09", "0:09", "0:00", "0:00"]);
});

test("runs of the stream go over what was asked before; a new connection forgets what may have ended unheard", () => {
  const running = fakeRun(100, now);
  const ended: RunView = { ...running, state: "finished", outcome: "passed" };
  const first = withRuns(noRuns, [running], true);
  const second = withRuns(first, [ended, fakeRun(101, now + 1)], false);
  assert.deepEqual(
    upToDate([running], second).map(({ id, state }) => [id, state]),
    [
      ["run-101", "running"],
      ["run-100", "finished"],
    ],
  );
  assert.equal(openRunOf(second, { cluster: running.cluster, entity: "guest/100" }), undefined);
  assert.equal(openRunOf(second, { cluster: running.cluster, entity: "guest/101" })?.id, "run-101");
  assert.deepEqual({ ...withRuns(second, [], true) }, { connection: 2, byId: new Map() });
});

test("of runs that ended a hundred are remembered, of those that go on all", () => {
  const many = Array.from({ length: 150 }, (_, n) => fakeRun(100 + n, now, { state: n < 120 ? "finished" : "running" }));
  const { byId } = withRuns(noRuns, many, false);
  assert.equal(byId.size, 130);
  assert.equal(byId.has("run-120"), true);
  assert.equal(byId.has("run-119"), false);
});

test("the copy that a test made of a guest is no guest that somebody has to protect, until the test is over", () => {
  const cluster = "0123456789abcdef";
  const list = [
    { cluster, vmid: 100 },
    { cluster, vmid: 990_000 },
    { cluster: "other", vmid: 990_000 },
  ];
  const running = withRuns(noRuns, [fakeRun(100, now)], true);
  assert.deepEqual(withoutCopies(list, running), [list[0], list[2]]);
  assert.equal(withoutCopies(list, withRuns(running, [fakeRun(100, now, { state: "finished" })], false)), list);
});
