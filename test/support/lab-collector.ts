import type { TestContext } from "node:test";
import { type Metric, metricById } from "#protocol/metrics.ts";
import { type CollectorDeps, createCollector } from "../../agent/collector.ts";
import { SampleTable } from "../../agent/core/table.ts";
import { createPveApi } from "../../agent/pve/api.ts";
import { runCommand } from "../lab/commands.ts";
import { spaceAt } from "../lab/hardware.ts";
import type { Lab } from "../lab/lab.ts";
import type { Truth } from "../lab/model.ts";
import { type FakeClock, settle } from "./fake-clock.ts";
import { readTable } from "./started-collector.ts";

/** A collector on one node of a test's lab: real files, API and Backup Server; what commands and calls it made is written down. */
export function startLabCollector(
  context: TestContext,
  lab: Lab,
  clock: FakeClock,
  node: string,
  more: Partial<CollectorDeps> = {},
) {
  const root = lab.tree.root(node);
  const logs: string[] = [];
  const commands: string[] = [];
  const calls: string[] = [];
  const real = createPveApi({ baseUrl: `http://127.0.0.1:${lab.apiPorts.get(node)}`, root, clock });
  const collector = createCollector({
    root,
    clock,
    api: {
      ...real,
      get: (path, params) => {
        calls.push(path);
        return real.get(path, params);
      },
    },
    run: async (file, args) => {
      commands.push([file, ...args].join(" "));
      return { ok: true, ...(await runCommand(lab.restores, lab.world.node(node), file, args)) };
    },
    statSpace: async (path) => {
      const space = spaceAt(
        lab.world,
        lab.world.node(node),
        `/${path.slice(root.length).replace(/^\/+|\/+$/g, "")}`,
        clock.now(),
      );
      if (space === undefined) throw Object.assign(new Error("nothing is mounted there"), { code: "ENOENT" });
      return space;
    },
    log: (_, message) => {
      logs.push(message);
    },
    ...more,
  });
  context.after(() => collector.close());
  collector.setDuties(["cluster", "shared-storage"]);
  const table = new SampleTable();
  const tick = async () => {
    table.begin();
    await collector.collect(table, clock.now());
    await settle();
    return readTable(table);
  };
  /** Ticks at this very instant until `met`: what runs beside the samples talks over real sockets meanwhile. */
  const tickUntil = async (met: (values: Record<string, number>) => boolean) => {
    for (let turn = 0; turn < 3000; turn++) {
      const values = await tick();
      if (met(values)) return values;
      await settle(20);
    }
    throw new Error("it never came");
  };
  /** Ten seconds and a tick, so often. */
  const pass = async (ticks: number) => {
    for (let i = 0; i < ticks; i++) {
      await clock.advance(10_000);
      await tick();
      await settle(30);
    }
  };
  return { collector, table, tick, tickUntil, pass, logs, commands, calls };
}

export type Difference = { series: string; collected: number | undefined; truth: number | undefined };

/** Every series of the table beside the truth, where they differ by more than the store rounds. */
export function differences(table: SampleTable, truth: Truth, at: number, wanted: (source: string) => boolean): Difference[] {
  const { entities, series } = table.schema();
  const values = table.values();
  return series.flatMap(({ entity, metric, instance, source }, index) => {
    const key = entities[entity]?.key ?? "";
    const row = metricById(metric) as Metric;
    const value = values[index] ?? Number.NaN;
    if (!wanted(source)) return [];
    const collected = Number.isNaN(value) ? undefined : value / row.scale;
    const known = truth(key, row.name, instance, at);
    const same = collected === known || Math.abs((collected ?? Number.NaN) - (known ?? Number.NaN)) <= 1.01 / row.scale;
    return same ? [] : [{ series: `${key} ${row.name} ${instance ?? ""}`.trim(), collected, truth: known }];
  });
}
