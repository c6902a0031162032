import { ByteReader, ByteWriter, MalformedError } from "#protocol/varint.ts";
import { checksum } from "../core/checksum.ts";

/**
 * A value of the write-ahead ring: the records of a second, of all streams. Value := sum:u32 (of all that follows) records. Records := (lane:varint length:varint record)…, lanes by the
 * numbers that the value begins with: count, then (length, name in UTF-8) each. A lane is one stream of one agent.
 */
export type RingRecord = { lane: string; record: Uint8Array };

export function encodeRingValue(records: readonly RingRecord[]): Uint8Array {
  const lanes = [...new Set(records.map(({ lane }) => lane))];
  const numberOf = new Map(lanes.map((lane, index) => [lane, index]));
  const writer = new ByteWriter(records.reduce((sum, { record }) => sum + record.length + 12, 64 + lanes.length * 64));
  for (let i = 0; i < sumBytes; i++) writer.byte(0);
  writer.varint(lanes.length);
  for (const lane of lanes) {
    const name = Buffer.from(lane);
    writer.varint(name.length);
    writer.raw(name);
  }
  for (const { lane, record } of records) {
    writer.varint(numberOf.get(lane) as number);
    writer.varint(record.length);
    writer.raw(record);
  }
  return sealed(writer.bytes.subarray(0, writer.length));
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
