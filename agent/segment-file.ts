import { crc32 } from "node:zlib";
import { limits } from "#protocol/limits.ts";
import { parseRecordOutline } from "./core/record-outline.ts";
import { entryHeadBytes, type Segment, type SpoolRecord } from "./core/spool.ts";

/** Records as a segment file holds them: length and CRC32 (little endian, 4 bytes each), then the record. */
export function encodeEntries(records: readonly Uint8Array[]): Buffer {
  const parts = records.flatMap((record) => {
    const head = Buffer.alloc(entryHeadBytes);
    head.writeUInt32LE(record.length, 0);
    head.writeUInt32LE(crc32(record), 4);
    return [head, record];
  });
  return Buffer.concat(parts);
}

/** The records that are whole. `validBytes` < the file's length: behind them it is torn or damaged, or full of the zeros a power cut leaves. */
export function parseEntries(file: Buffer): { records: SpoolRecord[]; validBytes: number } {
  const records: SpoolRecord[] = [];
  let position = 0;
  while (position + entryHeadBytes <= file.length) {
    const length = file.readUInt32LE(position);
    const end = position + entryHeadBytes + length;
    if (length === 0 || length > limits.messageMaxBytes || end > file.length) break;
    const bytes = file.subarray(position + entryHeadBytes, end);
    if (crc32(bytes) !== file.readUInt32LE(position + 4)) break;
    const outline = parseRecordOutline(bytes);
    if (!outline.ok) break;
    records.push({ ...outline.value, bytes });
    position = end;
  }
  return { records, validBytes: position };
}

/**
 * What the spool must know of a file named `firstSeq`; undefined when nothing in it can be used, which needs a schema and a key frame.
 * The name tells whether the schema at its head is a record of its own (then it bears that number) or was repeated for the key frame.
 */
export function outlineSegment(firstSeq: number, records: readonly SpoolRecord[], bytes: number): Segment | undefined {
  const [schema, key] = records;
  const last = records.at(-1);
  if (schema?.kind !== "schema" || key?.kind !== "key" || last === undefined) return undefined;
  if (firstSeq !== schema.seq && firstSeq !== key.seq) return undefined;
  if (records.some((record, index) => record.seq !== schema.seq + index)) return undefined;
  const heads = records.slice(2).filter((record, index) => {
    const before = records[index + 1] as SpoolRecord;
    return record.kind === "schema" || (record.kind === "key" && before.kind !== "schema");
  });
  return { firstSeq, lastSeq: last.seq, bytes, chainSeqs: [firstSeq, ...heads.map((head) => head.seq)] };
}
