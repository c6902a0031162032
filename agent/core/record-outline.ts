import type { Parsed } from "#protocol/records.ts";
import { parseRecordHead, recordKinds } from "#protocol/records.ts";
import { ByteReader, ByteWriter, MalformedError } from "#protocol/varint.ts";

/** What the spool must know of a record to keep it: `key` frames stand for themselves once their schema is known. */
export type RecordOutline = { kind: "schema" | "key" | "delta"; seq: number };

/** Looks at a record's head alone, its values are not read. Not `ok`: it is cut off, or no record. */
export function parseRecordOutline(record: Uint8Array): Parsed<RecordOutline> {
  const head = parseRecordHead(record);
  if (!head.ok) return head;
  const { kind, seq } = head.value;
  if (kind === "schema") return { ok: true, value: { kind, seq } };
  try {
    const reader = new ByteReader(record);
    reader.byte();
    reader.varint();
    reader.varint();
    return { ok: true, value: { kind: reader.byte() === 1 ? "key" : "delta", seq } };
  } catch (error) {
    if (error instanceof MalformedError) return { ok: false, problem: error.message };
    throw error;
  }
}

/** The same schema under another number: what is sent before a key frame that doesn't follow its schema directly. */
export function renumberSchema(record: Uint8Array, seq: number): Uint8Array {
  const reader = new ByteReader(record);
  reader.byte();
  reader.varint();
  const writer = new ByteWriter(record.length + 8);
  writer.byte(recordKinds.schema);
  writer.varint(seq);
  writer.raw(record.subarray(reader.position));
  return writer.take();
}
