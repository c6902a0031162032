import assert from "node:assert/strict";
import { test } from "node:test";
import { Agenda } from "../../hub/agenda.ts";
import { FakeClock } from "../support/fake-clock.ts";

function agenda() {
  const clock = new FakeClock();
  const lines: string[] = [];
  const ran: [string, number][] = [];
  const made = new Agenda({ clock, log: (_, line) => lines.push(line) });
  const note = (name: string) => ran.push([name, clock.monotonicMs()]);
  return { clock, lines, ran, note, agenda: made };
}

test("work runs when it is due, and again after the time that it asks for", async () => {
  const { clock, ran, note, agenda: made } = agenda();
  made.add("look", 1000, () => {
    note("look");
    return 5000;
  });
  await clock.advance(12_000);
  assert.deepEqual(ran, [
    ["look", 1000],
    ["look", 6000],
    ["look", 11_000],
  ]);
});

test("work without a next time sleeps until somebody asks, and the earliest question counts", async () => {
  const { clock, ran, note, agenda: made } = agenda();
  const job = made.add("pass", 0, () => {
    note("pass");
    return Number.POSITIVE_INFINITY;
  });
  await clock.advance(60_000);
  job.soon(3000);
  job.soon(1000);
  job.soon(9000);
  await clock.advance(60_000);
  assert.deepEqual(ran, [
    ["pass", 0],
    ["pass", 61_000],
  ]);
  assert.equal(clock.sleeping, 0);
});

test("what is due within a quarter of a second of each other wakes the hub once", async () => {
  const { clock, ran, note, agenda: made } = agenda();
  for (const [name, dueMs] of [
    ["a", 1000],
    ["b", 1200],
    ["c", 1300],
  ] as const) {
    made.add(name, dueMs, () => {
      note(name);
      return Number.POSITIVE_INFINITY;
    });
  }
  await clock.advance(2000);
  assert.deepEqual(ran, [
    ["a", 1000],
    ["b", 1000],
    ["c", 1300],
  ]);
});

test("work that may come early falls in with what wakes the hub anyway", async () => {
  const { clock, ran, note, agenda: made } = agenda();
  const every = (name: string, ms: number) => () => {
    note(name);
    return ms;
  };
  made.add("watch", 1000, every("watch", 5000));
  made.add("look", 3000, every("look", 5000), 2500);
  made.add("exact", 4000, every("exact", 5000));
  await clock.advance(9500);
  assert.deepEqual(ran, [
    ["watch", 1000],
    ["look", 1000],
    ["look", 4000],
    ["exact", 4000],
    ["watch", 6000],
    ["look", 9000],
    ["exact", 9000],
  ]);
});

test("work that fails is told and done again a second later; the other work goes on", async () => {
  const { clock, ran, note, lines, agenda: made } = agenda();
  let fails = 1;
  made.add("store", 1000, async () => {
    note("store");
    if (fails-- > 0) throw new Error("the disk is full");
    return Number.POSITIVE_INFINITY;
  });
  made.add("alerts", 1000, () => {
    note("alerts");
    throw new Error("no rules");
  });
  await clock.advance(2500);
  assert.deepEqual(ran, [
    ["store", 1000],
    ["alerts", 1000],
    ["store", 2000],
    ["alerts", 2000],
  ]);
  assert.deepEqual(
    lines.map((line) => line.split("\n")[0]),
    ["alerts failed: Error: no rules", "store failed: Error: the disk is full", "alerts failed: Error: no rules"],
  );
});

test("work under way is not begun twice; what is asked for meanwhile comes after it, and stopping awaits it", async () => {
  const { clock, ran, note, agenda: made } = agenda();
  let finish: () => void = () => undefined;
  const job = made.add("maintain", 0, () => {
    note("begin");
    return new Promise<number>((resolve) => {
      finish = () => {
        note("end");
        resolve(30_000);
      };
    });
  });
  await clock.advance(5000);
  job.soon(0);
  await clock.advance(5000);
  finish();
  await clock.advance(0);
  assert.deepEqual(ran, [
    ["begin", 0],
    ["end", 10_000],
    ["begin", 10_000],
  ]);
  const stopped = job.stop();
  finish();
  await stopped;
  await clock.advance(60_000);
  assert.equal(ran.length, 4);
  assert.equal(clock.sleeping, 0);
});

test("what is due with work that takes long has a turn of its own, and nothing is forgotten", async () => {
  const clock = new FakeClock();
  let workedMs = 0;
  const seen: string[] = [];
  const busy = { now: () => clock.now(), monotonicMs: () => clock.monotonicMs() + workedMs, sleep: clock.sleep.bind(clock) };
  const made = new Agenda({ clock: busy, log: () => undefined });
  const work = (name: string, ms: number) => () => {
    seen.push(name);
    workedMs += ms;
    if (name === "long") queueMicrotask(() => seen.push("a frame comes"));
    return Number.POSITIVE_INFINITY;
  };
  for (const [name, ms] of Object.entries({ long: 20, short: 1, shorter: 1 })) made.add(name, 1000, work(name, ms));
  await clock.advance(1000);
  assert.deepEqual([seen, clock.sleeping], [["long", "a frame comes", "short", "shorter"], 0]);
});
