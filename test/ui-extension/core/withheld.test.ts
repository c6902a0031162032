import assert from "node:assert/strict";
import { test } from "node:test";
import { isWithheld } from "../../../ui-extension/core/withheld.ts";

const agent = { connectedAt: 1, lastSeenAt: 2, clockSkewMs: 0, duties: [], sources: [] };

test("what a connected agent's node does not say of its software was withheld; of one that is away or never came it is unknown", () => {
  assert.equal(isWithheld({ agent: { ...agent, state: "connected", software: null } }), true);
  assert.equal(isWithheld({ agent: { ...agent, state: "connected", software: "0.1.0" } }), false);
  assert.equal(isWithheld({ agent: { ...agent, state: "never", software: null } }), false);
});
