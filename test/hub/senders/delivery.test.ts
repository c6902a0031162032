import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { parseRetryAfter, retryDelayMs, type Verdict, verdictOf } from "../../../hub/senders/remote-write/delivery.ts";

const verdicts: [status: number | undefined, verdict: Verdict][] = [
  [200, "delivered"],
  [204, "delivered"],
  [400, "refused"],
  [401, "refused"],
  [404, "refused"],
  [413, "refused"],
  [429, "retry"],
  [500, "retry"],
  [503, "retry"],
  [302, "retry"],
  [undefined, "retry"],
];
for (const [status, verdict] of verdicts) {
  test(`delivery: ${status ?? "no answer"} means ${verdict}`, () => assert.equal(verdictOf(status), verdict));
}

test("delivery: waits grow to a minute, anywhere between nothing and their bound", () => {
  const longest = () => 1;
  assert.deepEqual(
    [0, 1, 2, 6, 7, 100].map((attempt) => retryDelayMs(attempt, undefined, longest)),
    [500, 1000, 2000, 32_000, 60_000, 60_000],
  );
  assert.equal(
    retryDelayMs(5, undefined, () => 0),
    0,
  );
});

test("delivery: never before Retry-After, nor hours later because of it", () => {
  assert.equal(
    retryDelayMs(0, 30_000, () => 0),
    30_000,
  );
  assert.equal(
    retryDelayMs(0, 86_400_000, () => 0),
    600_000,
  );
});

test("delivery: Retry-After is seconds or a date", () => {
  const now = Date.UTC(2026, 0, 5, 12) as EpochMs;
  assert.equal(parseRetryAfter("120", now), 120_000);
  assert.equal(parseRetryAfter("Mon, 05 Jan 2026 12:00:30 GMT", now), 30_000);
  assert.equal(parseRetryAfter("Mon, 05 Jan 2026 11:00:00 GMT", now), 0);
  assert.equal(parseRetryAfter("soon", now), undefined);
  assert.equal(parseRetryAfter(undefined, now), undefined);
});
