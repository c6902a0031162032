import assert from "node:assert/strict";
import { test } from "node:test";
import { TapReader, worthAnotherRun } from "../../scripts/tap.ts";

const tap = `TAP version 13
# Subtest: one that passes
ok 1 - one that passes
  ---
  duration_ms: 1
  ...
# Subtest: one that fails
not ok 2 - one that fails
  ---
  location: '/repo/test/a.test.ts:3:1'
  error: 'wrong'
  ...
not ok 3 - one to be written # TODO
ok 4 - one that needs root # SKIP run it as root
ok 5 - one without a word # SKIP
# a diagnostic
# tests 5
# pass 1
`;

test("of a run its failures with their files, what was skipped and why, and the totals are known, however the stream is cut", () => {
  for (const size of [1, 7, tap.length]) {
    const shown: string[] = [];
    const reader = new TapReader((line) => shown.push(line));
    for (let at = 0; at < tap.length; at += size) reader.read(tap.slice(at, at + size));
    assert.deepEqual(reader.failures, [{ name: "one that fails", file: "/repo/test/a.test.ts" }]);
    assert.deepEqual(reader.skipped, [
      "one to be written: no reason given",
      "one that needs root: run it as root",
      "one without a word: no reason given",
    ]);
    assert.deepEqual(reader.totals, ["# tests 5", "# pass 1"]);
    assert.deepEqual(
      shown.filter((line) => /wrong|diagnostic|passes/.test(line)),
      ["  error: 'wrong'", "# a diagnostic"],
    );
  }
});

const files = Array.from({ length: 9 }, (_, index) => `/repo/test/${index}.test.ts`);
const failure = (file: string | undefined) => ({ name: "it", file });

test("files are run once more only when that tries every failure again", () => {
  const [a = "", b = ""] = files;
  assert.deepEqual(worthAnotherRun([failure(a), failure(b), failure(a)], files), [a, b]);
  assert.deepEqual(worthAnotherRun([], files), []);
  assert.deepEqual(worthAnotherRun([failure(a), failure("/repo/test/support/shared.ts")], files), []);
  assert.deepEqual(worthAnotherRun([failure(a), failure(undefined)], files), []);
  assert.deepEqual(worthAnotherRun(files.slice(0, 7).map(failure), files), []);
  assert.equal(worthAnotherRun(files.slice(0, 6).map(failure), files).length, 6);
});
