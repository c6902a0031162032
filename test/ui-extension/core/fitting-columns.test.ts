import assert from "node:assert/strict";
import { test } from "node:test";
import { fittingColumns } from "../../../ui-extension/core/fitting-columns.ts";

const columns = [
  { id: "guest", priority: 1 },
  { id: "state", priority: 1, width: "194px" },
  { id: "cpu", priority: 2, width: "112px" },
  { id: "uptime", priority: 3, width: "90px" },
  { id: "proof", priority: 3, width: "130px" },
  { id: "tags", priority: 3 },
] as const;
const ids = (tablePx: number) => fittingColumns(columns, tablePx).map(({ id }) => id);

test("a column that shares the rest is never squeezed to nothing: others are left out for it", () => {
  assert.deepEqual(ids(1300), ["guest", "state", "cpu", "uptime", "proof", "tags"]);
  assert.deepEqual(ids(800), ["guest", "state", "cpu", "uptime", "proof"]);
  assert.deepEqual(ids(865), ["guest", "state", "cpu", "uptime", "proof"]);
  assert.deepEqual(ids(866), ["guest", "state", "cpu", "uptime", "proof", "tags"]);
});

test("a phone sees the columns that are always seen, also where they don't fit", () => {
  assert.deepEqual(
    [ids(439), ids(200), ids(476)],
    [
      ["guest", "state"],
      ["guest", "state"],
      ["guest", "state", "cpu"],
    ],
  );
});

test("a width in percent counts with what it is in this table", () => {
  const proof = [
    { id: "guest", priority: 1 },
    { id: "proof", priority: 1, width: "40%" },
    { id: "due", priority: 3, width: "400px" },
  ] as const;
  assert.deepEqual(
    fittingColumns(proof, 949).map(({ id }) => id),
    ["guest", "proof"],
  );
  assert.deepEqual(
    fittingColumns(proof, 950).map(({ id }) => id),
    ["guest", "proof", "due"],
  );
});

test("half of a tab of Proxmox VE's page, 460 px at 1366, has the state of a storage beside its name", () => {
  const storages = [
    { id: "storage", priority: 1 },
    { id: "type", priority: 3, width: "82px" },
    { id: "state", priority: 2, width: "124px" },
    { id: "used", priority: 1, width: "108px" },
    { id: "size", priority: 2, width: "128px" },
  ] as const;
  assert.deepEqual(
    fittingColumns(storages, 460).map(({ id }) => id),
    ["storage", "state", "used"],
  );
});
