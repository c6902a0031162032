import { createHash } from "node:crypto";
import type { FormatReader } from "./feeder.ts";

/** What is wrong with an archive, in the words of Proxmox' `vma` where it has any (its spelling too), so that they can be looked up. */
export class ArchiveDamage extends Error {}

export type VmaFacts = { devices: { name: string; bytes: number }[]; clusters: number };

// Layout of the header and of extents: vma_spec.txt of Proxmox' QEMU. Numbers are big-endian, sizes of blobs little-endian.
const fixedHeaderBytes = 12_288;
const headerMaxBytes = fixedHeaderBytes + (16 << 20);
const extentHeaderBytes = 512;
const blockInfos = 59;
const blockBytes = 4096;
const clusterBytes = 65_536;
const magics = { file: 0x564d_4100, extent: 0x564d_4145 };
const at = { uuid: 8, md5: 32, blobOffset: 48, headerSize: 56, devices: 4096 };
const deviceBytes = 32;
const extentAt = { uuid: 8, md5: 24, infos: 40 };
/** One bit for each cluster: 32 MiB of memory are 16 TiB of disks. What goes beyond is not looked through for missing clusters. */
const bitmapMaxBytes = 32 << 20;

type Device = { name: string; bytes: number; clusters: number; seen: Uint8Array | undefined };

/**
 * Reads a VMA to its end and throws ArchiveDamage: header and every extent's header by their checksums, and that no cluster of a disk is missing,
 * which `vma verify` leaves out and `vma extract` does not. The format has no checksum over the data itself.
 */
export function* readVma(facts: VmaFacts): FormatReader {
  const header = yield* readHeader();
  const uuid = header.subarray(at.uuid, at.uuid + 16);
  const devices = readDevices(header);
  facts.devices = [...devices.values()].map(({ name, bytes }) => ({ name, bytes }));
  for (;;) {
    const { bytes: head } = yield { take: extentHeaderBytes };
    if (head.length === 0) break;
    if (head.length < extentHeaderBytes) throw new ArchiveDamage(`read short extent (${head.length} bytes)`);
    if (!checksumFits(head, extentAt.md5)) throw new ArchiveDamage("wrong vma extent header chechsum");
    if (head.readUInt32BE(0) !== magics.extent) throw new ArchiveDamage("wrong vma extent header magic");
    if (!head.subarray(extentAt.uuid, extentAt.uuid + 16).equals(uuid)) throw new ArchiveDamage("wrong vma extent uuid");
    const size = markClusters(head, devices, facts);
    const { skipped } = size === 0 ? { skipped: 0 } : yield { skip: size };
    if (skipped < size) {
      throw new ArchiveDamage(`short vma extent (${extentHeaderBytes + skipped} < ${extentHeaderBytes + size})`);
    }
  }
  for (const device of devices.values()) demandAll(device);
}

function* readHeader(): Generator<{ take: number }, Buffer, { bytes: Buffer }> {
  const { bytes: fixed } = yield { take: fixedHeaderBytes };
  if (fixed.length === 0) throw new ArchiveDamage("can't read vma header - got EOF");
  if (fixed.length < 4 || fixed.readUInt32BE(0) !== magics.file) throw new ArchiveDamage("not a vma file - wrong magic number");
  if (fixed.length < fixedHeaderBytes) throw new ArchiveDamage("can't read vma header - got EOF");
  const size = fixed.readUInt32BE(at.headerSize);
  if (size < fixedHeaderBytes || size > headerMaxBytes) throw new ArchiveDamage("wrong vma header size");
  const { bytes: blobs } = size === fixedHeaderBytes ? { bytes: Buffer.alloc(0) } : yield { take: size - fixedHeaderBytes };
  if (blobs.length < size - fixedHeaderBytes) throw new ArchiveDamage("can't read vma header - got EOF");
  const header = Buffer.concat([fixed, blobs]);
  if (!checksumFits(header, at.md5)) throw new ArchiveDamage("wrong vma header chechsum");
  if (header.readUInt32BE(4) !== 1) throw new ArchiveDamage("wrong vma version");
  return header;
}

/** MD5 over all of it, its own place taken as zeros. */
function checksumFits(bytes: Buffer, place: number): boolean {
  const hash = createHash("md5")
    .update(bytes.subarray(0, place))
    .update(Buffer.alloc(16))
    .update(bytes.subarray(place + 16));
  return hash.digest().equals(bytes.subarray(place, place + 16));
}

function readDevices(header: Buffer): Map<number, Device> {
  const devices = new Map<number, Device>();
  const blobs = header.readUInt32BE(at.blobOffset);
  let left = bitmapMaxBytes;
  for (let id = 1; id < 256; id++) {
    const entry = at.devices + id * deviceBytes;
    const namePlace = header.readUInt32BE(entry);
    const bytes = Number(header.readBigUInt64BE(entry + 8));
    if (namePlace === 0 || bytes === 0) continue;
    const start = blobs + namePlace;
    const length = start + 2 <= header.length ? header.readUInt16LE(start) : 0;
    const name = header.toString("latin1", start + 2, start + 2 + length).replace(/\0.*$/s, "");
    const clusters = Math.ceil(bytes / clusterBytes);
    const bitmapBytes = Math.ceil(clusters / 8);
    // A suspended machine's memory is written as it comes, without a number of clusters known before.
    const looked = name !== "vmstate" && bitmapBytes <= left;
    if (looked) left -= bitmapBytes;
    devices.set(id, { name, bytes, clusters, seen: looked ? new Uint8Array(bitmapBytes) : undefined });
  }
  return devices;
}

/** Notes which clusters an extent holds, and gives the bytes of its blocks. A cluster of zeros has an entry without blocks. */
function markClusters(head: Buffer, devices: ReadonlyMap<number, Device>, facts: VmaFacts): number {
  let blocks = 0;
  for (let i = 0; i < blockInfos; i++) {
    const place = extentAt.infos + i * 8;
    const [mask, deviceId, cluster] = [head.readUInt16BE(place), head.readUInt8(place + 3), head.readUInt32BE(place + 4)];
    if (deviceId === 0) continue;
    const device = devices.get(deviceId);
    if (device === undefined) throw new ArchiveDamage(`got wrong dev id ${deviceId}`);
    if (device.seen !== undefined && cluster >= device.clusters) {
      throw new ArchiveDamage(`cluster ${cluster} lies outside of stream ${device.name}`);
    }
    if (device.seen !== undefined) device.seen[cluster >> 3] = (device.seen[cluster >> 3] as number) | (1 << (cluster & 7));
    facts.clusters++;
    for (let bits = mask; bits !== 0; bits &= bits - 1) blocks++;
  }
  return blocks * blockBytes;
}

function demandAll({ name, clusters, seen }: Device): void {
  if (seen === undefined) return;
  for (let cluster = 0; cluster < clusters; cluster++) {
    if (((seen[cluster >> 3] as number) & (1 << (cluster & 7))) === 0) {
      throw new ArchiveDamage(`detected missing cluster ${cluster} for stream ${name}`);
    }
  }
}
