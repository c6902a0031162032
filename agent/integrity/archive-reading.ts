import { type ChildProcessByStdio, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { open } from "node:fs/promises";
import type { Readable, Writable } from "node:stream";
import { errorMessage } from "../core/error.ts";
import type { Clock } from "../ports.ts";
import { type ArchiveKind, type ChecksumFacts, decompressors, readGzip, readLzopHeader, readZstdFrames } from "./compression.ts";
import { Feeder, type FormatReader } from "./feeder.ts";
import { ArchiveDamage, readVma, type VmaFacts } from "./vma.ts";

/** `kind` absent: only the SHA-256. `bytesPerSec`: at most; absent: as fast as idle priority gets. */
export type ReadingRequest = { path: string; kind?: ArchiveKind; bytesPerSec?: number };

/** What reading a file to its end showed. */
export type ReadingFacts = {
  bytes: number;
  sha256: string;
  /** What contradicts the archive, in its tools' words; empty: nothing. */
  damages: string[];
  /** Why it could not be read at all. */
  unreadable?: string;
  /** Every part of it carries a checksum over its content, and that fitted. */
  checksummed: boolean;
  log: string[];
};

const chunkBytes = 256 << 10;
const patienceMs = 1000;
const wasteMaxBytes = 1 << 20;

/**
 * Reads an archive to its end, once: SHA-256, the decompressor's own check, the structure of what comes out. Memory stays the same whatever the
 * size. `onBytes` at most once a second. Never throws on a bad file.
 */
export async function readArchive(
  request: ReadingRequest,
  clock: Clock,
  onBytes: (bytes: number, of: number) => void,
): Promise<ReadingFacts> {
  const facts: ReadingFacts = { bytes: 0, sha256: "", damages: [], checksummed: false, log: [] };
  const work = request.kind === undefined ? undefined : new Unpacking(request.kind, facts);
  try {
    const hash = createHash("sha256");
    await eachChunk(request, clock, async (chunk, of, told) => {
      hash.update(chunk);
      facts.bytes += chunk.length;
      await work?.push(chunk);
      if (told) onBytes(facts.bytes, of);
    });
    await work?.end();
    facts.sha256 = hash.digest("hex");
  } catch (error) {
    work?.abandon();
    facts.unreadable = errorMessage(error);
  }
  return facts;
}

/** One buffer for the whole file. */
async function eachChunk(
  { path, bytesPerSec }: ReadingRequest,
  clock: Clock,
  take: (chunk: Buffer, of: number, told: boolean) => Promise<void>,
): Promise<void> {
  const file = await open(path, "r");
  try {
    const { size } = await file.stat();
    const buffer = Buffer.allocUnsafeSlow(chunkBytes);
    const startedMs = clock.monotonicMs();
    let [toldMs, bytes] = [startedMs, 0];
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, chunkBytes);
      if (bytesRead === 0) return;
      const nowMs = clock.monotonicMs();
      const told = nowMs - toldMs >= patienceMs;
      if (told) toldMs = nowMs;
      await take(buffer.subarray(0, bytesRead), size, told);
      bytes += bytesRead;
      const aheadMs = bytesPerSec === undefined ? 0 : (bytes / bytesPerSec) * 1000 - (clock.monotonicMs() - startedMs);
      if (aheadMs > 0) await clock.sleep(aheadMs);
    }
  } finally {
    await file.close();
  }
}

type Program = ChildProcessByStdio<Writable, Readable | null, Readable>;

/** Decompressor and structure of one archive. Their damages are noted, and reading goes on: the decompressor's verdict counts most. */
class Unpacking {
  private readonly checksums: ChecksumFacts = { all: undefined };
  private readonly frames: Feeder | undefined;
  private readonly vma: Feeder | undefined;
  private readonly vmaFacts: VmaFacts = { devices: [], clusters: 0 };
  private readonly unpacker: Running | undefined;
  private readonly tar: Running | undefined;
  private readonly unpacked: Promise<void>;
  private structureDamage: string | undefined;

  constructor(
    kind: ArchiveKind,
    private readonly facts: ReadingFacts,
  ) {
    if (kind.container === "vma") this.vma = new Feeder(readVma(this.vmaFacts));
    else this.tar = new Running(["tar", "-t", "-f", "-"], false);
    if (kind.compression === "none") {
      this.unpacked = Promise.resolve();
      return;
    }
    const readers: Record<typeof kind.compression, (facts: ChecksumFacts) => FormatReader> = {
      zst: readZstdFrames,
      gz: readGzip,
      lzo: readLzopHeader,
    };
    this.frames = new Feeder(readers[kind.compression](this.checksums));
    this.unpacker = new Running(decompressors[kind.compression], true);
    this.unpacked = this.takeUnpacked(this.unpacker);
  }

  async push(chunk: Buffer): Promise<void> {
    this.frames?.push(chunk);
    if (this.unpacker === undefined) await this.toStructure(chunk);
    else await this.unpacker.write(chunk);
  }

  async end(): Promise<void> {
    this.frames?.end();
    const { facts } = this;
    const bad = await this.unpacker?.finish();
    await this.unpacked;
    if (bad !== undefined) facts.damages.push(bad);
    const badTar = await this.tar?.finish();
    if (this.vma !== undefined && this.structureDamage === undefined) this.guarded(() => this.vma?.end());
    const structure = badTar ?? this.structureDamage;
    if (structure !== undefined) facts.damages.push(structure);
    facts.checksummed = this.checksums.all === true && facts.damages.length === 0;
    const { devices, clusters } = this.vmaFacts;
    for (const { name, bytes } of devices) facts.log.push(`${name}: ${bytes} bytes`);
    if (this.vma !== undefined) facts.log.push(`${clusters} clusters of 64 KiB`);
  }

  abandon(): void {
    for (const program of [this.unpacker, this.tar]) program?.kill();
  }

  private async takeUnpacked({ stdout }: Running): Promise<void> {
    try {
      let waste = 0;
      for await (const chunk of stdout as Readable) {
        await this.toStructure(chunk as Buffer);
        waste += (chunk as Buffer).length;
        if (waste < wasteMaxBytes) continue;
        // V8 lets 64 MiB of such buffers lie about before it looks; here that would be most of the process.
        globalThis.gc?.({ type: "minor", execution: "sync" });
        waste = 0;
      }
    } catch (error) {
      // A program that could not be started has no output; its end says why.
      if (!(error instanceof Error && "code" in error && error.code === "ERR_STREAM_PREMATURE_CLOSE")) throw error;
    }
  }

  private async toStructure(chunk: Buffer): Promise<void> {
    if (this.tar !== undefined) await this.tar.write(chunk);
    else if (this.structureDamage === undefined) this.guarded(() => this.vma?.push(chunk));
  }

  private guarded(step: () => void): void {
    try {
      step();
    } catch (error) {
      if (!(error instanceof ArchiveDamage)) throw error;
      this.structureDamage = `vma: ${error.message}`;
    }
  }
}

/** Signals that say nothing of what a program read: a node short of memory ends such programs first (`OOMScoreAdjust=` of our unit). */
const fromOutside: ReadonlySet<string> = new Set(["SIGKILL", "SIGTERM", "SIGINT", "SIGHUP"]);

/** A program that is fed through its stdin. It may end before it has read everything: then the rest is thrown away. */
class Running {
  private readonly child: Program;
  private readonly ended: Promise<{ code: number | null; signal: string | null } | Error>;
  private words = "";
  private readonly name: string;

  constructor([name, ...args]: readonly [string, ...string[]], keepOutput: boolean) {
    this.name = name;
    const env = { PATH: process.env.PATH, LC_ALL: "C.UTF-8" };
    this.child = spawn(name, args, { env, stdio: ["pipe", keepOutput ? "pipe" : "ignore", "pipe"] }) as Program;
    this.ended = once(this.child, "close").then(
      ([code, signal]) => ({ code: code as number | null, signal: signal as string | null }),
      (error: Error) => error,
    );
    this.child.stdin.on("error", () => undefined);
    this.child.stderr.on("data", (chunk: Buffer) => {
      this.words = (this.words + chunk.toString("utf8")).slice(0, 4000);
    });
  }

  get stdout(): Readable | null {
    return this.child.stdout;
  }

  /** Resolves when the kernel has it: the chunk may be used anew. */
  write(chunk: Buffer): Promise<void> {
    const { stdin } = this.child;
    if (!stdin.writable) return Promise.resolve();
    return new Promise((resolve) => stdin.write(chunk, () => resolve()));
  }

  /** Undefined: it ended well. Throws when it could not be run. */
  async finish(): Promise<string | undefined> {
    this.child.stdin.end();
    const end = await this.ended;
    if (end instanceof Error) {
      const missing = "code" in end && end.code === "ENOENT";
      throw new Error(missing ? `${this.name} is not installed` : `${this.name}: ${end.message}`);
    }
    if (end.code === 0) return undefined;
    if (end.signal !== null && fromOutside.has(end.signal))
      throw new Error(`${this.name} was ended from outside, by ${end.signal}`);
    // What was written is judged, not how often it was said.
    const words = [...new Set(this.words.split("\n").map((line) => line.trim()))].filter((line) => line !== "").slice(0, 4);
    const how = end.code === null ? `ended by ${end.signal}` : `exit code ${end.code}`;
    return `${words.join("; ") || this.name} (${how})`;
  }

  kill(): void {
    this.child.kill("SIGKILL");
  }
}
