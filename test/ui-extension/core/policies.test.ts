import assert from "node:assert/strict";
import { test } from "node:test";
import type { Policy } from "#protocol/policy.ts";
import { policySchema } from "#protocol/policy.ts";
import { restoreCheckSchema } from "#protocol/restore.ts";
import {
  blankPolicy,
  type decisionWords,
  nextInTurn,
  nightCounts,
  overdueOf,
  policyOf,
  policyText,
  windowText,
} from "../../../ui-extension/core/policies.ts";
import { blankReport, daysOf, lastDays, reportId } from "../../../ui-extension/core/reports.ts";
import {
  blankCheck,
  checkFieldText,
  checkKinds,
  textOfWords,
  withCheckField,
  wordsOf,
} from "../../../ui-extension/core/restore-checks.ts";
import { inEnglish as t } from "../../../ui-extension/core/text.ts";
import { fc } from "../../support/property.ts";

const policy = (change: Partial<Policy> = {}): Policy => ({ ...blankPolicy(10, "Europe/Rome"), name: "Weekly", ...change });

test("a policy is told in one sentence", () => {
  const window = { calendar: "sat 01:00", timezone: "Europe/Rome", durationSec: 5 * 3600 };
  assert.equal(
    policyText(policy({ scope: { tags: ["prod"] }, window, nodes: ["b"], storages: ["pbs1"] }), t),
    "Guests with tag prod, each at least every 7 days, sat 01:00–06:00 (Europe/Rome), 2 at once, one per node, on b, backups on pbs1",
  );
  assert.equal(
    policyText(policy({ everyDays: 1, parallel: { total: 1, perNode: 1 } }), t),
    "Every guest, each day, 01:00–06:00 (Europe/Rome), one at a time",
  );
});

test("a window over midnight ends on the clock; one without a single time of day is told with its length", () => {
  const window = (calendar: string, durationSec: number) => windowText({ calendar, timezone: "UTC", durationSec }, t);
  assert.equal(window("mon..fri 22:30", 3 * 3600), "mon..fri 22:30–01:30 (UTC)");
  assert.equal(window("8..17,22:0/15", 600), "8..17,22:0/15 for 10 min (UTC)");
  assert.equal(window("daily", 3600), "daily for 1 h (UTC)");
});

test("a new policy is one the hub takes, with an id made of its name; a view loses its figures", () => {
  const made = policyOf(policy());
  assert.equal(made.id, "weekly");
  assert.deepEqual(policySchema.parse(made), made);
  assert.deepEqual(policyOf({ ...made, guests: 1, proven: 1, overdue: 0, open: false, nextAt: null }), made);
});

const decided = (vmid: number, decision: Parameters<typeof decisionWords>[0], dueAt: number) => ({
  ...{ cluster: "c", vmid, name: `g${vmid}`, decision, why: "", dueAt },
});

test("overdue guests are told with the longest overdue first; what can't be tested is not in turn", () => {
  const decisions = [decided(1, "quota", 50), decided(2, "no-backup", 20), decided(3, "running", 200), decided(4, "recent", 300)];
  assert.deepEqual(
    overdueOf({ decisions }, 100).map(({ vmid }) => vmid),
    [2, 1],
  );
  assert.deepEqual(
    nextInTurn({ decisions }).map(({ vmid }) => vmid),
    [1, 4],
  );
  assert.deepEqual(nightCounts([...decisions, decided(5, "quota", 0)])[0], { decision: "quota", count: 2 });
});

for (const kind of Object.keys(checkKinds)) {
  test(`a check of kind ${kind} begins as one that the hub takes`, () => {
    assert.equal(restoreCheckSchema.safeParse(blankCheck(kind)).success, true);
  });
}

test("an optional field that is emptied is left out; a number is a number", () => {
  const [, , port] = checkKinds.http ?? [];
  assert.ok(port !== undefined && port.name === "port");
  const typed = withCheckField(blankCheck("http"), port, " 8080 ");
  assert.equal(typed.port, 8080);
  assert.equal(checkFieldText(typed, port), "8080");
  assert.equal(Object.hasOwn(withCheckField(typed, port, ""), "port"), false);
});

test("a command keeps its words, whatever is in them", () => {
  fc.assert(fc.property(fc.array(fc.string({ minLength: 1 })), (words) => assert.deepEqual(wordsOf(textOfWords(words)), words)));
  assert.equal(textOfWords(["sh", "-c", 'echo "hi there"']), String.raw`sh -c "echo \"hi there\""`);
  assert.deepEqual(wordsOf('sh "open'), ["sh", '"open']);
});

test("reports: whole minutes, so that the same period comes again; ids don't clash", () => {
  assert.deepEqual(lastDays(7, 1_000_000_000_001), lastDays(7, 1_000_000_010_000));
  const { from, to } = lastDays(7, 1_000_000_000_001);
  assert.deepEqual([to % 60_000, to - from], [0, 7 * 86_400_000]);
  assert.equal(reportId("Restore proof, weekly", ["restore-proof-weekly"]), "restore-proof-weekly-2");
  assert.deepEqual([daysOf(blankReport("week", "UTC", "en", "m")), daysOf(blankReport("month", "UTC", "en", "m"))], [7, 31]);
});
