import assert from "node:assert/strict";
import { test } from "node:test";
import type { Vmid } from "#protocol/ids.ts";
import { type GuestRun, type MemoryAnswer, ReclaimableMemory } from "../../../agent/core/guest-memory.ts";
import { fc } from "../../support/property.ts";

const minute = 60_000;
const day = 24 * 60 * minute;
const web = (uptimeSec: number, identity = ["uuid:a"]): GuestRun => ({ vmid: 100 as Vmid, identity, uptimeSec });

function told(answer: MemoryAnswer = { reclaimable: 300 }) {
  const memory = new ReclaimableMemory();
  memory.note(web(1000), answer, 0);
  return memory;
}

test("what a guest could take back is known from its answer on, for half an hour", () => {
  assert.equal(new ReclaimableMemory().of(web(1000), 900, 0), undefined);
  const memory = told();
  assert.deepEqual([memory.of(web(1000), 900, 0), memory.of(web(2800), 900, 30 * minute)], [300, 300]);
  assert.equal(memory.of(web(2810), 900, 30 * minute + 1), undefined);
});

test("a guest that was started anew begins anew, and so does another one that got its number", () => {
  const restarted = told();
  assert.equal(restarted.of(web(1010), 900, 10_000), 300);
  assert.equal(restarted.of(web(5), 900, 20_000), undefined);
  assert.equal(restarted.of(web(1020), 900, 30_000), undefined, "and stays forgotten");
  assert.equal(told().of(web(1010, ["uuid:b"]), 900, 10_000), undefined);
  assert.equal(told().of(web(1010, ["uuid:a"]), 900, 10_000), 300, "the same identity in another list");
});

test("more than is in use at all is no longer so, and is not believed again when the use has grown", () => {
  const memory = told();
  assert.equal(memory.of(web(1010), 300, 10_000), 300);
  assert.equal(memory.of(web(1020), 299, 20_000), undefined);
  assert.equal(memory.of(web(1030), 900, 30_000), undefined);
  assert.equal(memory.isDue(web(1030), 30_000), true);
});

test("a refusal holds for a day, or until the guest starts anew; what it said before is over", () => {
  const memory = told();
  memory.note(web(1300), "refused", 5 * minute);
  assert.equal(memory.of(web(1300), 900, 5 * minute), undefined);
  assert.equal(memory.isDue(web(80_000), 5 * minute + day - 1), false);
  assert.equal(memory.isDue(web(90_000), 5 * minute + day), true);
  assert.equal(told("refused").isDue(web(20), minute), true);
  assert.equal(told("refused").isDue(web(1060, ["uuid:b"]), minute), true);
});

test("after an answer that did not come the one before is lent on, and the next question waits 5, 10, 20 minutes", () => {
  const memory = told();
  const waits: number[] = [];
  for (let nowMs = 5 * minute; waits.length < 3; ) {
    memory.note(web(1000 + nowMs / 1000), "failed", nowMs);
    let due = nowMs;
    while (!memory.isDue(web(1000 + due / 1000), due)) due += minute;
    waits.push((due - nowMs) / minute);
    nowMs = due;
  }
  assert.deepEqual(waits, [5, 10, 20]);
  const soon = told();
  soon.note(web(1300), "failed", 5 * minute);
  assert.equal(soon.of(web(1300), 900, 5 * minute), 300);
});

test("a guest that went away is forgotten", () => {
  const memory = told("refused");
  memory.keep(new Set([101 as Vmid]));
  assert.equal(memory.isDue(web(1010), 10_000), true);
});

test("whatever happens, nothing is lent that is more than the use, older than half an hour or of another run", () => {
  const step = fc.record({
    afterMs: fc.nat(40 * minute),
    restart: fc.boolean(),
    answer: fc.option(fc.oneof(fc.constantFrom<MemoryAnswer>("refused", "failed"), fc.record({ reclaimable: fc.nat(1000) })), {
      nil: undefined,
    }),
    used: fc.nat(1000),
  });
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const memory = new ReclaimableMemory();
      let [nowMs, startedMs, seenSec] = [0, -minute, 60];
      let newest: { bytes: number; atMs: number } | undefined;
      for (const { afterMs, restart, answer, used } of steps) {
        nowMs += afterMs;
        if (restart && seenSec > 0) [startedMs, newest] = [nowMs, undefined];
        seenSec = (nowMs - startedMs) / 1000;
        const run = web(seenSec);
        memory.of(run, used, nowMs); // each tick looks
        if (answer !== undefined) memory.note(run, answer, nowMs);
        if (typeof answer === "object") newest = { bytes: answer.reclaimable, atMs: nowMs };
        if (answer === "refused") newest = undefined;
        const lent = memory.of(run, used, nowMs);
        const allowed = newest !== undefined && newest.bytes <= used && nowMs - newest.atMs <= 30 * minute;
        assert.ok(lent === undefined || (allowed && lent === newest?.bytes));
      }
    }),
  );
});
