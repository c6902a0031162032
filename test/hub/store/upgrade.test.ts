import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { open } from "lmdb";
import { rollBackStores } from "../../../hub/cli/store-rollback.ts";
import { lockInstance } from "../../../hub/instance-lock.ts";
import { migrate, seriesSchema, seriesVersion } from "../../../hub/store/migration.ts";
import { planRollback, rollBack } from "../../../hub/store/rollback.ts";
import { openSeries } from "../../../hub/store/series.ts";
import { openSeriesEnv } from "../../../hub/store/series-env.ts";
import { StateStore, statePath, stateSchema } from "../../../hub/store/state.ts";
import { StoreError } from "../../../hub/store/store-error.ts";
import { agentOf, day0, guest, ms, schemaOf, TestAgent, TestStore, temporaryDir } from "../../support/series-store.ts";
import { rolledSeries, upgradedSchema } from "../../support/upgraded-schema.ts";

const { dir, remove } = temporaryDir();
after(remove);
const [old, upgraded] = [seriesSchema.version, seriesSchema.version + 2];
const silent = () => undefined;

/** lmdb is found from there. */
const cache = fileURLToPath(new URL("../../../node_modules/.cache/", import.meta.url));
let bundleDir: string;
/** A series store of this program's version, and what a newer one made of it, with the copy beside it. */
let original: Buffer;
let afterwards: string;

before(async () => {
  mkdirSync(cache, { recursive: true });
  bundleDir = mkdtempSync(join(cache, "proven-upgrade-"));
  const entryPoints = [fileURLToPath(new URL("../../support/upgrade-child.ts", import.meta.url))];
  await build({
    entryPoints,
    bundle: true,
    platform: "node",
    format: "esm",
    external: ["lmdb"],
    outfile: join(bundleDir, "child.mjs"),
  });

  const store = new TestStore(join(dir, "made"));
  const agent = new TestAgent(store, agentOf("pve1"));
  void agent.declare(schemaOf([{ entity: { key: guest(100), identity: ["uuid:a"] }, metric: "cpu" }]));
  for (let i = 0; i < 50; i++) void agent.frame(day0 + i * 10_000, [i]);
  await store.commit();
  await store.hub.close();
  original = readFileSync(join(store.dir, "data.mdb"));

  afterwards = join(dir, "afterwards");
  mkdirSync(join(afterwards, "series"), { recursive: true });
  writeFileSync(join(afterwards, "series/data.mdb"), original);
  await openSeriesEnv(join(afterwards, "series"), silent, upgradedSchema()).root.close();
});
after(() => rmSync(bundleDir, { recursive: true, force: true }));

/** Ends the child at its n-th step. False: it has no n-th step. */
function killedAt(verb: "upgrade" | "rollback", store: string, step: number): boolean {
  const { signal, stdout, stderr } = spawnSync(process.execPath, [join(bundleDir, "child.mjs"), verb, store, String(step)], {
    encoding: "utf8",
  });
  if (signal === "SIGKILL") return true;
  assert.equal(stdout, "ended by itself\n", stderr);
  return false;
}

async function versionOf(path: string): Promise<number | undefined> {
  const root = open<unknown, string>({ path, encoding: "json", maxDbs: 12, noSubdir: false, readOnly: true });
  const version = seriesVersion(root, path);
  await root.close();
  return version;
}

const isOriginal = (path: string) => original.equals(readFileSync(join(path, "data.mdb")));

test("killed anywhere in an upgrade, a store is whole at one version or the next, its copy is whole or not there, and the next start ends it", async () => {
  const seen = new Set<number | undefined>();
  let steps = 0;
  for (let step = 1; ; step++) {
    const path = join(dir, `upgrade-${step}`);
    mkdirSync(path);
    writeFileSync(join(path, "data.mdb"), original);
    if (!killedAt("upgrade", path, step)) break;
    steps++;
    const version = await versionOf(path);
    seen.add(version);
    const copy = `${path}.version-${old}`;
    if (version !== old || existsSync(copy)) assert.ok(isOriginal(copy), `step ${step}: the copy of version ${old}`);
    const env = openSeriesEnv(path, silent, upgradedSchema());
    assert.deepEqual(
      [seriesVersion(env.root, path), env.meta.get("entities"), env.meta.get("hundredfold"), env.meta.get("tenfold")],
      [upgraded, 1, 100, undefined],
      `step ${step}`,
    );
    await env.root.close();
    assert.ok(isOriginal(copy), `step ${step}: the copy at the end`);
  }
  assert.deepEqual(seen, new Set([old, old + 1, upgraded]));
  assert.ok(steps >= 10, `${steps} steps`);
});

test("killed anywhere in a rollback, a store is there, of the newer version or the older, and doing it again ends it", async () => {
  const seen = new Set<number | undefined>();
  for (let step = 1; ; step++) {
    const state = join(dir, `rollback-${step}`);
    cpSync(afterwards, state, { recursive: true });
    const path = join(state, "series");
    const newest = readFileSync(join(path, "data.mdb"));
    if (!killedAt("rollback", path, step)) break;
    seen.add(await versionOf(path));
    for (const plan of await planRollback([rolledSeries(path)])) rollBack(plan);
    assert.ok(isOriginal(path), `step ${step}`);
    const aside = readdirSync(state).filter((name) => name.startsWith("series.set-aside-"));
    assert.deepEqual(aside, [`series.set-aside-${upgraded}`], `step ${step}`);
    assert.ok(newest.equals(readFileSync(join(state, aside[0] ?? "", "data.mdb"))), `step ${step}: what was set aside`);
    await openSeries({ dir: path, now: () => ms(day0) }).close();
  }
  assert.deepEqual(seen, new Set([old, upgraded]));
});

/** A state directory that a newer hub has upgraded. */
function upgradedState(name: string): string {
  const state = join(dir, name);
  cpSync(afterwards, state, { recursive: true });
  return state;
}

test("an older hub says which command goes back to which copy, and after it starts with what was there before the upgrade", async () => {
  const state = upgradedState("older");
  const path = join(state, "series");
  const opened = () => openSeries({ dir: path, now: () => ms(day0) });
  assert.throws(opened, (error) => {
    assert.ok(error instanceof StoreError);
    assert.match(
      error.message,
      /version 4, this hub reads up to 2: .* proven-hub store rollback to .*older\/series\.version-2, the copy/,
    );
    return true;
  });
  const said: string[] = [];
  await rollBackStores(state, (line) => said.push(line));
  assert.match(
    said[0] ?? "",
    /^series: back from version 4 to 2, as it was at .*Z; what came since is set aside in .*series\.set-aside-4$/,
  );
  assert.equal(said.length, 2);
  const series = opened();
  assert.equal(series.check().entities, 1);
  await series.close();
  await assert.rejects(rollBackStores(state, silent), /nothing to roll back/);
  assert.equal(existsSync(`${path}.version-2`), false);
});

test("a second rollback from the same version overwrites nothing that the first has set aside", async () => {
  const state = upgradedState("twice");
  const path = join(state, "series");
  await rollBackStores(state, silent);
  await openSeriesEnv(path, silent, upgradedSchema()).root.close();
  await rollBackStores(state, silent);
  const aside = readdirSync(state).filter((name) => name.startsWith("series.set-aside"));
  assert.deepEqual(aside.sort(), ["series.set-aside-4", "series.set-aside-4.2"]);
});

test("nothing is rolled back while a hub runs, nor one store when the other can't be", async () => {
  const running = upgradedState("running");
  const lock = lockInstance(running);
  await assert.rejects(rollBackStores(running, silent), /a hub runs on .*running: systemctl stop proven-hub first/);
  lock?.release();
  assert.equal(await versionOf(join(running, "series")), upgraded);

  const half = upgradedState("half");
  await StateStore.open({ dir: half, now: () => ms(day0), schema: { ...stateSchema, version: 9 } }).close();
  await assert.rejects(
    rollBackStores(half, silent),
    /half\/state has version 9, this program reads up to 1, and no copy .* is beside it/,
  );
  assert.equal(await versionOf(join(half, "series")), upgraded);
});

test("the state store goes forth and back as the series do, and only the hub itself brings it forth", async () => {
  const state = join(dir, "documents");
  const now = () => ms(day0);
  await StateStore.open({ dir: state, now }).close();
  const notes = {
    from: 1,
    what: "a note",
    run: ({ root }: { root: { putSync(key: string, value: unknown): unknown } }) => void root.putSync("note", "b"),
  };
  const schema = { version: 2, migrations: [notes] };
  assert.throws(() => StateStore.open({ dir: state, now, schema }), /has version 1, this program reads 2: start the hub once/);
  const newer = StateStore.open({ dir: state, now, schema, upgrade: { log: silent } });
  assert.deepEqual(newer.auditLog(), []);
  await newer.close();
  assert.throws(() => StateStore.open({ dir: state, now, upgrade: { log: silent } }), /proven-hub store rollback/);
  await rollBackStores(state, silent);
  await StateStore.open({ dir: state, now }).close();
  assert.ok(existsSync(`${statePath(state)}.set-aside-2/data.mdb`));
});

test("without room for the copy nothing begins, and the message says how much it takes", async () => {
  const path = join(dir, "full");
  mkdirSync(path);
  writeFileSync(join(path, "data.mdb"), original);
  const env = openSeriesEnv(path, silent);
  const ports = { log: silent, freeBytes: () => 20_000_000 };
  const error =
    /full must be brought from version 2 .* the copy before that can't be made \(it takes 6\d MB, and 20 MB are free\): make room/;
  assert.throws(() => migrate(env, path, upgradedSchema(), ports), error);
  await env.root.close();
  assert.equal(await versionOf(path), old);
  assert.deepEqual(
    readdirSync(dirname(path)).filter((name) => name.startsWith(`${basename(path)}.`)),
    [],
  );
});
