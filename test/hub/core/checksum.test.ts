import assert from "node:assert/strict";
import { test } from "node:test";
import { checksum } from "../../../hub/core/checksum.ts";
import { fc } from "../../support/property.ts";

const bytesOf = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Values of the reference implementation: its tail alone, with whole words, and with its lanes of 16 bytes. */
const known: [text: string, seed: number, sum: number][] = [
  ["", 0, 0x02cc5d05],
  ["abc", 0, 0x32d153ff],
  ["Nobody inspects the spammish repetition", 0, 0xe2293b2f],
];
for (const [text, seed, sum] of known) {
  test(`xxHash32 of "${text}" is the specification's`, () => {
    const bytes = bytesOf(text);
    assert.equal(checksum(bytes, 0, bytes.length, seed), sum);
    assert.equal(checksum(bytesOf(`--${text}--`), 2, 2 + bytes.length, seed), sum);
  });
}

test("one changed byte, or another seed, is another checksum", () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 70 });
  fc.assert(
    fc.property(bytes, fc.nat(), fc.integer({ min: 1, max: 255 }), fc.nat(), (original, place, change, seed) => {
      const changed = original.slice();
      const at = place % original.length;
      changed[at] = (original[at] as number) ^ change;
      const sum = checksum(original, 0, original.length, seed);
      assert.notEqual(checksum(changed, 0, changed.length, seed), sum);
      assert.notEqual(checksum(original, 0, original.length, seed + 1), sum);
    }),
  );
});
