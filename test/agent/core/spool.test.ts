import assert from "node:assert/strict";
import { test } from "node:test";
import { recordKinds } from "#protocol/records.ts";
import { ByteReader, ByteWriter } from "#protocol/varint.ts";
import { entryHeadBytes, type Segment, Spool, type SpoolBounds, type SpoolRecord } from "../../../agent/core/spool.ts";
import { fc } from "../../support/property.ts";

const bounds: SpoolBounds = { maxRecords: 40, maxBytes: 1_000, maxMemoryBytes: 300, segmentBytes: 120 };

type Kind = SpoolRecord["kind"];

/** A record that begins as one does on the wire, and ends with its kind. */
function record(kind: Kind, seq: number): SpoolRecord {
  const writer = new ByteWriter(16);
  writer.byte(kind === "schema" ? recordKinds.schema : recordKinds.frame);
  writer.varint(seq);
  writer.raw(new Uint8Array(8));
  return { kind, seq, bytes: writer.take() };
}

function seqOf(bytes: Uint8Array | undefined): number | undefined {
  if (bytes === undefined) return undefined;
  const reader = new ByteReader(bytes);
  reader.byte();
  return reader.varint();
}

/** A spool with a disk that does what it is told. `kinds`: of all records ever appended. */
class Rig {
  readonly spool = new Spool(1, [], bounds);
  /** What stands in each file, record by record. */
  readonly files = new Map<number, Uint8Array[]>();
  readonly kinds = new Map<number, Kind>();

  append(given: Kind): void {
    const seq = this.spool.nextSeq;
    const kind = seq === 1 ? "schema" : this.kinds.get(seq - 1) === "schema" ? "key" : given;
    this.kinds.set(seq, kind);
    this.spool.append(record(kind, seq));
  }

  flush(): void {
    for (const write of this.spool.planFlush()) {
      const file = this.files.get(write.firstSeq) ?? [];
      assert.equal(write.create, file.length === 0, "a file is made once");
      file.push(...write.records);
      this.files.set(write.firstSeq, file);
      this.spool.flushed(write);
      assert.equal(file[0]?.[0], recordKinds.schema, "a file can be read by itself");
      const seqs = file.map((bytes) => seqOf(bytes) as number);
      assert.deepEqual(
        seqs,
        Array.from({ length: seqs.length }, (_, index) => (seqs[0] as number) + index),
      );
    }
    assert.deepEqual(this.spool.planFlush(), []);
  }

  drop(segments: readonly Segment[]): void {
    for (const { firstSeq } of segments) assert.ok(this.files.delete(firstSeq), "a file goes once");
  }

  /** Whether the record is where the spool says. */
  holds(seq: number): boolean {
    const place = this.spool.locate(seq);
    if (place === undefined) return false;
    if (place.in === "memory") return seqOf(place.chain.records[seq - place.chain.firstSeq]) === seq;
    // A file may begin with the schema anew, under the number before its first record.
    if (seq < place.segment.firstSeq) return false;
    return this.files.get(place.segment.firstSeq)?.some((bytes) => seqOf(bytes) === seq) === true;
  }

  /** Those that the hub lacks and that are kept. */
  kept(): number[] {
    const { acked, lastSeq } = this.spool;
    return Array.from({ length: lastSeq - acked }, (_, index) => acked + 1 + index).filter((seq) => this.holds(seq));
  }

  check(): void {
    const { spool } = this;
    const kept = this.kept();
    assert.equal(spool.waiting, kept.length);
    const stored = [...this.files.values()].flat().reduce((sum, bytes) => sum + bytes.length + entryHeadBytes, 0);
    assert.equal(spool.diskBytes, stored);
    if (kept.length === 0) return;
    assert.deepEqual(
      kept,
      Array.from({ length: kept.length }, (_, index) => spool.lastSeq - kept.length + 1 + index),
    );
    const start = spool.startFor(spool.acked);
    assert.notEqual(this.kinds.get(start), "delta");
    assert.ok(start <= (kept[0] as number), "a resume leaves out nothing that the hub lacks");
    for (let seq = start; seq <= spool.lastSeq; seq++) assert.ok(this.holds(seq), "a resume has every record from its start on");
    const isHead = (seq: number) =>
      this.kinds.get(seq) === "schema" || (this.kinds.get(seq) === "key" && this.kinds.get(seq - 1) !== "schema");
    for (let seq = start + 1; seq <= spool.acked + 1; seq++) assert.ok(!isHead(seq), "and begins no earlier than it must");
  }
}

const kind = fc.constantFrom<Kind>("schema", "key", "key", "delta");
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ is: fc.constant("append" as const), kind, count: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 3, arbitrary: fc.record({ is: fc.constant("flush" as const) }) },
  {
    weight: 2,
    arbitrary: fc.record({ is: fc.constant("acknowledge" as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
  },
  { weight: 1, arbitrary: fc.record({ is: fc.constant("trim" as const) }) },
);

test("each record is acknowledged, kept where it is said to be, or counted as lost, whatever comes in what order", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 60 }), (steps) => {
      const rig = new Rig();
      const { spool } = rig;
      for (const one of steps) {
        if (one.is === "append") for (let n = 0; n < one.count; n++) rig.append(n === 0 ? one.kind : "delta");
        else if (one.is === "flush") rig.flush();
        else if (one.is === "trim") {
          rig.flush();
          const before = spool.waiting + spool.lost;
          rig.drop(spool.trim());
          assert.equal(spool.waiting + spool.lost, before);
        } else {
          spool.acknowledge(spool.acked + Math.floor((spool.lastSeq - spool.acked) * one.share));
          rig.drop(spool.dropAcknowledged());
        }
        rig.check();
      }
      const lost = spool.lost;
      spool.acknowledge(spool.lastSeq + 5);
      rig.drop(spool.dropAcknowledged());
      assert.deepEqual([spool.waiting, spool.lost, spool.acked, rig.files.size], [0, lost, spool.lastSeq, 0]);
    }),
    { numRuns: 200 },
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
