import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import { metricById } from "#protocol/metrics.ts";
import { createCollector } from "../../agent/collector.ts";
import { SampleTable } from "../../agent/core/table.ts";
import type { RunCommand } from "../../agent/ports.ts";
import type { ApiResult } from "../../agent/pve/answer.ts";
import type { PveApi } from "../../agent/pve/api.ts";
import { FakeClock, settle } from "./fake-clock.ts";
import { RecordedNode, recorded, recordedAt } from "./recorded-node.ts";

/** What the recorded node answered; its guests had no agent that ran. */
const answers: Readonly<Record<string, unknown>> = {
  "/nodes/localhost/status": JSON.parse(recorded("pvesh_get_nodes_pve1_status.json")),
  "/nodes/localhost/apt/update": JSON.parse(recorded("pvesh_get_nodes_pve1_apt_update.json")),
};
const refusal: ApiResult = { ok: false, error: { status: 500, reason: "QEMU guest agent is not running", errors: {} } };

/** An API that answers as recorded, and counts its calls. */
function recordedApi() {
  const calls: string[] = [];
  const answer = async (path: string): Promise<ApiResult> => {
    calls.push(path);
    return Object.hasOwn(answers, path) ? { ok: true, data: answers[path] } : refusal;
  };
  const never = () => assert.fail("only reads are expected");
  const api: PveApi = { get: answer, post: never, put: never, delete: never, awaitTask: never, close: () => undefined };
  return { api, calls };
}

export const zpoolList = "tank\t1000\t400\t600\t12\tONLINE\n";

/** A collector over the recorded node, a second after it was recorded. */
export function startCollector(context: TestContext, options: { pve?: boolean; run?: RunCommand } = {}) {
  const node = new RecordedNode(context, options);
  const clock = new FakeClock(recordedAt + 1000);
  const logs: string[] = [];
  const commands: string[] = [];
  const { api, calls } = recordedApi();
  const run: RunCommand = async (file, args) => {
    commands.push([file, ...args].join(" "));
    if (args.includes("-j")) return { ok: true, stdout: "", stderr: "invalid option 'j'\n", code: 2 };
    return { ok: true, stdout: args[0] === "list" ? zpoolList : "", stderr: "", code: 0 };
  };
  const log = (_: number, message: string) => {
    logs.push(message);
  };
  const collector = createCollector({ root: node.root, api, run: options.run ?? run, clock, log });
  context.after(() => collector.close());
  const table = new SampleTable();
  /** One tick; values in the catalogue's units, `entity metric[:instance]` → value. */
  const tick = async () => {
    table.begin();
    await collector.collect(table, clock.now());
    await settle();
    return readTable(table);
  };
  return { node, clock, logs, commands, calls, collector, table, tick };
}

/** Turns of the event loop until it is so: files and sockets are read for real while the clock stands still. */
export async function until(met: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; !(await met()); turn++) {
    if (turn === 2000) throw new Error("it never came");
    await settle(5);
  }
}

/** `entity metric[:instance]` → value in the catalogue's unit. */
export type Values = Record<string, number>;

export function readTable(table: SampleTable): Values {
  const { entities, series } = table.schema();
  const values = table.values();
  return Object.fromEntries(
    series.flatMap(({ entity, metric, instance }, index) => {
      const value = values[index] ?? Number.NaN;
      const row = metricById(metric);
      const name = `${entities[entity]?.key} ${row?.name}${instance === undefined ? "" : `:${instance}`}`;
      return Number.isNaN(value) ? [] : [[name, value / (row?.scale ?? 1)]];
    }),
  );
}

/** One entity's values by metric. */
export const of = (values: Values, entity: string): Values =>
  Object.fromEntries(
    Object.entries(values).flatMap(([name, value]) =>
      name.startsWith(`${entity} `) ? [[name.slice(entity.length + 1), value]] : [],
    ),
  );

/** All sources the table's series come from. */
export const sourcesOf = (table: SampleTable) => new Set(table.schema().series.map(({ source }) => source));
