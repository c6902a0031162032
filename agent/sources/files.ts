import { closeSync, openSync, readSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import type { ReadText } from "../ports.ts";

/** The error code of Node's file functions (`ENOENT`, `EACCES` …). */
export function errorCode(error: unknown): string {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "EIO";
}

/** Why a file could not be read, as a person would say it. */
export function fileProblem(path: string, code: string): string {
  if (code === "EACCES" || code === "EPERM") return `${path}: not readable, run as root`;
  if (code === "ENOENT" && path.startsWith("/etc/pve/")) return `${path}: missing, pmxcfs is not mounted`;
  if (code === "ENOENT") return `${path}: missing`;
  if (code === "ENOTCONN") return `${path}: pmxcfs has ended`;
  if (code === "TIMEOUT") return `${path}: does not answer`;
  return `${path}: ${code}`;
}

const chunkBytes = 65_536;

/** Reads files below `root` on the thread pool: one that hangs (FUSE, NFS) holds no one up but its reader. */
export function readText(root: string): ReadText {
  return async (path, maxBytes = 16 << 20) => {
    try {
      const file = await open(join(root, path), "r");
      try {
        return { ok: true, text: await readUpTo(file, maxBytes) };
      } finally {
        await file.close();
      }
    } catch (error) {
      return { ok: false, code: errorCode(error) };
    }
  };
}

type Readable = { read(buffer: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }> };

// pmxcfs files say size 0 or an old one, so they are read to their end.
async function readUpTo(file: Readable, maxBytes: number): Promise<string> {
  let buffer = Buffer.allocUnsafe(Math.min(maxBytes, 8192));
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
    length += bytesRead;
    if (bytesRead === 0 || length >= maxBytes) return buffer.toString("utf8", 0, length);
    if (length < buffer.length) continue;
    const grown = Buffer.allocUnsafe(Math.min(maxBytes, buffer.length * 4));
    buffer.copy(grown, 0, 0, length);
    buffer = grown;
  }
}

/** Reads kernel and tmpfs files, which never wait, on the calling thread and into one buffer: the 10 s path allocates no more than the text. */
export class NowReader {
  private buffer = Buffer.allocUnsafeSlow(chunkBytes);

  constructor(private readonly root: string) {}

  /** The whole file, at most `maxBytes`. Throws Node's file errors. */
  read(path: string, maxBytes = 8 << 20): string {
    const { bytes, length } = this.readBytes(path, maxBytes);
    return bytes.toString("utf8", 0, length);
  }

  /** As `read`, up to the first `until` byte when given (exclusive). The bytes are this reader's own and stand until its next call. */
  readBytes(path: string, maxBytes: number, until?: number): { bytes: Buffer; length: number } {
    const fd = openSync(join(this.root, path), "r");
    try {
      let length = 0;
      while (length < maxBytes) {
        if (length === this.buffer.length) this.grow();
        const bytes = readSync(fd, this.buffer, length, Math.min(chunkBytes, this.buffer.length - length), null);
        if (bytes === 0) break;
        const end = until === undefined ? -1 : this.buffer.subarray(length, length + bytes).indexOf(until);
        if (end >= 0) return { bytes: this.buffer, length: length + end };
        length += bytes;
      }
      return { bytes: this.buffer, length: Math.min(length, maxBytes) };
    } finally {
      closeSync(fd);
    }
  }

  /** As `read`; undefined when the file can't be read. */
  tryRead(path: string): string | undefined {
    try {
      return this.read(path);
    } catch {
      return undefined;
    }
  }

  private grow(): void {
    const grown = Buffer.allocUnsafeSlow(this.buffer.length + Math.max(chunkBytes, this.buffer.length >> 1));
    this.buffer.copy(grown);
    this.buffer = grown;
  }
}
