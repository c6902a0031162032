import { crc32, inflateSync } from "node:zlib";

/** Bytes of pixels that a picture may have: a screen of 3840 × 2160 in RGBA. Whoever shows it holds them in memory. */
const pixelBytesMax = 3840 * 2160 * 4 + 2160;
const signature = Buffer.from("89504e470d0a1a0a", "hex");
/** Samples a pixel by colour type, of those that are shown. https://www.w3.org/TR/png-3/#11IHDR */
const channelsOf: Readonly<Record<number, number>> = { 0: 1, 2: 3, 4: 2, 6: 4 };

/** Why these bytes can't be shown as a picture; undefined: they can. An agent told them: a file that claims to be a PNG need not be one. */
export function pngProblem(png: Buffer): string | undefined {
  if (!png.subarray(0, 8).equals(signature)) return "it is no PNG";
  const data: Buffer[] = [];
  let size: number | undefined;
  for (let at = 8; at + 12 <= png.length; ) {
    const length = png.readUInt32BE(at);
    const end = at + 8 + length;
    if (end + 4 > png.length) break;
    const type = png.toString("latin1", at + 4, at + 8);
    if (crc32(png.subarray(at + 4, end)) !== png.readUInt32BE(end))
      return `it is damaged: the checksum of its ${type} does not fit`;
    if (type === "IHDR") size = sizeOf(png.subarray(at + 8, end));
    if (type === "IDAT") data.push(png.subarray(at + 8, end));
    if (type === "IEND") return pixelsProblem(size, Buffer.concat(data));
    at = end + 4;
  }
  return "it is cut off";
}

/** Bytes of the unpacked rows, each with its filter's number; undefined: of no kind that screens have. */
function sizeOf(head: Buffer): number | undefined {
  if (head.length !== 13) return undefined;
  const channels = channelsOf[head[9] as number];
  const [width, height] = [head.readUInt32BE(0), head.readUInt32BE(4)];
  if (channels === undefined || head[8] !== 8 || head[12] !== 0 || width === 0 || height === 0) return undefined;
  return height * (width * channels + 1);
}

function pixelsProblem(size: number | undefined, data: Buffer): string | undefined {
  if (size === undefined) return "it is of a kind that is not shown here";
  if (size > pixelBytesMax) return "it is too large";
  try {
    return inflateSync(data, { maxOutputLength: size }).length === size ? undefined : "it is damaged: pixels are missing";
  } catch {
    return "it is damaged: its pixels can't be unpacked";
  }
}
