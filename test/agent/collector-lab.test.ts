import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { entityKind } from "#protocol/ids.ts";
import { type Metric, metricById, metrics } from "#protocol/metrics.ts";
import { createCollector } from "../../agent/collector.ts";
import { SampleTable } from "../../agent/core/table.ts";
import { createPveApi } from "../../agent/pve/api.ts";
import { runCommand } from "../lab/commands.ts";
import { type Truth, truthOf } from "../lab/model.ts";
import { secretsIn } from "../lab/secrets.ts";
import { buildSpec } from "../lab/spec.ts";
import { Tree } from "../lab/tree.ts";
import { World } from "../lab/world.ts";
import { FakeClock, settle } from "../support/fake-clock.ts";

/** The lab's files without its daemons: three nodes, forty guests. */
async function startTree(context: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "proven-lab-"));
  context.after(() => rmSync(dir, { recursive: true, force: true }));
  const clock = new FakeClock();
  const world = new World(buildSpec("proven", 3, 40));
  const secrets = await secretsIn(dir, [...world.nodes.keys()]);
  const tree = new Tree(world, { dir, secrets, startedAt: clock.now(), pbsPort: 8007, metricsGenerations: 3 });
  tree.clearGuests();
  tree.create(clock.now());
  const write = async () => {
    await clock.advance(10_000);
    tree.writeCluster(clock.now());
    for (const node of world.nodes.values()) tree.writeNode(node, clock.now());
    tree.writeRrd(clock.now());
  };
  return { clock, world, tree, write, truth: truthOf(world) };
}

type Difference = { series: string; collected: number | undefined; truth: number | undefined };

/** Every series of the table beside the truth, where they differ by more than the store rounds. */
function differences(table: SampleTable, truth: Truth, at: number): Difference[] {
  const { entities, series } = table.schema();
  const values = table.values();
  return series.flatMap(({ entity, metric, instance }, index) => {
    const key = entities[entity]?.key ?? "";
    const row = metricById(metric) as Metric;
    const known = truth(key, row.name, instance, at);
    const scaled = values[index] ?? Number.NaN;
    const collected = Number.isNaN(scaled) ? undefined : scaled / row.scale;
    const same = collected === undefined ? known === undefined : Math.abs(collected - (known ?? Number.NaN)) <= 1.01 / row.scale;
    return same ? [] : [{ series: `${key} ${row.name} ${instance ?? ""}`.trim(), collected, truth: known }];
  });
}

/** What the lab knows of the table's entities and the table does not have. Metrics without instances only: those can be listed. */
function missing(table: SampleTable, truth: Truth, at: number): string[] {
  const { entities, series } = table.schema();
  const values = table.values();
  const has = new Set(
    series.flatMap(({ entity, metric }, index) => (Number.isNaN(values[index]) ? [] : [`${entities[entity]?.key} ${metric}`])),
  );
  return entities.flatMap(({ key }) =>
    (metrics as readonly Metric[])
      .filter((row) => row.entity === entityKind(key) && row.instance === undefined)
      .filter((row) => truth(key, row.name, undefined, at) !== undefined && !has.has(`${key} ${row.id}`))
      .map((row) => `${key} ${row.name}`),
  );
}

test("every value collected from the lab's three nodes equals what the lab set, and none is missing", async (context) => {
  const { clock, world, tree, write, truth } = await startTree(context);
  const logs: string[] = [];
  const guests = new Set<string>();
  for (const node of world.nodes.keys()) {
    const root = tree.root(node);
    const collector = createCollector({
      root,
      clock,
      api: createPveApi({ baseUrl: "http://127.0.0.1:1", root, clock }),
      run: async (file, args) => ({ ok: true, ...runCommand(world, world.node(node), clock.now(), file, args) }),
      log: (_, message) => {
        logs.push(message);
      },
    });
    context.after(() => collector.close());
    collector.setDuties(["cluster", "shared-storage"]);
    const table = new SampleTable();
    for (let round = 0; round < 2; round++) {
      await write();
      table.begin();
      await collector.collect(table, clock.now());
    }
    const pool = ({ series }: Difference) => series.startsWith("zpool/");
    assert.deepEqual(
      differences(table, truth, clock.now()).filter((difference) => !pool(difference)),
      [],
    );
    assert.deepEqual(missing(table, truth, clock.now()), []);
    // Pools are asked for beside the samples: what a tick starts, the next one has.
    await clock.advance(60_000);
    for (let round = 0; round < 2; round++) {
      table.begin();
      await collector.collect(table, clock.now());
      await settle();
    }
    assert.deepEqual(differences(table, truth, clock.now()).filter(pool), []);
    assert.ok(table.schema().entities.some(({ key }) => key === `zpool/${node}/tank`));
    for (const { key } of table.schema().entities) if (key.startsWith("guest/")) guests.add(key);
    const identity = await collector.identify();
    assert.deepEqual([identity?.node, identity?.clusterName], [node, world.spec.name]);
    const { inventory } = await collector.inventory(clock.now());
    assert.equal(inventory.cluster.members.length, 3);
    assert.ok(inventory.guests.every(({ configured }) => configured));
  }
  assert.equal(guests.size, 40);
  assert.deepEqual(
    logs.filter((message) => !/^api: |pvestatd hang/.test(message)),
    [],
  );
});
