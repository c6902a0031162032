import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "../..");

const sources = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".test.ts"))
  .map((name) => readFileSync(join(root, "test", name), "utf8"));

/** Last cells of the tables' rows below "Attackers". */
function namedTests(): string[] {
  const rows = readFileSync(join(root, "docs/SECURITY.md"), "utf8").split("\n");
  const cells = rows.filter((line) => /^\|.*\|$/.test(line)).map((line) => line.split("|").at(-2)?.trim() ?? "");
  return cells.filter((cell) => cell !== "test" && cell !== "no test yet" && !/^-+$/.test(cell));
}

test("every test that the threat model names is there by that name", () => {
  const named = namedTests();
  assert.ok(named.length > 20, `${named.length} rows`);
  assert.deepEqual(
    named.filter((name) => !sources.some((source) => source.includes(`"${name}"`))),
    [],
  );
});
