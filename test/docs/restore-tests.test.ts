import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { allFaults, faultCells } from "../support/fault-table.ts";

const text = readFileSync(new URL("../../docs/RESTORE-TESTS.md", import.meta.url), "utf8");

test("docs/RESTORE-TESTS.md lists exactly the faults that restore tests are put through, each with its record", (t) => {
  const [, table = ""] = /^## What was made to go wrong$([\s\S]*?)(?=^## )/m.exec(text) ?? [];
  const rows = table
    .split("\n")
    .filter((line) => line.startsWith("| ") && !/^\| (fault|-+) /.test(line))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
  const names = allFaults.map(({ name }) => name);
  assert.deepEqual(rows, allFaults.map(faultCells));
  assert.equal(new Set(names).size, names.length);
  assert.ok(names.length >= 60);
  t.diagnostic(`${names.length} faults:\n${names.join("\n")}`);
});
