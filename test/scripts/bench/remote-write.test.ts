import assert from "node:assert/strict";
import { test } from "node:test";
import SnappyJS from "snappyjs";
import { WriteRequest } from "../../../scripts/bench/remote-write.ts";
import { snappyCompress } from "../../../scripts/bench/snappy.ts";
import { fc } from "../../support/property.ts";

test("what snappyCompress writes another implementation reads", () => {
  const anyBytes = fc.uint8Array({ maxLength: 2000 });
  const repeating = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 40 }), fc.integer({ min: 1, max: 4000 }));
  const bytes = fc.oneof(
    anyBytes,
    repeating.map(([part, times]) => new Uint8Array(part.length * times).map((_, index) => part[index % part.length] ?? 0)),
  );
  fc.assert(
    fc.property(bytes, (input) => {
      assert.deepEqual(new Uint8Array(SnappyJS.uncompress(snappyCompress(input))), input);
    }),
    { numRuns: 200 },
  );
});

test("what repeats gets small", () => {
  assert.ok(snappyCompress(new Uint8Array(100_000).fill(7)).length < 6000);
});

test("a request holds each series' labels and samples where protobuf expects them", () => {
  const request = new WriteRequest(3, 1, 2);
  request.set(0, 0, 1_795_000_000_000, 0.25);
  request.set(0, 1, 1_795_000_010_000, 0.5);
  assert.equal(request.series, 10);
  const view = new DataView(request.bytes.buffer, request.bytes.byteOffset, request.bytes.byteLength);
  const text = new TextDecoder("latin1").decode(request.bytes);
  const labels = [...text.slice(0, 140).matchAll(/[a-z_]{2,}[a-z0-9/-]*/g)].map(([word]) => word);
  assert.deepEqual(labels.slice(0, 10), [
    "__name__",
    "guest_cpu",
    "id",
    "qemu/103",
    "name",
    "guest-name-3",
    "node",
    "bench1",
    "pool",
    "pool0",
  ]);
  const first = text.indexOf("pool0") + "pool0".length;
  // Sample: field 2 of 16 bytes; value: field 1, 64 bits; timestamp: field 2, varint of six bytes.
  assert.deepEqual([...request.bytes.subarray(first, first + 3)], [0x12, 16, 0x09]);
  assert.equal(view.getFloat64(first + 3, true), 0.25);
  assert.equal(view.getFloat64(first + 18 + 3, true), 0.5);
  const time = [...request.bytes.subarray(first + 12, first + 18)].reduceRight((sum, byte) => sum * 128 + (byte & 0x7f), 0);
  assert.equal(time, 1_795_000_000_000);
});
