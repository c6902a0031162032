// Loaded into a measured hub (node --import). SIGUSR2 begins to watch its event loop, SIGUSR2 again writes what was seen to the file named by
// PROVEN_BENCH_LOOP_FILE. Until then it costs nothing: its own timer would count as the hub's wake-ups.
import { openSync, readSync, renameSync, writeFileSync } from "node:fs";
import { PerformanceObserver } from "node:perf_hooks";

const tickMs = 5;
const kept = 10;

/** Read two hundred times a second: opened once, and into one piece of memory, as the garbage of a look would be collected in a pause. */
const schedstat = Buffer.alloc(128);
let schedstatFd;

/** Time that the main thread ran, and that it was ready to run and had no CPU, ms: the first two fields of /proc/<pid>/schedstat, in ns. */
function readThread() {
  schedstatFd ??= openSync("/proc/self/schedstat");
  const [ran, waited] = schedstat.latin1Slice(0, readSync(schedstatFd, schedstat, 0, schedstat.length, 0)).split(" ");
  return { ranMs: Number(ran) / 1e6, waitedMs: Number(waited) / 1e6 };
}

let stop;

function watch() {
  const pauses = [];
  const seen = { ticks: 0, over50: 0, ownOver50: 0, maxMs: 0, maxOwnMs: 0, maxRanMs: 0, maxGcMs: 0, longest: pauses };
  const collections = new PerformanceObserver((list) => {
    for (const { duration } of list.getEntries()) seen.maxGcMs = Math.max(seen.maxGcMs, duration);
  });
  collections.observe({ entryTypes: ["gc"] });
  let at = performance.now();
  let before = readThread();
  const timer = setInterval(() => {
    const now = performance.now();
    const thread = readThread();
    const lateMs = Math.max(0, now - at - tickMs);
    const ownMs = Math.max(0, lateMs - (thread.waitedMs - before.waitedMs));
    const ranMs = thread.ranMs - before.ranMs;
    at = now;
    before = thread;
    seen.ticks++;
    if (lateMs > 50) seen.over50++;
    if (ownMs > 50) seen.ownOver50++;
    seen.maxMs = Math.max(seen.maxMs, lateMs);
    seen.maxOwnMs = Math.max(seen.maxOwnMs, ownMs);
    seen.maxRanMs = Math.max(seen.maxRanMs, ranMs);
    if (ownMs < 15) return;
    pauses.push({ atMs: Math.round(now), lateMs, ownMs, ranMs });
    pauses.sort((a, b) => b.ownMs - a.ownMs);
    pauses.length = Math.min(pauses.length, kept);
  }, tickMs);
  return () => {
    clearInterval(timer);
    collections.disconnect();
    const path = process.env.PROVEN_BENCH_LOOP_FILE;
    writeFileSync(`${path}.new`, JSON.stringify(seen));
    renameSync(`${path}.new`, path);
  };
}

process.on("SIGUSR2", () => {
  if (stop === undefined) stop = watch();
  else {
    stop();
    stop = undefined;
  }
});
