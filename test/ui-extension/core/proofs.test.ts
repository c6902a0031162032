import assert from "node:assert/strict";
import { test } from "node:test";
import type { ProofBadge, RunDetail, RunView } from "#protocol/proof.ts";
import {
  againOf,
  allStepNames,
  lookOf,
  lookOfRun,
  proofWords,
  runWords,
  slowerWords,
} from "../../../ui-extension/core/proofs.ts";
import { inEnglish as t } from "../../../ui-extension/core/text.ts";
import { italian } from "../../../ui-extension/i18n/italian.ts";
import { italianAlerting } from "../../../ui-extension/i18n/italian-alerting.ts";
import { italianProof } from "../../../ui-extension/i18n/italian-proof.ts";

const day = 86_400_000;
const now = 100 * day;
const badge = (change: Partial<ProofBadge> = {}): ProofBadge => ({
  state: "proven",
  level: "works",
  at: now - 6 * day,
  durationMs: 192_000,
  runId: "r1",
  ...change,
});

const badges: [name: string, proof: ProofBadge | undefined, words: string, look: string][] = [
  ["a good proof says when, how long and what", badge(), "Restored OK 6 d ago, 3 min 12 s, works", "good"],
  ["one that only booted says that", badge({ level: "boots" }), "Restored OK 6 d ago, 3 min 12 s, boots", "good"],
  ["an overdue one is no good one", badge({ state: "overdue" }), "Restored OK 6 d ago, 3 min 12 s, works: overdue", "old"],
  ["a failed one shouts", badge({ state: "failed", level: "bytes" }), "Restore FAILED 6 d ago", "bad"],
  ["none is not good", badge({ state: "never", at: null, runId: null }), "No restore proof yet", "none"],
  ["a hub that tests nothing proves nothing", undefined, "No restore proof yet", "none"],
  [
    "an interrupted one is unknown",
    badge({ state: "unknown" }),
    "Unknown: the last restore test did not come to its end",
    "unknown",
  ],
  [
    "one that passed and proved nothing is never green",
    badge({ level: "none" }),
    "Restored OK 6 d ago, 3 min 12 s, nothing proven",
    "unknown",
  ],
];
for (const [name, proof, words, look] of badges) {
  test(`badge: ${name}`, () => {
    assert.equal(proofWords(proof, now, t), words);
    assert.equal(lookOf(proof), look);
  });
}

const run = (change: Partial<RunView>) =>
  ({
    state: "running",
    outcome: null,
    verdict: null,
    cancelling: null,
    keepUntil: null,
    waiting: null,
    step: null,
    node: "pve1",
    fraction: null,
    ...change,
  }) as RunView;

const runs: [name: string, view: RunView, words: string][] = [
  ["says the step and how far it is", run({ step: "restore", fraction: 0.427 }), "Restore, locked 42 %"],
  ["waits for a node, and says why", run({ state: "queued", waiting: "pve2 is away" }), "pve2 is away"],
  [
    "whose agent is away says so, and no percent of before",
    run({ step: "restore", fraction: 0.4, waiting: "pve1 is away" }),
    "pve1 is away",
  ],
  ["was given to a node", run({ state: "sent" }), "Given to pve1"],
  ["is kept", run({ step: "keep", keepUntil: now + 3_600_000 }), "Kept for another 1 h"],
  ["is being cancelled", run({ cancelling: "alice@pve" }), "Being cancelled by alice@pve"],
  ["never began", run({ state: "finished", outcome: "expired" }), "Never began: no node could in time"],
  ["has a verdict", run({ state: "finished", outcome: "failed", verdict: "nginx did not answer" }), "nginx did not answer"],
  ["a step of a newer agent is shown by its name", run({ step: "defrost" }), "defrost"],
];
for (const [name, view, words] of runs) test(`a run ${name}`, () => assert.equal(runWords(view, now, t), words));

test("only a passed run looks good, only a failed one bad: cancelled, refused, interrupted and expired ones prove nothing", () => {
  const looks = (["passed", "failed", "cancelled", "refused", "interrupted", "expired"] as const).map((outcome) =>
    lookOfRun({ state: "finished", outcome }),
  );
  assert.deepEqual(looks, ["good", "bad", "unknown", "unknown", "unknown", "unknown"]);
});

test("what got slower is said with both figures", () => {
  assert.equal(
    slowerWords({ measure: "heartbeatMs", before: 20_000, now: 70_000, factor: 3.5 }, t),
    "First sign of life is 3.5× worse than in the last good test: 1 min 10 s, was 20 s",
  );
});

test("every step has its Italian name", () => {
  const all = { ...italian, ...italianAlerting, ...italianProof };
  assert.deepEqual(
    allStepNames.filter((name) => !Object.hasOwn(all, name)),
    [],
  );
});

test("a test is had again with what was wished then, of the very backup; what was no test of a backup is not", () => {
  const backup = { storage: "pbs1", volid: "pbs1:backup/vm/100/2026-01-01T00:00:00Z", at: 5 };
  const guest = { vmid: 100, type: "qemu" as const, name: "web" };
  const run = {
    kind: "restore-test",
    cluster: "c1",
    guest,
    backup,
    request: { integrity: false, screenshot: true, keepSec: 900 },
  };
  assert.deepEqual(againOf(run as unknown as RunDetail), {
    integrity: false,
    screenshot: true,
    cluster: "c1",
    vmid: 100,
    backup: { storage: "pbs1", volid: "pbs1:backup/vm/100/2026-01-01T00:00:00Z" },
    reason: "tested again by hand",
  });
  for (const other of [{ kind: "pbs-verify" }, { guest: null }, { backup: { ...backup, volid: null } }]) {
    assert.equal(againOf({ ...run, ...other } as unknown as RunDetail), undefined);
  }
});
