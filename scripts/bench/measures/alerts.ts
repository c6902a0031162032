import { join } from "node:path";
import type { ClusterId, EpochMs } from "#protocol/ids.ts";
import { guestKey, type Vmid } from "#protocol/ids.ts";
import { Evaluator } from "../../../hub/core/evaluate.ts";
import { sourceKey } from "../../../hub/core/rule.ts";
import { RuleBook } from "../../../hub/core/rule-set.ts";
import type { EntityFacts } from "../../../hub/core/scope.ts";
import { signalOf } from "../../../hub/core/signals.ts";
import type { Context, Measure } from "../context.ts";
import { recentEnd } from "../feed.ts";
import { HubProcess } from "../hub-process.ts";
import { readUsage } from "../process-usage.ts";
import { median, type Row, valueRow } from "../row.ts";
import { configure, manyRules } from "../rules.ts";
import { HubSink } from "../sinks.ts";
import { guestMetrics, seriesPerGuest, tickMs, vmidOf, Workload } from "../workload.ts";
import { alertDelays } from "./alert-delays.ts";

const rules = 10_000;
const guests = 1000;
const ticks = 60;
const staleMs = 45_000;
const warmUpMs = 65_000;
const cluster = "be9c0be9c0be9c00" as ClusterId;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** Ms of CPU that the evaluator alone needs per tick, rates of counters taken as they come. */
function evaluatorMs(): { perTick: number; active: number } {
  const book = new RuleBook(manyRules(rules));
  let active = 0;
  const evaluator = new Evaluator(0 as EpochMs, ({ before, check }) => {
    if (before.state === "inactive") active++;
    if (check.alert.state === "inactive" || check.alert.state === "resolved") active--;
  });
  const slots = Array.from({ length: guests }, (_, guest) =>
    guestMetrics.map((metric) => openSlot(evaluator, book, guest, metric)),
  );
  const workload = new Workload(guests);
  const spent: number[] = [];
  for (let tick = 1; tick <= ticks; tick++) {
    workload.tick();
    const now = (tick * tickMs) as EpochMs;
    const before = process.cpuUsage();
    for (const [guest, own] of slots.entries()) {
      for (const [index, slot] of own.entries()) evaluator.sample(slot, workload.value(guest * seriesPerGuest + index), now);
    }
    evaluator.tick(now);
    const { user, system } = process.cpuUsage(before);
    spent.push((user + system) / 1000);
  }
  return { perTick: median(spent), active };
}

function openSlot(evaluator: Evaluator, book: RuleBook, guest: number, metric: string): number {
  const vmid = vmidOf(guest);
  const entity = guestKey(vmid as Vmid);
  const name = `vm${vmid}`;
  const plain = { tags: [], pool: undefined, storages: [], node: undefined };
  const facts: EntityFacts = { cluster, entity, kind: "guest", incarnation: 1, type: "qemu", name, title: name, ...plain };
  const signal = signalOf("guest", metric);
  if (signal === undefined) throw new Error(`guest metric ${metric} left the catalogue`);
  const set = book.setFor(sourceKey({ kind: "signal", signal, raw: false }), facts, null);
  if (set === undefined) throw new Error(`no rule is about ${metric}`);
  return evaluator.open({ cluster, entity, incarnation: 1, instance: null }, set, staleMs, 0 as EpochMs);
}

/** CPU seconds per second of a real hub that takes 10,000 series at their pace, with these rules and nothing else to do. */
async function hubLoad({ scratch, options, onEnd, say }: Context, name: string, count: number): Promise<number> {
  const hub = new HubProcess(join(scratch, name));
  onEnd(() => hub.kill());
  await hub.start();
  await hub.stop();
  await configure(hub, manyRules(count));
  await hub.start();
  const workload = new Workload(guests);
  const sink = await HubSink.connect(hub.door(), workload);
  const windowMs = options.minutes * 60_000;
  say(`alerts: a hub with ${count} more rules at real pace`);
  const startedMs = performance.now();
  let before: { cpuSec: number; atMs: number } | undefined;
  while (before === undefined || performance.now() - before.atMs < windowMs) {
    await sleep(tickMs - (Date.now() % tickMs));
    workload.tick();
    await sink.write(recentEnd(), guests);
    if (before === undefined && performance.now() - startedMs >= warmUpMs) {
      before = { cpuSec: readUsage(hub.pid).cpuSec, atMs: performance.now() };
    }
  }
  const load = ((readUsage(hub.pid).cpuSec - before.cpuSec) * 1000) / (performance.now() - before.atMs);
  sink.close();
  await hub.kill();
  return load;
}

async function run(context: Context): Promise<Row[]> {
  const { perTick, active } = evaluatorMs();
  const [without, within] = [await hubLoad(context, "few-rules", 0), await hubLoad(context, "many-rules", rules)];
  const where = "alerts, 10,000 rules × 10,000 series:";
  return [
    valueRow(`${where} evaluation of a tick (${active} alerts on at its end)`, "ms CPU", perTick),
    valueRow(`${where} evaluation at 10 s`, "% of a core", (perTick / tickMs) * 100, 10),
    valueRow(`${where} the whole hub's CPU, storage and all`, "% of a core", within * 100),
    valueRow(`${where} of that more than with the shipped rules`, "% of a core", (within - without) * 100, 10),
    ...(await alertDelays(context)),
  ];
}

export const alerts: Measure = {
  title: "10,000 rules on 10,000 series; from a sample to the message at a receiver",
  minutes: ({ minutes }) => 2 * (minutes + 1.4) + 1.5,
  run,
};
