import assert from "node:assert/strict";
import { test } from "node:test";
import { globMatcher } from "../../../hub/core/scope.ts";
import { fc } from "../../support/property.ts";

const names: [glob: string, name: string, fits: boolean][] = [
  ["web*", "Web01", true],
  ["*web", "web01", false],
  ["w*b*1", "web01", true],
  ["a*b*b*c", "abc", false],
  ["ab*bc", "abc", false],
  ["a*bc*bc*d", "abcbd", false],
  ["*", "", true],
  ["", "web", false],
  ["a.c", "abc", false],
];
for (const [glob, name, fits] of names) {
  test(`"${glob}" ${fits ? "fits" : "does not fit"} "${name}"`, () => assert.equal(globMatcher(glob)(name), fits));
}

test("a pattern fits what the regular expression of the same meaning fits", () => {
  const letters = fc.string({ unit: fc.constantFrom("a", "b", "*"), maxLength: 8 });
  const text = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 10 });
  fc.assert(
    fc.property(letters, text, (glob, name) => {
      assert.equal(globMatcher(glob)(name), new RegExp(`^${glob.replaceAll("*", ".*")}$`).test(name));
    }),
  );
});
