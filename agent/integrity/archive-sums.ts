import { join } from "node:path";
import { asNumber, asText, type JsonObject } from "../core/values.ts";
import { VolidLedger } from "../volid-ledger.ts";
import type { KnownSum } from "./judge.ts";

/** SHA-256 of file archives, taken when they were new. Other bytes under the same volid are damage. */
export type ArchiveSums = VolidLedger<KnownSum>;

function parseSum(line: JsonObject): KnownSum | undefined {
  const [sha256, at] = [asText(line.sha256), asNumber(line.at)];
  return sha256 !== undefined && /^[0-9a-f]{64}$/.test(sha256) && at > 0 ? { sha256, at } : undefined;
}

export const openArchiveSums = (path: string): ArchiveSums => new VolidLedger(path, parseSum);

const opened = new Map<string, ArchiveSums>();

/** The ledger of this agent: one for all who add to it and look into it. */
export function archiveSumsIn(stateDir: string): ArchiveSums {
  const path = join(stateDir, "archive-sums.jsonl");
  const ledger = opened.get(path) ?? openArchiveSums(path);
  opened.set(path, ledger);
  return ledger;
}
