import assert from "node:assert/strict";
import { test } from "node:test";
import { eventTypes } from "../../../hub/core/event-types.ts";
import { eventFamilies } from "../../../ui-extension/core/event-families.ts";

test("the page of events can be narrowed to every family of events that there is", () => {
  const families = new Set(Object.keys(eventTypes).map((type) => `${type.split(".")[0]}.`));
  assert.deepEqual([...eventFamilies].sort(), [...families].sort());
});
