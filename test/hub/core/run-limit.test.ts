import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { newRun } from "../../../hub/core/run.ts";
import { refuseManyRuns } from "../../../hub/core/run-limit.ts";
import type { Run } from "../../../hub/core/run-record.ts";
import { orderOf } from "../../support/operations-world.ts";

const now = 1_767_600_000_000 as EpochMs;
const hour = 3_600_000;
const run = (createdAt: number, more: Partial<Run> = {}): Run => ({
  ...newRun({ ...orderOf(now), id: "00000000-0000-4000-8000-000000000001", createdAt: createdAt as EpochMs }),
  state: "finished",
  ...more,
});
const { cluster } = run(now);
const ask = (runs: Run[], vmid: number | null = 100) => refuseManyRuns(runs, { cluster, vmid }, now);

test("whoever orders and cancels again and again has to wait when there were 200 in a day", () => {
  const today = Array.from({ length: 199 }, (_, i) => run(now - i * 60_000));
  ask([...today, run(now - 24 * hour)]);
  assert.throws(() => ask([...today, run(now - 23 * hour)]), { code: "rate-limited" });
  ask([...today, run(now - 23 * hour)], 101);
});

test("what policies order, and runs about other guests, count for nobody", () => {
  const open = Array.from({ length: 40 }, () => run(now, { state: "queued" }));
  assert.throws(() => ask(open), { code: "conflict" });
  ask(open.map((one) => ({ ...one, policy: "nightly" })));
  ask(open, 101);
  ask(open, null);
  assert.throws(
    () =>
      ask(
        open.map((one) => ({ ...one, guest: null })),
        null,
      ),
    { code: "conflict" },
  );
});
