import assert from "node:assert/strict";
import { test } from "node:test";
import { pngProblem } from "../../../hub/proof/png.ts";
import { screenPng } from "../../lab/screen-png.ts";
import { pngOf } from "../../support/pictures.ts";

const good = pngOf(4, 2, Buffer.alloc(2 * 13));
const flipped = (at: number) => {
  const bytes = Buffer.from(good);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  return bytes;
};

test("a screen's picture is shown", () => {
  assert.equal(pngProblem(good), undefined);
  assert.equal(pngProblem(screenPng("web")), undefined);
  assert.equal(pngProblem(pngOf(4, 2, Buffer.alloc(2 * 17), { type: 6 })), undefined);
});

for (const [what, bytes, problem] of [
  ["bytes that are no PNG", Buffer.from("a picture"), "it is no PNG"],
  ["an empty file", Buffer.alloc(0), "it is no PNG"],
  ["one that is cut off", good.subarray(0, good.length - 20), "it is cut off"],
  ["one with a flipped byte", flipped(45), "it is damaged: the checksum of its IDAT does not fit"],
  ["one that lacks rows", pngOf(4, 3, Buffer.alloc(2 * 13)), "it is damaged: pixels are missing"],
  ["one that unpacks to more than it says", pngOf(4, 2, Buffer.alloc(1e6)), "it is damaged: its pixels can't be unpacked"],
  ["one of a size that nobody can hold", pngOf(60_000, 60_000, Buffer.alloc(10)), "it is too large"],
  ["one with a palette", pngOf(4, 2, Buffer.alloc(10), { type: 3 }), "it is of a kind that is not shown here"],
] as const) {
  test(`${what} is not shown: ${problem}`, () => assert.equal(pngProblem(bytes), problem));
}
