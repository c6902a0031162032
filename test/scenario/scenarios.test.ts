import assert from "node:assert/strict";
import { test } from "node:test";
import { expectedLog, play, scenarioNames } from "./play.ts";

for (const name of scenarioNames().filter((one) => one !== "quiet-week")) {
  test(`scenario ${name}`, async () => assert.equal(await play(name), expectedLog(name)));
}
