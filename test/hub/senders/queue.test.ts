import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { appendFileSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { DiskQueue } from "../../../hub/senders/remote-write/queue.ts";
import { fc } from "../../support/property.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

const limits = { maxBytes: 1 << 20, maxAgeMs: 3_600_000, segmentBytes: 4096 };
const at = (ms: number) => ms as EpochMs;
const payload = (text: string) => new TextEncoder().encode(text);

/** Takes everything out, as text. */
function drain(queue: DiskQueue): string[] {
  const all: string[] = [];
  for (let batch = queue.peek(); batch !== undefined; batch = queue.peek()) {
    all.push(new TextDecoder().decode(batch.payload));
    queue.shift();
  }
  return all;
}
const segments = (directory: string) => readdirSync(directory).filter((name) => name.endsWith(".segment"));

test("queue: batches come out in the order they went in, and are gone after that", (t) => {
  const queue = DiskQueue.open(temporaryDir(t), limits);
  for (const text of ["a", "b", "c"]) queue.append(payload(text), 10, {}, at(1));
  assert.equal(queue.samples, 30);
  assert.deepEqual(drain(queue), ["a", "b", "c"]);
  assert.equal(queue.samples, 0);
  assert.equal(queue.oldestAt, undefined);
});

test("queue: after a crash what was not shifted is there, and how far each agent had come", (t) => {
  const directory = temporaryDir(t);
  const queue = DiskQueue.open(directory, limits);
  queue.append(payload("a"), 1, { "c/pve1": at(10), "c/pve2": at(11) }, at(1));
  queue.append(payload("b"), 2, { "c/pve1": at(20) }, at(2));
  queue.append(payload("c"), 3, {}, at(3));
  queue.shift();
  // Not closed: the process was killed.
  const again = DiskQueue.open(directory, limits);
  assert.deepEqual(again.fed, { "c/pve1": 20, "c/pve2": 11 });
  assert.equal(again.samples, 5);
  assert.equal(again.oldestAt, 2);
  assert.deepEqual(drain(again), ["b", "c"]);
  assert.deepEqual(DiskQueue.open(directory, limits).fed, { "c/pve1": 20, "c/pve2": 11 });
});

test("queue: a process killed with kill -9 between batches loses none of those it appended", (t) => {
  const directory = temporaryDir(t);
  const script = `
    import { DiskQueue } from ${JSON.stringify(new URL("../../../hub/senders/remote-write/queue.ts", import.meta.url).href)};
    const queue = DiskQueue.open(${JSON.stringify(directory)}, ${JSON.stringify(limits)});
    for (let i = 0; i < 500; i++) queue.append(Buffer.from("batch " + i), 1, { "c/pve1": i + 1 }, i);
    for (let i = 0; i < 100; i++) queue.shift();
    process.kill(process.pid, "SIGKILL");`;
  const killed = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", script]);
  assert.equal(killed.signal, "SIGKILL", killed.stderr.toString());
  const queue = DiskQueue.open(directory, limits);
  assert.deepEqual(queue.fed, { "c/pve1": 500 });
  assert.deepEqual(
    drain(queue),
    Array.from({ length: 400 }, (_, index) => `batch ${index + 100}`),
  );
});

test("queue: a record torn by a power cut is cut off, and appending goes on behind the whole ones", (t) => {
  const directory = temporaryDir(t);
  DiskQueue.open(directory, limits).append(payload("whole"), 1, {}, at(1));
  const file = join(directory, segments(directory)[0] as string);
  appendFileSync(file, readFileSync(file).subarray(0, 30));
  const queue = DiskQueue.open(directory, limits);
  queue.append(payload("next"), 1, {}, at(2));
  assert.deepEqual(drain(queue), ["whole", "next"]);
  appendFileSync(file, Buffer.alloc(4096));
  assert.deepEqual(drain(DiskQueue.open(directory, limits)), []);
});

test("queue: a damaged segment is dropped from the damage on and its samples are counted as lost", (t) => {
  const directory = temporaryDir(t);
  const queue = DiskQueue.open(directory, { ...limits, segmentBytes: 1 });
  for (const text of ["a", "b", "c"]) queue.append(payload(text), 7, {}, at(1));
  const file = join(directory, segments(directory).sort()[1] as string);
  const bytes = readFileSync(file);
  bytes[bytes.length - 1] = 0;
  writeFileSync(file, bytes);
  const again = DiskQueue.open(directory, limits);
  assert.deepEqual(drain(again), ["a", "c"]);
  assert.equal(again.takeLost(), 7);
  assert.equal(again.takeLost(), 0);
});

test("queue: beyond its bytes the oldest segments go first, and their samples are counted", (t) => {
  const directory = temporaryDir(t);
  const queue = DiskQueue.open(directory, { ...limits, maxBytes: 20_000 });
  for (let index = 0; index < 100; index++) queue.append(new Uint8Array(1000).fill(index), 1, {}, at(1));
  const left = drain(queue).length;
  assert.ok(left >= 14 && left <= 20, `${left} are left`);
  assert.equal(queue.takeLost(), 100 - left);
  const bytes = segments(directory).reduce((sum, name) => sum + statSync(join(directory, name)).size, 0);
  assert.ok(bytes <= 20_000);
});

test("queue: what is too old goes, even when nothing new comes", (t) => {
  const queue = DiskQueue.open(temporaryDir(t), limits);
  queue.append(payload("old"), 3, {}, at(0));
  queue.enforce(at(3_600_000));
  assert.equal(queue.samples, 3);
  queue.enforce(at(3_600_001));
  assert.equal(queue.takeLost(), 3);
  queue.append(payload("new"), 1, {}, at(3_600_002));
  assert.deepEqual(drain(queue), ["new"]);
});

test("queue: a disk that refuses leaves the queue as it was", (t) => {
  const directory = temporaryDir(t);
  const queue = DiskQueue.open(directory, { ...limits, segmentBytes: 1 });
  queue.append(payload("a"), 1, {}, at(1));
  rmSync(directory, { recursive: true });
  assert.throws(() => queue.append(payload("b"), 1, {}, at(1)), { code: "ENOENT" });
  assert.equal(queue.samples, 1);
});

test("queue: however it is used and killed, what comes out is what went in, once and in order", (t) => {
  const parent = temporaryDir(t);
  const step = fc.oneof(
    fc.record({ do: fc.constant("append" as const), size: fc.nat(3000) }),
    fc.record({ do: fc.constant("shift" as const) }),
    fc.record({ do: fc.constant("kill" as const) }),
  );
  let run = 0;
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const directory = join(parent, String(run++));
      let queue = DiskQueue.open(directory, limits);
      const model: number[] = [];
      let next = 0;
      for (const one of steps) {
        if (one.do === "kill") queue = DiskQueue.open(directory, limits);
        else if (one.do === "shift") {
          queue.shift();
          model.shift();
        } else {
          queue.append(payload(`${next} ${"x".repeat(one.size)}`), 1, {}, at(next));
          model.push(next++);
        }
        assert.equal(queue.samples, model.length);
      }
      const left = drain(queue).map((text) => Number.parseInt(text, 10));
      assert.deepEqual(left, model);
    }),
    { numRuns: 60 },
  );
});

test("queue: a truncated cursor only sends again what the oldest segment still holds", (t) => {
  const directory = temporaryDir(t);
  const queue = DiskQueue.open(directory, limits);
  queue.append(payload("a"), 1, {}, at(1));
  queue.append(payload("b"), 1, {}, at(1));
  queue.shift();
  truncateSync(join(directory, "cursor.json"), 3);
  assert.deepEqual(drain(DiskQueue.open(directory, limits)), ["a", "b"]);
});
