import assert from "node:assert/strict";
import { test } from "node:test";
import { JsonItems } from "../../../agent/core/json-items.ts";
import { fc } from "../../support/property.ts";

function take(chunks: readonly string[]) {
  const items: unknown[] = [];
  const reader = new JsonItems((item) => items.push(item));
  for (const chunk of chunks) reader.push(chunk);
  return { items, whole: reader.end() };
}

const item = fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 }));

test("a list in pieces of any size gives the objects it has, in their order", () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 8 }), fc.array(fc.nat(2000), { maxLength: 20 }), (list, cuts) => {
      const text = JSON.stringify({ data: list, total: list.length });
      const at = [0, ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b), text.length];
      const chunks = at.slice(1).map((end, index) => text.slice(at[index], end));
      assert.deepEqual(take(chunks), { items: JSON.parse(text).data, whole: true });
    }),
  );
});

test("an answer that breaks off is not called whole, wherever it does", () => {
  const text = '{"data":[{"a":"}]\\""},{"b":[{"c":1}]}]}';
  assert.deepEqual(take([text]), { items: [{ a: '}]"' }, { b: [{ c: 1 }] }], whole: true });
  for (let end = 1; end < text.length; end++) assert.equal(take([text.slice(0, end)]).whole, false, text.slice(0, end));
});

test("any bytes are survived", () => {
  fc.assert(fc.property(fc.array(fc.string(), { maxLength: 10 }), (chunks) => void take(chunks)));
});
