import { appendFileSync, mkdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { asNumber, asText, parseJsonObject } from "../core/values.ts";
import { readIfThere, writePrivate } from "../private-file.ts";
import type { KnownSum } from "./judge.ts";

/** Lines that may be about files long gone before the ledger is written anew. */
const spareLines = 1000;

/**
 * SHA-256 of file archives, taken when they were new: a ledger of JSON lines that outlives the agent. A volid names one archive for ever, so its sum
 * is never replaced: other bytes under the same name are damage.
 */
export class ArchiveSums {
  private sums: Map<string, KnownSum> | undefined;
  private lines = 0;

  constructor(private readonly path: string) {}

  of(volid: string): KnownSum | undefined {
    return this.load().get(volid);
  }

  add(volid: string, sum: KnownSum): void {
    const sums = this.load();
    if (sums.has(volid)) return;
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    appendFileSync(this.path, line(volid, sum), { mode: 0o600 });
    sums.set(volid, sum);
    this.lines++;
  }

  /** Forgets archives of a storage that are no longer on it. Called only with a complete listing. */
  keepOnly(storage: string, volids: ReadonlySet<string>): void {
    const sums = this.load();
    for (const volid of sums.keys()) if (volid.startsWith(`${storage}:`) && !volids.has(volid)) sums.delete(volid);
    if (this.lines - sums.size < spareLines) return;
    writePrivate(this.path, [...sums].map(([volid, sum]) => line(volid, sum)).join(""));
    this.lines = sums.size;
  }

  private load(): Map<string, KnownSum> {
    if (this.sums !== undefined) return this.sums;
    this.sums = new Map();
    const text = readIfThere(this.path) ?? "";
    for (const json of text.split("\n").map(parseJsonObject)) {
      const [volid, sha256, at] = [asText(json?.volid), asText(json?.sha256), asNumber(json?.at)];
      this.lines++;
      // The last line of an agent that died may be half a line.
      if (volid === undefined || sha256 === undefined || !/^[0-9a-f]{64}$/.test(sha256) || !(at > 0)) continue;
      if (!this.sums.has(volid)) this.sums.set(volid, { sha256, at });
    }
    // A half line must not swallow the next one.
    if (text !== "" && !text.endsWith("\n")) appendFileSync(this.path, "\n");
    return this.sums;
  }
}

const ledgers = new Map<string, ArchiveSums>();

/** The ledger of this agent: one for all who add to it and look into it. */
export function archiveSumsIn(stateDir: string): ArchiveSums {
  const path = join(stateDir, "archive-sums.jsonl");
  const ledger = ledgers.get(path) ?? new ArchiveSums(path);
  ledgers.set(path, ledger);
  return ledger;
}

const line = (volid: string, { sha256, at }: KnownSum) => `${JSON.stringify({ volid, sha256, at })}\n`;
