import assert from "node:assert/strict";
import { test } from "node:test";
import type { Scope } from "#protocol/alerting.ts";
import { type EntityFacts, globMatcher, matcherOf } from "../../../hub/core/scope.ts";
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

const guest = {
  cluster: "00000000000000aa",
  entity: "guest/150",
  kind: "guest",
  incarnation: 1,
  node: "pve1",
  type: "qemu",
  name: "web01",
  title: "web01 (VM 150)",
  tags: ["Prod.web", "gold"],
  pool: "shop/front",
  storages: ["local-zfs", "nfs1"],
} as unknown as EntityFacts;
const homeless = { ...guest, node: undefined, pool: undefined, tags: [], storages: [] } as EntityFacts;

/** Scopes that take the guest, each with one that does not. */
const scopes: [fits: Scope, not: Scope][] = [
  [{ clusters: ["00000000000000aa" as never] }, { clusters: ["00000000000000bb" as never] }],
  [{ entities: ["guest/150" as never] }, { entities: ["guest/15" as never] }],
  [{ guests: [149, 150] as never }, { guests: [15] as never }],
  [{ nodes: ["pve2", "pve1"] as never }, { nodes: ["pve"] as never }],
  [{ storages: ["nfs1"] as never }, { storages: ["nfs"] as never }],
  [{ tags: ["prod"] }, { tags: ["pro"] }],
  [{ tags: ["no", "GOLD"] }, { tags: ["prod.web.x"] }],
  [{ pools: ["shop"] }, { pools: ["shop/front/a", "sho"] }],
  [{ types: ["qemu"] }, { types: ["lxc"] }],
  [{ instances: ["net*"] }, { instances: ["scsi*"] }],
  [
    { tags: ["gold"], nodes: ["pve1"] as never },
    { tags: ["gold"], nodes: ["pve2"] as never },
  ],
  [
    { tags: ["gold"], except: { guests: [151] as never } },
    { tags: ["gold"], except: { guests: [150] as never } },
  ],
  [{}, { except: {} }],
];
for (const [fits, not] of scopes) {
  test(`the scope ${JSON.stringify(fits)} takes web01, ${JSON.stringify(not)} does not`, () => {
    assert.equal(matcherOf(fits)(guest, "net0"), true);
    assert.equal(matcherOf(not)(guest, "net0"), false);
  });
}

test("what has no node, pool, tag, storage or instance fits no scope that asks for one", () => {
  for (const scope of [
    { nodes: ["pve1"] },
    { pools: ["shop"] },
    { tags: ["gold"] },
    { storages: ["nfs1"] },
    { instances: ["*"] },
  ]) {
    assert.equal(matcherOf(scope as Scope)(homeless, null), false, JSON.stringify(scope));
  }
});

const expressions: [expression: string, fits: boolean][] = [
  ["tag=prod", true],
  ["tag=prod.w*", true],
  ["tag=silver", false],
  ["pool=shop", true],
  ["pool=shop/f*", true],
  ["pool=shop/back", false],
  ["node=pve1 and storage=nfs*", true],
  ["node=pve1 and storage=ceph", false],
  ["node=pve2 or name=web*", true],
  ["node=pve2 or name=db*", false],
  ["not node=pve2", true],
  ["not node=pve1", false],
  ["node=pve2 or not type=lxc and kind=guest", true],
  ["(node=pve1 or node=pve2) and entity=guest/151", false],
  ["vmid=150", true],
  ["vmid=151", false],
  ["vmid=100..150", true],
  ["vmid=150..199", true],
  ["vmid=151..199", false],
  ["vmid=100..149", false],
  ["cluster=00*aa", true],
  ["tag=prod and", false],
];
for (const [expression, fits] of expressions) {
  test(`"${expression}" ${fits ? "takes" : "does not take"} web01`, () =>
    assert.equal(matcherOf({ expression })(guest, null), fits));
}

test("a pool or a node that something doesn't have fits no pattern", () => {
  for (const expression of ["pool=*", "node=*", "tag=*", "storage=*"])
    assert.equal(matcherOf({ expression })(homeless, null), false);
});
