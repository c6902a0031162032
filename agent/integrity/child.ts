import type { Clock } from "../ports.ts";
import { type ReadingRequest, readArchive } from "./archive-reading.ts";

/** The hidden word of the agent's command line. */
export const archiveWord = "archive-check";

/**
 * The hidden command `proven-agent archive-check`: one ReadingRequest as JSON on stdin; on stdout a line `{"bytes":n,"of":m}` now and then, and at
 * the end `{"facts":…}`. A process of its own, so that it can have the lowest priority and the agent's samples never wait for it.
 */
export async function readArchiveAsChild(clock: Clock): Promise<number> {
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  const request = JSON.parse(text) as ReadingRequest; // from our own parent
  const facts = await readArchive(request, clock, (bytes, of) => process.stdout.write(`${JSON.stringify({ bytes, of })}\n`));
  await new Promise<void>((resolve) => process.stdout.write(`${JSON.stringify({ facts })}\n`, () => resolve()));
  return 0;
}
