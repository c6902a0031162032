import assert from "node:assert/strict";
import { existsSync, writeFileSync } from "node:fs";
import { after, test } from "node:test";
import type { Migration, StoreSchema } from "../../../hub/store/migration.ts";
import { openSeries } from "../../../hub/store/series.ts";
import { readSeriesEnv } from "../../../hub/store/series-env.ts";
import { StoreError } from "../../../hub/store/state.ts";
import { agentOf, day0, guest, ms, schemaOf, TestAgent, TestStore, temporaryDir } from "../../support/series-store.ts";

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
      /has version 3, this hub reads up to 2: install the newer proven-hub again, or put the copy .*new\.version-2/.test(
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
