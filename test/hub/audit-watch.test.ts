import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { open } from "lmdb";
import type { EpochMs } from "#protocol/ids.ts";
import { AuditWatch } from "../../hub/audit-watch.ts";
import { createKey } from "../../hub/keys.ts";
import { StateStore } from "../../hub/store/state.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

const now = 1_700_000_000_000 as EpochMs;
const by = { actor: "root", reason: "test" };

test("an audit log that was never followed is unchecked, not intact; who asks twice at once gets one check; a break is a problem of the hub", async (t) => {
  const dir = temporaryDir(t);
  const clock = new FakeClock(now);
  const first = StateStore.open({ dir, now: () => now });
  const { stored } = createKey(first, { name: "ci", scopes: ["read"], expiresInDays: 1 }, by, now);
  const watch = new AuditWatch({ state: first, clock });
  assert.equal(watch.state.state, "unchecked");
  const [one, two] = [watch.check(), watch.check()];
  assert.equal(watch.state.state, "checking");
  assert.equal(one, two);
  const { state, entries, checkedAt, problem } = await one;
  assert.deepEqual({ state, entries, checkedAt, problem }, { state: "intact", entries: 1, checkedAt: now, problem: null });
  assert.deepEqual(watch.problems(), []);
  await first.close();

  const raw = open<unknown, string>({ path: join(dir, "state"), encoding: "json", maxDbs: 8, overlappingSync: false });
  raw
    .openDB<unknown, [string, string]>("documents", { encoding: "json" })
    .putSync(["apiKey", stored.id], { ...stored, scopes: ["admin"] });
  await raw.close();
  const second = StateStore.open({ dir, now: () => now });
  const again = new AuditWatch({ state: second, clock });
  assert.equal((await again.check()).state, "broken");
  assert.deepEqual(again.problems(), [
    `The audit log can't be trusted: entry 1: apiKey ${stored.id} was changed outside the audit log`,
  ]);
  const stopping = again.check();
  await again.stop();
  assert.equal((await stopping).checkedAt, now, "a check that was stopped says what was known before");
  await second.close();
});
