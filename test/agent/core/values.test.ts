import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBoolean } from "../../../agent/core/values.ts";

test("a boolean of a configuration has the words that Proxmox VE takes, in any case, and nothing else is one", () => {
  for (const word of ["1", "on", "yes", "true", "On", "YES"]) assert.equal(parseBoolean(word), true, word);
  for (const word of ["0", "off", "no", "false", "False"]) assert.equal(parseBoolean(word), false, word);
  for (const word of [undefined, "", "2", "10", "onward", " 1", "none"])
    assert.equal(parseBoolean(word), undefined, String(word));
});
