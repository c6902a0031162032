/**
 * Streams of Rice codes: an unsigned integer u is floor(u / 2^k) in unary (ones, then a zero) and its low k bits. A quotient of
 * `escapeAt` ones or more is that many ones and the whole integer: 32 bits in a narrow stream, 53 in a wide one. Most significant bit
 * first; a stream ends at a byte's border. The loops keep their state in local variables: they are what history costs.
 */
const escapeAt = 22;

/** Bytes that a reader may look past the end of a stream: whoever stores streams pads the last one. */
export const readAhead = 8;

/** Most bytes a stream of `count` codes can take. */
export const riceCapacity = (count: number) => count * 10 + 16;

/** Bits of `count` narrow codes with parameter k. */
function narrowBits(codes: Uint32Array, count: number, k: number): number {
  let bits = 0;
  for (let i = 0; i < count; i++) {
    const quotient = (codes[i] as number) >>> k;
    bits += quotient < escapeAt ? quotient + 1 + k : escapeAt + 32;
  }
  return bits;
}

/** The best parameter for narrow codes and what they take then, in bits. Starts at the mean's and walks down: outliers only raise the mean. */
export function chooseNarrow(codes: Uint32Array, count: number): { k: number; bits: number } {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += codes[i] as number;
  const mean = count === 0 ? 0 : sum / count;
  let k = 0;
  while (k < 24 && 2 ** k * 1.44 < mean) k++;
  let bits = narrowBits(codes, count, k);
  for (let lower = k - 1; lower >= 0; lower--) {
    const fewer = narrowBits(codes, count, lower);
    if (fewer >= bits) break;
    k = lower;
    bits = fewer;
  }
  return { k, bits };
}

/** Writes `count` codes (k ≤ 24) at `position`; returns the position behind them. `out` has riceCapacity(count) left. */
export function writeNarrow(codes: Uint32Array, count: number, k: number, out: Uint8Array, position: number): number {
  const mask = (1 << k) - 1;
  let p = position;
  let pending = 0;
  let held = 0;
  for (let i = 0; i < count; i++) {
    const code = codes[i] as number;
    const quotient = code >>> k;
    const length = quotient + 1 + k;
    if (length <= 24 && quotient < escapeAt) {
      pending = (pending << length) | (((1 << quotient) - 1) << (k + 1)) | (code & mask);
      held += length;
    } else if (quotient < escapeAt) {
      pending = (pending << (quotient + 1)) | (((1 << quotient) - 1) << 1);
      held += quotient + 1;
      while (held >= 8) {
        held -= 8;
        out[p++] = pending >>> held;
      }
      pending = (pending << k) | (code & mask);
      held += k;
    } else {
      pending = (pending << escapeAt) | ((1 << escapeAt) - 1);
      held += escapeAt;
      for (let shift = 16; shift >= 0; shift -= 16) {
        while (held >= 8) {
          held -= 8;
          out[p++] = pending >>> held;
        }
        pending = (pending << 16) | ((code >>> shift) & 0xffff);
        held += 16;
      }
    }
    while (held >= 8) {
      held -= 8;
      out[p++] = pending >>> held;
    }
  }
  if (held > 0) out[p++] = pending << (8 - held);
  return p;
}

/** Reads `count` codes that begin at `position` into `codes`; returns the position behind them. */
export function readNarrow(bytes: Uint8Array, position: number, codes: Uint32Array, count: number, k: number): number {
  let p = position;
  // Left-aligned: the next bit is the sign bit, below the `held` valid bits are zeros.
  let window = 0;
  let held = 0;
  for (let i = 0; i < count; i++) {
    if (held <= 16) {
      window |= (((bytes[p] as number) << 8) | (bytes[p + 1] as number)) << (16 - held);
      p += 2;
      held += 16;
    }
    let ones = Math.clz32(~window);
    // Two bytes at once are enough for nearly every code; where all that is held are ones it may go on.
    if (ones >= held) {
      while (held <= 24) {
        window |= (bytes[p++] as number) << (24 - held);
        held += 8;
      }
      ones = Math.clz32(~window);
    }
    if (ones < escapeAt) {
      window <<= ones + 1;
      held -= ones + 1;
      if (k === 0) {
        codes[i] = ones;
        continue;
      }
      while (held < k) {
        window |= (bytes[p++] as number) << (24 - held);
        held += 8;
      }
      codes[i] = (ones << k) | (window >>> (32 - k));
      window <<= k;
      held -= k;
    } else {
      window <<= escapeAt;
      held -= escapeAt;
      let code = 0;
      for (let half = 0; half < 2; half++) {
        while (held <= 16) {
          window |= (bytes[p++] as number) << (24 - held);
          held += 8;
        }
        code = (code << 16) | (window >>> 16);
        window <<= 16;
        held -= 16;
      }
      codes[i] = code;
    }
  }
  return p - (held >>> 3);
}

/** The parameter for wide codes, by their mean without the largest (a reset is one). */
export function chooseWide(codes: Float64Array, count: number): number {
  let sum = 0;
  let largest = 0;
  for (let i = 0; i < count; i++) {
    const code = codes[i] as number;
    sum += code;
    if (code > largest) largest = code;
  }
  const mean = count > 1 ? (sum - largest) / (count - 1) : sum;
  let k = 0;
  while (k < 50 && 2 ** k * 1.44 < mean) k++;
  return k;
}

/** As writeNarrow for integers up to 2^53 (k ≤ 50), a bit field at a time: for the few columns that need it. */
export function writeWide(codes: Float64Array, count: number, k: number, out: Uint8Array, position: number): number {
  let p = position;
  let pending = 0;
  let held = 0;
  const put = (value: number, bits: number) => {
    let rest = value;
    for (let left = bits; left > 0; ) {
      const take = ((left - 1) % 16) + 1;
      const weight = 2 ** (left - take);
      const field = Math.floor(rest / weight);
      rest -= field * weight;
      left -= take;
      pending = (pending << take) | field;
      held += take;
      while (held >= 8) {
        held -= 8;
        out[p++] = pending >>> held;
      }
    }
  };
  const unit = 2 ** k;
  for (let i = 0; i < count; i++) {
    const code = codes[i] as number;
    const quotient = Math.floor(code / unit);
    if (quotient < escapeAt) {
      put(((1 << quotient) - 1) << 1, quotient + 1);
      put(code - quotient * unit, k);
    } else {
      put((1 << escapeAt) - 1, escapeAt);
      put(code, 53);
    }
  }
  if (held > 0) out[p++] = pending << (8 - held);
  return p;
}

/** Reads what writeWide wrote; returns the position behind it. */
export function readWide(bytes: Uint8Array, position: number, codes: Float64Array, count: number, k: number): number {
  let p = position;
  let window = 0;
  let held = 0;
  const take = (bits: number) => {
    let value = 0;
    for (let left = bits; left > 0; ) {
      const now = Math.min(left, 16);
      while (held < now) {
        window |= (bytes[p++] as number) << (24 - held);
        held += 8;
      }
      value = value * 2 ** now + (window >>> (32 - now));
      window <<= now;
      held -= now;
      left -= now;
    }
    return value;
  };
  for (let i = 0; i < count; i++) {
    let quotient = 0;
    while (quotient < escapeAt && take(1) === 1) quotient++;
    codes[i] = quotient < escapeAt ? quotient * 2 ** k + take(k) : take(53);
  }
  return p;
}
