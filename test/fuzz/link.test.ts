import { test } from "node:test";
import fc from "fast-check";
import { linkProperty, openLink } from "../support/fuzz/link.ts";

/** Always the same conversations: others are tried by `npm run fuzz`. */
const seed = 20_260_105;

test("whatever an agent says that was let in, the hub fails at nothing, and goes on judging what it knows", (t) => {
  fc.assert(linkProperty(openLink(t)), { seed, numRuns: 150 });
});
