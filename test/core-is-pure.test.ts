import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));
const pure = ["protocol", "agent/core", "hub/core", "ui-extension/core"];
const impure = /\bDate\.now\(|\bMath\.random\(|\bnew Date\(\)|\bprocess\./;

test("no pure module asks for the time or for chance: both are passed in", () => {
  const found = pure.flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
      .map((entry) => join(entry.parentPath, entry.name))
      .filter((path) => impure.test(readFileSync(path, "utf8"))),
  );
  assert.deepEqual(found, []);
});
