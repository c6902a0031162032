import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { asNumber, asObject, asText, parseJsonObject } from "../core/values.ts";
import type { ReadingFacts, ReadingRequest } from "./archive-reading.ts";
import { archiveWord } from "./child.ts";

export type ReadArchive = (
  request: ReadingRequest,
  onProgress: (fraction: number) => void,
  signal: AbortSignal,
) => Promise<ReadingFacts>;

/**
 * The reader needs little, whatever the archive's size. V8's optimizing compiler would bring 5 MB of itself into memory, and nothing for the pace: nearly
 * all of the time goes into hashing.
 */
const memoryFlags = ["--max-old-space-size=32", "--max-semi-space-size=1", "--expose-gc", "--no-opt"];

/**
 * Reads an archive in a process of the lowest priority for CPU and disk. `self`: program and arguments that start this agent anew. Aborting kills
 * it and all it started.
 */
export function createReadArchive(self: readonly string[]): ReadArchive {
  const [program, ...words] = self;
  return async (request, onProgress, signal) => {
    const args = ["-c", "3", "nice", "-n", "19", program as string, ...memoryFlags, ...words, archiveWord];
    // A group of its own: the decompressor goes with it.
    const child = spawn("ionice", args, { stdio: ["pipe", "pipe", "pipe"], detached: true });
    const stop = () => {
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, "SIGKILL");
    };
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    let said = "";
    child.stderr.on("data", (chunk: Buffer) => {
      said = (said + chunk.toString("utf8")).slice(-500);
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(JSON.stringify(request));
    const ended = once(child, "close").catch((error: Error) => [error]);
    let facts: ReadingFacts | undefined;
    for await (const line of createInterface({ input: child.stdout })) {
      const json = parseJsonObject(line);
      if (json?.facts !== undefined) facts = parseFacts(json.facts);
      else onProgress(Math.min(1, Math.max(0, asNumber(json?.bytes) / asNumber(json?.of))) || 0);
    }
    const [end] = await ended;
    signal.removeEventListener("abort", stop);
    if (signal.aborted) return unreadable("cancelled");
    return facts ?? unreadable(`the reading process ended: ${said.trim() || String(end instanceof Error ? end.message : end)}`);
  };
}

const unreadable = (why: string): ReadingFacts => ({
  bytes: 0,
  sha256: "",
  damages: [],
  unreadable: why,
  checksummed: false,
  log: [],
});

function parseFacts(value: unknown): ReadingFacts {
  const facts = asObject(value) ?? {};
  const texts = (list: unknown) => (Array.isArray(list) ? list.filter((each) => typeof each === "string") : []);
  const why = asText(facts.unreadable);
  return {
    bytes: asNumber(facts.bytes),
    sha256: asText(facts.sha256) ?? "",
    damages: texts(facts.damages),
    checksummed: facts.checksummed === true,
    log: texts(facts.log),
    ...(why === undefined ? {} : { unreadable: why }),
  };
}
