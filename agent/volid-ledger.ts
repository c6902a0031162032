import { appendFileSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { asText, type JsonObject, parseJsonObject } from "./core/values.ts";
import { readIfThere, writePrivate } from "./private-file.ts";

/** Lines that may be about files long gone before the ledger is written anew. */
const spareLines = 1000;

/**
 * What was once found out about backups: a file of JSON lines, one for each volid, that outlives the agent. A volid names one backup for ever, so
 * what is known of it is never replaced. Read when it is first asked.
 */
export class VolidLedger<T extends object> {
  private known: Map<string, T> | undefined;
  private lines = 0;

  /** `parse`: of a line's own fields; undefined: it is none. */
  constructor(
    private readonly path: string,
    private readonly parse: (line: JsonObject) => T | undefined,
  ) {}

  of(volid: string): T | undefined {
    return this.load().get(volid);
  }

  add(volid: string, value: T): void {
    const known = this.load();
    if (known.has(volid)) return;
    mkdirSync(dirname(this.path), { recursive: true, mode: 0o700 });
    appendFileSync(this.path, lineOf(volid, value), { mode: 0o600 });
    known.set(volid, value);
    this.lines++;
  }

  /** Forgets backups of a storage that are no longer on it. Called only with a complete listing. */
  keepOnly(storage: string, volids: ReadonlySet<string>): void {
    const known = this.load();
    for (const volid of known.keys()) if (volid.startsWith(`${storage}:`) && !volids.has(volid)) known.delete(volid);
    if (this.lines - known.size < spareLines) return;
    writePrivate(this.path, [...known].map(([volid, value]) => lineOf(volid, value)).join(""));
    this.lines = known.size;
  }

  private load(): Map<string, T> {
    if (this.known !== undefined) return this.known;
    this.known = new Map();
    const text = readIfThere(this.path) ?? "";
    for (const json of text.split("\n").map(parseJsonObject)) {
      this.lines++;
      const volid = asText(json?.volid);
      // The last line of an agent that died may be half a line.
      const value = json === undefined ? undefined : this.parse(json);
      if (volid !== undefined && value !== undefined && !this.known.has(volid)) this.known.set(volid, value);
    }
    // A half line must not swallow the next one.
    if (text !== "" && !text.endsWith("\n")) appendFileSync(this.path, "\n");
    return this.known;
  }
}

const lineOf = (volid: string, value: object) => `${JSON.stringify({ volid, ...value })}\n`;
