import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, chownSync, mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { checkSeriesStore, storeCommands } from "../../../hub/cli/store-commands.ts";
import { createKey, listKeys } from "../../../hub/keys.ts";
import { Secrets } from "../../../hub/secrets.ts";
import { sizeByMetric } from "../../../hub/store/inspection.ts";
import { openSeriesEnv, readSeriesEnv } from "../../../hub/store/series-env.ts";
import { StateStore } from "../../../hub/store/state.ts";
import { loadCertificate } from "../../../hub/tls.ts";
import { agentOf, day0, guest, ms, schemaOf, TestAgent, TestStore, temporaryDir } from "../../support/series-store.ts";

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

/** The decisions of a hub that has made none yet, still open. */
const decided = (state: string) => StateStore.open({ dir: state, now: () => ms(day0) });

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

/** `store backup` in this process. */
async function saveTo(target: string, stateDir: string): Promise<void> {
  await storeCommands["store backup"]?.run([target], { stateDir, dir: `${stateDir}/series`, say: () => undefined });
}

test("while the hub has it open, the store is checked, measured and saved; the copy is a store of its own", async () => {
  const state = `${dir}/state`;
  mkdirSync(state);
  const store = await filled(`${state}/series`);
  await decided(state).close();
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
  assert.match(saved.stdout, /nothing is damaged\ndecisions: 0 audited changes, unbroken\nsaved; to go back to it, stop the hub/);
  assert.match(proven(state, "store", "backup", `${dir}/saved`).stderr, /saved is not empty: a backup needs a new directory/);
  const copy = new TestStore(`${dir}/saved/series`);
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

test("a saved hub is the whole hub: decisions, their audit log, certificate and secrets, none of them readable by others", async () => {
  const state = `${dir}/whole`;
  await (await filled(`${state}/series`)).hub.close();
  const open = decided(state);
  const by = { actor: "test", reason: "test" };
  createKey(open, { name: "grafana", scopes: ["read"], expiresInDays: 1 }, by, ms(day0));
  new Secrets(state).change({ "receiver mail": "hunter2" });
  const { fingerprint } = await loadCertificate(state, day0);
  mkdirSync(`${state}/packages`);
  writeFileSync(`${state}/secrets.json.new`, "half written");
  await open.close();
  await saveTo(`${dir}/copy`, state);
  assert.deepEqual(readdirSync(`${dir}/copy`).sort(), ["secrets.json", "series", "state", "tls.pem"]);
  for (const name of ["", "/secrets.json", "/tls.pem", "/state/data.mdb", "/series/data.mdb"])
    assert.equal(statSync(`${dir}/copy${name}`).mode & 0o077, 0, `${dir}/copy${name}`);
  assert.equal(new Secrets(`${dir}/copy`).get("receiver mail"), "hunter2");
  assert.equal((await loadCertificate(`${dir}/copy`, day0)).fingerprint, fingerprint);
  const copy = decided(`${dir}/copy`);
  assert.deepEqual(
    listKeys(copy).map(({ name }) => name),
    ["grafana"],
  );
  assert.equal(copy.verifyAudit().ok, true);
  await copy.close();
});

test("a hub that can't be saved leaves no half of a copy", async () => {
  const state = `${dir}/halved`;
  await (await filled(`${state}/series`)).hub.close();
  mkdirSync(`${state}/state`);
  writeFileSync(`${state}/state/data.mdb`, "no LMDB");
  await assert.rejects(saveTo(`${dir}/half`, state), /halved\/state can't be copied: data\.mdb is /);
  assert.deepEqual(readdirSync(`${dir}/half`), []);
});

const isRoot = process.getuid?.() === 0;
test("root saves into a folder of root's, where the hub's user can't go", { skip: isRoot ? false : "needs root" }, async () => {
  const place = `${dir}/owned`;
  const hubs = 4242;
  chmodSync(dir, 0o755);
  mkdirSync(place);
  await (await filled(`${place}/state/series`)).hub.close();
  await decided(`${place}/state`).close();
  for (const name of [
    "state",
    ...readdirSync(`${place}/state`, { recursive: true, encoding: "utf8" }).map((one) => `state/${one}`),
  ])
    chownSync(`${place}/${name}`, hubs, hubs);
  mkdirSync(`${place}/roots`, { mode: 0o700 });
  assert.equal(proven(`${place}/state`, "store", "backup", `${place}/roots/saved`).stderr, "");
  assert.deepEqual(readdirSync(`${place}/roots/saved`).sort(), ["series", "state"]);
  const owners = readdirSync(`${place}/state`, { recursive: true, encoding: "utf8" }).map(
    (one) => statSync(`${place}/state/${one}`).uid,
  );
  assert.deepEqual(new Set(owners), new Set([hubs]), "root leaves nothing of root's in the state directory");
  assert.equal(statSync(`${place}/roots/saved/state/data.mdb`).uid, hubs);
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
