import assert from "node:assert/strict";
import { test } from "node:test";
import { type Incarnation, resolveIncarnation } from "../../../hub/core/incarnation.ts";

const first: Incarnation = { number: 1, identity: ["uuid:a", "mac:1"] };
const second: Incarnation = { number: 2, identity: ["uuid:b"] };

const cases: [name: string, known: Incarnation[], seen: string[], number: number, why: string, identity: string[]][] = [
  ["a guest never seen is incarnation 1", [], ["uuid:a"], 1, "first", ["uuid:a"]],
  ["the same strings are the same guest", [first], ["mac:1", "uuid:a"], 1, "same", ["uuid:a", "mac:1"]],
  ["one shared string is enough: a NIC was added", [first], ["uuid:a", "mac:2"], 1, "grown", ["uuid:a", "mac:1", "mac:2"]],
  [
    "a uuid regenerated with a NIC kept is the same guest",
    [first],
    ["uuid:z", "mac:1"],
    1,
    "grown",
    ["uuid:a", "mac:1", "uuid:z"],
  ],
  ["nothing shared means that the vmid was used again", [first], ["uuid:b"], 2, "reused", ["uuid:b"]],
  ["a deleted guest that was restored goes on where it was", [second, first], ["uuid:a"], 1, "same", ["uuid:a", "mac:1"]],
  ["a third guest of a vmid gets the next number", [first, second], ["uuid:c"], 3, "reused", ["uuid:c"]],
  ["without a readable identity the newest guest goes on", [second, first], [], 2, "untold", ["uuid:b"]],
  [
    "an identity first read later is that of the guest seen before",
    [{ number: 1, identity: [] }],
    ["uuid:a"],
    1,
    "grown",
    ["uuid:a"],
  ],
];
for (const [name, known, seen, number, why, identity] of cases) {
  test(`incarnation: ${name}`, () => assert.deepEqual(resolveIncarnation(known, seen), { number, why, identity }));
}
