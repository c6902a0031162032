import { crc32, deflateSync, inflateSync } from "node:zlib";

/** A picture as tests make and read them, apart from the code under test. */
export type Picture = { width: number; height: number; rgb: Buffer };

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const ends = Buffer.alloc(8);
  ends.writeUInt32BE(data.length, 0);
  ends.writeUInt32BE(crc32(named), 4);
  return Buffer.concat([ends.subarray(0, 4), named, ends.subarray(4)]);
}

const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

/** `rows`: with each row's filter before it. */
export function pngOf(width: number, height: number, rows: Buffer, { type = 2, level = 6 } = {}): Buffer {
  const head = Buffer.from([0, 0, 0, 0, 0, 0, 0, 0, 8, type, 0, 0, 0]);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  return Buffer.concat([
    signature,
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(rows, { level })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

export const ppmOf = ({ width, height, rgb }: Picture) => Buffer.concat([Buffer.from(`P6\n${width} ${height}\n255\n`), rgb]);

/** Reads what the code under test writes: RGB, each row with the filter `Up`. */
export function readPng(png: Buffer): Picture {
  const [width, height] = [png.readUInt32BE(16), png.readUInt32BE(20)];
  const length = png.readUInt32BE(33);
  const rows = inflateSync(png.subarray(41, 41 + length));
  const rgb = Buffer.alloc(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let i = 0; i < width * 3; i++) {
      const above = y === 0 ? 0 : (rgb[(y - 1) * width * 3 + i] ?? 0);
      rgb[y * width * 3 + i] = (rows[y * (width * 3 + 1) + 1 + i] ?? 0) + above;
    }
  }
  return { width, height, rgb };
}

/** A screen that hardly can be compressed, the same each time: a desktop with a photograph. */
export function noisyScreen(width: number, height: number): Picture {
  const rgb = Buffer.alloc(width * height * 3);
  let seed = 1;
  for (let i = 0; i < rgb.length; i++) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) & 0x7fffffff;
    rgb[i] = seed >> 16;
  }
  return { width, height, rgb };
}
