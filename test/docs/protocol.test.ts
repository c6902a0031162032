import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { messages } from "#protocol/messages.ts";

test("docs/PROTOCOL.md lists exactly the messages of the table, with sender and version", () => {
  const text = readFileSync(new URL("../../docs/PROTOCOL.md", import.meta.url), "utf8");
  const documented = [...text.matchAll(/^\| `([a-z.-]+)` +\| (hub|agent|both) +\| (\d+) +\|$/gm)].map(
    ([, type, from, since]) => `${type} ${from} ${since}`,
  );
  const inCode = Object.entries(messages).map(([type, { from, since }]) => `${type} ${from} ${since}`);
  assert.deepEqual(documented.sort(), inCode.sort());
});
