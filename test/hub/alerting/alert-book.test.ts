import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterId, EntityKey, EpochMs } from "#protocol/ids.ts";
import { AlertBook } from "../../../hub/alerting/alert-book.ts";
import type { AlertRecord } from "../../../hub/core/alert-record.ts";
import { StateStore } from "../../../hub/store/state.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

const hour = 3_600_000;
const begin = Date.UTC(2026, 0, 5) as EpochMs;
const at = (ms: number) => (begin + ms) as EpochMs;

/** An alert about a guest that fired for a minute. */
function ended(vmid: number, firedAt: EpochMs): AlertRecord {
  const subject = {
    cluster: "0123456789abcdef" as ClusterId,
    entity: `guest/${vmid}` as EntityKey,
    incarnation: 1,
    instance: null,
  };
  return {
    id: `cpu ${vmid}`,
    rule: "cpu",
    ruleName: "CPU",
    severity: "warning",
    subject,
    alert: { state: "resolved", activeAt: firedAt, firedAt, resolvedAt: (firedAt + 60_000) as EpochMs },
    reason: "ok",
    node: "pve1",
    title: `guest ${vmid}`,
    tags: [],
    pool: null,
    value: 1,
    valueText: "1",
    unit: null,
    threshold: 0.9,
    worst: 1,
    text: "busy",
    remedy: null,
    inhibits: false,
    affected: [],
    fires: [firedAt],
    flapping: false,
    acknowledged: null,
    heldBy: null,
    wasHeld: false,
    freedAt: null,
    told: [],
    groups: [],
    decisions: [],
  };
}

test("alerts of guests that are gone leave the memory after an hour and the disk after their time, and a start reads the last hour only", async (t) => {
  const dir = temporaryDir(t);
  const state = StateStore.open({ dir, now: () => begin });
  const book = new AlertBook(state, begin);
  for (let i = 0; i < 60; i++) {
    const record = ended(100 + i, at(i * 60_000));
    book.put(record);
    book.remove(record, true);
  }
  book.commit();
  assert.equal(book.recentFires.size, 60);
  const now = at(1.5 * hour);
  book.prune(begin, now);
  assert.deepEqual([...book.recentFires.keys()], [...new AlertBook(state, now).recentFires.keys()].slice(2));
  assert.equal(book.recentFires.size, 29);
  assert.equal(state.list("alertHistory").length, 60);
  book.prune(at(0.5 * hour), now);
  assert.equal(state.list("alertHistory").length, 31);
  assert.equal(state.list("alertHistory")[0]?.document.id, "cpu 129");
  await state.close();
});
