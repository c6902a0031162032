import { promisify } from "node:util";
import { crc32, deflate, inflate } from "node:zlib";
import { filterRows, type Pixels, parsePpm, shrunk, unfilter, withoutAlpha } from "../core/restore/pixels.ts";

const inflated = promisify(inflate);
const deflated = promisify(deflate);

/** A screen of 3840 × 2160; pixels take three bytes each while the picture is made smaller. */
const pixelsMax = 3840 * 2160;
const factors = [1, 2, 3, 4, 6, 8, 12, 16];
const signature = Buffer.from("89504e470d0a1a0a", "hex");

/** A PNG that fits, or why there is none. `note`: what was done to it. */
export type Fitted = { ok: true; png: Buffer; note?: string } | { ok: false; problem: string };

/** A picture of QEMU (PNG or PPM) as a PNG of at most `maxBytes`: as it came where that fits, else made smaller until it does. */
export async function fitPicture(bytes: Buffer, maxBytes: number): Promise<Fitted> {
  const isPng = bytes.subarray(0, 8).equals(signature);
  if (isPng && bytes.length <= maxBytes) return { ok: true, png: bytes };
  const pixels = isPng ? await decodePng(bytes) : (parsePpm(bytes) ?? "QEMU wrote neither a PNG nor a PPM");
  if (typeof pixels === "string") return { ok: false, problem: pixels };
  for (const factor of factors) {
    const { width, height, ...rest } = factor === 1 ? pixels : shrunk(pixels, factor);
    const png = await encodePng({ width, height, ...rest });
    if (png.length > maxBytes) continue;
    if (factor === 1) return { ok: true, png };
    return {
      ok: true,
      png,
      note: `Made smaller, from ${pixels.width} × ${pixels.height} to ${width} × ${height}, to fit into the report`,
    };
  }
  return { ok: false, problem: `It has more than ${maxBytes} bytes however small it is made` };
}

type Chunk = { type: string; data: Buffer };

/** Chunks up to the end; undefined: it is cut off. https://www.w3.org/TR/png-3/#5DataRep */
function chunksOf(png: Buffer): Chunk[] | undefined {
  const chunks: Chunk[] = [];
  for (let at = signature.length; at + 12 <= png.length; ) {
    const length = png.readUInt32BE(at);
    const end = at + 8 + length;
    if (end + 4 > png.length) return undefined;
    const type = png.toString("latin1", at + 4, at + 8);
    chunks.push({ type, data: png.subarray(at + 8, end) });
    if (type === "IEND") return chunks;
    at = end + 4;
  }
  return undefined;
}

/** A sentence where it can't be decoded: what isn't 8 bits of RGB or RGBA without interlacing is nothing that QEMU writes. */
async function decodePng(png: Buffer): Promise<Pixels | string> {
  const chunks = chunksOf(png);
  const head = chunks?.[0]?.data;
  if (chunks === undefined || head === undefined || head.length !== 13) return "The PNG that QEMU wrote is cut off";
  const [width, height] = [head.readUInt32BE(0), head.readUInt32BE(4)];
  const channels = { 2: 3, 6: 4 }[head[9] as number];
  if (head[8] !== 8 || channels === undefined || head[12] !== 0)
    return "It is too large for the report, and of a kind that can't be made smaller";
  if (width * height > pixelsMax) return `It is too large to be made smaller: ${width} × ${height}`;
  const size = height * (width * channels + 1);
  const data = Buffer.concat(chunks.filter(({ type }) => type === "IDAT").map((chunk) => chunk.data));
  const rows = await inflated(data, { maxOutputLength: size }).catch(() => undefined);
  const bytes = rows?.length === size ? unfilter(rows, width, height, channels) : undefined;
  if (bytes === undefined) return "The PNG that QEMU wrote is damaged";
  return { width, height, rgb: channels === 4 ? withoutAlpha(bytes) : bytes };
}

async function encodePng(pixels: Pixels): Promise<Buffer> {
  const head = Buffer.alloc(13);
  head.writeUInt32BE(pixels.width, 0);
  head.writeUInt32BE(pixels.height, 4);
  // 8 bits, RGB.
  head.set([8, 2], 8);
  const data = await deflated(filterRows(pixels), { level: 9 });
  return Buffer.concat([signature, chunk("IHDR", head), chunk("IDAT", data), chunk("IEND", Buffer.alloc(0))]);
}

function chunk(type: string, data: Buffer): Buffer {
  const named = Buffer.concat([Buffer.from(type, "latin1"), data]);
  const framed = Buffer.alloc(named.length + 8);
  framed.writeUInt32BE(data.length, 0);
  framed.set(named, 4);
  framed.writeUInt32BE(crc32(named), named.length + 4);
  return framed;
}
