import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import { gunzipSync } from "node:zlib";
import { hasNoSums } from "../../../hub/core/block.ts";
import { openSeries } from "../../../hub/store/series.ts";
import { openSeriesEnv, readSeriesEnv, type SeriesEnv } from "../../../hub/store/series-env.ts";
import { StoreError } from "../../../hub/store/store-error.ts";
import type { Migration as MigrationOf, StoreSchema as SchemaOf } from "../../../hub/store/upgrade.ts";
import { agentOf, day0, guest, ms, schemaOf, TestAgent, TestStore, temporaryDir } from "../../support/series-store.ts";

type Migration = MigrationOf<SeriesEnv>;
type StoreSchema = SchemaOf<SeriesEnv>;

const { dir, remove } = temporaryDir();
after(remove);

/** A store of version 2 with one guest's cpu: some samples in a block, some in the ring. */
async function version2(name: string): Promise<string> {
  const store = new TestStore(`${dir}/${name}`);
  const agent = new TestAgent(store, agentOf("pve1"));
  void agent.declare(schemaOf([{ entity: { key: guest(100), identity: ["uuid:a"] }, metric: "cpu" }]));
  for (let i = 0; i < 500; i++) void agent.frame(day0 + i * 10_000, [i]);
  store.clock = day0 + 5_000_000;
  await store.commit();
  await store.settle();
  await store.hub.close();
  return store.dir;
}

const open = (path: string, schema?: StoreSchema) =>
  openSeries({ dir: path, now: () => ms(day0 + 6_000_000), ...(schema ? { schema } : {}) });

async function versionOf(path: string): Promise<unknown> {
  const env = readSeriesEnv(path);
  const format = env.meta.get("format");
  await env.root.close();
  return format;
}

const countsEntities: Migration = {
  from: 2,
  what: "count entities",
  run: (env) => env.meta.putSync("entities", env.catalogue.getKeysCount({ start: "entity ", end: "entity ~" })),
};
const doublesCount: Migration = {
  from: 3,
  what: "double the count",
  run: (env) => env.meta.putSync("entities", (env.meta.get("entities") as number) * 2),
};

test("a store of an earlier version goes through every step, and its copy from before stays beside it", async () => {
  const path = await version2("old");
  const steps: string[] = [];
  const counted = (step: Migration): Migration => ({
    ...step,
    run: (env) => {
      steps.push(step.what);
      step.run(env);
    },
  });
  const schema = { version: 4, migrations: [counted(doublesCount), counted(countsEntities)] };
  const hub = open(path, schema);
  assert.deepEqual(steps, ["count entities", "double the count"]);
  assert.deepEqual(hub.check().problems, []);
  await hub.close();
  await open(path, schema).close();
  assert.equal(steps.length, 2);
  assert.deepEqual(await versionOf(`${path}.version-2`), { format: "proven-series", version: 2 });
  const before = new TestStore(`${path}.version-2`);
  const series = before.find(guest(100), "cpu");
  const range = { from: ms(day0), to: ms(day0 + 6_000_000), stepMs: undefined, aggregates: ["last"] as const };
  assert.equal(before.hub.reader.read([series], range).series[0]?.at.length, 500);
  await before.hub.close();
});

test("a store of a newer version is refused with what to do, and left as it is", async () => {
  const path = await version2("new");
  await open(path, { version: 3, migrations: [countsEntities] }).close();
  assert.throws(
    () => open(path),
    (error) =>
      error instanceof StoreError &&
      /has version 3, this hub reads up to 2: install the newer proven-hub again, or go back with proven-hub store rollback to .*new\.version-2, the copy/.test(
        error.message,
      ),
  );
  assert.throws(() => readSeriesEnv(path), /has version 3, this program reads 2/);
});

test("a step that fails changes nothing: the store still opens with the program that wrote it", async () => {
  const path = await version2("failing");
  const fails: Migration = {
    from: 2,
    what: "empty the catalogue",
    run: (env) => {
      for (const key of env.catalogue.getKeys()) env.catalogue.removeSync(key);
      throw new Error("on purpose");
    },
  };
  assert.throws(
    () => open(path, { version: 3, migrations: [fails] }),
    /stays at version 2: "empty the catalogue" failed \(on purpose\)/,
  );
  assert.deepEqual(await versionOf(path), { format: "proven-series", version: 2 });
  const hub = open(path);
  assert.equal(hub.check().entities, 1);
  await hub.close();
});

test("without a way from its version a store is not touched, and the rest of an interrupted copy is no obstacle", async () => {
  const path = await version2("stuck");
  assert.throws(() => open(path, { version: 4, migrations: [doublesCount] }), /knows no way from there/);
  assert.equal(existsSync(`${path}.version-2`), false);
  const inTheWay = await version2("in-the-way");
  writeFileSync(`${inTheWay}.version-2.partial`, "");
  await open(inTheWay, { version: 3, migrations: [countsEntities] }).close();
  assert.equal(existsSync(`${inTheWay}.version-2/data.mdb`), true);
  assert.deepEqual(await versionOf(path), { format: "proven-series", version: 2 });
});

/** A store that a hub of format 1 wrote: two nodes, 30 hours, a guest each with gaps and counters that begin anew, frames in the ring. */
function storeOfFormat1(name: string): string {
  const path = `${dir}/${name}`;
  mkdirSync(path);
  writeFileSync(`${path}/data.mdb`, gunzipSync(readFileSync("test/fixtures/series-store-1/data.mdb.gz")));
  return path;
}

const nothingUnsealed = async (path: string) => {
  const env = readSeriesEnv(path);
  const old = [env.blocks, env.rollups].flatMap((tier) => [...tier.getRange({})]).filter(({ value }) => hasNoSums(value));
  const left = env.meta.get("unsealed");
  await env.root.close();
  return old.length === 0 && left === undefined;
};

/** All that an operator sees of it: each series' samples, and its day from the rollup. */
function contentsOf(store: TestStore): unknown {
  const series = [100, 101, 102].flatMap((vmid) => [store.find(guest(vmid), "cpu"), store.find(guest(vmid), "net_in")]);
  const range = { from: ms(day0), to: ms(day0 + 30 * 3_600_000), aggregates: ["last", "min", "max"] as const };
  return [
    store.hub.reader.read(series, { ...range, stepMs: undefined }),
    store.hub.reader.read(series, { ...range, from: ms(day0 - 3_600_000), stepMs: 3_600_000 }),
  ];
}

test("a store of format 1 gets checksums: the ring at once, its blocks while the hub runs, and it answers the same all along", async () => {
  const path = storeOfFormat1("format-1");
  const store = new TestStore(path);
  store.clock = day0 + 30 * 3_600_000;
  const before = contentsOf(store);
  const [raw] = (before as ReturnType<TestStore["hub"]["reader"]["read"]>[]) ?? [];
  assert.deepEqual(
    raw?.series.map(({ at }) => at.length),
    [1750, 1800, 1800, 1800, 1800, 1800],
  );
  assert.equal(await nothingUnsealed(path), false);
  await store.reopen();
  await store.settle();
  assert.deepEqual(contentsOf(store), before);
  assert.deepEqual(store.hub.check().problems, []);
  await store.hub.close();
  assert.ok(await nothingUnsealed(path));
  assert.deepEqual(await versionOf(path), { format: "proven-series", version: 2 });
  const again = new TestStore(path);
  again.clock = store.clock;
  assert.deepEqual(contentsOf(again), before);
  await again.hub.close();
  // The way back: the copy is, byte for byte, what the program before left.
  const original = gunzipSync(readFileSync("test/fixtures/series-store-1/data.mdb.gz"));
  assert.ok(original.equals(readFileSync(`${path}.version-1/data.mdb`)));
});

test("a damaged block of format 1 gets no checksum that would call it good", async () => {
  const path = storeOfFormat1("format-1-damaged");
  const env = openSeriesEnv(path, () => undefined);
  const [key] = [...env.blocks.getKeys({ limit: 1 })];
  assert.ok(key);
  env.blocks.putSync(key, Uint8Array.of(1, 0, 60, 0, 200, 1, 255, 255, 255));
  await env.root.close();
  const store = new TestStore(path);
  store.clock = day0 + 30 * 3_600_000;
  await store.settle();
  assert.match(store.hub.problem() ?? "", /a part is shown as a gap/);
  assert.equal(store.hub.check().problems.length, 1);
  await store.hub.close();
});
