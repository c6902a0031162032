import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { after, test } from "node:test";
import { checksum } from "../../../hub/core/checksum.ts";
import { StoreError } from "../../../hub/store/store-error.ts";
import { agentOf, day0, guest, ms, schemaOf, TestAgent, TestStore, temporaryDir } from "../../support/series-store.ts";

const { dir, remove } = temporaryDir();
after(remove);

const entity = { key: guest(100), identity: ["uuid:a"] };
const oneCpu = schemaOf([{ entity, metric: "cpu" }]);
const all = { from: ms(day0 - 1e9), to: ms(day0 + 1e9), stepMs: undefined, aggregates: ["avg"] as const };
const timesOf = (store: TestStore) => [...(store.hub.reader.read([store.find(guest(100), "cpu")], all).series[0]?.at ?? [])];

test("kill -9 under load: every acknowledged frame is there at the next start, each time", async () => {
  const path = join(dir, "killed");
  let acked = 0;
  let frames = 0;
  for (let round = 0; round < 5; round++) {
    const child = spawn(process.execPath, ["--import", "tsx", "test/support/series-load.ts", path, String(frames)], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    const lines = createInterface({ input: child.stdout });
    let seen = 0;
    for await (const line of lines) {
      acked = Number(line);
      // Mid-way through whatever the child is doing when it has acknowledged some more.
      if (++seen === 3 + round * 4) child.kill("SIGKILL");
    }
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    assert.equal(child.signalCode, "SIGKILL");
    const store = new TestStore(path);
    const times = timesOf(store);
    for (let i = 0; i < acked; i++) assert.equal(times[i], day0 + i * 10_000, `round ${round}: frame ${i} of ${acked}`);
    assert.deepEqual(store.hub.check().problems, []);
    frames = times.length;
    await store.hub.close();
  }
  assert.ok(acked > 100);
});

function tinyDisk(name: string, size: string): { path: string; resize(size: string): void; unmount(): void } | undefined {
  const path = join(dir, name);
  mkdirSync(path, { recursive: true });
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${size}`, "tmpfs", path], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  return {
    path,
    resize: (size) => void execFileSync("mount", ["-o", `remount,size=${size}`, path]),
    unmount: () => void execFileSync("umount", [path]),
  };
}

const disk = tinyDisk("tiny", "2m");
test("a full disk: nothing is acknowledged, history stays readable, and it goes on by itself", {
  skip: disk === undefined ? "needs the right to mount a tmpfs" : false,
}, async () => {
  if (disk === undefined) return;
  const store = new TestStore(join(disk.path, "store"));
  const agent = new TestAgent(store, agentOf("pve1"));
  const guests = Array.from({ length: 400 }, (_, i) => ({ key: guest(100 + i), identity: [`uuid:${i}`] }));
  const schema = schemaOf(guests.map((one) => ({ entity: one, metric: "net_in" as const })));
  try {
    await Promise.all([agent.declare(schema), store.commit()]);
    let refused: Error | undefined;
    let i = 0;
    const noisy = () => guests.map((_, g) => (i * 7919 * (g + 1)) % 2 ** 40);
    for (; i < 4000 && refused === undefined; i++) {
      const durable = agent.frame(day0 + i * 10_000, noisy());
      if (i % 20 !== 19) continue;
      await Promise.all([store.commit(), durable.catch((cause) => (refused = cause))]);
    }
    assert.match(String(refused), /disk refuses/);
    const acked = agent.acked;
    assert.ok(acked > 20 && acked < agent.seq);
    assert.equal(store.hub.sink.lastSeq(agent.agent, agent.stream), acked);
    assert.ok(store.hub.reader.read([store.find(guest(100), "net_in")], all).series[0]?.at.length);
    disk.resize("64m");
    const again = agent.reconnect();
    await store.commit();
    await Promise.all(again);
    assert.equal(agent.acked, agent.seq);
    await store.settle();
    await store.reopen();
    const read = store.hub.reader.read([store.find(guest(100), "net_in")], { ...all, aggregates: ["last"] }).series[0];
    assert.equal(read?.at.length, i);
  } finally {
    await store.hub.close();
    disk.unmount();
  }
});

/** Leaves so many bytes of the disk. */
function fillUp(path: string, left: number): string {
  const ballast = join(path, "ballast");
  const descriptor = openSync(ballast, "w");
  let size = 0;
  try {
    for (const block = Buffer.alloc(64 << 10, 1); ; ) size += writeSync(descriptor, block);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, "ENOSPC");
  } finally {
    closeSync(descriptor);
  }
  truncateSync(ballast, size - left);
  return ballast;
}

const hourMs = 3_600_000;
const second = tinyDisk("second", "24m");
test("a disk that gets full in the middle of compaction: what was acknowledged stays readable, and it ends when there is room", {
  skip: second === undefined ? "needs the right to mount a tmpfs" : false,
}, async () => {
  if (second === undefined) return;
  const store = new TestStore(join(second.path, "store"));
  try {
    const agent = new TestAgent(store, agentOf("pve1"));
    const guests = Array.from({ length: 400 }, (_, i) => ({ key: guest(100 + i), identity: [`uuid:${i}`] }));
    await Promise.all([
      agent.declare(schemaOf(guests.map((entity) => ({ entity, metric: "mem_used" as const })))),
      store.commit(),
    ]);
    // Bytes that no codec makes small.
    const noise = (i: number, g: number) => checksum(Uint8Array.of(i, i >> 8, g, g >> 8), 0, 4);
    const rows = 1080;
    for (let i = 0; i < rows; i++) {
      store.clock = day0 + i * 10_000;
      void agent.frame(
        store.clock,
        guests.map((_, g) => noise(i, g)),
      );
      if (i % 60 === 59) await store.commit();
    }
    assert.equal(agent.acked, agent.seq);
    const values = () => {
      const series = [100, 300, 499].map((vmid) => store.find(guest(vmid), "mem_used"));
      return store.hub.reader
        .read(series, { ...all, aggregates: ["last"] })
        .series.map(({ columns }) => [...(columns.last ?? [])]);
    };
    const sent = [0, 200, 399].map((g) => Array.from({ length: rows }, (_, i) => noise(i, g)));
    const ballast = fillUp(second.path, 1 << 20);
    store.clock += 4 * hourMs;
    await assert.rejects(store.settle(), /disk refuses/);
    const { blocks, headRows } = await store.hub.size();
    assert.ok(blocks.count > 0, "it was full before the first block");
    assert.ok(headRows > 0, "it was not full before the last one");
    assert.deepEqual(values(), sent);
    await store.reopen();
    assert.deepEqual(values(), sent);
    await assert.rejects(store.settle(), /disk refuses/);
    rmSync(ballast);
    // Since the start its agent was silent for long enough: the hour that it did not end is stored too.
    store.clock += hourMs;
    await store.settle();
    assert.equal((await store.hub.size()).headRows, 0);
    assert.deepEqual(values(), sent);
    assert.deepEqual(store.hub.check().problems, []);
  } finally {
    await store.hub.close();
    second.unmount();
  }
});

function refusedWith(path: string, remedy: RegExp): void {
  assert.throws(
    () => new TestStore(path),
    (error) => error instanceof StoreError && remedy.test(error.message) && /move it away/.test(error.message),
  );
}

test("a directory with something else in it is refused, and left as it is", () => {
  const path = join(dir, "foreign");
  mkdirSync(path);
  writeFileSync(join(path, "thesis.txt"), "do not touch");
  refusedWith(path, /holds thesis\.txt but no data\.mdb/);
  writeFileSync(join(path, "data.mdb"), "x".repeat(20_000));
  refusedWith(path, /no LMDB file/);
  assert.equal(readFileSync(join(path, "data.mdb"), "utf8").length, 20_000);
});

test("a cut store is refused instead of read", async () => {
  const store = new TestStore(join(dir, "cut"));
  const agent = new TestAgent(store, agentOf("pve1"));
  await Promise.all([agent.declare(oneCpu), agent.frame(day0, [1]), store.commit()]);
  await store.hub.close();
  truncateSync(join(store.dir, "data.mdb"), 5 * 4096);
  refusedWith(store.dir, /cut off/);
});

test("a malformed record is a problem of its stream: the others and the rows before are not hurt", async () => {
  const store = new TestStore(join(dir, "malformed"));
  const agent = new TestAgent(store, agentOf("pve1"));
  const connection = store.hub.sink.open(agentOf("pve2"), "f".repeat(32));
  void agent.declare(oneCpu);
  void agent.frame(day0, [1]);
  for (const bytes of [[], [7], [2, 1, 5, 0], [1, 1, 123], [2, 0x80]]) {
    const taken = connection.accept(Uint8Array.from(bytes), ms(day0));
    assert.equal(taken.ok, false);
  }
  assert.deepEqual(timesOf(store), [day0]);
  await store.hub.close();
});

test("a backup made while the store runs opens as a store of its own", async () => {
  const store = new TestStore(join(dir, "saved"));
  const agent = new TestAgent(store, agentOf("pve1"));
  void agent.declare(oneCpu);
  for (let i = 0; i < 50; i++) void agent.frame(day0 + i * 10_000, [i]);
  await store.hub.backup(join(dir, "copy"));
  await store.hub.close();
  const copy = new TestStore(join(dir, "copy"));
  assert.equal(timesOf(copy).length, 50);
  await copy.hub.close();
});
