import { test } from "node:test";
import { fc } from "../support/property.ts";
import { stories, Tale } from "./random-world.ts";

/** Longer runs by hand: PROVEN_STORIES=500. */
const runs = Number(process.env.PROVEN_STORIES ?? 12);
const hourMs = 3_600_000;

async function survive(story: readonly string[], healthyMs: number, stepMs: number): Promise<void> {
  const tale = new Tale();
  try {
    await tale.begin();
    for (const line of story) await tale.tell(line);
    await tale.heal();
    await tale.wait(healthyMs, stepMs);
    tale.checkHealthy();
  } finally {
    await tale.world.close();
  }
}

test("whatever happens: no end without its beginning, nothing twice, every firing alert says what became of it, and all of it ends", async () => {
  const property = fc.asyncProperty(stories, (story) => survive(story, 2 * hourMs, 5000));
  await fc.assert(property, { numRuns: runs, endOnFailure: runs < 50 });
});

test("at the end of a healthy day nothing is pending", async () => {
  await fc.assert(
    fc.asyncProperty(stories, (story) => survive(story, 24 * hourMs, 10_000)),
    { numRuns: 2 },
  );
});
