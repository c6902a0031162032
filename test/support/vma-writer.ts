import { createHash } from "node:crypto";

/** A small VMA as Proxmox' `vma create` would write it (vma_spec.txt of its QEMU), for tests. */

export type VmaDisk = {
  name: string;
  bytes: number /** Content of one cluster; undefined: zeros. */;
  cluster(index: number): Buffer | undefined;
};

export const vmaHeaderBytes = 12_288;
const clusterBytes = 65_536;
const clustersPerExtent = 59;

function sealed(bytes: Buffer, place: number): Buffer {
  bytes.fill(0, place, place + 16);
  createHash("md5").update(bytes).digest().copy(bytes, place);
  return bytes;
}

function header(uuid: Buffer, disks: readonly VmaDisk[], config: string): Buffer {
  const blobs: Buffer[] = [Buffer.from([0])];
  let size = 1;
  const blob = (content: Buffer) => {
    const start = size;
    const head = Buffer.alloc(2);
    head.writeUInt16LE(content.length);
    blobs.push(head, content);
    size += 2 + content.length;
    return start;
  };
  const bytes = Buffer.alloc(vmaHeaderBytes);
  bytes.write("VMA\0", 0, "latin1");
  bytes.writeUInt32BE(1, 4);
  uuid.copy(bytes, 8);
  bytes.writeBigUInt64BE(1_795_399_643n, 24);
  bytes.writeUInt32BE(blob(Buffer.from("qemu-server.conf\0")), 2044);
  bytes.writeUInt32BE(blob(Buffer.from(config)), 3068);
  for (const [index, disk] of disks.entries()) {
    const entry = 4096 + (index + 1) * 32;
    bytes.writeUInt32BE(blob(Buffer.from(`${disk.name}\0`)), entry);
    bytes.writeBigUInt64BE(BigInt(disk.bytes), entry + 8);
  }
  const whole = Math.ceil((vmaHeaderBytes + size) / 512) * 512;
  bytes.writeUInt32BE(vmaHeaderBytes, 48);
  bytes.writeUInt32BE(size, 52);
  bytes.writeUInt32BE(whole, 56);
  return sealed(Buffer.concat([bytes, ...blobs], whole), 32);
}

const isZero = (block: Buffer) => block.every((byte) => byte === 0);

/** Header and extents one after the other, so that a large one needs no memory. */
export function* writeVma(disks: readonly VmaDisk[], config = "memory: 512\n"): Generator<Buffer> {
  const uuid = createHash("md5")
    .update(JSON.stringify(disks.map(({ name, bytes }) => [name, bytes])))
    .digest();
  yield header(uuid, disks, config);
  let head: Buffer = Buffer.alloc(512);
  let data: Buffer[] = [];
  let used = 0;
  const flush = () => {
    head.write("VMAE", 0, "latin1");
    head.writeUInt16BE(data.length, 6);
    uuid.copy(head, 8);
    return Buffer.concat([sealed(head, 24), ...data]);
  };
  for (const [index, disk] of disks.entries()) {
    for (let cluster = 0; cluster * clusterBytes < disk.bytes; cluster++) {
      const content = disk.cluster(cluster);
      let mask = 0;
      for (let block = 0; content !== undefined && block < 16; block++) {
        const part = content.subarray(block * 4096, block * 4096 + 4096);
        if (isZero(part)) continue;
        mask |= 1 << block;
        data.push(part);
      }
      const place = 40 + used * 8;
      head.writeUInt16BE(mask, place);
      head.writeUInt8(index + 1, place + 3);
      head.writeUInt32BE(cluster, place + 4);
      used++;
      if (used < clustersPerExtent) continue;
      yield flush();
      head = Buffer.alloc(512);
      data = [];
      used = 0;
    }
  }
  if (used > 0) yield flush();
}
