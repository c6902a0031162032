import assert from "node:assert/strict";
import { test } from "node:test";
import type { StorageView } from "#protocol/api.ts";
import { columnKey, gridOf } from "../../../ui-extension/core/columns.ts";
import { LiveTail } from "../../../ui-extension/core/live.ts";

const storage = (used: number, at: number, state: "fresh" | "stale" = "fresh"): StorageView => ({
  ...{
    cluster: "c",
    storage: "nfs1",
    entity: "storage/nfs1",
    node: null,
    type: "nfs",
    shared: true,
    content: [],
    state: "available",
  },
  used: { state, value: used, at },
  total: { state: "fresh", value: 100, at },
  avail: { state: "absent", value: null, at: null },
});

test("what the stream tells lies on the chart's steps, once; what is stale or was told before is not taken", () => {
  const tail = new LiveTail("storage/nfs1");
  assert.equal(tail.add(storage(10, 1000)), true);
  assert.equal(tail.add(storage(10, 1000)), false);
  assert.equal(tail.add(storage(11, 21_000)), true);
  tail.add(storage(99, 41_000, "stale"));
  const window = { from: 0, to: 60_000 };
  const column = () =>
    gridOf([tail.answer(window)], window.from, window.to, 20_000).columns.get(columnKey("storage/nfs1", "used", null, "avg"));
  assert.deepEqual(column(), [10, 11, null]);
  tail.trim(20_000);
  assert.deepEqual(column(), [null, 11, null]);
});
