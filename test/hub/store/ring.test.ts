import assert from "node:assert/strict";
import { test } from "node:test";
import { MalformedError } from "#protocol/varint.ts";
import { decodeRingValue, RingWriter } from "../../../hub/store/ring.ts";
import { fc } from "../../support/property.ts";

const record = fc.record(
  { lane: fc.constantFrom("1 a", "2 bé", "3 c"), record: fc.uint8Array({ maxLength: 300 }) },
  { noNullPrototype: true },
);

test("each value of the ring holds the records that were added since the one before, in their order", () => {
  fc.assert(
    fc.property(fc.array(fc.array(record, { maxLength: 20 }), { maxLength: 5 }), (values) => {
      const writer = new RingWriter();
      for (const records of values) {
        for (const { lane, record } of records) writer.add(lane, record);
        const read = decodeRingValue(writer.take()).map(({ lane, record }) => ({ lane, record: Uint8Array.from(record) }));
        assert.deepEqual(read, records);
        assert.equal(writer.bytes, 0);
      }
    }),
  );
});

test("a record may change after it was added, and a value after the next one was begun: neither harms the other", () => {
  const writer = new RingWriter();
  const record = Uint8Array.of(1, 2, 3);
  writer.add("1 a", record);
  record.fill(9);
  const first = writer.take();
  writer.add("1 a", new Uint8Array(400_000).fill(7));
  const second = writer.take();
  assert.deepEqual([...(decodeRingValue(first)[0]?.record ?? [])], [1, 2, 3]);
  assert.equal(decodeRingValue(second)[0]?.record.length, 400_000);
});

test("a value with a flipped bit is no value", () => {
  const writer = new RingWriter();
  writer.add("1 a", Uint8Array.of(1, 2, 3));
  const value = writer.take();
  value[value.length - 1] = (value[value.length - 1] as number) ^ 1;
  assert.throws(() => decodeRingValue(value), MalformedError);
});
