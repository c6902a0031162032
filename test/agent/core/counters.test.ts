import assert from "node:assert/strict";
import { test } from "node:test";
import { type CpuTicks, counterDelta, cpuShares } from "../../../agent/core/counters.ts";

const ticks = (busy: number, idle: number, iowait: number, steal = 0): CpuTicks => ({
  user: busy,
  nice: 0,
  system: 0,
  idle,
  iowait,
  irq: 0,
  softirq: 0,
  steal,
});

test("a counter grows by what was added; one that was reset has no growth, neither negative nor huge", () => {
  assert.equal(counterDelta(1000, 1500), 500);
  assert.equal(counterDelta(1_000_000, 20), Number.NaN);
});

test("waiting for I/O is not use of the processor, stolen time is", () => {
  const shares = cpuShares(ticks(0, 0, 0), ticks(20, 60, 10, 10));
  assert.equal(shares.cpu.toFixed(4), "0.3000");
  assert.equal(shares.iowait.toFixed(4), "0.1000");
  assert.equal(shares.steal.toFixed(4), "0.1000");
});

test("the first reading after the start has no shares", () => {
  assert.deepEqual(cpuShares(undefined, ticks(20, 60, 20)), { cpu: Number.NaN, iowait: Number.NaN, steal: Number.NaN });
});

test("after the node has booted again, one reading has no shares", () => {
  assert.deepEqual(cpuShares(ticks(2000, 6000, 200), ticks(2, 6, 2)), {
    cpu: Number.NaN,
    iowait: Number.NaN,
    steal: Number.NaN,
  });
});

test("iowait that the kernel took back is unknown, the rest is not", () => {
  const shares = cpuShares(ticks(0, 0, 50), ticks(50, 55, 45));
  assert.equal(shares.iowait, Number.NaN);
  assert.equal(shares.cpu.toFixed(4), "0.5000");
});
