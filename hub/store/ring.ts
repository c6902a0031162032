import { ByteReader, ByteWriter, MalformedError } from "#protocol/varint.ts";
import { checksum } from "../core/checksum.ts";

/**
 * A value of the write-ahead ring: the records of a second, of all streams. Value := sum:u32 (of all that follows) records. Records := (lane:varint length:varint record)…, lanes by the
 * numbers that the value begins with: count, then (length, name in UTF-8) each. A lane is one stream of one agent.
 */
export type RingRecord = { lane: string; record: Uint8Array };

/** Room that is kept between two values: of a second at the usual pace. */
const roomKept = 256 * 1024;

/**
 * Builds values of the ring, one after the other. Records are copied straight into one piece of memory: thousands of small copies that live
 * until the commit would leave the heap's pages full of holes, which are never given back.
 */
export class RingWriter {
  private readonly lanes = new Map<string, number>();
  private records = new ByteWriter(roomKept / 4);

  get bytes(): number {
    return this.records.length;
  }

  add(lane: string, record: Uint8Array): void {
    let number = this.lanes.get(lane);
    if (number === undefined) {
      number = this.lanes.size;
      this.lanes.set(lane, number);
    }
    this.records.varint(number);
    this.records.varint(record.length);
    this.records.raw(record);
  }

  /** The value of all that was added; the next one begins. */
  take(): Uint8Array {
    const head = new ByteWriter(64 + this.lanes.size * 64);
    for (let i = 0; i < sumBytes; i++) head.byte(0);
    head.varint(this.lanes.size);
    for (const lane of this.lanes.keys()) {
      const name = Buffer.from(lane);
      head.varint(name.length);
      head.raw(name);
    }
    const { records } = this;
    const value = new Uint8Array(head.length + records.length);
    value.set(head.bytes.subarray(0, head.length));
    value.set(records.bytes.subarray(0, records.length), head.length);
    this.lanes.clear();
    if (records.bytes.length > roomKept) this.records = new ByteWriter(roomKept / 4);
    else records.length = 0;
    return sealed(value);
  }
}

const sumBytes = 4;

/** Writes the sum into the first bytes. */
function sealed(value: Uint8Array): Uint8Array {
  new DataView(value.buffer, value.byteOffset).setUint32(0, checksum(value, sumBytes, value.length), true);
  return value;
}

/** A value of store format 1, which had no sum, as one with it. */
export function ringValueWithSum(records: Uint8Array): Uint8Array {
  const value = new Uint8Array(sumBytes + records.length);
  value.set(records, sumBytes);
  return sealed(value);
}

/** Throws MalformedError on bytes that no hub wrote: then the store is damaged. */
export function decodeRingValue(sealedValue: Uint8Array): RingRecord[] {
  const { buffer, byteOffset, length } = sealedValue;
  const isWhole =
    length > sumBytes && new DataView(buffer, byteOffset).getUint32(0, true) === checksum(sealedValue, sumBytes, length);
  if (!isWhole) throw new MalformedError("its checksum differs");
  const value = sealedValue.subarray(sumBytes);
  const reader = new ByteReader(value);
  const take = () => {
    const length = reader.varint();
    const bytes = value.subarray(reader.position, reader.position + length);
    reader.position += length;
    return bytes;
  };
  const lanes = Array.from({ length: reader.varint() }, () => Buffer.from(take()).toString());
  const records: RingRecord[] = [];
  while (!reader.done) {
    const lane = lanes[reader.varint()];
    if (lane === undefined) throw new Error("ring value names a lane that it does not list");
    records.push({ lane, record: take() });
  }
  return records;
}
