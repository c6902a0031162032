import assert from "node:assert/strict";
import { test } from "node:test";
import { TimerWheel } from "../../../hub/core/timer-wheel.ts";
import { fc } from "../../support/property.ts";

test("everything wakes once, not before its time and at most a quarter of a second after it, though the clock is set meanwhile", () => {
  const step = fc.oneof(
    fc.record({ is: fc.constant("add" as const), ms: fc.integer({ min: -500, max: 5_000 }) }),
    fc.record({ is: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 3_000 }) }),
    fc.record({ is: fc.constant("set" as const), ms: fc.integer({ min: -40, max: 40 }).map((n) => n * 250) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let now = 1_000_000;
      const wheel = new TimerWheel<number>(now);
      const waiting = new Map<number, number>();
      for (const [id, { is, ms }] of steps.entries()) {
        if (is === "add") {
          wheel.add(id, now + ms);
          waiting.set(id, Math.max(now + ms, now));
        } else if (is === "set") {
          now += ms;
          wheel.shift(ms);
          for (const [one, due] of waiting) waiting.set(one, due + ms);
        } else {
          now += ms;
          for (const woken of wheel.due(now)) {
            assert.ok((waiting.get(woken) ?? Number.POSITIVE_INFINITY) <= now);
            waiting.delete(woken);
          }
          for (const due of waiting.values()) assert.ok(due > now - 250);
        }
        const first = Math.min(...waiting.values());
        assert.ok(waiting.size === 0 ? wheel.nextAt === Number.POSITIVE_INFINITY : wheel.nextAt >= first);
        assert.ok(waiting.size === 0 || wheel.nextAt <= Math.max(first, now) + 250);
      }
    }),
  );
});

test("after a long time without a look all that waited comes, the oldest first", () => {
  const wheel = new TimerWheel<string>(0);
  wheel.add("late", 60_000);
  wheel.add("never yet", 4_000_000);
  wheel.add("early", 1_000);
  assert.equal(wheel.nextAt, 1_000);
  assert.deepEqual(wheel.due(3_600_000), ["early", "late"]);
  assert.deepEqual(wheel.due(3_600_000), []);
  assert.equal(wheel.nextAt, 4_000_000);
});
