import { ByteWriter } from "#protocol/varint.ts";

/**
 * Snappy's block format (google/snappy `format_description.txt`), compressing side: what Prometheus remote write wants. Greedy matches
 * within blocks of 64 KiB, as the reference does.
 */
const blockBytes = 1 << 16;
const hashBits = 14;
const table = new Uint16Array(1 << hashBits);

export function snappyCompress(input: Uint8Array): Uint8Array {
  const out = new ByteWriter(64 + Math.ceil(input.length / 2));
  out.varint(input.length);
  for (let start = 0; start < input.length; start += blockBytes) {
    compressBlock(input.subarray(start, Math.min(input.length, start + blockBytes)), out);
  }
  return out.take();
}

function compressBlock(block: Uint8Array, out: ByteWriter): void {
  table.fill(0);
  const view = new DataView(block.buffer, block.byteOffset, block.byteLength);
  const last = block.length - 4;
  let literalFrom = 0;
  let position = 1;
  while (position <= last) {
    const word = view.getUint32(position, true);
    const slot = Math.imul(word, 0x1e35a7bd) >>> (32 - hashBits);
    const candidate = table[slot] as number;
    table[slot] = position;
    if (view.getUint32(candidate, true) !== word) {
      // The longer nothing matched, the larger the steps: what does not compress is passed over quickly.
      position += 1 + ((position - literalFrom) >> 5);
      continue;
    }
    writeLiteral(block, literalFrom, position, out);
    let length = 4;
    while (position + length < block.length && block[candidate + length] === block[position + length]) length++;
    writeCopy(position - candidate, length, out);
    position += length;
    literalFrom = position;
  }
  writeLiteral(block, literalFrom, block.length, out);
}

function writeLiteral(block: Uint8Array, from: number, to: number, out: ByteWriter): void {
  const length = to - from;
  if (length === 0) return;
  const code = length - 1;
  if (code < 60) out.byte(code << 2);
  else if (code < 0x100) {
    out.byte(60 << 2);
    out.byte(code);
  } else {
    out.byte(61 << 2);
    out.byte(code & 0xff);
    out.byte(code >> 8);
  }
  out.raw(block.subarray(from, to));
}

/** Copies of up to 64 bytes with a 16 bit distance. The reference's one-byte-distance form would save little and is left out. */
function writeCopy(distance: number, length: number, out: ByteWriter): void {
  for (let rest = length; rest > 0; ) {
    const now = Math.min(64, rest);
    out.byte(((now - 1) << 2) | 2);
    out.byte(distance & 0xff);
    out.byte(distance >> 8);
    rest -= now;
  }
}
