import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../../agent/clock.ts";
import { readArchive } from "../../../agent/integrity/archive-reading.ts";
import { archiveKindOf } from "../../../agent/integrity/compression.ts";
import { Feeder } from "../../../agent/integrity/feeder.ts";
import { judgeReading, type KnownSum } from "../../../agent/integrity/judge.ts";
import { createReadArchive } from "../../../agent/integrity/reading-process.ts";
import { readVma } from "../../../agent/integrity/vma.ts";
import { settle } from "../../support/fake-clock.ts";
import { fc } from "../../support/property.ts";
import { writeVma } from "../../support/vma-writer.ts";

const folder = mkdtempSync(join(tmpdir(), "proven-archives-"));
after(() => rmSync(folder, { recursive: true, force: true }));
const skipLzop = existsSync("/usr/bin/lzop") ? false : "lzop is not installed";

const noise = randomBytes(65_536);
// Two disks of an odd number of clusters: some full, some empty, some with a single block.
const disks = [
  { name: "drive-scsi0", bytes: 200 * 65_536 + 4096, cluster: (n: number) => (n % 3 === 0 ? noise : undefined) },
  {
    name: "drive-scsi2",
    bytes: 130 * 65_536,
    cluster: (n: number) => (n === 7 ? Buffer.concat([noise.subarray(0, 4096), Buffer.alloc(61_440)]) : undefined),
  },
];
const good = Buffer.concat([...writeVma(disks)]);
/** Where each extent begins. */
const extents: number[] = [];
let written = 0;
for (const [index, part] of [...writeVma(disks)].entries()) {
  if (index > 0) extents.push(written);
  written += part.length;
}

const flipped = (bytes: Buffer, at: number) => {
  const copy = Buffer.from(bytes);
  copy[at] = (copy[at] as number) ^ 0xff;
  return copy;
};
const packed = (program: string, bytes: Buffer, ...args: string[]) =>
  execFileSync(program, [...args, "-c"], { input: bytes, maxBuffer: 1 << 28, stdio: ["pipe", "pipe", "ignore"] });

function put(name: string, bytes: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

async function judged(name: string, bytes: Buffer, known?: KnownSum) {
  const kind = archiveKindOf(name);
  assert.ok(kind !== undefined);
  const facts = await readArchive({ path: put(name, bytes), kind }, systemClock, () => undefined);
  const { state, by, reason } = judgeReading(facts, kind, known);
  return { state, ...(by && { by }), reason };
}
const sumOf = (bytes: Buffer) => ({ sha256: createHash("sha256").update(bytes).digest("hex"), at: Date.UTC(2026, 10, 23, 2) });

const notChecked = {
  state: "not-checked",
  reason:
    "read to its end, and its structure fits, but an uncompressed .vma has no checksum over its data, and no SHA-256 was taken when it was new",
};
const zst = packed("zstd", good, "-q");
const damagedBy = (reason: string) => ({ state: "damaged", reason });

/** As they were tried on a real node; the words are those of Proxmox' `vma` and of zstd there. */
const forms: [name: string, file: string, bytes: () => Buffer, verdict: object][] = [
  ["a good uncompressed archive is not checked: nothing in it can prove its bytes", "a.vma", () => good, notChecked],
  [
    "one flipped data byte goes unnoticed, and so does not count as verified",
    "b.vma",
    () => flipped(good, (extents[0] as number) + 600),
    notChecked,
  ],
  [
    "cut at an extent's border, which vma verify takes for whole",
    "c.vma",
    () => good.subarray(0, extents.at(-1)),
    damagedBy("vma: detected missing cluster 94 for stream drive-scsi2"),
  ],
  ["the last byte missing", "d.vma", () => good.subarray(0, -1), damagedBy("vma: read short extent (511 bytes)")],
  [
    "cut in an extent's data",
    "e.vma",
    () => good.subarray(0, (extents[1] as number) + 5120),
    damagedBy("vma: short vma extent (5120 < 1311232)"),
  ],
  [
    "only the header and a bit",
    "f.vma",
    () => good.subarray(0, (extents[0] as number) + 32),
    damagedBy("vma: read short extent (32 bytes)"),
  ],
  [
    "an extent's header flipped",
    "g.vma",
    () => flipped(good, (extents[1] as number) + 44),
    damagedBy("vma: wrong vma extent header chechsum"),
  ],
  [
    "bytes appended",
    "h.vma",
    () => Buffer.concat([good, noise.subarray(0, 700)]),
    damagedBy("vma: wrong vma extent header chechsum"),
  ],
  ["the magic number flipped", "i.vma", () => flipped(good, 1), damagedBy("vma: not a vma file - wrong magic number")],
  ["the header flipped", "j.vma", () => flipped(good, 5000), damagedBy("vma: wrong vma header chechsum")],
  ["an empty file", "k.vma", () => Buffer.alloc(0), damagedBy("vma: can't read vma header - got EOF")],
  [
    "zstd cut at half",
    "l.vma.zst",
    () => zst.subarray(0, zst.length / 2),
    { state: "damaged", reason: /Read error \(39\) : premature end/ },
  ],
  [
    "zstd without its last four bytes",
    "m.vma.zst",
    () => zst.subarray(0, -4),
    { state: "damaged", reason: /Read error \(39\) : premature end|exit code 1/ },
  ],
  [
    "zstd with a flipped data byte",
    "n.vma.zst",
    () => flipped(zst, zst.length >> 1),
    { state: "damaged", reason: /Decoding error \(36\)/ },
  ],
  [
    "zstd with a flipped checksum",
    "o.vma.zst",
    () => flipped(zst, zst.length - 1),
    { state: "damaged", reason: /Decoding error \(36\) : Restored data doesn't match checksum/ },
  ],
];
for (const [name, file, bytes, verdict] of forms) {
  test(`a backup of a VM: ${name}`, async () => {
    const found = await judged(file, bytes());
    const wanted = verdict as { state: string; reason: string | RegExp };
    assert.equal(found.state, wanted.state, found.reason);
    if (typeof wanted.reason === "string") assert.deepEqual(found, verdict);
    else assert.match(found.reason, wanted.reason);
  });
}

test("the compressor's checksum over the whole file proves its bytes", async () => {
  const verified = (word: string) => ({
    state: "verified",
    by: "compressor-checksum",
    reason: `read to its end: the checksums of ${word} over all data fit, and so does the structure of the vma`,
  });
  assert.deepEqual(await judged("p.vma.zst", zst), verified("zst"));
  assert.deepEqual(await judged("q.vma.gz", packed("gzip", good)), verified("gz"));
});

test("lzop keeps checksums unless it was told not to", { skip: skipLzop }, async () => {
  assert.equal((await judged("r.vma.lzo", packed("lzop", good))).by, "compressor-checksum");
  const bare = await judged("s.vma.lzo", packed("lzop", good, "-F"));
  assert.equal(bare.state, "not-checked");
  assert.match(bare.reason, /its compressor left no checksum \(lzo\)/);
  const lzo = packed("lzop", good);
  assert.equal((await judged("t.vma.lzo", flipped(lzo, lzo.length >> 1))).state, "damaged");
});

test("zstd without its content checksum proves nothing, in the first frame or any other", async () => {
  const without = packed("zstd", good, "-q", "--no-check");
  assert.equal((await judged("u.vma.zst", without)).state, "not-checked");
  const half = good.length >> 1;
  const mixed = Buffer.concat([
    packed("zstd", good.subarray(0, half), "-q"),
    packed("zstd", good.subarray(half), "-q", "--no-check"),
  ]);
  assert.equal((await judged("v.vma.zst", mixed)).state, "not-checked");
  const both = Buffer.concat([packed("zstd", good.subarray(0, half), "-q"), packed("zstd", good.subarray(half), "-q")]);
  assert.equal((await judged("w.vma.zst", both)).state, "verified");
});

test("our own SHA-256 of the new file proves an uncompressed archive, and finds the byte that nothing else finds", async () => {
  assert.deepEqual(await judged("x.vma", good, sumOf(good)), {
    state: "verified",
    by: "own-sha256",
    reason: "its SHA-256 is still that of 2026-11-23 02:00 UTC, when the file was new",
  });
  const rotten = await judged("y.vma", flipped(good, (extents[0] as number) + 600), sumOf(good));
  assert.match(rotten.reason, /^its bytes are no longer those of 2026-11-23 02:00 UTC: SHA-256 [0-9a-f]{64}, then [0-9a-f]{64}$/);
  assert.equal(rotten.state, "damaged");
});

test("a good compressor around a broken archive is damaged all the same", async () => {
  const broken = packed("zstd", good.subarray(0, extents.at(-1)), "-q");
  assert.deepEqual(await judged("z.vma.zst", broken), damagedBy("vma: detected missing cluster 94 for stream drive-scsi2"));
});

const tree = join(folder, "tree/etc/vzdump");
mkdirSync(tree, { recursive: true });
writeFileSync(join(tree, "pct.conf"), "arch: amd64\n");
writeFileSync(join(folder, "tree/data"), randomBytes(300_000));
const tar = execFileSync("tar", ["-cf", "-", "-C", join(folder, "tree"), "."], { maxBuffer: 1 << 26 });

test("a container's archive: compressed and whole is verified, uncompressed is not checked, cut or flipped is damaged", async () => {
  assert.equal((await judged("a.tar.zst", packed("zstd", tar, "-q"))).by, "compressor-checksum");
  assert.equal((await judged("b.tgz", packed("gzip", tar))).by, "compressor-checksum");
  assert.equal((await judged("c.tar", tar)).state, "not-checked");
  assert.equal((await judged("d.tar", tar, sumOf(tar))).by, "own-sha256");
  assert.deepEqual(await judged("e.tar", tar.subarray(0, 100_000)), {
    state: "damaged",
    reason: "tar: Unexpected EOF in archive; tar: Error is not recoverable: exiting now (exit code 2)",
  });
  assert.equal((await judged("f.tar", flipped(tar, 10))).state, "damaged");
  assert.equal((await judged("g.tar.gz", flipped(packed("gzip", tar), 100_000))).state, "damaged");
  assert.match((await judged("h.tar.zst", packed("zstd", tar.subarray(0, 100_000), "-q"))).reason, /Unexpected EOF in archive/);
});

test("a decompressor that the node ends, short of memory, says nothing against the archive", async (t) => {
  const programs = join(folder, "programs");
  mkdirSync(programs);
  writeFileSync(join(programs, "zstd"), "#!/bin/sh\nkill -KILL $$\n", { mode: 0o755 });
  const { PATH } = process.env;
  t.after(() => {
    process.env.PATH = PATH;
  });
  process.env.PATH = `${programs}:${PATH}`;
  assert.deepEqual(await judged("killed.vma.zst", zst), {
    state: "unreadable",
    reason: "zstd was ended from outside, by SIGKILL",
  });
});

test("a file that is gone, and a kind nobody knows", async () => {
  const kind = { container: "vma", compression: "none" } as const;
  const facts = await readArchive({ path: join(folder, "gone.vma"), kind }, systemClock, () => undefined);
  assert.match(facts.unreadable ?? "", /^ENOENT/);
  assert.equal(judgeReading(facts, kind, undefined).state, "unreadable");
  assert.equal(archiveKindOf("local:backup/vzdump-qemu-100-2026_11_23-02_00_00.log"), undefined);
});

test("however the file is cut into pieces, the reader sees the same", () => {
  const small = Buffer.concat([
    ...writeVma([{ name: "drive-ide0", bytes: 3 * 65_536, cluster: (n) => (n === 1 ? noise : undefined) }]),
  ]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20_000 }), { minLength: 1, maxLength: 40 }), (lengths) => {
      const facts = { devices: [], clusters: 0 };
      const feeder = new Feeder(readVma(facts));
      for (let at = 0, turn = 0; at < small.length; turn++) {
        const length = lengths[turn % lengths.length] as number;
        feeder.push(small.subarray(at, at + length));
        at += length;
      }
      feeder.end();
      assert.deepEqual(facts, { devices: [{ name: "drive-ide0", bytes: 196_608 }], clusters: 3 });
    }),
    { numRuns: 50 },
  );
});

const self = [process.execPath, "--import", "tsx", fileURLToPath(new URL("../../../agent/main.ts", import.meta.url))];

/** Reads it in the agent's own way; the process' most memory, KiB, and its niceness. */
async function watched(path: string) {
  const fractions: number[] = [];
  const kind = { container: "vma", compression: "zst" } as const;
  const reading = createReadArchive(self)({ path, kind }, (fraction) => fractions.push(fraction), new AbortController().signal);
  let [over, peakKib, nice] = [false, 0, ""];
  void reading.finally(() => {
    over = true;
  });
  for (; !over; await settle(20)) {
    const children = execFileSync("ps", ["-o", "pid=,ni=,args=", "--ppid", String(process.pid)], { encoding: "utf8" });
    const [pid, ni] =
      children
        .split("\n")
        .find((line) => line.includes("archive-check"))
        ?.trim()
        .split(/\s+/) ?? [];
    const status = existsSync(`/proc/${pid}/status`) ? readFileSync(`/proc/${pid}/status`, "utf8") : "";
    peakKib = Math.max(peakKib, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0));
    nice = ni ?? nice;
  }
  return { facts: await reading, peakKib, nice, fractions };
}

test("a large archive is read by a process of idle priority that needs no more memory than for a small one", async () => {
  const path = join(folder, "large.vma");
  const file = openSync(path, "w");
  const every = (n: number) => (n % 2 === 0 ? noise : undefined);
  for (const part of writeVma([{ name: "drive-scsi0", bytes: 400 << 20, cluster: every }])) writeSync(file, part);
  closeSync(file);
  execFileSync("zstd", ["-q", "-1", "--rm", path]);
  const large = await watched(`${path}.zst`);
  const small = await watched(put("small.vma.zst", zst));
  assert.deepEqual([large.facts.damages, large.facts.checksummed, large.facts.unreadable], [[], true, undefined]);
  assert.deepEqual(large.facts.log, ["drive-scsi0: 419430400 bytes", "6400 clusters of 64 KiB"]);
  assert.equal(large.nice, "19");
  assert.ok(large.peakKib - small.peakKib < 16_384, `${large.peakKib} KiB, ${small.peakKib} KiB for a small one`);
});

test("cancelled, the reading ends at once, and its decompressor with it", async () => {
  const path = join(folder, "slow.vma.zst");
  writeFileSync(path, zst);
  const cancel = new AbortController();
  const kind = { container: "vma", compression: "zst" } as const;
  const reading = createReadArchive(self)({ path, kind, bytesPerSec: 1000 }, () => undefined, cancel.signal);
  setImmediate(() => cancel.abort());
  assert.equal((await reading).unreadable, "cancelled");
});
