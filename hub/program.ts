import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

/**
 * Names the build that runs, by what is in its file; other files of the bundle are named there by their contents. Undefined when it runs from
 * its sources: then its one file says nothing about the others.
 */
export function programName(url: string): string | undefined {
  const file = fileURLToPath(url);
  return file.endsWith(".mjs") ? createHash("sha256").update(readFileSync(file)).digest("hex") : undefined;
}
