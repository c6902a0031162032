import assert from "node:assert/strict";
import { test } from "node:test";
import { fitPicture } from "../../../agent/restore/picture.ts";
import { noisyScreen, pngOf, ppmOf, readPng } from "../../support/pictures.ts";
import { fc } from "../../support/property.ts";

const maxBytes = 299_000;

/** Rows with the filter `None`. */
const plainRows = (width: number, height: number, channels: number, pixels: Buffer) =>
  Buffer.concat(
    Array.from({ length: height }, (_, y) =>
      Buffer.concat([Buffer.from([0]), pixels.subarray(y * width * channels, (y + 1) * width * channels)]),
    ),
  );

test("a picture that fits stays as it came", async () => {
  const png = pngOf(2, 1, Buffer.from([0, 1, 2, 3, 4, 5, 6]));
  assert.deepEqual(await fitPicture(png, maxBytes), { ok: true, png });
});

test("a screen that is too large for the report is made smaller, and the record says so", async () => {
  const screen = noisyScreen(1280, 720);
  for (const bytes of [ppmOf(screen), pngOf(1280, 720, plainRows(1280, 720, 3, screen.rgb), { level: 1 })]) {
    const fitted = await fitPicture(bytes, maxBytes);
    assert.ok(fitted.ok);
    assert.ok(fitted.png.length <= maxBytes, `${fitted.png.length} bytes`);
    assert.equal(fitted.note, "Made smaller, from 1280 × 720 to 426 × 240, to fit into the report");
    const { width, height, rgb } = readPng(fitted.png);
    assert.deepEqual([width, height], [426, 240]);
    let sum = 0;
    for (let y = 0; y < 3; y++) for (let x = 0; x < 3; x++) sum += screen.rgb[(y * 1280 + x) * 3] ?? 0;
    assert.equal(rgb[0], Math.floor(sum / 9));
  }
});

test("a PPM, and a PNG that was badly packed, keep each pixel", async () => {
  const rgb = Buffer.from(Array.from({ length: 40 * 30 * 3 }, (_, i) => (i * 7) % 256));
  const screen = { width: 40, height: 30, rgb };
  const fitted = await fitPicture(ppmOf(screen), maxBytes);
  assert.ok(fitted.ok && fitted.note === undefined);
  assert.deepEqual(readPng(fitted.png), screen);
  const rgba = Buffer.from(
    Array.from({ length: 40 * 30 * 4 }, (_, i) => (i % 4 === 3 ? 255 : (rgb[i - Math.floor(i / 4)] ?? 0))),
  );
  const loose = pngOf(40, 30, plainRows(40, 30, 4, rgba), { type: 6, level: 0 });
  const packed = await fitPicture(loose, loose.length - 1);
  assert.ok(packed.ok && packed.note === undefined);
  assert.deepEqual(readPng(packed.png), screen);
});

/** The filters of the PNG specification, the way there. */
function filtered(kind: number, row: Buffer, above: Buffer): Buffer {
  const out = Buffer.from([kind, ...row]);
  for (let i = 0; i < row.length; i++) {
    const [a, b, c] = [i < 3 ? 0 : (row[i - 3] ?? 0), above[i] ?? 0, i < 3 ? 0 : (above[i - 3] ?? 0)];
    const p = a + b - c;
    const [pa, pb, pc] = [Math.abs(p - a), Math.abs(p - b), Math.abs(p - c)];
    const paeth = pa <= pb && pa <= pc ? a : pb <= pc ? b : c;
    out[i + 1] = (row[i] ?? 0) - ([0, a, b, Math.floor((a + b) / 2), paeth][kind] ?? 0);
  }
  return out;
}

test("whatever filters a PNG has, each pixel is read as it was", async () => {
  const picture = fc.integer({ min: 1, max: 9 }).chain((width) =>
    fc.record({
      width: fc.constant(width),
      rows: fc.array(
        fc.record({ kind: fc.integer({ min: 0, max: 4 }), row: fc.uint8Array({ minLength: width * 3, maxLength: width * 3 }) }),
        { minLength: 1, maxLength: 9 },
      ),
    }),
  );
  await fc.assert(
    fc.asyncProperty(picture, async ({ width, rows }) => {
      const pixels = rows.map(({ row }) => Buffer.from(row));
      const packed = rows.map(({ kind }, y) =>
        filtered(kind, pixels[y] ?? Buffer.alloc(0), pixels[y - 1] ?? Buffer.alloc(width * 3)),
      );
      // Padded, so that it doesn't fit as it came.
      const png = Buffer.concat([pngOf(width, rows.length, Buffer.concat(packed)), Buffer.alloc(2000)]);
      const read = await fitPicture(png, png.length - 1);
      assert.ok(read.ok && read.note === undefined);
      assert.deepEqual(readPng(read.png), { width, height: rows.length, rgb: Buffer.concat(pixels) });
    }),
    { numRuns: 100 },
  );
});

test("what can't be made smaller is left out with its reason", async () => {
  const whole = pngOf(40, 30, Buffer.alloc(30 * 121), { level: 0 });
  const reasonOf = async (bytes: Buffer) => {
    const fitted = await fitPicture(bytes, 500);
    return fitted.ok ? "it fits" : fitted.problem;
  };
  assert.equal(await reasonOf(Buffer.from("no picture at all")), "QEMU wrote neither a PNG nor a PPM");
  assert.equal(await reasonOf(ppmOf({ width: 4, height: 4, rgb: Buffer.alloc(20) })), "QEMU wrote neither a PNG nor a PPM");
  assert.equal(await reasonOf(whole.subarray(0, 700)), "The PNG that QEMU wrote is cut off");
  assert.equal(await reasonOf(pngOf(40, 30, Buffer.alloc(900), { level: 0 })), "The PNG that QEMU wrote is damaged");
  assert.equal(
    await reasonOf(pngOf(40, 30, Buffer.alloc(900), { level: 0, type: 3 })),
    "It is too large for the report, and of a kind that can't be made smaller",
  );
  assert.equal(
    await reasonOf(pngOf(9000, 9000, Buffer.alloc(900), { level: 0 })),
    "It is too large to be made smaller: 9000 × 9000",
  );
  const noisy = await fitPicture(ppmOf(noisyScreen(64, 64)), 60);
  assert.deepEqual(noisy, { ok: false, problem: "It has more than 60 bytes however small it is made" });
});
