import assert from "node:assert/strict";
import { test } from "node:test";
import { limits } from "#protocol/limits.ts";
import { ConstantError, constantIn, evaluate } from "../../../scripts/package/limits/constant.ts";
import { sections } from "../../../scripts/package/limits/table.ts";
import { written } from "../../../scripts/package/limits/text.ts";
import { fc } from "../../support/property.ts";

test("every bound of the link is on the page", () => {
  const named = new Set(sections.flatMap((section) => section.limits.map(({ name }) => name)));
  /** Paces, no bounds. */
  const paces = ["sampleEveryMs", "keyFrameEvery"];
  assert.deepEqual(
    Object.keys(limits).filter((key) => !named.has(`limits.${key}`) && !paces.includes(key)),
    [],
  );
});

test("a constant is read as the program has it: through names, imports, objects and assignments", () => {
  assert.equal(constantIn("protocol/limits.ts", "limits.spoolMaxBytes"), limits.spoolMaxBytes);
  assert.equal(constantIn("hub/link/record-intake.ts", "inFlightMax"), limits.unackedRecords * 4);
  assert.equal(constantIn("hub/core/limits.ts", "requestRate.burst"), 300);
  assert.equal(constantIn("hub/https-server.ts", "server.maxHeadersCount"), 64);
  assert.equal(constantIn("hub/core/login-guard.ts", "backoffRules.user.maxMs"), 30_000);
  assert.equal(constantIn("systemd/proven-hub.service", "MemoryMax"), 2_147_483_648);
  assert.throws(() => constantIn("protocol/limits.ts", "limits.nothing"), ConstantError);
});

test("arithmetic is done as JavaScript does it", () => {
  const number = fc.integer({ min: 1, max: 1000 });
  const expression = fc.letrec<{ any: string; leaf: string; pair: string }>((tie) => ({
    any: fc.oneof({ maxDepth: 4 }, tie("leaf"), tie("pair")),
    leaf: number.map(String),
    pair: fc
      .tuple(tie("any"), fc.constantFrom("+", "-", "*", "/"), tie("any"))
      .map(([a, operator, b]) => `(${a}) ${operator} ${b}`),
  })).any;
  fc.assert(
    fc.property(expression, (text) => {
      const expected = new Function(`return ${text}`)() as number;
      assert.equal(
        evaluate(text, () => 0),
        expected,
      );
    }),
  );
  assert.equal(
    evaluate("4 << 20", () => 0),
    4_194_304,
  );
  assert.equal(
    evaluate("2 ** 10 - base.size", () => 24),
    1000,
  );
  assert.throws(() => evaluate('process.exit("1")', () => 0), ConstantError);
});

test("values are written in the largest unit that holds them whole", () => {
  const cases = [
    [written(1 << 20, "bytes"), "1 MiB"],
    [written(299_000, "bytes"), "299,000 bytes"],
    [written(86_400, "sec"), "24 h"],
    [written(45_000, "ms"), "45 s"],
    [written(60_000, "ms"), "60 s"],
    [written(14 * 86_400_000, "ms"), "14 days"],
    [written(50_000, "count"), "50,000"],
    [written(600, "per minute"), "600 per minute"],
  ];
  for (const [seen, wanted] of cases) assert.equal(seen, wanted);
});
