import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, renameSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { MetricsWatch } from "../../../agent/sources/watch.ts";
import { FakeClock, settle } from "../../support/fake-clock.ts";

/** A node whose pvestatd writes when it is told to, and a watch that is asked again as soon as it answered. */
function start(context: TestContext) {
  const root = mkdtempSync(join(tmpdir(), "proven-watch-"));
  const clock = new FakeClock();
  const watch = new MetricsWatch(root, clock);
  const stop = new AbortController();
  context.after(() => {
    stop.abort();
    watch.close();
    rmSync(root, { recursive: true });
  });
  mkdirSync(join(root, "run/pve"), { recursive: true });
  const write = () => {
    const seconds = clock.now() / 1000;
    writeFileSync(join(root, "run/pve/metrics.tmp"), "{}");
    utimesSync(join(root, "run/pve/metrics.tmp"), seconds, seconds);
    renameSync(join(root, "run/pve/metrics.tmp"), join(root, "run/pve/metrics"));
  };
  return { clock, watch, write, signal: stop.signal };
}

/** Two files, so far apart: the second is heard of through inotify. */
async function learn(periodMs: number, { clock, watch, write, signal }: ReturnType<typeof start>): Promise<void> {
  write();
  const second = watch.next(2 * periodMs, signal);
  await clock.advance(periodMs);
  write();
  await second;
}

test("a pvestatd that is faster than Proxmox VE's own is followed at its pace", async (context) => {
  const { clock, watch, write, signal } = start(context);
  await learn(1_000, { clock, watch, write, signal });
  for (let tick = 2; tick <= 4; tick++) {
    const next = watch.next(10_500, signal);
    await clock.advance(1_000 * tick - clock.monotonicMs());
    write();
    await clock.advance(100);
    await next;
    assert.equal(clock.monotonicMs(), 1_000 * tick + 100);
  }
});

test("a file that comes on time is seen a tenth of a second later, with one look for each", async (context) => {
  const { clock, watch, write, signal } = start(context);
  await learn(10_000, { clock, watch, write, signal });
  const seenAt: number[] = [];
  let asking = true;
  const loop = (async () => {
    while (asking) {
      await watch.next(10_500, signal);
      seenAt.push(clock.monotonicMs());
    }
  })();
  for (let tick = 2; tick <= 6; tick++) {
    await clock.advance(10_000 * tick - clock.monotonicMs());
    write();
    assert.equal(clock.sleeping, 1);
    if (tick === 6) asking = false;
    await clock.advance(100);
  }
  await loop;
  assert.deepEqual(seenAt, [20_100, 30_100, 40_100, 50_100, 60_100]);
});

test("after files that followed each other quickly, as when pvestatd was started anew, its usual pace is waited for again", async (context) => {
  const { clock, watch, write, signal } = start(context);
  await learn(4_000, { clock, watch, write, signal });
  const seenAt: number[] = [];
  for (const at of [14_000, 24_000, 34_000]) {
    const next = watch.next(10_500, signal);
    await clock.advance(at - clock.monotonicMs());
    write();
    await clock.advance(0);
    if (at === 34_000) await clock.advance(400);
    await next;
    seenAt.push(clock.monotonicMs());
  }
  assert.deepEqual(seenAt, [14_000, 24_000, 34_400]);
});

test("a file that is late is seen when it comes", async (context) => {
  const { clock, watch, write, signal } = start(context);
  write();
  const seen = watch.next(20_000, signal);
  await clock.advance(12_345);
  write();
  await seen;
  assert.equal(clock.monotonicMs(), 12_345);
});

test("where nothing is written, and where there is no folder, the time is waited for and no longer", async (context) => {
  const { clock, watch, write, signal } = start(context);
  write();
  for (const endMs of [10_500, 21_000, 31_500]) {
    const waited = watch.next(10_500, signal);
    await clock.advance(10_499);
    assert.equal(clock.sleeping, 1);
    await clock.advance(1);
    await waited;
    assert.equal(clock.monotonicMs(), endMs);
  }
  const nowhere = new MetricsWatch("/nonexistent", clock).next(1_000, signal);
  await clock.advance(1_000);
  await nowhere;
});

test("a stop ends the wait, before the file is due and after", async (context) => {
  const { clock, watch, write } = start(context);
  write();
  for (const ms of [1_000, 10_200]) {
    const stop = new AbortController();
    const waiting = watch.next(20_000, stop.signal);
    await clock.advance(ms);
    stop.abort();
    await waiting;
    await settle();
  }
});
