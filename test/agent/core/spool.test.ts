import assert from "node:assert/strict";
import { test } from "node:test";
import { type Segment, Spool, type SpoolBounds, type SpoolRecord } from "../../../agent/core/spool.ts";
import { fc } from "../../support/property.ts";

const bounds: SpoolBounds = { maxRecords: 40, maxBytes: 1_000, maxMemoryBytes: 300, segmentBytes: 120 };

/** A record of ten bytes; a schema begins as one does on the wire. */
const record = (kind: SpoolRecord["kind"], seq: number): SpoolRecord => {
  const bytes = new Uint8Array(10);
  bytes[0] = kind === "schema" ? 1 : 2;
  return { kind, seq, bytes };
};

/** A spool with a disk that takes what it is told, and what was done with it. */
class Rig {
  readonly spool = new Spool(1, [], bounds);
  readonly files = new Map<number, { firstSeq: number; lastSeq: number }>();

  append(kind: SpoolRecord["kind"]): void {
    this.spool.append(record(this.spool.lastSeq === 0 ? "schema" : kind, this.spool.nextSeq));
  }

  flush(): void {
    for (const write of this.spool.planFlush()) {
      assert.equal(write.create, !this.files.has(write.firstSeq), "a file is made once");
      this.files.set(write.firstSeq, { firstSeq: write.firstSeq, lastSeq: write.lastSeq });
      this.spool.flushed(write);
    }
  }

  drop(segments: readonly Segment[]): void {
    for (const { firstSeq } of segments) assert.ok(this.files.delete(firstSeq), "a file goes once");
  }

  /** What is kept: by record, where it is. */
  kept(): number[] {
    const found: number[] = [];
    for (let seq = this.spool.acked + 1; seq <= this.spool.lastSeq; seq++) {
      const place = this.spool.locate(seq);
      const holds =
        place?.in === "memory"
          ? place.chain.firstSeq <= seq
          : place !== undefined && place.segment.firstSeq <= seq && this.files.has(place.segment.firstSeq);
      if (holds) found.push(seq);
    }
    return found;
  }
}

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      is: fc.constant("append" as const),
      kind: fc.constantFrom("schema" as const, "key" as const, "delta" as const),
      count: fc.integer({ min: 1, max: 8 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ is: fc.constant("flush" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ is: fc.constant("acknowledge" as const), share: fc.double({ min: 0, max: 1.2, noNaN: true }) }),
  },
  { weight: 1, arbitrary: fc.record({ is: fc.constant("trim" as const) }) },
);

test("each record is acknowledged, kept where it is said to be, or counted as lost, whatever comes in what order", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const rig = new Rig();
      const { spool } = rig;
      for (const one of steps) {
        if (one.is === "append") for (let n = 0; n < one.count; n++) rig.append(n === 0 ? one.kind : "delta");
        else if (one.is === "flush") rig.flush();
        else if (one.is === "trim") rig.drop(spool.trim());
        else {
          spool.acknowledge(Math.floor(spool.lastSeq * one.share));
          rig.drop(spool.dropAcknowledged());
        }
        const kept = rig.kept();
        assert.equal(spool.waiting, kept.length);
        if (kept.length > 0) {
          // What is kept is the newest, without a gap: the oldest go first.
          assert.deepEqual(
            kept,
            Array.from({ length: kept.length }, (_, index) => spool.lastSeq - kept.length + 1 + index),
          );
          assert.ok(spool.startFor(spool.acked) <= Math.max(kept[0] as number, spool.acked + 1), "a resume misses nothing");
        }
        const onDisk = [...rig.files.keys()].sort((a, b) => a - b);
        assert.deepEqual(onDisk.length === 0 ? 0 : spool.diskBytes > 0, onDisk.length === 0 ? 0 : true);
      }
      rig.flush();
      rig.drop(spool.trim());
      assert.ok(spool.waiting <= bounds.maxRecords + 80 && spool.diskBytes + spool.memoryBytes <= bounds.maxBytes + 800);
      spool.acknowledge(spool.lastSeq);
      rig.drop(spool.dropAcknowledged());
      assert.equal(spool.waiting, 0);
    }),
  );
});

test("what the bounds cost is counted: without acknowledgement every record is kept or lost", () => {
  const rig = new Rig();
  for (let n = 0; n < 200; n++) {
    rig.append(n % 5 === 0 ? "key" : "delta");
    if (n % 7 === 0) rig.flush();
    rig.drop(rig.spool.trim());
    assert.equal(rig.spool.waiting + rig.spool.lost, rig.spool.lastSeq);
    assert.ok(rig.spool.waiting <= bounds.maxRecords);
  }
  assert.ok(rig.spool.lost > 0);
});

test("a disk that refuses costs the oldest records once memory is full, and they are counted", () => {
  const rig = new Rig();
  for (let n = 0; n < 60; n++) rig.append(n % 5 === 0 ? "key" : "delta");
  rig.spool.trimMemory();
  assert.ok(rig.spool.memoryBytes <= bounds.maxMemoryBytes);
  assert.equal(rig.spool.waiting + rig.spool.lost, 60);
  assert.ok(rig.spool.lost >= 30 && rig.spool.lost < 40);
});

test("a hub that is ahead, or can't read what is kept: all of it is given up, counted, and the numbers go on behind the hub's", () => {
  const rig = new Rig();
  for (let n = 0; n < 25; n++) rig.append(n % 5 === 0 ? "key" : "delta");
  rig.flush();
  rig.spool.acknowledge(5);
  rig.drop(rig.spool.abandon(100));
  assert.deepEqual(
    [rig.spool.lost, rig.spool.waiting, rig.spool.nextSeq, rig.spool.acked, rig.spool.memoryBytes],
    [20, 0, 101, 100, 0],
  );
  assert.throws(() => rig.spool.append(record("delta", 101)), /does not follow/);
  rig.spool.append(record("schema", 101));
  assert.equal(rig.spool.waiting, 1);
});

test("a file that can't be read is lost as far as nothing else holds its records", () => {
  const rig = new Rig();
  for (let n = 0; n < 12; n++) rig.append(n % 4 === 0 ? "key" : "delta");
  rig.flush();
  rig.spool.acknowledge(2);
  const place = rig.spool.locate(3);
  assert.ok(place?.in === "segment");
  const { lastSeq } = place.segment;
  rig.spool.discard(place.segment);
  rig.spool.discard(place.segment);
  assert.equal(rig.spool.lost + rig.spool.waiting, 10);
  assert.ok(rig.spool.lost > 0 && rig.spool.lost <= lastSeq - 2);
});
