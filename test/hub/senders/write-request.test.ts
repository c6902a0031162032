import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeLabels, WriteRequest } from "../../../hub/senders/remote-write/write-request.ts";
import { fc } from "../../support/property.ts";
import { decodeWriteRequest } from "../../support/write-request.ts";

test("write request: any labels, value and time are read back by an independent decoder", () => {
  const label = fc.tuple(fc.stringMatching(/^[a-z]{1,8}$/), fc.string({ minLength: 1, unit: "grapheme" }));
  const series = fc.record({
    name: fc.stringMatching(/^[a-z_]{1,40}$/),
    labels: fc.uniqueArray(label, { maxLength: 6, selector: ([name]) => name }),
    value: fc.double({ noNaN: true }),
    at: fc.integer({ min: 0, max: 4_102_444_800_000 }),
  });
  fc.assert(
    fc.property(fc.array(series, { maxLength: 40 }), (all) => {
      const request = new WriteRequest();
      for (const { name, labels, value, at } of all) request.add(encodeLabels(name, labels), value, at);
      assert.equal(request.samples, all.length);
      const expected = all.map(({ name, labels, value, at }) => ({
        labels: Object.fromEntries([["__name__", name], ...labels]),
        samples: [{ at, value, stale: false }],
      }));
      assert.deepEqual(decodeWriteRequest(request.take()), expected);
      assert.equal(request.samples, 0);
    }),
  );
});

test("write request: labels are sorted, empty ones left out", () => {
  const request = new WriteRequest();
  request.add(
    encodeLabels("pve_node_info", [
      ["nodeid", "1"],
      ["level", ""],
      ["id", "node/pve1"],
    ]),
    1,
    5,
  );
  assert.deepEqual(Object.entries(decodeWriteRequest(request.take())[0]?.labels ?? {}), [
    ["__name__", "pve_node_info"],
    ["id", "node/pve1"],
    ["nodeid", "1"],
  ]);
});

test("write request: the end of a series is Prometheus' own stale mark, bit by bit", () => {
  const request = new WriteRequest();
  request.addStale(encodeLabels("up", []), 1_767_614_400_001);
  const [series] = decodeWriteRequest(request.take());
  assert.deepEqual(series?.samples, [{ at: 1_767_614_400_001, value: Number.NaN, stale: true }]);
});
