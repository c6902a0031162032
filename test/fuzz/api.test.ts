import assert from "node:assert/strict";
import { test } from "node:test";
import { openApi, propertyOf } from "../support/fuzz/api.ts";
import { fc } from "../support/property.ts";

/** Always the same requests: others are tried by `npm run fuzz`. */
const seed = 20_260_105;
const requestsEach = 20;

test("whatever is sent to the operations of the API's own document, none fails, and each refusal says what is wrong", async (t) => {
  const api = await openApi(t);
  assert.ok(api.operations.length >= 100, `${api.operations.length} operations`);
  for (const operation of api.operations) await fc.assert(propertyOf(api, operation), { seed, numRuns: requestsEach });
  assert.equal(({} as { polluted?: unknown }).polluted, undefined, "keys of JSON got into the prototype of all objects");
  // What was stored is judged, too.
  api.hub.alerting.reload();
  api.hub.alerting.tick();
  assert.equal(api.hub.state.verifyAudit().ok, true);
});
