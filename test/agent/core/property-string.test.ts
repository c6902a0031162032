import assert from "node:assert/strict";
import { test } from "node:test";
import { parsePropertyString, printPropertyString } from "../../../agent/core/property-string.ts";
import { fc } from "../../support/property.ts";

const strings: [text: string, pairs: [string, string][]][] = [
  [
    "vmstore:100/vm-100-disk-0.raw,size=1G",
    [
      ["", "vmstore:100/vm-100-disk-0.raw"],
      ["size", "1G"],
    ],
  ],
  ["file=local:100/a.qcow2,", [["file", "local:100/a.qcow2"]]],
  ["media=cdrom, ,", [["media", "cdrom"]]],
  ["args=-a=b", [["args", "-a=b"]]],
  ["", []],
];
for (const [text, pairs] of strings) {
  test(`the property string "${text}" has ${pairs.length} parts`, () => assert.deepEqual([...parsePropertyString(text)], pairs));
}

test("what is written reads as what it was written from", () => {
  const word = fc.stringMatching(/^[a-z0-9:/_.-]{1,8}$/);
  fc.assert(
    fc.property(fc.dictionary(word, word), (given) => {
      const pairs = Object.entries(given);
      assert.deepEqual([...parsePropertyString(printPropertyString(pairs))], pairs);
    }),
  );
});
