import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { NonceBook } from "../../../hub/core/nonce-book.ts";

test("what was signed counts once, until it is too old to count anyway", () => {
  const book = new NonceBook({ perAgent: 10, total: 10, share: 1 }, 60_000);
  assert.equal(book.take("pve1", "a", 0), "new");
  assert.equal(book.take("pve1", "a", 59_999), "used");
  assert.equal(book.take("pve2", "a", 59_999), "new");
  assert.equal(book.take("pve1", "a", 60_000), "new");
});

test("an agent that signs without end is refused, and the others go on", () => {
  const book = new NonceBook({ perAgent: 3, total: 4, share: 1 }, 60_000);
  const verdicts = ["a", "b", "c", "d"].map((nonce) => book.take("mad", nonce, 0));
  assert.deepEqual(verdicts, ["new", "new", "new", "too-many"]);
  assert.equal(book.take("pve1", "a", 0), "new");
  assert.equal(book.take("pve1", "b", 0), "too-many"); // all are full, and it has its share
  assert.equal(book.take("pve2", "a", 0), "new");
  assert.equal(book.take("mad", "d", 60_000), "new");
});

test("whatever agents sign, no nonce is taken twice within its time, and no agent holds more than its room", () => {
  const bounds = { perAgent: 4, total: 6, share: 2 };
  const step = fc.tuple(fc.constantFrom("a", "b", "c"), fc.nat(8), fc.nat(400));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const book = new NonceBook(bounds, 1000);
      const taken: { agent: string; nonce: number; at: number }[] = [];
      let now = 0;
      for (const [agent, nonce, after] of steps) {
        now += after;
        const live = taken.filter(({ at }) => now - at < 1000);
        const own = live.filter((one) => one.agent === agent);
        const verdict = book.take(agent, String(nonce), now);
        const full = own.length >= bounds.perAgent || (live.length >= bounds.total && own.length >= bounds.share);
        assert.equal(verdict, own.some((one) => one.nonce === nonce) ? "used" : full ? "too-many" : "new");
        if (verdict === "new") taken.push({ agent, nonce, at: now });
      }
    }),
  );
});
