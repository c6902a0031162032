/**
 * Snappy's block format (https://github.com/google/snappy, format_description.txt), which remote write demands: the length as a varint, then
 * literals (tag 00) and copies of what was written before (tags 01 and 10). One pass with a hash of four bytes, as the reference does it.
 */
const tableBits = 14;
/** Offsets are kept in 16 bits, so a block looks back at most so far. */
const blockMax = 1 << 16;
const table = new Uint16Array(1 << tableBits);

/** Bytes the compressed form of `length` bytes can't exceed. */
export const compressedMax = (length: number) => 32 + length + Math.floor(length / 6);

/** Not re-entrant: it uses one table and never yields. */
export function compressSnappy(input: Uint8Array): Uint8Array {
  const output = new Uint8Array(compressedMax(input.length));
  const view = new DataView(input.buffer, input.byteOffset, input.byteLength);
  let end = writeVarint(output, 0, input.length);
  for (let start = 0; start < input.length; start += blockMax) {
    end = compressBlock(input, view, start, Math.min(input.length, start + blockMax), output, end);
  }
  return output.subarray(0, end);
}

function writeVarint(output: Uint8Array, at: number, value: number): number {
  let rest = value;
  let end = at;
  while (rest >= 0x80) {
    output[end++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  output[end++] = rest;
  return end;
}

function compressBlock(input: Uint8Array, view: DataView, start: number, stop: number, output: Uint8Array, at: number): number {
  table.fill(0);
  let end = at;
  let literal = start;
  let position = start + 1;
  // The longer nothing matches, the larger the steps: what does not compress costs little.
  let misses = 32;
  while (position + 4 <= stop) {
    const four = view.getUint32(position, true);
    const slot = Math.imul(four, 0x1e35a7bd) >>> (32 - tableBits);
    const candidate = start + (table[slot] as number);
    table[slot] = position - start;
    if (view.getUint32(candidate, true) !== four) {
      position += misses++ >>> 5;
      continue;
    }
    end = writeLiteral(input, literal, position, output, end);
    let length = 4;
    while (position + length < stop && input[candidate + length] === input[position + length]) length++;
    end = writeCopy(output, end, position - candidate, length);
    position += length;
    literal = position;
    misses = 32;
  }
  return writeLiteral(input, literal, stop, output, end);
}

function writeLiteral(input: Uint8Array, from: number, to: number, output: Uint8Array, at: number): number {
  const length = to - from;
  if (length === 0) return at;
  let end = at;
  const code = length - 1;
  if (code < 60) output[end++] = code << 2;
  else if (code < 256) {
    output[end++] = 60 << 2;
    output[end++] = code;
  } else {
    output[end++] = 61 << 2;
    output[end++] = code & 0xff;
    output[end++] = code >>> 8;
  }
  output.set(input.subarray(from, to), end);
  return end + length;
}

/** Copies hold 4 … 11 bytes from 11 bits of offset, or 1 … 64 from 16 bits. A long one is cut so that its rest has at least 4. */
function writeCopy(output: Uint8Array, at: number, offset: number, length: number): number {
  let end = at;
  let rest = length;
  while (rest > 0) {
    const part = rest <= 64 ? rest : rest < 68 ? 60 : 64;
    if (part >= 4 && part < 12 && offset < 2048) {
      output[end++] = 1 | ((part - 4) << 2) | ((offset >>> 8) << 5);
      output[end++] = offset & 0xff;
    } else {
      output[end++] = 2 | ((part - 1) << 2);
      output[end++] = offset & 0xff;
      output[end++] = offset >>> 8;
    }
    rest -= part;
  }
  return end;
}
