import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import {
  afterAttempt,
  asOfNow,
  healthy,
  newDelivery,
  nextOf,
  replayed,
  retryDelayMs,
  type SendResult,
  stepHealth,
} from "../../../hub/core/delivery.ts";
import { noon, notificationOf } from "../../support/notifications.ts";
import { fc } from "../../support/property.ts";

const at = (ms: number) => (noon + ms) as EpochMs;
const failed: SendResult = { ok: false, retry: true, problem: "no answer" };
const attempt = (ms: number, result: SendResult) => ({ at: at(ms), tookMs: 5, result });
const half = () => 0.5;

test("delays double from a second to five minutes, and never undercut what was asked for", () => {
  const delays = [1, 2, 3, 4, 10, 11, 100].map((tries) => retryDelayMs(tries, undefined, half));
  assert.deepEqual(delays, [750, 1500, 3000, 6000, 225_000, 225_000, 225_000]);
  assert.equal(retryDelayMs(1, 60, half), 60_000);
  assert.equal(retryDelayMs(1, 1_000_000, half), 3_600_000);
});

test("a message that failed waits; at the end of its day it is dead, with the last answer", () => {
  const waiting = afterAttempt(newDelivery(notificationOf(), at(0)), attempt(0, failed), half, "email");
  assert.deepEqual([waiting.state, waiting.nextAttemptAt, waiting.problem], ["retrying", noon + 750, "no answer"]);
  let delivery = waiting;
  for (let n = 0; n < 10; n++) delivery = afterAttempt(delivery, attempt(n * 1000, failed), half, "email");
  assert.equal(afterAttempt(delivery, attempt(86_399_999, failed), half, "email").state, "retrying");
  const dead = afterAttempt(delivery, attempt(86_400_000, failed), half, "email");
  assert.deepEqual([dead.state, dead.nextAttemptAt, dead.problem], ["dead", null, "not delivered within a day: no answer"]);
});

test("the end of what stays open at its receiver is tried for 30 days, and its dead letter says so", () => {
  const end = notificationOf({ kind: "resolved" });
  const resolved = { ...end, alerts: end.alerts.map((alert) => ({ ...alert, state: "resolved" as const })) };
  let delivery = newDelivery(resolved, at(0));
  for (let n = 0; n < 10; n++) delivery = afterAttempt(delivery, attempt(n * 1000, failed), half, "pagerduty");
  assert.equal(afterAttempt(delivery, attempt(30 * 86_400_000 - 1, failed), half, "pagerduty").state, "retrying");
  assert.equal(
    afterAttempt(delivery, attempt(30 * 86_400_000, failed), half, "pagerduty").problem,
    "not delivered within 30 days: no answer",
  );
});

test("a dead letter that is sent again is tried as often and as soon as a new one", () => {
  let dead = newDelivery(notificationOf(), at(0));
  for (let n = 0; n < 20; n++) dead = afterAttempt(dead, attempt(n, failed), half, "email");
  const day = 86_400_000;
  const again = afterAttempt(replayed(dead, at(2 * day)), attempt(2 * day, failed), half, "email");
  assert.equal(again.nextAttemptAt, noon + 2 * day + 750);
  const setBack = afterAttempt(replayed(dead, at(2 * day)), attempt(day, failed), half, "email");
  assert.equal(setBack.nextAttemptAt, noon + day + 225_000);
});

test("what waited a quarter of an hour says so first; a test and a report never do", () => {
  const decided = { ...notificationOf(), at: at(0) };
  assert.equal(asOfNow(decided, at(14 * 60_000)).verdict, decided.verdict);
  assert.equal(asOfNow(decided, at(19 * 3_600_000)).verdict, `LATE by 19 h: ${decided.verdict}`);
  assert.equal(asOfNow({ ...decided, kind: "report" }, at(19 * 3_600_000)).verdict, decided.verdict);
});

test("a clock that jumps a day ahead doesn't end a message at its first failure", () => {
  assert.equal(afterAttempt(newDelivery(notificationOf(), at(0)), attempt(90_000_000, failed), half, "email").state, "retrying");
});

test("however often it is tried, the log keeps the first and the newest attempts", () => {
  let delivery = newDelivery(notificationOf(), at(0));
  for (let n = 0; n < 200; n++) delivery = afterAttempt(delivery, attempt(n, failed), half, "email");
  assert.equal(delivery.attempts.length, 40);
  assert.deepEqual([delivery.attempts[0]?.at, delivery.attempts.at(-1)?.at], [noon, noon + 199]);
});

test("a receiver that is down is asked again within 30 s, and is back with its first success", () => {
  let health = healthy;
  for (let n = 0; n < 50; n++) health = stepHealth(health, failed, 0, () => 1).health;
  assert.equal(health.pausedUntil, 30_000);
  assert.deepEqual(stepHealth(health, { ok: true, answer: "" }, 0, half), { health: healthy, isBack: true });
});

test("a refused message says nothing against its receiver", () => {
  assert.deepEqual(stepHealth(healthy, { ...failed, retry: false }, 0, half).health, healthy);
});

test("nextOf: never a second of a group, never one that isn't due, and the first of those that may go", () => {
  const waiting = fc.array(fc.record({ group: fc.constantFrom("a", "b", "c"), dueAt: fc.nat(10), isTest: fc.constant(false) }), {
    maxLength: 10,
  });
  fc.assert(
    fc.property(waiting, fc.subarray(["a", "b", "c"]), fc.nat(10), (items, busy, now) => {
      const queue = items.map((item, index) => ({ ...item, id: String(index) }));
      const firsts = queue.filter(
        ({ group, id }) => !busy.includes(group) && queue.find((one) => one.group === group)?.id === id,
      );
      const next = nextOf(queue, new Set(busy), healthy, now);
      const due = firsts.filter(({ dueAt }) => dueAt <= now);
      if ("send" in next) assert.equal(next.send, due[0]);
      else {
        assert.deepEqual(due, []);
        assert.equal(next.lookAgainAt, firsts.length === 0 ? undefined : Math.min(...firsts.map(({ dueAt }) => dueAt)));
      }
    }),
  );
});
