import { chmodSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as z from "zod";
import { replaceOwned } from "./owned-file.ts";
import { StoreError } from "./store/store-error.ts";

const fileSchema = z.record(z.string(), z.string());

/**
 * Secrets of receivers and the hub's own keys, by name, in one file of the state directory that only its owner can read. Documents hold names
 * only; the API takes values and never gives one back.
 */
export class Secrets {
  private readonly path: string;
  private values: ReadonlyMap<string, string>;

  /** @throws StoreError when there is a file that can't be read as one. */
  constructor(stateDir: string) {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    this.path = join(stateDir, "secrets.json");
    this.values = new Map();
    if (!existsSync(this.path)) return;
    chmodSync(this.path, 0o600);
    this.values = new Map(Object.entries(parseFile(this.path)));
  }

  has(name: string): boolean {
    return this.values.has(name);
  }

  /** @throws when there is none: the message names it, never a value. */
  get(name: string): string {
    const value = this.values.get(name);
    if (value === undefined) throw new MissingSecret(name);
    return value;
  }

  /** Durable when it returns. `undefined` removes. */
  change(changes: Readonly<Record<string, string | undefined>>): void {
    const next = new Map(this.values);
    for (const [name, value] of Object.entries(changes)) {
      if (value === undefined) next.delete(name);
      else next.set(name, value);
    }
    this.write(next);
    this.values = next;
  }

  /** Removes what `isUsed` doesn't know, of the names that begin with `prefix`: left over when the hub died between file and document. */
  prune(prefix: string, isUsed: (name: string) => boolean): void {
    const unused = [...this.values.keys()].filter((name) => name.startsWith(prefix) && !isUsed(name));
    if (unused.length > 0) this.change(Object.fromEntries(unused.map((name) => [name, undefined])));
  }

  private write(values: ReadonlyMap<string, string>): void {
    replaceOwned(dirname(this.path), this.path, JSON.stringify(Object.fromEntries(values), null, 1));
  }
}

export class MissingSecret extends Error {
  constructor(name: string) {
    super(`the secret ${name} is missing: set it again`);
  }
}

function parseFile(path: string): Record<string, string> {
  try {
    return fileSchema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    // The cause would quote the file.
    throw new StoreError(
      `${path} can't be read as the hub's secrets. Restore it from a backup, or move it away and set them again`,
    );
  }
}
