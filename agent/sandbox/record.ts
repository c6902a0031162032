import { mkdirSync, readdirSync, rmSync } from "node:fs";
import { asObject, parseJsonObject } from "../core/values.ts";
import { readIfThere, writePrivate } from "../private-file.ts";
import { isSandboxName, layoutOf, type SandboxLayout } from "./layout.ts";

/** Who holds a sandbox. Written before anything is made, removed after everything is gone: what a dead agent left is always known. */
export type SandboxRecord = { holders: readonly string[] };

export function readRecord(layout: SandboxLayout): SandboxRecord | undefined {
  const text = readIfThere(layout.record);
  if (text === undefined) return undefined;
  const holders = asObject(parseJsonObject(text))?.holders;
  return { holders: Array.isArray(holders) ? holders.filter((each) => typeof each === "string") : [] };
}

export function writeRecord(layout: SandboxLayout, record: SandboxRecord): void {
  mkdirSync(layout.folder, { recursive: true, mode: 0o700 });
  writePrivate(layout.record, JSON.stringify(record));
}

export const removeRecord = (layout: SandboxLayout) => rmSync(layout.folder, { recursive: true, force: true });

/** All sandboxes that were ever begun and not yet removed. */
export function recordedSandboxes(folder: string): SandboxLayout[] {
  try {
    return readdirSync(folder)
      .filter(isSandboxName)
      .map((name) => layoutOf(folder, name));
  } catch {
    return []; // never used
  }
}
