import { test } from "node:test";
import { agentTargets } from "../support/fuzz/agent-parsers.ts";
import { hubTargets } from "../support/fuzz/hub-parsers.ts";
import { fc } from "../support/property.ts";

/** Always the same inputs: others are tried by `npm run fuzz`. */
const seed = 20_260_105;

for (const { name, property } of [...agentTargets, ...hubTargets]) {
  test(`${name}: whatever is changed in it, it is understood or refused`, () => {
    fc.assert(property, { seed, numRuns: 150 });
  });
}
