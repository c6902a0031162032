import { randomBytes } from "node:crypto";
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { open, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Segment, SegmentWrite, SpoolRecord } from "./core/spool.ts";
import type { Log } from "./ports.ts";
import { encodeEntries, outlineSegment, parseEntries } from "./segment-file.ts";
import { syncFolder } from "./sync-folder.ts";

/**
 * After an unclean end nobody knows how many records beyond the files the hub has got: the numbering leaps over all that could have been,
 * a hundred days of ticks, lest the hub take new records for duplicates.
 */
export const uncleanLeap = 1_000_000;

export type LeftOver = { stream: string; nextSeq: number; segments: Segment[] };

/**
 * The spool's folder: `<stream id>/<first seq>.seg`, and `<stream id>/next` (number of the next record) after a clean stop only.
 * One stream at a time; its folder's name is its id.
 */
export class SpoolFiles {
  private readonly folder: string;

  private constructor(
    root: string,
    readonly leftOver: LeftOver,
  ) {
    this.folder = join(root, leftOver.stream);
  }

  /** Takes over what an earlier run left: torn tails are cut off, what can't be used is deleted and logged. Throws when the folder can't be made. */
  static open(root: string, log: Log): SpoolFiles {
    mkdirSync(root, { recursive: true, mode: 0o700 });
    let found: LeftOver | undefined;
    for (const name of readdirSync(root)) {
      const left = found === undefined && /^[0-9a-f]{32}$/.test(name) ? takeOver(root, name, log) : undefined;
      if (left === undefined) rmSync(join(root, name), { recursive: true, force: true });
      found ??= left;
    }
    const leftOver = found ?? { stream: randomBytes(16).toString("hex"), nextSeq: 1, segments: [] };
    mkdirSync(join(root, leftOver.stream), { recursive: true, mode: 0o700 });
    return new SpoolFiles(root, leftOver);
  }

  /** Durable when it resolves. A failed append is undone, so that the next one starts behind a whole record. */
  async write({ firstSeq, create, records }: SegmentWrite): Promise<void> {
    const file = await open(this.path(firstSeq), create ? "w" : "a", 0o600);
    try {
      const { size } = await file.stat();
      try {
        await file.appendFile(encodeEntries(records));
        await file.sync();
      } catch (error) {
        await file.truncate(size).catch(() => undefined);
        throw error;
      }
    } finally {
      await file.close();
    }
    if (create) syncFolder(this.folder);
  }

  /** The whole records of a segment; undefined when it can't be read at all. */
  async read(segment: Segment): Promise<SpoolRecord[] | undefined> {
    try {
      return parseEntries(await readFile(this.path(segment.firstSeq))).records;
    } catch {
      return undefined;
    }
  }

  async remove(segment: Segment): Promise<void> {
    await rm(this.path(segment.firstSeq), { force: true });
  }

  /** The last word of a clean stop: the next start goes on at `nextSeq` without a leap. */
  seal(nextSeq: number): void {
    const file = openSync(join(this.folder, "next"), "w", 0o600);
    try {
      writeFileSync(file, `${nextSeq}\n`);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    syncFolder(this.folder);
  }

  private path(firstSeq: number): string {
    return join(this.folder, `${firstSeq}.seg`);
  }
}

/** Undefined: nothing there can be continued. The seal is taken away before anything is sent: it is true once only. */
function takeOver(root: string, stream: string, log: Log): LeftOver | undefined {
  const folder = join(root, stream);
  const names = readdirSync(folder);
  const segments = names
    .flatMap((name) => {
      const firstSeq = /^([1-9][0-9]{0,15})\.seg$/.exec(name)?.[1];
      return firstSeq === undefined ? [] : [Number(firstSeq)];
    })
    .sort((a, b) => a - b)
    .flatMap((firstSeq) => takeOverSegment(join(folder, `${firstSeq}.seg`), firstSeq, log));
  const sealed = names.includes("next")
    ? /^([1-9][0-9]{0,15})\n$/.exec(readFileSync(join(folder, "next"), "utf8"))?.[1]
    : undefined;
  rmSync(join(folder, "next"), { force: true });
  syncFolder(folder);
  const behind = (segments.at(-1)?.lastSeq ?? 0) + 1;
  if (sealed !== undefined && Number(sealed) >= behind) return { stream, nextSeq: Number(sealed), segments };
  return segments.length > 0 ? { stream, nextSeq: behind + uncleanLeap, segments } : undefined;
}

function takeOverSegment(path: string, firstSeq: number, log: Log): Segment[] {
  const file = readFileSync(path);
  const { records, validBytes } = parseEntries(file);
  const segment = outlineSegment(firstSeq, records, validBytes);
  if (segment === undefined) {
    log(4, "spool segment holds nothing usable, deleted", { path, bytes: file.length });
    rmSync(path, { force: true });
    return [];
  }
  if (validBytes < file.length) {
    log(4, "spool segment has a torn tail, cut off", { path, bytes: file.length - validBytes });
    truncateSync(path, validBytes);
  }
  return [segment];
}
