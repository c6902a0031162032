import { test } from "node:test";
import { talkProperty } from "../support/fuzz/hub-talk.ts";
import { linkProperty, openLink } from "../support/fuzz/link.ts";
import { fc } from "../support/property.ts";

/** Always the same conversations: others are tried by `npm run fuzz`. */
const seed = 20_260_105;

test("whatever an agent says that was let in, the hub fails at nothing, and goes on judging what it knows", (t) => {
  fc.assert(linkProperty(openLink(t)), { seed, numRuns: 60 });
});

test("whatever a hub says, an agent's session ends or goes on, and never fails", async () => {
  await fc.assert(talkProperty(), { seed, numRuns: 60 });
});
