import assert from "node:assert/strict";
import { test } from "node:test";
import { markerLine } from "../../../../agent/core/restore/marker.ts";
import { type GuestSeen, type Intent, type Ownership, ownership } from "../../../../agent/core/restore/ours.ts";
import { fc } from "../../../support/property.ts";

const range = { first: 9200, last: 9299 };
const upid = "UPID:pve1:00002FB4:00096CD7:6B03AAEA:vzrestore:9230:root@pam:";
const intent: Intent = { operation: "op-1", vmid: 9230, at: 1_795_402_474_300, wasFree: true, upid };
const maker = { upid, startedAt: 1_795_402_474_000, running: false, user: "root@pam" };
const finished: GuestSeen = {
  vmid: 9230,
  text: "arch: amd64\n",
  description: `x\n${markerLine("op-1")}\n`,
  tags: "proven-test",
  makers: [maker],
};
const half: GuestSeen = { vmid: 9230, text: "memory: 128\n", makers: [maker] };
const other = { ...maker, upid: "UPID:pve1:00002FB5:00096CD8:6B03AAEB:qmrestore:9230:alice@pve:", user: "alice@pve" };

const cases: [name: string, seen: GuestSeen, intent: Intent | undefined, expected: Ownership][] = [
  ["one with tag, marker and journal is ours", finished, intent, { ours: true, how: "finished" }],
  ["one whose tag an operator took away isn't", { ...finished, tags: "prod" }, intent, { ours: false, why: "marks-missing" }],
  [
    "one with another operation's marker isn't",
    { ...finished, description: markerLine("op-2") },
    intent,
    { ours: false, why: "marks-missing" },
  ],
  ["one that the journal doesn't know isn't, whatever it carries", finished, undefined, { ours: false, why: "no-intent" }],
  ["one outside the range isn't", { ...finished, vmid: 105 }, { ...intent, vmid: 105 }, { ours: false, why: "out-of-range" }],
  ["one whose number was taken before isn't", finished, { ...intent, wasFree: false }, { ours: false, why: "was-not-free" }],
  ["a half-made VM with our task is ours", half, intent, { ours: true, how: "half-made" }],
  ["an empty file with our task is ours", { ...half, text: "" }, intent, { ours: true, how: "half-made" }],
  ["a lock-only file with our task is ours", { ...half, text: "lock: create\n" }, intent, { ours: true, how: "half-made" }],
  [
    "a half-made guest whose restore still runs is left alone",
    { ...half, makers: [{ ...maker, running: true }] },
    intent,
    { ours: false, why: "task-runs" },
  ],
  ["a half-made guest without any task is reported only", { ...half, makers: [] }, intent, { ours: false, why: "no-task" }],
  [
    "somebody else's half-made guest in our range isn't ours",
    { ...half, makers: [other] },
    intent,
    { ours: false, why: "no-task" },
  ],
  [
    "one that somebody restored again after us isn't",
    { ...half, makers: [maker, other] },
    intent,
    { ours: false, why: "younger-task" },
  ],
  [
    "one with a single line of somebody's own isn't half-made",
    { ...half, text: "memory: 512\n" },
    intent,
    { ours: false, why: "marks-missing" },
  ],
  ["a guest that is gone needs nothing", { ...half, text: undefined }, intent, { ours: false, why: "gone" }],
  [
    "when the answer with the task's name never came, the only task of that moment is ours",
    half,
    withoutUpid(intent),
    { ours: true, how: "half-made" },
  ],
  [
    "with two such tasks nobody can tell",
    { ...half, makers: [maker, { ...other, user: "root@pam" }] },
    withoutUpid(intent),
    { ours: false, why: "younger-task" },
  ],
];
for (const [name, seen, known, expected] of cases) {
  test(name, () => assert.deepEqual(ownership(seen, known, range), expected));
}

function withoutUpid({ upid: _, ...rest }: Intent): Intent {
  return rest;
}

test("nothing is ever ours without an intent for exactly that free number in the range", () => {
  const text = fc.constantFrom<string | undefined>(undefined, "", "lock: create\n", "memory: 128\n", "arch: amd64\n");
  const seen = fc.record({
    vmid: fc.integer({ min: 9190, max: 9310 }),
    text,
    tags: fc.constantFrom("proven-test", "prod"),
    description: fc.constantFrom(markerLine("op-1"), ""),
  });
  fc.assert(
    fc.property(seen, fc.integer({ min: 9190, max: 9310 }), fc.boolean(), fc.boolean(), (guest, vmid, wasFree, known) => {
      const verdict = ownership({ ...guest, makers: [maker] }, known ? { ...intent, vmid, wasFree } : undefined, range);
      if (verdict.ours)
        assert.ok(known && wasFree && vmid === guest.vmid && vmid >= 9200 && vmid <= 9299 && guest.text !== undefined);
    }),
  );
});
