import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { sizeByMetric } from "../../hub/store/inspection.ts";
import { openSeriesEnv, readSeriesEnv } from "../../hub/store/series-env.ts";
import { checkSeriesStore } from "../../hub/store-commands.ts";
import { agentOf, day0, guest, ms, schemaOf, TestAgent, TestStore, temporaryDir } from "../support/series-store.ts";

const { dir, remove } = temporaryDir();
after(remove);

/** Two guests' history: a rolled up day, an hour of blocks, and records in the ring. */
async function filled(path: string): Promise<TestStore> {
  const store = new TestStore(path);
  const agent = new TestAgent(store, agentOf("pve1"));
  const cpuOf = (vmid: number) => ({ entity: { key: guest(vmid), identity: [`uuid:${vmid}`] }, metric: "cpu" as const });
  void agent.declare(schemaOf([cpuOf(100), cpuOf(101)]));
  for (let i = 0; i < 3100; i++) {
    store.clock = day0 + i * 60_000;
    void agent.frame(store.clock, [i % 7, (i * 7919) % 1000]);
  }
  await store.commit();
  await store.settle();
  return store;
}

/** The program, as an operator calls it. */
function proven(state: string, ...args: string[]) {
  const config = `${dir}/hub.toml`;
  writeFileSync(config, `state = ${JSON.stringify(state)}\n`);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ["--import", "tsx", "hub/main.ts", ...args, "--config", config],
    {
      encoding: "utf8",
    },
  );
  return { status, stdout, stderr };
}

test("while the hub has it open, the store is checked, measured and saved; the copy is a store of its own", async () => {
  const state = `${dir}/state`;
  mkdirSync(state);
  const store = await filled(`${state}/series`);
  const checked = proven(state, "store", "check");
  assert.equal(checked.stderr, "");
  assert.match(
    checked.stdout,
    /^2 entities with 2 series, \d+ blocks of samples, 2 rollups, \d+ records in the ring\nseries store: nothing is damaged\n$/,
  );
  const size = proven(state, "store", "size");
  assert.equal(size.status, 0);
  assert.match(size.stdout, /^samples +\d+\.\d MB {2}\d+ blocks$/m);
  assert.match(size.stdout, /^guest cpu +\d+\.\d MB +\d+\.\d MB +2 {2}\d+\.\d\d$/m);
  const saved = proven(state, "store", "backup", `${dir}/saved`);
  assert.equal(saved.stderr, "");
  assert.match(saved.stdout, /nothing is damaged\nsaved to .*saved; to restore it, stop the hub/);
  assert.match(proven(state, "store", "backup", `${dir}/saved`).stderr, /exists: a backup needs a new directory/);
  const copy = new TestStore(`${dir}/saved`);
  assert.equal(copy.find(guest(101), "cpu").id, store.find(guest(101), "cpu").id);
  assert.deepEqual(copy.hub.check(), store.hub.check());
  const valuesOf = (one: TestStore) => {
    const range = { from: ms(day0), to: ms(day0 + 3100 * 60_000), stepMs: undefined, aggregates: ["last"] as const };
    return one.hub.reader.read([one.find(guest(100), "cpu"), one.find(guest(101), "cpu")], range).series;
  };
  assert.equal(valuesOf(copy)[1]?.at.length, 3100);
  assert.deepEqual(valuesOf(copy), valuesOf(store));
  await copy.hub.close();
  await store.hub.close();
});

test("the size report counts every sample once, and the bytes that its metric's columns take", async () => {
  const path = `${dir}/measured`;
  const store = await filled(path);
  const { headRows, blocks, rollups } = await store.hub.size();
  await store.hub.close();
  const env = readSeriesEnv(path);
  const [cpu, ...others] = sizeByMetric(env);
  const bytesOf = (tier: typeof env.blocks) => [...tier.getRange({})].reduce((sum, { value }) => sum + value.length, 0);
  const [raw, rolled] = [bytesOf(env.blocks), bytesOf(env.rollups)];
  await env.root.close();
  assert.deepEqual(others, []);
  assert.equal(cpu?.metric, "guest cpu");
  assert.equal(cpu?.series, 2);
  assert.equal(cpu?.samples, 2 * (3100 - headRows));
  // Heads with times and offsets belong to no metric; of two series they are a good part.
  assert.ok(cpu.rawBytes > 0.6 * raw && cpu.rawBytes < raw, `${cpu.rawBytes} of ${raw} bytes`);
  assert.ok(cpu.rollupBytes > 0.9 * rolled && cpu.rollupBytes < rolled, `${cpu.rollupBytes} of ${rolled} bytes`);
  assert.ok(blocks.bytes >= raw && rollups.bytes >= rolled);
});

test("what is damaged is told one by one, and the command fails", async () => {
  const path = `${dir}/damaged`;
  await (await filled(path)).hub.close();
  const env = openSeriesEnv(path, () => undefined);
  const [block] = env.blocks.getKeys({ limit: 1 });
  const [rollup] = env.rollups.getKeys({ limit: 1 });
  const [frames] = env.ring.getKeys({ limit: 1 });
  assert.ok(block && rollup && frames);
  env.blocks.putSync(block, (env.blocks.get(block) as Uint8Array).subarray(0, 40));
  env.rollups.putSync(rollup, Buffer.of(9, 9));
  env.ring.putSync(frames, Buffer.of(1, 1, 65, 7, 1, 1));
  await env.root.close();
  const lines: string[] = [];
  await assert.rejects(
    checkSeriesStore({ dir: path, say: (line) => lines.push(line) }),
    /parts are damaged\. Restore it from a backup/,
  );
  const told = lines.join("\n");
  assert.match(told, /samples of node pve1 from 2026-01-0\d \d\d:37 to .* UTC, metric group 1 \(guest\/100, guest\/101\): /);
  assert.match(
    told,
    /15-minute rollup of node pve1 from 2026-01-05 00:00 to 2026-01-06 00:00 UTC, metric group 1 .*: unknown block version 9/,
  );
  assert.match(told, /frames \d+ of the write-ahead ring: its checksum differs/);
  assert.equal(lines.length, 4);
});

test("a group that the catalogue lost is told for its members and for its samples", async () => {
  const path = `${dir}/lost`;
  await (await filled(path)).hub.close();
  const env = openSeriesEnv(path, () => undefined);
  env.catalogue.removeSync("group 000000001");
  await env.root.close();
  const lines: string[] = [];
  await assert.rejects(checkSeriesStore({ dir: path, say: (line) => lines.push(line) }), /parts are damaged/);
  assert.match(lines[1] ?? "", /guest\/100 000000001: its group 1 is not there/);
  assert.match(
    lines[3] ?? "",
    /samples from .* UTC of metric group 1, which the catalogue doesn't know: the catalogue doesn't know its group/,
  );
  assert.match(lines.at(-1) ?? "", /^ {2}and \d+ more$/);
});

test("without a store there is a line that says so", async () => {
  await assert.rejects(
    checkSeriesStore({ dir: `${dir}/nothing`, say: () => undefined }),
    /holds no series store: has the hub ever run\?/,
  );
});
