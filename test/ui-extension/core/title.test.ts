import assert from "node:assert/strict";
import { test } from "node:test";
import type { GuestView } from "#protocol/api.ts";
import { parseRoute } from "../../../ui-extension/core/route.ts";
import { inEnglish } from "../../../ui-extension/core/text.ts";
import { pageTitle } from "../../../ui-extension/core/title.ts";

const guests = [{ entity: "guest/100", cluster: "a", vmid: 100, name: "web01" } as GuestView];
const title = (hash: string, needing = 0) => pageTitle(parseRoute(hash).page, { guests }, needing, inEnglish);

test("a browser's tab says which page it shows, and how many alerts need somebody", () => {
  assert.deepEqual(
    ["#/", "#/guest/100", "#/guest/101", "#/node/pve1", "#/storage/pve1/local", "#/proofs/run-1"].map((hash) => title(hash)),
    ["Proven", "100 web01 · Proven", "101 · Proven", "pve1 · Proven", "pve1/local · Proven", "Restore proof · Proven"],
  );
  assert.deepEqual([title("#/", 2), title("#/guest/100", 1)], ["(2) Proven", "(1) 100 web01 · Proven"]);
});
