import assert from "node:assert/strict";
import { test } from "node:test";
import { type Asked, isCalm, nextAskMs, planRound } from "../../../agent/core/ask-plan.ts";
import { fc } from "../../support/property.ts";

const minute = 60_000;

test("a guest that answers is asked every five minutes, one that does not after 5, 10, 20, 40 and then each 60", () => {
  const waits = [0, 1, 2, 3, 4, 5, 6, 99].map((failures) => (nextAskMs({ atMs: 0, failures }) - 0) / minute);
  assert.deepEqual(waits, [5, 5, 10, 20, 40, 60, 60, 60]);
});

test("a guest in whom nothing happens is asked every ten minutes: no file system three quarters full, none that moved by two percent", () => {
  const use = (used: number, instance = "/") => ({ instance, total: 100, used });
  assert.equal(isCalm([], [use(10)]), false, "the first answer");
  assert.equal(isCalm([use(10)], [use(12)]), true);
  assert.equal(isCalm([use(10)], [use(13)]), false);
  assert.equal(isCalm([use(74)], [use(75)]), false);
  assert.equal(isCalm([use(10)], [use(10), use(5, "/srv")]), false, "a new one");
  assert.equal(isCalm([use(10), use(5, "/srv")], [use(10)]), true, "one less");
  assert.deepEqual(
    [true, false].map((calm) => nextAskMs({ atMs: 0, failures: 0, calm })),
    [10 * minute, 5 * minute],
  );
});

test("those never asked come first, the longest waiting next, and who is not due does not come at all", () => {
  const asked = new Map<string, Asked>([
    ["old", { atMs: 0, failures: 0 }],
    ["older", { atMs: -minute, failures: 0 }],
    ["fresh", { atMs: 9 * minute, failures: 0 }],
    ["dead", { atMs: 0, failures: 3 }],
  ]);
  assert.deepEqual(planRound(["fresh", "old", "dead", "new", "older"], asked, 10 * minute), ["new"]);
  asked.set("new", { atMs: 10 * minute, failures: 0 });
  assert.deepEqual(planRound(["fresh", "old", "dead", "new", "older"], asked, 10 * minute), ["older"]);
});

test("with any number of guests, nobody is asked sooner than after five minutes, nor later than after ten", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), (count) => {
      const guests = Array.from({ length: count }, (_, index) => index);
      const asked = new Map<number, Asked>();
      let longest = 0;
      for (let nowMs = 0; nowMs < 30 * minute; nowMs += 10_000) {
        for (const guest of planRound(guests, asked, nowMs)) {
          const before = asked.get(guest);
          if (before !== undefined) {
            assert.ok(nowMs - before.atMs >= 5 * minute);
            longest = Math.max(longest, nowMs - before.atMs);
          }
          asked.set(guest, { atMs: nowMs, failures: 0 });
        }
      }
      assert.equal(asked.size, count);
      assert.ok(longest <= 10 * minute, `${longest}`);
    }),
    { numRuns: 30 },
  );
});

test("sixty guests that began one after the other are asked together, in at most seven rounds in five minutes", () => {
  const guests = Array.from({ length: 60 }, (_, index) => index);
  const asked = new Map<number, Asked>(guests.map((guest) => [guest, { atMs: guest * 5000, failures: 0 }]));
  const rounds: number[] = [];
  for (let nowMs = 5 * minute; nowMs < 25 * minute; nowMs += 10_000) {
    const round = planRound(guests, asked, nowMs);
    for (const guest of round) asked.set(guest, { atMs: nowMs, failures: 0 });
    if (round.length > 0) rounds.push(nowMs);
  }
  for (let fromMs = 5 * minute; fromMs < 20 * minute; fromMs += minute) {
    const within = rounds.filter((atMs) => atMs >= fromMs && atMs < fromMs + 5 * minute);
    assert.ok(within.length >= 4 && within.length <= 7, `${within.length} rounds from minute ${fromMs / minute}`);
  }
});
