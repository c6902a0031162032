import { closeSync, open, openSync, read, readSync } from "node:fs";
import { errorCode } from "../core/error.ts";
import { parseJsonObject } from "../core/values.ts";
import type { ReadText } from "../ports.ts";

/** Why a file could not be read, as a person would say it. */
export function fileProblem(path: string, code: string): string {
  if (code === "EACCES" || code === "EPERM") return `${path}: not readable, run as root`;
  if (code === "ENOENT" && path.startsWith("/etc/pve/")) return `${path}: missing, pmxcfs is not mounted`;
  if (code === "ENOENT") return `${path}: missing`;
  if (code === "ENOTCONN") return `${path}: pmxcfs has ended`;
  if (code === "TIMEOUT") return `${path}: does not answer`;
  return `${path}: ${code}`;
}

/** `path` begins with a slash. `join` would look at every character of it, three dozen times a tick. */
export const below = (root: string, path: string) => (root.endsWith("/") ? root.slice(0, -1) + path : root + path);

const chunkBytes = 65_536;

type FileText = Awaited<ReturnType<ReadText>>;

/**
 * Reads files below `root` on the thread pool: one that hangs (FUSE, NFS) holds no one up but its reader, and those of /etc/pve that come after
 * the first ones.
 */
export function readText(root: string): ReadText {
  return (path, maxBytes = 16 << 20, isWhole = () => false) =>
    new Promise((resolve) => {
      const read = (done: (file: FileText) => void) => readFile(below(root, path), maxBytes, isWhole, done);
      if (path.startsWith("/etc/pve/")) pmxcfsReaders.admit(read, resolve);
      else read(resolve);
    });
}

function readFile(path: string, maxBytes: number, isWhole: (text: string) => boolean, done: (file: FileText) => void): void {
  open(path, "r", (error, fd) => {
    if (error !== null) return done({ ok: false, code: errorCode(error) });
    readUpTo(fd, maxBytes, isWhole, (problem, text) => {
      closeRead(fd);
      done(problem === null ? { ok: true, text } : { ok: false, code: errorCode(problem) });
    });
  });
}

type Reading = (done: (file: FileText) => void) => void;

/**
 * pmxcfs hangs as a whole, and everybody who reads from it then holds one of libuv's four threads: no more than two at once, so that the spool
 * is written, names are looked up and other file systems are asked all the same. Who comes later waits without a thread.
 */
const pmxcfsReaders = {
  free: 2,
  waiting: [] as (() => void)[],

  admit(read: Reading, done: (file: FileText) => void): void {
    if (this.free === 0) {
      this.waiting.push(() => this.admit(read, done));
      return;
    }
    this.free--;
    read((file) => {
      this.free++;
      this.waiting.shift()?.();
      done(file);
    });
  },
};

/**
 * On the calling thread, which spares the pool a wake-up: a file that was only read has nothing to write back, and a FUSE daemon without a handler
 * for `flush`, as pmxcfs is, is asked by the kernel once in the life of its mount (fs/fuse/file.c fuse_flush).
 */
function closeRead(fd: number): void {
  try {
    closeSync(fd);
  } catch {
    // What was read stands.
  }
}

/** A whole JSON object: one that was cut is none. */
export const isJson = (text: string) => text.startsWith("{") && parseJsonObject(text) !== undefined;

const firstBytes = 8192;
/** The buffer of the read before, for the next one: files are read one after the other, mostly. */
let spare: Buffer | undefined;

// pmxcfs files say size 0 or an old one, so they are read to their end.
function readUpTo(
  fd: number,
  maxBytes: number,
  isWhole: (text: string) => boolean,
  done: (error: Error | null, text: string) => void,
): void {
  let buffer = spare ?? Buffer.allocUnsafeSlow(firstBytes);
  spare = undefined;
  let length = 0;
  const finish = (error: Error | null) => {
    const text = error === null ? buffer.toString("utf8", 0, length) : "";
    if (buffer.length === firstBytes) spare = buffer;
    done(error, text);
  };
  const more = () => {
    read(fd, buffer, length, Math.min(buffer.length, maxBytes) - length, length, (error, bytes) => {
      length += bytes ?? 0;
      const ended = bytes === 0 || length >= maxBytes || (length < buffer.length && isWhole(buffer.toString("utf8", 0, length)));
      if (error !== null || ended) return finish(error);
      if (length === buffer.length) {
        const grown = Buffer.allocUnsafeSlow(buffer.length * 4);
        buffer.copy(grown);
        buffer = grown;
      }
      more();
    });
  };
  more();
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
    const fd = openSync(below(this.root, path), "r");
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
