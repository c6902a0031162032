import assert from "node:assert/strict";
import { test } from "node:test";
import { after, systemClock } from "../../hub/ports.ts";
import { settle } from "../support/fake-clock.ts";

const dayMs = 86_400_000;

test("a wait of a day ends at once and without an error when it is called off, and one that was called off before never begins", async () => {
  const stop = new AbortController();
  const waiting = systemClock.sleep(dayMs, stop.signal);
  stop.abort();
  await waiting;
  await systemClock.sleep(dayMs, stop.signal);
});

test("what was called off is not called, and what was not is", async () => {
  const called: string[] = [];
  const stop = after(systemClock, 1, () => called.push("called off"));
  stop();
  await new Promise<void>((resolve) => {
    after(systemClock, 2, () => {
      called.push("on time");
      resolve();
    });
  });
  await settle();
  assert.deepEqual(called, ["on time"]);
});
