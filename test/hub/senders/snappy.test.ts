import assert from "node:assert/strict";
import { test } from "node:test";
import SnappyJS from "snappyjs";
import { compressedMax, compressSnappy } from "../../../hub/senders/remote-write/snappy.ts";
import { fc } from "../../support/property.ts";

const roundTrip = (input: Uint8Array) => {
  const compressed = compressSnappy(input);
  assert.ok(compressed.length <= compressedMax(input.length));
  assert.deepEqual(SnappyJS.uncompress(compressed), input);
  return compressed.length;
};

test("snappy: an independent decoder reads back whatever was compressed", () => {
  const words = fc.array(fc.constantFrom("pve_up", "id", "qemu/100", "\0", "node/pve1", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
  fc.assert(fc.property(fc.uint8Array({ maxLength: 2000 }), (bytes) => void roundTrip(bytes)));
  fc.assert(fc.property(words, (parts) => void roundTrip(new TextEncoder().encode(parts.join("")))));
});

for (const length of [0, 1, 3, 4, 5, 59, 60, 61, 64, 65, 67, 68, 255, 256, 257, 65_535, 65_536, 65_537, 200_000]) {
  test(`snappy: ${length} equal bytes, and ${length} that never repeat`, () => {
    roundTrip(new Uint8Array(length).fill(7));
    const random = Uint8Array.from({ length }, (_, index) => (Math.imul(index + 1, 0x9e3779b1) >>> 13) & 255);
    roundTrip(random);
  });
}

test("snappy: labels that repeat shrink to a tenth", () => {
  const lines = Array.from({ length: 2000 }, (_, index) => `__name__pve_memory_usage_bytesidqemu/${100 + (index % 100)}`);
  const input = new TextEncoder().encode(lines.join(""));
  assert.ok(roundTrip(input) < input.length / 10);
});

test("snappy: a view into a larger buffer is compressed as it stands", () => {
  const large = Uint8Array.from({ length: 300 }, (_, index) => index % 7);
  roundTrip(large.subarray(13, 280));
});
