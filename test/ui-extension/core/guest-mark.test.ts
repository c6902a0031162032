import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlertView } from "#protocol/alerting.ts";
import type { ProofBadge } from "#protocol/proof.ts";
import { markGuests, shieldOf, stripWords } from "../../../ui-extension/core/guest-mark.ts";
import { inEnglish } from "../../../ui-extension/core/text.ts";
import { fakeAlerts } from "../../support/fake-alerts.ts";

const [cluster, other] = ["0123456789abcdef", "fedcba9876543210"];
const guest = (vmid: number, of = cluster) => ({ vmid, cluster: of, entity: `guest/${vmid}`, proof: undefined });
const mark = (critical: number, warning: number, proof?: ProofBadge) => ({ critical, warning, proof });
const now = 100 * 86_400_000;
const proven: ProofBadge = { state: "proven", level: "works", at: now - 6 * 86_400_000, durationMs: 192_000, runId: "r" };
const taken = fakeAlerts(0).find(({ entity }) => entity === "guest/102") as AlertView;
const open: AlertView = { ...taken, acknowledged: null, severity: "critical" };

const cases: [name: string, alerts: AlertView[], critical: number, warning: number][] = [
  ["no alert", [], 0, 0],
  ["an open critical one and a warning", [open, { ...open, severity: "warning" }], 1, 1],
  ["one that somebody has taken", [taken], 0, 0],
  ["one that does not fire yet", [{ ...open, state: "pending" }], 0, 0],
  ["one that follows from a dead node", [{ ...open, suppressedBy: { by: "inhibited", id: "x", until: null, text: "" } }], 0, 0],
  ["only information", [{ ...open, severity: "info" }], 0, 0],
  ["the same vmid in another cluster", [{ ...open, cluster: other }], 0, 0],
];
for (const [name, alerts, critical, warning] of cases) {
  test(`a guest with ${name} is marked with what needs somebody`, () => {
    assert.deepEqual(
      markGuests([guest(102), guest(103)], alerts),
      new Map([
        [102, mark(critical, warning)],
        [103, mark(0, 0)],
      ]),
    );
  });
}

test("only a proof in time without an open alert is green; a quiet guest is unproven, one nobody knows is unknown", () => {
  assert.equal(shieldOf(mark(0, 0)), "unproven");
  assert.equal(shieldOf(mark(0, 0, proven)), "proven");
  assert.equal(shieldOf(mark(0, 0, { ...proven, level: "none" })), "unproven");
  assert.equal(shieldOf(mark(0, 0, { ...proven, state: "overdue" })), "unproven");
  assert.equal(shieldOf(mark(0, 0, { ...proven, state: "failed" })), "critical");
  assert.equal(shieldOf(mark(0, 2, proven)), "warning");
  assert.equal(shieldOf(mark(1, 2)), "critical");
  assert.equal(shieldOf(undefined), "unknown");
});

test("the strip says what is known, or why nothing is", () => {
  const words = (...[seen, problem]: [Parameters<typeof stripWords>[0], Parameters<typeof stripWords>[1]?]) =>
    stripWords(seen, problem, now, inEnglish);
  assert.equal(words(mark(0, 0)), "No restore proof yet · no open alert");
  assert.equal(words(mark(0, 0, proven)), "Restored OK 6 d ago, 3 min 12 s, works · no open alert");
  assert.equal(words(mark(0, 1)), "No restore proof yet · 1 open alert");
  assert.equal(words(mark(2, 1)), "No restore proof yet · 3 open alerts, 2 critical");
  assert.equal(words(undefined, "reading"), "Asking …");
  assert.equal(words(undefined, "unreachable"), "Unknown: Proven's gateway or hub doesn't answer");
  assert.equal(words(undefined, "refused"), "Unknown: Proven doesn't let you in");
  assert.equal(words(undefined), "Unknown: Proven doesn't know this guest, or you may not see it");
});
