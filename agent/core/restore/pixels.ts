/** A picture without its wrapping: three bytes a pixel (red, green, blue), row after row. */
export type Pixels = { width: number; height: number; rgb: Uint8Array };

/** Undefined: it is no binary PPM of 8 bits a colour, or not all of it. QEMU's `screendump` writes `P6\n<width> <height>\n255\n` and the pixels. */
export function parsePpm(bytes: Uint8Array): Pixels | undefined {
  const head = String.fromCharCode(...bytes.subarray(0, 64));
  const match = /^P6\s+(\d{1,5})\s+(\d{1,5})\s+255\s/.exec(head);
  if (match === null) return undefined;
  const [width, height] = [Number(match[1]), Number(match[2])];
  const rgb = bytes.subarray(match[0].length, match[0].length + width * height * 3);
  return width > 0 && height > 0 && rgb.length === width * height * 3 ? { width, height, rgb } : undefined;
}

/** PNG's five filters (https://www.w3.org/TR/png-3/#9Filters). `filtered`: rows with their filter's number before each. Undefined: not one of them. */
export function unfilter(filtered: Uint8Array, width: number, height: number, channels: number): Uint8Array | undefined {
  const stride = width * channels;
  const out = new Uint8Array(stride * height);
  for (let row = 0; row < height; row++) {
    const from = row * (stride + 1);
    const kind = filtered[from] as number;
    if (kind > 4) return undefined;
    const to = row * stride;
    for (let i = 0; i < stride; i++) {
      const left = i < channels ? 0 : (out[to + i - channels] as number);
      const up = row === 0 ? 0 : (out[to + i - stride] as number);
      const corner = i < channels || row === 0 ? 0 : (out[to + i - stride - channels] as number);
      out[to + i] = (filtered[from + 1 + i] as number) + predicted(kind, left, up, corner);
    }
  }
  return out;
}

function predicted(kind: number, left: number, up: number, corner: number): number {
  if (kind === 0) return 0;
  if (kind === 1) return left;
  if (kind === 2) return up;
  if (kind === 3) return (left + up) >> 1;
  const guess = left + up - corner;
  const [byLeft, byUp, byCorner] = [Math.abs(guess - left), Math.abs(guess - up), Math.abs(guess - corner)];
  if (byLeft <= byUp && byLeft <= byCorner) return left;
  return byUp <= byCorner ? up : corner;
}

/** Rows for a PNG, each with the filter `Up`, which suits screens: what repeats from row to row becomes zero. */
export function filterRows({ width, height, rgb }: Pixels): Uint8Array {
  const stride = width * 3;
  const out = new Uint8Array((stride + 1) * height);
  for (let row = 0; row < height; row++) {
    const to = row * (stride + 1);
    out[to] = 2;
    for (let i = 0; i < stride; i++) {
      const at = row * stride + i;
      out[to + 1 + i] = (rgb[at] as number) - (row === 0 ? 0 : (rgb[at - stride] as number));
    }
  }
  return out;
}

/** Red, green and blue of pixels that have four channels; what is transparent shows as it is stored. */
export function withoutAlpha(rgba: Uint8Array): Uint8Array {
  const rgb = new Uint8Array((rgba.length / 4) * 3);
  for (let from = 0, to = 0; from < rgba.length; from += 4, to += 3) rgb.set(rgba.subarray(from, from + 3), to);
  return rgb;
}

/** Each square of `factor` × `factor` pixels becomes their mean; what doesn't fill one at the right and at the bottom is left out. */
export function shrunk({ width, height, rgb }: Pixels, factor: number): Pixels {
  const [wide, high] = [Math.max(1, Math.floor(width / factor)), Math.max(1, Math.floor(height / factor))];
  const [acrossMax, downMax] = [Math.min(factor, width), Math.min(factor, height)];
  const out = new Uint8Array(wide * high * 3);
  for (let y = 0; y < high; y++) {
    for (let x = 0; x < wide; x++) {
      for (let colour = 0; colour < 3; colour++) {
        let sum = 0;
        for (let down = 0; down < downMax; down++) {
          const row = ((y * factor + down) * width + x * factor) * 3 + colour;
          for (let across = 0; across < acrossMax; across++) sum += rgb[row + across * 3] as number;
        }
        out[(y * wide + x) * 3 + colour] = sum / (acrossMax * downMax);
      }
    }
  }
  return { width: wide, height: high, rgb: out };
}
