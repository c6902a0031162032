import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { type AutomaticWindow, automaticWindowsOf, covers, type Versions } from "../../../hub/core/automatic-window.ts";
import { cluster, testPicture } from "../../support/test-cluster.ts";

const minute = 60_000;
const at = (minutes: number) => (1_800_000_000_000 + minutes * minute) as EpochMs;
const [old, newer] = ["pve-manager/9.2.10/aaaaaaaaaaaaaaaa", "pve-manager/9.2.11/14a22df35955d97d"];

/** Looks at a node that says these versions, a minute apart; what each look found. */
function looks(...said: (string | undefined)[]): AutomaticWindow[][] {
  const versions: Versions = new Map();
  let before = new Map<string, AutomaticWindow>();
  return said.map((pveVersion, index) => {
    const picture = testPicture({ name: "lab", at: at(index), nodes: { pve1: [{ vmid: 100 }] } });
    for (const { inventory } of picture.agents.values()) {
      if (inventory === undefined) continue;
      const { pveVersion: _, ...node } = inventory.inventory.node;
      inventory.inventory.node = { ...node, ...(pveVersion === undefined ? {} : { pveVersion }) };
    }
    const open = automaticWindowsOf(picture, before, versions, at(index));
    before = new Map(open.map((window) => [window.id, window]));
    return open;
  });
}
const kinds = (found: AutomaticWindow[][]) => found.map((open) => open.map(({ kind }) => kind).join(" "));

test("a node that is seen for the first time was not upgraded, one with another version was, for a quarter of an hour", () => {
  const found = looks(old, newer, ...Array.from({ length: 16 }, () => newer));
  assert.deepEqual(kinds(found), ["", ...Array.from({ length: 15 }, () => "upgrade"), "", ""]);
  assert.deepEqual([found[9]?.[0]?.since, found[9]?.[0]?.until], [at(1), at(16)]);
});

test("a node that can't say its version for a while was not upgraded by that", () => {
  assert.deepEqual(kinds(looks(newer, undefined, newer, undefined)), ["", "", "", ""]);
  assert.deepEqual(kinds(looks(old, undefined, newer)), ["", "", "upgrade"], "while it was silent it was");
});

test("a guest that a backup has locked is held alone, a node with what is on it", () => {
  const picture = testPicture({ name: "lab", at: at(0), nodes: { pve1: [{ vmid: 100, lock: "backup" }, { vmid: 101 }] } });
  const [locked] = automaticWindowsOf(picture, new Map(), new Map(), at(0));
  assert.ok(locked);
  assert.deepEqual([locked.kind, locked.entity, locked.until], ["backup-lock", "guest/100", at(24 * 60)]);
  assert.equal(covers(locked, cluster, "guest/100", "pve1"), true);
  assert.equal(covers(locked, cluster, "guest/101", "pve1"), false);
  assert.equal(covers(locked, "00000000000000bb", "guest/100", "pve1"), false);
  const [, [upgraded] = []] = looks(old, newer);
  assert.ok(upgraded);
  assert.equal(covers(upgraded, cluster, "guest/101", "pve1"), true);
  assert.equal(covers(upgraded, cluster, "guest/101", "pve2"), false);
});
