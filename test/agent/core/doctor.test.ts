import assert from "node:assert/strict";
import { test } from "node:test";
import { judgePage, judgeQuorum } from "../../../agent/core/doctor.ts";

const line = '<script src="/pve2/js/proven-host.js?ver=1"></script>';

test("the page has our line when it is wanted, and only then", () => {
  assert.deepEqual(
    [judgePage(line, true), judgePage("", false), judgePage("", true), judgePage(line, false)].map(({ state, says }) => [
      state,
      says,
    ]),
    [
      ["ok", "has our line"],
      ["ok", "has no line of ours, as it should be"],
      ["trouble", "lacks our line: there is no Proven tab"],
      ["trouble", "still has our line"],
    ],
  );
});

test("a cluster without quorum is in trouble, a node by itself isn't", () => {
  assert.equal(judgeQuorum('{ "cluster": { "quorate": 0 } }').state, "trouble");
  assert.equal(judgeQuorum('{ "cluster": { "quorate": 1 } }').says, "quorate");
  assert.equal(judgeQuorum('{ "nodename": "pve" }').says, "a node by itself");
});
