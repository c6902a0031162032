import { join } from "node:path";
import type { EpochMs, NodeName } from "#protocol/ids.ts";
import { StreamEncoder } from "../../../agent/core/stream-encoder.ts";
import type { Context, Measure } from "../context.ts";
import { newIdentity } from "../identity.ts";
import { inventoryOf } from "../inventory.ts";
import { LinkClient, newStream } from "../link-client.ts";
import { guestSchema } from "../node-stream.ts";
import { readMemory, readUsage } from "../process-usage.ts";
import { median, type Row, valueRow } from "../row.ts";
import { benchCluster } from "../sinks.ts";
import { SteppedProcess } from "../stepped-process.ts";
import { guestsPerNode, nodeNameOf, seriesPerGuest, Workload } from "../workload.ts";

const nodes = 10;
const guests = nodes * guestsPerNode;
const hourMs = 3_600_000;
const stepsPerHour = 2;
const beganAt = Date.UTC(2026, 0, 5) as EpochMs;
/** Deleted series are kept for as long as their rollups, and two days: then the hub's contents should not grow any more. */
const steadyAfterDays = 6;

/** An agent whose guests are others each hour: what was there is deleted, as many are made. */
class ChurningNode {
  private readonly encoder = new StreamEncoder();
  private readonly stream = newStream();
  private readonly identity = newIdentity();
  private client: LinkClient | undefined;
  private nextSeq = 1;
  private hour = -1;

  constructor(
    private readonly workload: Workload,
    private readonly index: number,
  ) {}

  async connect(hub: SteppedProcess, now: EpochMs): Promise<void> {
    const node = nodeNameOf(this.index) as NodeName;
    const self = { node, clusterId: benchCluster, stream: this.stream, identity: this.identity, now: () => now };
    this.client = await LinkClient.connect(await hub.door(), self);
    this.nextSeq = this.client.lastSeq + 1;
    this.encoder.restart();
  }

  async send(hour: number, at: EpochMs): Promise<void> {
    const first = hour * guests + this.index * guestsPerNode;
    if (hour !== this.hour) this.client?.sendInventory(inventoryOf(this.index, first, guestsPerNode, at));
    this.hour = hour;
    const schema = guestSchema(first, guestsPerNode);
    const from = this.index * guestsPerNode * seriesPerGuest;
    const tick = {
      schemaVersion: hour,
      schema: () => schema,
      values: () => this.workload.scaled.subarray(from, from + guestsPerNode * seriesPerGuest),
    };
    const records = this.encoder.encode(tick, at, this.nextSeq);
    this.nextSeq += records.length;
    for (const { seq, bytes } of records) await this.client?.send(seq, bytes);
    await this.client?.drained();
  }

  close(): void {
    this.client?.close();
  }
}

/** The hub at the end of a simulated day. */
type Evening = { day: number; heapMb: number; anonMb: number; activeEntities: number };
type Restart = { day: number; readyMs: number; cpuSec: number; storedEntities: number; problems: number };

class Month {
  readonly evenings: Evening[] = [];
  readonly restarts: Restart[] = [];
  private readonly churning: ChurningNode[];
  private readonly workload = new Workload(guests);

  constructor(private readonly hub: SteppedProcess) {
    this.churning = Array.from({ length: nodes }, (_, index) => new ChurningNode(this.workload, index));
  }

  async begin(at: EpochMs): Promise<{ readyMs: number; cpuSec: number }> {
    const readyMs = await this.hub.start(at);
    const { cpuSec } = readUsage(this.hub.pid);
    await Promise.all(this.churning.map((node) => node.connect(this.hub, at)));
    return { readyMs, cpuSec };
  }

  async live(day: number): Promise<void> {
    let last = await this.hour(day * 24);
    for (let hour = day * 24 + 1; hour < (day + 1) * 24; hour++) last = await this.hour(hour);
    const { anonMb } = readMemory(this.hub.pid);
    this.evenings.push({ day: day + 1, anonMb, heapMb: last.heapMb, activeEntities: last.activeEntities });
  }

  private async hour(hour: number) {
    let report: Awaited<ReturnType<SteppedProcess["moveTo"]>> | undefined;
    for (let step = 1; step <= stepsPerHour; step++) {
      const at = (beganAt + hour * hourMs + (step * hourMs) / stepsPerHour) as EpochMs;
      report = await this.hub.moveTo(at);
      this.workload.tick();
      await Promise.all(this.churning.map((node) => node.send(hour, at)));
    }
    if (report === undefined) throw new Error("an hour has steps");
    return report;
  }

  /** Reads the whole store, then kills the hub and starts it again. */
  async restart(day: number): Promise<void> {
    const { storedEntities = Number.NaN, problems = [] } = await this.hub.check();
    await this.hub.kill();
    for (const node of this.churning) node.close();
    const started = await this.begin((beganAt + day * 24 * hourMs) as EpochMs);
    this.restarts.push({ day, ...started, storedEntities, problems: problems.length });
  }
}

async function run(context: Context): Promise<Row[]> {
  const { options, scratch, say, onEnd } = context;
  const hub = new SteppedProcess(join(scratch, "churn"));
  onEnd(() => hub.kill());
  const month = new Month(hub);
  const early = Math.min(steadyAfterDays, Math.ceil(options.days / 2));
  await month.begin(beganAt);
  for (let day = 0; day < options.days; day++) {
    await month.live(day);
    const { heapMb, anonMb } = month.evenings.at(-1) as Evening;
    say(`churn: day ${day + 1}, heap ${heapMb.toFixed(1)} MB, anonymous ${anonMb.toFixed(0)} MB`);
    if (day + 1 === early || day + 1 === options.days) await month.restart(day + 1);
  }
  await hub.kill();
  return rowsOf(month, early);
}

/** Growth from the first restart on, when as much ages out as comes; the first day of a new process still fills its caches. */
function rowsOf({ evenings, restarts }: Month, early: number): Row[] {
  const [first, last] = [restarts[0], restarts.at(-1)];
  const steady = evenings.filter(({ day }) => day > early + 1);
  const quarter = Math.max(1, Math.floor(steady.length / 4));
  const growth = (pick: (evening: Evening) => number) =>
    median(steady.slice(-quarter).map(pick)) / median(steady.slice(0, quarter).map(pick));
  const name = `${guests} guests made and deleted each hour for ${evenings.length} days:`;
  return [
    valueRow(
      `${name} heap after collection, end by beginning`,
      "×",
      growth(({ heapMb }) => heapMb),
      1.1,
    ),
    valueRow(
      `${name} anonymous memory, end by beginning`,
      "×",
      growth(({ anonMb }) => anonMb),
      1.15,
    ),
    valueRow(`${name} anonymous memory at the end`, "MB", evenings.at(-1)?.anonMb ?? Number.NaN),
    valueRow(`${name} CPU of a start, end by beginning`, "×", (last?.cpuSec ?? Number.NaN) / (first?.cpuSec ?? Number.NaN), 1.25),
    valueRow(`${name} start after kill -9 at the end`, "ms", last?.readyMs ?? Number.NaN),
    valueRow(
      `${name} entities stored, end by beginning`,
      "×",
      (last?.storedEntities ?? Number.NaN) / (first?.storedEntities ?? Number.NaN),
      1.05,
    ),
    valueRow(`${name} entities in memory`, "entities", evenings.at(-1)?.activeEntities ?? Number.NaN, guests),
    valueRow(`${name} damaged parts`, "parts", (first?.problems ?? Number.NaN) + (last?.problems ?? Number.NaN), 0),
  ];
}

export const churn: Measure = {
  title: "churn: a thousand guests made and deleted each hour of a simulated month",
  minutes: ({ days }) => days * 0.4,
  run,
};
