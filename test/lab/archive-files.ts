import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";
import { vmaHeaderBytes, writeVma } from "../support/vma-writer.ts";
import { type Archive, archivePath, type Damage } from "./archives.ts";
import { hexOf } from "./random.ts";
import type { Tree } from "./tree.ts";

/** Clusters of each stand-in disk: what is proven of an archive does not depend on its size. */
const clusters = 40;
const clusterBytes = 65_536;
const extentHeadBytes = 512;

/** Nothing that compresses, and the same for the same text. */
const noise = (text: string, bytes: number) => Buffer.from(hexOf(text, bytes), "hex");

/** An archive's parts as they would follow one another in the file: header, extents. */
function vmaParts({ volid, config, disks }: Archive): Buffer[] {
  const block = noise(volid, 4096);
  const content = Buffer.concat([block, Buffer.alloc(clusterBytes - 4096)]);
  const standIns = disks.map(({ key }) => ({
    name: `drive-${key}`,
    bytes: clusters * clusterBytes,
    cluster: (index: number) => (index % 4 === 0 ? content : undefined),
  }));
  return [...writeVma(standIns, config)];
}

/** A ustar archive with the container's configuration where vzdump puts it, and some bytes of its root. */
function tar({ volid, config }: Archive): Buffer {
  const entry = (name: string, content: Buffer) => {
    const head = Buffer.alloc(512);
    head.write(name, 0);
    head.write("0000644\0", 100);
    head.write("0000000\0", 108);
    head.write("0000000\0", 116);
    head.write(`${content.length.toString(8).padStart(11, "0")}\0`, 124);
    head.write("00000000000\0", 136);
    head.write("        0", 148);
    head.write("ustar\x0000", 257);
    const sum = head.reduce((all, byte) => all + byte, 0);
    head.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
    return Buffer.concat([head, content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
  };
  const files = [entry("./etc/vzdump/pct.conf", Buffer.from(config)), entry("./srv/data", noise(volid, 20_000))];
  return Buffer.concat([...files, Buffer.alloc(1024)]);
}

function pack(format: string, bytes: Buffer): Buffer {
  if (format.endsWith(".gz")) return gzipSync(bytes);
  const program = { zst: "zstd", lzo: "lzop" }[format.slice(format.lastIndexOf(".") + 1)];
  if (program === undefined) return bytes;
  return execFileSync(program, ["-q", "-c"], { input: bytes, maxBuffer: 1 << 26, stdio: ["pipe", "pipe", "ignore"] });
}

function flipped(bytes: Buffer, at: number): Buffer {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 0xff;
  return copy;
}

/** The whole file broken as it was on a real node. `parts`: header and extents of an uncompressed VMA; else one part. */
function broken(damage: Damage | undefined, parts: readonly Buffer[]): Buffer {
  const whole = Buffer.concat(parts);
  const headBytes = parts[0]?.length ?? vmaHeaderBytes;
  switch (damage) {
    case "flipped-data":
      return flipped(whole, parts.length > 1 ? headBytes + extentHeadBytes + 100 : Math.floor(whole.length * 0.8));
    case "cut-at-extent":
      return Buffer.concat(parts.slice(0, -1));
    case "cut-last-byte":
      return whole.subarray(0, -1);
    case "cut-tail":
      return whole.subarray(0, -4);
    case "cut-half":
      return whole.subarray(0, Math.floor(whole.length / 2));
    case "only-header":
      return whole.subarray(0, headBytes + 32);
    case "flipped-extent-header":
      return flipped(whole, headBytes + 60);
    case "appended":
      return Buffer.concat([whole, Buffer.alloc(extentHeadBytes, 1)]);
    case "wrong-magic":
      return flipped(whole, 0);
    case "flipped-header":
      return flipped(whole, 100);
    case "empty":
      return Buffer.alloc(0);
    default:
      return whole;
  }
}

/**
 * The file of a backup on one node, made when somebody asks for it: small, but a true VMA or tar, truly compressed, and truly broken where a test
 * broke it. Undefined: it is on a Backup Server.
 */
export function ensureArchiveFile(tree: Tree, node: string, archive: Archive): string | undefined {
  if (archive.format.startsWith("pbs-")) return undefined;
  const place = archivePath(archive.volid);
  const path = join(tree.root(node), place);
  const written = archive.written ?? new Map<string, Damage | undefined>();
  archive.written = written;
  if (existsSync(path) && written.has(node) && written.get(node) === archive.damage) return place;
  const parts = archive.backup.type === "qemu" ? vmaParts(archive) : [tar(archive)];
  const packed = archive.format.includes(".") ? [pack(archive.format, Buffer.concat(parts))] : parts;
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, broken(archive.damage, packed));
  written.set(node, archive.damage);
  return place;
}
