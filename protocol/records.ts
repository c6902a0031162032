import type { EntityKey, EpochMs } from "./ids.ts";
import { entityKind, parseEntityKey } from "./ids.ts";
import { metricById } from "./metrics.ts";
import { decodeUtf8, encodeUtf8 } from "./utf8.ts";
import { ByteReader, ByteWriter, MalformedError } from "./varint.ts";

/**
 * The sample stream: one agent's sequence of records, each a binary WebSocket message and, unchanged, a piece of the hub's write-ahead
 * ring. A *schema* declares entities and series; a *frame* is one instant of all of them. `seq` grows by one a record.
 *
 * record := kind:u8 seq:varint body
 * schema := 0x01 · JSON in UTF-8 (Schema)
 * frame  := 0x02 · at:varint (EpochMs) key:u8 (0|1) tokens
 *
 * Tokens describe the series in the schema's order, against the state after the frame before (key = 1: against nothing, all absent at 0):
 *   0      unchanged
 *   1 n    n + 2 series unchanged (n: varint)
 *   2      a present series becomes absent; an absent one is present again with the value it last had
 *   t ≥ 3  present, and t − 2 is the zigzag of (value − value it last had)
 * Series behind the last token are unchanged. Values are integers: the catalogue's scale is applied by the sender.
 */
export const recordKinds = { schema: 1, frame: 2 } as const;

export type SchemaEntity = {
  key: EntityKey;
  /**
   * What tells this guest from another that had its vmid: `uuid:…` (smbios1), `mac:…` (each NIC), `rootfs:…` (containers). Two sets that
   * share one string are one incarnation. Empty for what has no incarnations.
   */
  identity: readonly string[];
};

export type SchemaSeries = {
  /** Index into `entities`. */
  entity: number;
  metric: number;
  instance?: string;
  /** Where the value comes from: `proc`, `pve-metrics`, `balloon`, `host`, `rrd`, `zpool` … */
  source: string;
};

export type Schema = { entities: readonly SchemaEntity[]; series: readonly SchemaSeries[] };

export type RecordHead = { kind: "schema" | "frame"; seq: number };

export type Parsed<T> = { ok: true; value: T } | { ok: false; problem: string };

/** Runs a reader over untrusted bytes: malformed input is a value, any other error is a bug and passes through. */
function attempt<T>(read: () => T): Parsed<T> {
  try {
    return { ok: true, value: read() };
  } catch (error) {
    if (error instanceof MalformedError) return { ok: false, problem: error.message };
    throw error;
  }
}

function readHead(reader: ByteReader): RecordHead {
  const kind = reader.byte();
  if (kind !== recordKinds.schema && kind !== recordKinds.frame) throw new MalformedError(`unknown record kind ${kind}`);
  return { kind: kind === recordKinds.schema ? "schema" : "frame", seq: reader.varint() };
}

/** Kind and number of a record, whatever stands behind them. */
export function parseRecordHead(record: Uint8Array): Parsed<RecordHead> {
  return attempt(() => readHead(new ByteReader(record)));
}

export function encodeSchema(seq: number, schema: Schema): Uint8Array {
  const writer = new ByteWriter(1024);
  writer.byte(recordKinds.schema);
  writer.varint(seq);
  writer.raw(encodeUtf8(JSON.stringify(schema)));
  return writer.take();
}

const identityPattern = /^(uuid|mac|rootfs):[\x21-\x7e]{1,200}$/;
const instancePattern = /^[\x21-\x7e][\x20-\x7e]{0,127}$/;
const sourcePattern = /^[a-z][a-z0-9-]{0,31}$/;

function parseSchemaEntity(value: unknown): SchemaEntity {
  const { key, identity } = (value ?? {}) as { key?: unknown; identity?: unknown };
  const entityKey = parseEntityKey(key);
  if (entityKey === undefined) throw new MalformedError("bad entity key");
  const strings =
    Array.isArray(identity) &&
    identity.length <= 64 &&
    identity.every((id) => typeof id === "string" && identityPattern.test(id));
  if (!strings) throw new MalformedError(`bad identity of ${entityKey}`);
  return { key: entityKey, identity: identity as string[] };
}

function parseSchemaSeries(value: unknown, entities: readonly SchemaEntity[], sources: Map<string, string>): SchemaSeries {
  const { entity, metric, instance, source } = (value ?? {}) as Record<string, unknown>;
  const owner = typeof entity === "number" ? entities[entity] : undefined;
  if (owner === undefined) throw new MalformedError("series without entity");
  const row = typeof metric === "number" ? metricById(metric) : undefined;
  if (row === undefined || row.entity !== entityKind(owner.key))
    throw new MalformedError(`metric ${String(metric)} is not one of ${owner.key}`);
  const named = typeof instance === "string" && instancePattern.test(instance);
  if (named !== (row.instance !== undefined) || (instance !== undefined && !named))
    throw new MalformedError(`bad instance for ${row.name}`);
  if (typeof source !== "string" || !sourcePattern.test(source)) throw new MalformedError("bad source");
  const shared = sources.get(source) ?? source;
  sources.set(source, shared);
  const series: SchemaSeries = { entity: entity as number, metric: row.id, source: shared };
  return named ? { ...series, instance: instance as string } : series;
}

/** The only door for schemas: `seriesMax` bounds what one agent may declare. A series may stand in it once. */
export function decodeSchema(record: Uint8Array, seriesMax: number): Parsed<{ seq: number; schema: Schema }> {
  return attempt(() => {
    const reader = new ByteReader(record);
    const head = readHead(reader);
    if (head.kind !== "schema") throw new MalformedError("not a schema");
    let json: { entities?: unknown; series?: unknown };
    try {
      json = JSON.parse(decodeUtf8(record.subarray(reader.position))) ?? {};
    } catch (cause) {
      throw new MalformedError("schema is not JSON", { cause });
    }
    if (!Array.isArray(json.entities) || !Array.isArray(json.series))
      throw new MalformedError("schema without entities or series");
    if (json.series.length > seriesMax) throw new MalformedError(`more than ${seriesMax} series`);
    const entities = json.entities.map(parseSchemaEntity);
    const seen = new Set<string>();
    // Thousands of series with a few sources stay in memory: one string for each of these.
    const sources = new Map<string, string>();
    const series = json.series.map((value) => {
      const one = parseSchemaSeries(value, entities, sources);
      const name = `${entities[one.entity]?.key} ${one.metric} ${one.instance ?? ""}`;
      if (seen.has(name)) throw new MalformedError(`series declared twice: ${name}`);
      seen.add(name);
      return one;
    });
    return { seq: head.seq, schema: { entities, series } };
  });
}

/** State of a stream at one end: last value of each series (kept while absent) and whether it is present. */
export class FrameState {
  readonly values: Float64Array;
  readonly present: Uint8Array;

  constructor(readonly size: number) {
    this.values = new Float64Array(size);
    this.present = new Uint8Array(size);
  }

  clear(): void {
    this.values.fill(0);
    this.present.fill(0);
  }
}

const unchanged = 0;
const run = 1;
const flip = 2;

/** Only its newline-free arithmetic stands between a sample and the wire: zigzag of an integer of up to 2^52. */
const zigzag = (delta: number) => (delta >= 0 ? delta * 2 : -delta * 2 - 1);

/** Largest value, and largest change, that a token can say. */
const valueMax = 2 ** 51;
const deltaMax = 2 ** 52 - 2;

/** One for all frames, as it only lends its memory while one is made. */
const frameWriter = new ByteWriter();

/**
 * `next[i]`: the scaled integer of series i, NaN = absent. Moves `state` on to `next`. Integers beyond ±2^51 are sent as absent, as is one
 * that swung nearly from end to end, until the next key frame.
 */
export function encodeFrame(seq: number, at: EpochMs, key: boolean, next: Float64Array, state: FrameState): Uint8Array {
  const writer = frameWriter;
  writer.clear();
  writer.byte(recordKinds.frame);
  writer.varint(seq);
  writer.varint(at);
  writer.byte(key ? 1 : 0);
  if (key) state.clear();
  const { values, present } = state;
  let same = 0;
  const skip = () => {
    if (same === 1) writer.byte(unchanged);
    else if (same > 1) {
      writer.byte(run);
      writer.varint(same - 2);
    }
    same = 0;
  };
  for (let i = 0; i < next.length; i++) {
    const value = next[i] as number;
    // Most of the time of most series: told apart before anything else, as an agent runs this in V8's interpreter.
    if (value === values[i] && present[i] === 1) {
      same++;
      continue;
    }
    const change = value - (values[i] as number);
    const isPresent = Math.abs(value) <= valueMax && Math.abs(change) <= deltaMax;
    const delta = isPresent ? change : 0;
    const flips = isPresent !== (present[i] === 1);
    if (delta === 0 && !flips) {
      same++;
      continue;
    }
    if (same > 0) skip();
    if (delta === 0) writer.byte(flip);
    else {
      writer.varint(zigzag(delta) + 2);
      values[i] = value;
    }
    present[i] = isPresent ? 1 : 0;
  }
  return writer.take();
}

export type FrameHead = { seq: number; at: EpochMs; key: boolean };

/** Applies a frame to `state`. On a problem `state` is undefined behaviour: the stream must start again at a key frame. */
export function decodeFrame(record: Uint8Array, state: FrameState): Parsed<FrameHead> {
  return attempt(() => {
    const reader = new ByteReader(record);
    const head = readHead(reader);
    if (head.kind !== "frame") throw new MalformedError("not a frame");
    const at = reader.varint() as EpochMs;
    const key = reader.byte();
    if (key > 1) throw new MalformedError("bad key flag");
    if (key === 1) state.clear();
    applyTokens(reader, state);
    return { seq: head.seq, at, key: key === 1 };
  });
}

function applyTokens(reader: ByteReader, { values, present, size }: FrameState): void {
  const { bytes } = reader;
  let position = reader.position;
  let i = 0;
  while (position < bytes.length) {
    let token = bytes[position] as number;
    const next = bytes[position + 1];
    if (token < 0x80) position++;
    else if (next !== undefined && next < 0x80) {
      // Most tokens: after a start they are read before V8 has compiled this, where a call costs more than what it does.
      token += (next - 1) * 128;
      position += 2;
    } else {
      reader.position = position;
      token = reader.varint();
      position = reader.position;
    }
    if (token === run) {
      reader.position = position;
      i += reader.varint() + 2;
      position = reader.position;
      if (i > size) throw new MalformedError("more values than series");
      continue;
    }
    if (i >= size) throw new MalformedError("more values than series");
    if (token === flip) present[i] = 1 - (present[i] as number);
    else if (token > flip) {
      // Zigzag's inverse, of token − 2.
      values[i] = (values[i] as number) + ((token & 1) === 0 ? (token - 2) / 2 : (1 - token) / 2);
      present[i] = 1;
    }
    i++;
  }
}

/** Number of series that a schema declares; sender and receiver make their FrameState from it. */
export const stateFor = (schema: Schema) => new FrameState(schema.series.length);
