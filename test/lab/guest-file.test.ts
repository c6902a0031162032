import assert from "node:assert/strict";
import { test } from "node:test";
import { fc } from "../support/property.ts";
import { parseGuestFile, printGuestFile, propertiesOf, sizeIn, sizeText, withLock } from "./guest-file.ts";

const text =
  "#marker%3A op-1\n#second 100%25\nargs: \nlock: create\nmemory: 300\nnet0: virtio=BC:24:11:B5:EE:B2,bridge=vmbrT,link_down=1\n";

test("a file that PVE wrote reads and prints the same; colons and percent signs of a description are escaped", () => {
  const file = parseGuestFile(text);
  assert.deepEqual(
    [file.description, file.values.get("args"), file.values.get("lock")],
    ["marker: op-1\nsecond 100%", "", "create"],
  );
  assert.equal(printGuestFile(file), text);
});

test("snapshots' sections and the map of a backup are no settings", () => {
  const { values, description } = parseGuestFile("memory: 1\n#qmdump#map:scsi0:drive-scsi0:s:raw:\n[before]\nmemory: 2\n");
  assert.deepEqual([[...values], description], [[["memory", "1"]], undefined]);
});

test("taking the lock away leaves the rest as it is; of a file with nothing else nothing is left", () => {
  assert.equal(withLock(text, undefined), text.replace("lock: create\n", ""));
  assert.equal(withLock("lock: create\n", undefined), "");
  assert.equal(withLock("", "backup"), "lock: backup\n");
});

test("any description survives being written and read", () => {
  const line = fc.string({ minLength: 1, maxLength: 40 }).filter((one) => !/[\n\r]/.test(one));
  fc.assert(
    fc.property(fc.array(line, { minLength: 1, maxLength: 5 }), (lines) => {
      const description = lines.join("\n");
      const printed = printGuestFile({ description, values: new Map([["memory", "1"]]), raw: [] });
      assert.equal(parseGuestFile(printed).description, description);
    }),
  );
});

test("sizes are printed in the largest unit that divides them, and read back", () => {
  assert.deepEqual([sizeText(256 * 2 ** 20), sizeText(1500 * 2 ** 30), sizeText(1000)], ["256M", "1500G", "1000"]);
  fc.assert(
    fc.property(fc.nat(2 ** 31 - 1), (mebibytes) => {
      const bytes = (mebibytes + 1) * 2 ** 20;
      assert.equal(sizeIn(`local:vm-1-disk-0,size=${sizeText(bytes)},ssd=1`), bytes);
    }),
  );
  assert.deepEqual(propertiesOf("local:x,size=1G"), [
    ["", "local:x"],
    ["size", "1G"],
  ]);
});
