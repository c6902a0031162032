import assert from "node:assert/strict";
import { test } from "node:test";
import {
  entityKind,
  guestKey,
  parseClusterId,
  parseEntityKey,
  parseEpochMs,
  parseNodeName,
  parseStorageId,
  parseUpid,
  parseVmid,
  type Vmid,
  vmidOfKey,
  vmidRange,
} from "#protocol/ids.ts";
import { fc } from "../support/property.ts";

for (const [value, expected] of [
  [100, 100],
  ["100", 100],
  [999_999_999, 999_999_999],
  [99, undefined],
  [1_000_000_000, undefined],
  ["0100", undefined],
  ["1e3", undefined],
  [100.5, undefined],
  [null, undefined],
] as const) {
  test(`vmid ${JSON.stringify(value)} is ${expected ?? "refused"}`, () => assert.equal(parseVmid(value), expected));
}

test("the key of a guest names its vmid, and no other key names one", () => {
  fc.assert(fc.property(fc.integer(vmidRange), (vmid) => assert.equal(vmidOfKey(guestKey(vmid as Vmid)), vmid)));
  for (const key of ["guest/99", "guest/0100", "guest/", "guest/100x", "node/100", "storage/guest/100", "cluster", "100"])
    assert.equal(vmidOfKey(key), undefined, key);
});

const names: [name: string, parse: (value: unknown) => string | undefined, good: string[], bad: string[]][] = [
  ["node", parseNodeName, ["pve1", "a", "Node-2"], ["", "-a", "a-", "a.b", "a".repeat(64)]],
  ["storage", parseStorageId, ["local", "nfs_1.x-y"], ["", "1local", "a", "local/", "-x"]],
  ["cluster id", parseClusterId, ["0123456789abcdef"], ["", "0123456789ABCDEF", "0123456789abcde"]],
  [
    "entity",
    parseEntityKey,
    ["cluster", "node/pve1", "guest/100", "storage/nfs", "storage/pve1/local", "zpool/pve1/rpool"],
    ["", "node/", "guest/99x", "guest/012", "node/a/b", "storage/a/b/c", "zpool/rpool", "cluster/x", "node/a\n"],
  ],
];
for (const [name, parse, good, bad] of names) {
  test(`${name}: ${good.join(", ")} are taken, ${bad.map((one) => JSON.stringify(one)).join(", ")} are not`, () => {
    assert.deepEqual(
      good.map((one) => parse(one)),
      [...good],
    );
    assert.deepEqual(
      bad.map((one) => parse(one)),
      bad.map(() => undefined),
    );
  });
}

test("an entity's kind is its first word", () => {
  const kinds = ["cluster", "node/pve1", "guest/100", "storage/pve1/local", "zpool/pve1/rpool"].map((key) => {
    const parsed = parseEntityKey(key);
    return parsed && entityKind(parsed);
  });
  assert.deepEqual(kinds, ["cluster", "node", "guest", "storage", "zpool"]);
});

test("a task's id is taken apart: node, start, type, guest and user", () => {
  assert.deepEqual(parseUpid("UPID:pve1:0000A1B2:01234567:665F3B10:vzdump:100:root@pam!backup:"), {
    upid: "UPID:pve1:0000A1B2:01234567:665F3B10:vzdump:100:root@pam!backup:",
    node: "pve1",
    pid: 41_394,
    pstart: 19_088_743,
    startedAt: 1_717_517_072_000,
    type: "vzdump",
    id: "100",
    user: "root@pam!backup",
  });
});

test("a truncated task id is no task id", () => {
  const whole = "UPID:pve1:0000A1B2:01234567:665F3B10:vzdump:100:root@pam:";
  for (let length = 0; length < whole.length; length++) assert.equal(parseUpid(whole.slice(0, length)), undefined);
  assert.equal(parseUpid(`${whole}\n`), undefined);
});

test("no value of any kind makes a parser throw", () => {
  fc.assert(
    fc.property(fc.anything(), (value) => {
      for (const parse of [parseVmid, parseNodeName, parseStorageId, parseClusterId, parseEpochMs, parseEntityKey, parseUpid]) {
        parse(value);
      }
    }),
  );
});
