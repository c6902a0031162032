import assert from "node:assert/strict";
import { test } from "node:test";
import { scheduledJobs } from "node-schedule";
import type { EpochMs } from "#protocol/ids.ts";
import { CalendarAlarm } from "../../hub/calendar-alarm.ts";

const at = (ms: number) => (Date.now() + ms) as EpochMs;
const waiting = () => Object.keys(scheduledJobs).length;

test("it rings at its instant, once, and then waits for nothing", async () => {
  const rung: number[] = [];
  const due = at(300);
  await new Promise<void>((resolve) => {
    const alarm = new CalendarAlarm(() => {
      rung.push(Date.now());
      resolve();
    });
    void alarm.set(due);
  });
  assert.equal(rung.length, 1);
  assert.ok(Number(rung[0]) >= due - 1, "not before");
  assert.equal(waiting(), 0);
});

test("it waits for the newest instant alone, whatever was said before, and for none after it was stopped", async () => {
  const alarm = new CalendarAlarm(() => assert.fail("an hour has passed"));
  const [early, late] = [at(3_600_000), at(7_200_000)];
  await Promise.all([alarm.set(late), alarm.set(early)]);
  await alarm.set(early);
  assert.deepEqual(
    Object.values(scheduledJobs).map((job) => job.nextInvocation()?.getTime()),
    [early],
  );
  await alarm.set(undefined);
  assert.equal(waiting(), 0);
  const setting = alarm.set(late);
  alarm.stop();
  await setting;
  assert.equal(waiting(), 0);
});

test("an instant that has passed does not ring: the next look finds what is due", async () => {
  const alarm = new CalendarAlarm(() => assert.fail("it rang for the past"));
  await alarm.set(at(-1000));
  assert.equal(waiting(), 0);
});
