import assert from "node:assert/strict";
import { test } from "node:test";
import type { AlertView } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { NotifyReason } from "#protocol/notifications.ts";
import { verdictOf } from "../../../hub/core/alert-verdict.ts";
import { alertOf } from "../../support/alert-views.ts";

const minute = 60_000;
const now = (100 * minute) as EpochMs;

/** A storage's alert; `minutes`: it fired so long ago, or was over after so long. */
function storage(title: string, minutes: number, given: Partial<AlertView> = {}): AlertView {
  const firedAt = ((100 - minutes) * minute) as EpochMs;
  const text = `Storage ${title} is not active`;
  const id = `storage-down@c/storage/${title}#1`;
  return alertOf({ id, title, text, severity: "critical", state: "firing", firedAt, resolvedAt: null, affected: [], ...given });
}
const over = (title: string, minutes: number): AlertView =>
  storage(title, minutes, { state: "resolved", resolvedAt: now, text: `Storage not active, ${title}` });

const nfs1 = storage("nfs1", 12, { affected: ["db (VM 101)", "web (VM 100)"] });
const nfs2 = storage("nfs2", 1, { affected: ["shop (VM 104)", "web (VM 100)"] });

const cases: [name: string, reason: NotifyReason, alerts: AlertView[], fresh: AlertView[], verdict: string][] = [
  [
    "two at once: both, and what both take along, each guest once",
    "first",
    [nfs1, nfs2],
    [nfs1, nfs2],
    "CRITICAL: Storage nfs1 is not active (and 1 more: nfs2); takes along db (VM 101), shop (VM 104), web (VM 100)",
  ],
  [
    "a second one: it leads, the first is named",
    "new-firing",
    [nfs1, nfs2],
    [nfs2],
    "CRITICAL: Storage nfs2 is not active; takes along shop (VM 104), web (VM 100); still firing: nfs1",
  ],
  [
    "one of two is back: for how long it was away, and what is not back",
    "some-resolved",
    [nfs2, over("nfs1", 12)],
    [],
    "PARTLY RESOLVED after 12 min: Storage not active, nfs1; still firing: nfs2",
  ],
  [
    "both are back: the longest duration counts",
    "all-resolved",
    [over("nfs2", 3), over("nfs1", 12)],
    [],
    "RESOLVED after 12 min: Storage not active, nfs2 (and 1 more: nfs1)",
  ],
  [
    "it fires again before its end was told: no end is mentioned",
    "first",
    [storage("nfs1", 1), over("nfs1", 12)],
    [storage("nfs1", 1)],
    "CRITICAL: Storage nfs1 is not active",
  ],
  [
    "a repetition counts from the oldest",
    "repeat",
    [storage("nfs2", 3), storage("nfs1", 95)],
    [],
    "STILL CRITICAL after 95 min: Storage nfs2 is not active (and 1 more: nfs1)",
  ],
  [
    "what stands below the sentence of an alert, as the end of a log, is not in it",
    "first",
    [storage("nfs1", 1, { text: "Storage nfs1 is not active: timed out\nBackup: x\nLog:\nread error" })],
    [storage("nfs1", 1)],
    "CRITICAL: Storage nfs1 is not active: timed out",
  ],
];
for (const [name, reason, alerts, fresh, verdict] of cases) {
  test(`first line: ${name}`, () => {
    assert.equal(verdictOf(reason, alerts, new Set(fresh.map(({ id }) => id)), now), verdict);
  });
}

test("first line: of thousands five are named", () => {
  const alerts = Array.from({ length: 5000 }, (_, index) => storage(`s${index}`, 1));
  const verdict = verdictOf("first", alerts, new Set(alerts.map(({ id }) => id)), now);
  assert.equal(verdict, "CRITICAL: Storage s0 is not active (and 4999 more: s1, s2, s3, s4, s5 and 4994 more)");
});
