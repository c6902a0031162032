import SnappyJS from "snappyjs";

export type DecodedSeries = { labels: Record<string, string>; samples: { at: number; value: number; stale: boolean }[] };

/** Fields of one protobuf message: number, and the varint, eight bytes or bytes it holds. */
function* fieldsOf(bytes: Uint8Array): Generator<[field: number, value: bigint | DataView | Uint8Array]> {
  let position = 0;
  const varint = () => {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = bytes[position++] ?? 0;
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
  };
  while (position < bytes.length) {
    const tag = Number(varint());
    if ((tag & 7) === 0) yield [tag >> 3, varint()];
    else if ((tag & 7) === 1) {
      yield [tag >> 3, new DataView(bytes.buffer, bytes.byteOffset + position, 8)];
      position += 8;
    } else {
      const length = Number(varint());
      yield [tag >> 3, bytes.subarray(position, position + length)];
      position += length;
    }
  }
}

const text = new TextDecoder();
const nested = (bytes: Uint8Array, field: number) =>
  [...fieldsOf(bytes)].flatMap(([number, value]) => (number === field && value instanceof Uint8Array ? [value] : []));

/** A WriteRequest as prompb/remote.proto has it, read without the encoder's code. */
export function decodeWriteRequest(bytes: Uint8Array): DecodedSeries[] {
  return nested(bytes, 1).map((series) => ({
    labels: Object.fromEntries(
      nested(series, 1).map((label) => [text.decode(nested(label, 1)[0]), text.decode(nested(label, 2)[0])]),
    ),
    samples: nested(series, 2).map((sample) => {
      const fields = new Map(fieldsOf(sample));
      const value = fields.get(1);
      if (!(value instanceof DataView)) throw new Error("a sample without value");
      return {
        at: Number(fields.get(2)),
        value: value.getFloat64(0, true),
        stale: value.getBigUint64(0, true) === 0x7ff0000000000002n,
      };
    }),
  }));
}

export const decodeCompressed = (body: Uint8Array) => decodeWriteRequest(SnappyJS.uncompress(new Uint8Array(body)));
