import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { EntityKey, EpochMs } from "#protocol/ids.ts";
import { decodeFrame, decodeSchema, type FrameState, parseRecordHead, stateFor } from "#protocol/records.ts";
import { type SpoolBounds, spoolBounds } from "../../agent/core/spool.ts";
import { SpoolFiles, uncleanLeap } from "../../agent/spool-files.ts";
import { type RecordReader, SpoolStore } from "../../agent/spool-store.ts";
import { fc } from "../support/property.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

const awayMs = 120_000;

/** A table with one series whose value is the tick. */
const tick = (value: number, schemaVersion = 1) => ({
  schemaVersion,
  schema: () => ({
    entities: [{ key: "node/pve1" as EntityKey, identity: [] }],
    series: [{ entity: 0, metric: 5, source: schemaVersion % 2 === 1 ? "proc" : "rrd" }],
  }),
  values: () => Float64Array.of(value),
});

function open(path: string, bounds: SpoolBounds = spoolBounds) {
  const logged: string[] = [];
  const log = (_level: number, message: string) => void logged.push(message);
  return { store: new SpoolStore(SpoolFiles.open(path, log), log, bounds), logged };
}

/** Ticks `from` … `to`, each with its number as value and time; the schema changes at tick 40. */
function record(store: SpoolStore, from: number, to: number): void {
  for (let at = from; at <= to; at++) store.record(tick(at, at < 40 ? 1 : 2), at as EpochMs);
}

/** Reads to the end as a hub does: a frame without its schema, a delta without its key frame or a wrong value fails. */
async function receive(reader: RecordReader): Promise<{ seq: number; at: number }[]> {
  const frames: { seq: number; at: number }[] = [];
  let state: FrameState | undefined;
  let needsKey = true;
  let before: number | undefined;
  for (let records = await reader.next(7); records.length > 0; records = await reader.next(7)) {
    for (const { seq, bytes } of records) {
      const head = parseRecordHead(bytes);
      assert.ok(head.ok);
      assert.equal(head.value.seq, seq);
      const follows = before === undefined || seq === before + 1;
      before = seq;
      if (head.value.kind === "schema") {
        const schema = decodeSchema(bytes, 10);
        assert.ok(schema.ok);
        state = stateFor(schema.value.schema);
        needsKey = true;
        continue;
      }
      assert.ok(state !== undefined, "a frame before any schema");
      const frame = decodeFrame(bytes, state);
      assert.ok(frame.ok);
      assert.ok(frame.value.key || (follows && !needsKey), `frame ${seq} hangs in the air`);
      needsKey = false;
      assert.equal(state.values[0], frame.value.at);
      frames.push({ seq, at: frame.value.at });
    }
  }
  return frames;
}

const times = (frames: readonly { at: number }[]) => frames.map(({ at }) => at);
const range = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);

test("while the hub acknowledges, nothing touches the disk", async (t) => {
  const path = temporaryDir(t);
  const { store } = open(path);
  for (let at = 1; at <= 100; at++) {
    record(store, at, at);
    await store.tend(at * 10_000, 0);
    store.acknowledge(store.lastSeq);
  }
  assert.deepEqual(readdirSync(join(path, store.stream)), []);
  assert.equal(store.waiting, 0);
});

test("a stream resumed at any record has every frame behind it, and at most 30 before it", async (t) => {
  const { store } = open(temporaryDir(t));
  record(store, 1, 30);
  await store.tend(0, awayMs);
  record(store, 31, 60);
  await store.tend(100_000, awayMs);
  record(store, 61, 100);
  // From the back: what is acknowledged may be forgotten. 100 frames and two schemas.
  const starts: number[] = [];
  for (let lastSeq = 0; lastSeq <= 102; lastSeq++) {
    const seen = await receive(await store.resume(lastSeq));
    const first = seen.findIndex(({ seq }) => seq > lastSeq);
    const behind = seen.filter(({ seq }) => seq > lastSeq);
    assert.deepEqual(behind.at(-1)?.at ?? 100, 100);
    assert.equal(behind.length, behind.length === 0 ? 0 : 101 - (behind[0]?.at as number));
    starts.push(Math.max(0, first));
  }
  assert.ok(Math.max(...starts) <= 30);
});

test("after a clean stop the stream goes on: same name, next number, all that waited", async (t) => {
  const path = temporaryDir(t);
  const first = open(path).store;
  record(first, 1, 50);
  first.acknowledge(20);
  await first.close();
  const second = open(path).store;
  assert.equal(second.stream, first.stream);
  assert.equal(second.lastSeq, first.lastSeq);
  record(second, 51, 60);
  const seen = await receive(await second.resume(20));
  assert.deepEqual(times(seen.filter(({ seq }) => seq > 20)), range(20, 60));
  assert.equal(second.lost, 0);
  second.acknowledge(second.lastSeq);
  await second.close();
  assert.deepEqual(readdirSync(join(path, second.stream)), ["next"]);
});

test("after a kill the numbers leap, so that the hub takes nothing new for known", async (t) => {
  const path = temporaryDir(t);
  const killed = open(path).store;
  record(killed, 1, 10);
  await killed.tend(0, awayMs);
  record(killed, 11, 12);
  const next = open(path).store;
  assert.equal(next.stream, killed.stream);
  assert.equal(next.lastSeq, 11 + uncleanLeap);
  record(next, 13, 14);
  assert.deepEqual(times(await receive(await next.resume(0))), [...range(1, 10), 13, 14]);
});

test("a spool that is gone is a new stream", async (t) => {
  const path = temporaryDir(t);
  const first = open(path).store;
  record(first, 1, 3);
  first.acknowledge(first.lastSeq);
  const second = open(path).store;
  assert.notEqual(second.stream, first.stream);
  assert.equal(second.lastSeq, 0);
  assert.deepEqual(readdirSync(path), [second.stream]);
});

test("a seal counts once: a kill after a clean stop and start is a kill", async (t) => {
  const path = temporaryDir(t);
  const first = open(path).store;
  record(first, 1, 3);
  await first.close();
  open(path);
  assert.equal(open(path).store.lastSeq, 4 + uncleanLeap);
});

test("a segment torn at any byte keeps every whole record before the tear", async (t) => {
  const path = temporaryDir(t);
  const { store } = open(path);
  record(store, 1, 8);
  await store.tend(0, awayMs);
  const name = join(path, store.stream, "1.seg");
  const whole = readFileSync(name);
  const ends = [0];
  for (let end = 0; end < whole.length; ) {
    end += 8 + whole.readUInt32LE(end);
    ends.push(end);
  }
  assert.equal(ends.length, 10); // the schema and 8 frames
  for (let cut = 0; cut <= whole.length; cut++) {
    mkdirSync(join(path, store.stream), { recursive: true });
    writeFileSync(name, whole.subarray(0, cut));
    const torn = open(path).store;
    const wholeRecords = ends.filter((end) => end <= cut).length - 1;
    const frames = wholeRecords >= 2 ? wholeRecords - 1 : 0;
    assert.deepEqual(times(await receive(await torn.resume(0))), range(1, frames), `cut at ${cut}`);
    rmSync(join(path, torn.stream), { recursive: true });
  }
});

for (const [name, tail] of [
  ["zeros, as after a power cut", Buffer.alloc(4096)],
  ["noise", Buffer.from("nonsense that is no record")],
  ["a length beyond the file", Buffer.from([255, 255, 255, 127, 0, 0, 0, 0, 1])],
] as const) {
  test(`a tail of ${name} is cut off and logged, and the file grows on behind it`, async (t) => {
    const path = temporaryDir(t);
    const before = open(path).store;
    record(before, 1, 5);
    await before.tend(0, awayMs);
    const file = join(path, before.stream, "1.seg");
    const size = statSync(file).size;
    appendFileSync(file, tail);
    const { store, logged } = open(path);
    assert.deepEqual(logged, ["spool segment has a torn tail, cut off"]);
    assert.equal(statSync(file).size, size);
    record(store, 6, 8);
    await store.close();
    assert.deepEqual(times(await receive(await open(path).store.resume(0))), range(1, 8));
  });
}

test("a segment damaged in the middle while the agent runs costs its rest, counted, and the stream goes on behind it", async (t) => {
  const path = temporaryDir(t);
  const { store, logged } = open(path, { ...spoolBounds, segmentBytes: 1 });
  record(store, 1, 100);
  await store.tend(0, awayMs);
  const [first] = readdirSync(join(path, store.stream)).sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10));
  const file = join(path, store.stream, first as string);
  const bytes = readFileSync(file);
  bytes[bytes.length - 30] = 0xff ^ (bytes[bytes.length - 30] as number);
  writeFileSync(file, bytes);
  const seen = times(await receive(await store.resume(0)));
  assert.ok(seen.length < 100 && seen.includes(1) && seen.includes(100));
  assert.ok(store.lost > 0);
  assert.ok(logged.includes("samples lost"));
});

test("bounds: the oldest records go first, counted and logged, and what stays can be read", async (t) => {
  const path = temporaryDir(t);
  const bounds = { maxRecords: 120, maxBytes: 1 << 20, maxMemoryBytes: 1 << 20, segmentBytes: 1 };
  const { store, logged } = open(path, bounds);
  for (let at = 1; at <= 300; at++) {
    record(store, at, at);
    await store.tend(at * 31_000, awayMs);
  }
  assert.ok(store.waiting <= 120 && store.waiting >= 90, String(store.waiting));
  assert.equal(store.lost + store.waiting, 302);
  assert.ok(logged.includes("samples lost"));
  const seen = times(await receive(await store.resume(0)));
  assert.deepEqual(seen, range(301 - seen.length, 300));
  assert.equal(seen.length, store.waiting);
});

test("bounds: bytes on the disk stay below the limit", async (t) => {
  const path = temporaryDir(t);
  const { store } = open(path, { maxRecords: 10_000, maxBytes: 4_000, maxMemoryBytes: 1 << 20, segmentBytes: 1 });
  for (let at = 1; at <= 600; at++) {
    record(store, at, at);
    await store.tend(at * 31_000, awayMs);
  }
  const onDisk = readdirSync(join(path, store.stream)).reduce(
    (sum, name) => sum + statSync(join(path, store.stream, name)).size,
    0,
  );
  assert.ok(onDisk <= 4_000 && onDisk > 1_000, String(onDisk));
  assert.ok(store.lost > 0);
});

test("a disk that refuses costs nothing while memory lasts", async (t) => {
  const path = temporaryDir(t);
  const { store, logged } = open(path);
  rmSync(join(path, store.stream), { recursive: true });
  record(store, 1, 100);
  await store.tend(0, awayMs);
  assert.ok(logged.includes("spool could not be written, records stay in memory"));
  mkdirSync(join(path, store.stream));
  await store.tend(60_000, awayMs);
  assert.deepEqual(times(await receive(await store.resume(0))), range(1, 100));
  assert.equal(store.lost, 0);
});

test("a hub that is ahead of a rolled back agent gets new numbers, and what was kept is counted as lost", async (t) => {
  const { store } = open(temporaryDir(t));
  record(store, 1, 5);
  const reader = await store.resume(1_000);
  assert.equal(store.lost, 6);
  record(store, 6, 7);
  assert.deepEqual(await receive(reader), [
    { seq: 1_002, at: 6 },
    { seq: 1_003, at: 7 },
  ]);
});

test("whatever breaks off when, the hub ends with every tick exactly once, in order", async (t) => {
  const path = temporaryDir(t);
  const step = fc.oneof(
    fc.record({ do: fc.constant("sample" as const), ticks: fc.integer({ min: 1, max: 45 }) }),
    fc.record({ do: fc.constant("send" as const), records: fc.integer({ min: 1, max: 80 }), told: fc.boolean() }),
    fc.record({ do: fc.constant("flush" as const) }),
    fc.record({ do: fc.constant("restart" as const) }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 25 }), fc.constantFrom(1, 2_000, 1 << 20), async (steps, segmentBytes) => {
      rmSync(path, { recursive: true });
      let { store } = open(path, { ...spoolBounds, segmentBytes });
      const hub = { lastSeq: 0, times: [] as number[] };
      const send = async (most: number, told: boolean) => {
        const reader = await store.resume(hub.lastSeq);
        const state: { now?: FrameState } = {};
        for (let sent = 0; sent < most; ) {
          const records = (await reader.next(9)).slice(0, most - sent);
          if (records.length === 0) break;
          for (const { seq, bytes } of records) {
            const at = decodeOne(bytes, state);
            if (seq > hub.lastSeq && at !== undefined) hub.times.push(at);
            hub.lastSeq = Math.max(hub.lastSeq, seq);
          }
          sent += records.length;
          if (told) store.acknowledge(hub.lastSeq);
        }
      };
      let at = 0;
      for (const one of steps) {
        if (one.do === "sample")
          for (const end = at + one.ticks; at < end; ) store.record(tick(++at, 1 + Math.floor(at / 40)), at as EpochMs);
        else if (one.do === "send") await send(one.records, one.told);
        else if (one.do === "flush") await store.tend(at * 1e6, awayMs);
        else {
          await store.close();
          store = open(path, { ...spoolBounds, segmentBytes }).store;
        }
      }
      await send(10_000, true);
      assert.deepEqual(hub.times, range(1, at));
      assert.equal(store.waiting, 0);
      assert.equal(store.lost, 0);
    }),
    {
      numRuns: 60,
      // A segment all of which is acknowledged goes, and its chain, which memory still holds, is written anew under the same name.
      examples: [
        [
          [
            { do: "sample", ticks: 7 },
            { do: "flush" },
            { do: "sample", ticks: 24 },
            { do: "send", records: 8, told: true },
            { do: "flush" },
          ],
          1,
        ],
      ],
    },
  );
});

/** The time of a frame, read with the schema and frames before it; undefined for a schema. */
function decodeOne(bytes: Uint8Array, state: { now?: FrameState }): number | undefined {
  const schema = decodeSchema(bytes, 10);
  if (schema.ok) {
    state.now = stateFor(schema.value.schema);
    return undefined;
  }
  assert.ok(state.now !== undefined, "a frame before any schema");
  const frame = decodeFrame(bytes, state.now);
  assert.ok(frame.ok);
  assert.equal(state.now.values[0], frame.value.at);
  return frame.value.at;
}

test("a clock that was set far back is told once, as a problem for the hub too, until it has caught up", (t) => {
  const { store, logged } = open(temporaryDir(t));
  const hour = 3_600_000;
  store.record(tick(1), (5 * hour) as EpochMs);
  store.record(tick(2), (5 * hour - 30_000) as EpochMs);
  assert.deepEqual([store.clockProblem, logged], [undefined, []]);
  for (const ms of [0, 10_000, 20_000]) store.record(tick(3), (4 * hour + ms) as EpochMs);
  const problem = "the clock was set far back: until it gets to where it was, samples stand a millisecond apart";
  assert.deepEqual([store.clockProblem, logged], [problem, [problem]]);
  store.record(tick(4), (5 * hour + 10_000) as EpochMs);
  assert.deepEqual([store.clockProblem, logged], [undefined, [problem, "the clock has passed the newest sample again"]]);
});
