import { join } from "node:path";
import type { EpochMs } from "#protocol/ids.ts";
import { availablePeers, type Context, type Measure, peerNames, peerValue } from "../context.ts";
import { feed, recentEnd, ticksIn } from "../feed.ts";
import { HubProcess } from "../hub-process.ts";
import { diskBytes, evict } from "../page-cache.ts";
import type { PeerProcess } from "../peer-process.ts";
import { type Memory, readMemory, readUsage, settle } from "../process-usage.ts";
import { longGuests } from "../queries.ts";
import { median, type Row, ratioRow, valueRow } from "../row.ts";
import { HubSink, PeerSink, type Sink } from "../sinks.ts";
import { measureTiers } from "../tiers.ts";
import { seriesPerGuest, tickMs, Workload } from "../workload.ts";
import { coldRows, type Loaded, warmRows } from "./history-queries.ts";

const guests = 1000;
const dayMs = 24 * 3_600_000;
/** Before the last day: this long the first guests alone. */
const longDays = 29;
const yearDays = 370;
/** The year of one guest is sent once a minute, as an importer would; only we are asked about it. */
const yearStepMs = 60_000;
/** Ticks in one request to a peer while the long history is loaded. */
const longDepth = 30;

/** One year of one guest, a month of twenty, a day of a thousand: one continuous stream of each node, and the same values for everybody. */
async function load(context: Context, hub: HubProcess, peers: readonly PeerProcess[]): Promise<{ end: EpochMs; live: Live }> {
  const { say } = context;
  const end = recentEnd();
  const workload = new Workload(guests);
  const hubSink = await HubSink.connect(hub.door(), workload);
  const dayBegins = (end - dayMs) as EpochMs;
  const monthBegins = (dayBegins - longDays * dayMs) as EpochMs;
  const progress = (what: string) => (share: number) => say(`history: ${what} ${Math.round(share * 100)} %`);

  const yearTicks = Math.round(((yearDays - longDays - 1) * dayMs) / yearStepMs);
  await feed({ workload, sinks: [hubSink], end: monthBegins, ticks: yearTicks, guests: 1, stepMs: yearStepMs });
  progress("one guest's year")(1);
  const long = peers.length > 0 ? [hubSink, new PeerSink(peers, workload, longDepth)] : [hubSink];
  await feed({ workload, sinks: long, end: dayBegins, ticks: ticksIn(longDays * 24), guests: longGuests });
  progress("a month of 20 guests")(1);
  const day = peers.length > 0 ? [hubSink, new PeerSink(peers, workload)] : [hubSink];
  await feed({ workload, sinks: day, end, ticks: ticksIn(24), guests, onProgress: progress("a day of 1,000 guests") });
  return { end, live: { workload, sinks: day } };
}

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

type Live = { workload: Workload; sinks: readonly Sink[] };

/** The agents stay connected and go on at their pace until `done`, as they would at the end of any day. */
async function liveUntil(done: Promise<unknown>, { workload, sinks }: Live): Promise<void> {
  let isOver = false;
  const ending = done.then(() => {
    isOver = true;
  });
  while (!isOver) {
    await sleep(tickMs - (Date.now() % tickMs));
    workload.tick();
    await Promise.all(sinks.map((sink) => sink.write(recentEnd(), guests)));
  }
  await ending;
}

/**
 * A day that is fed in half a minute leaves garbage that a day at its pace does not have, more or less of it by chance. Either side's runtime
 * collects by time what is left: Go every two minutes, V8 a hundred seconds after its last collection.
 */
const collectedMs = 125_000;

type Memories = { ours: Memory; theirs: ReadonlyMap<string, Memory> };

const readMemories = (hub: HubProcess, peers: readonly PeerProcess[]): Memories => ({
  ours: readMemory(hub.pid),
  theirs: new Map(peers.map(({ name, pid }) => [name, readMemory(pid)])),
});

/** What everybody stored: Prometheus and VictoriaMetrics the month and the day, the hub the year too. */
const peerSamples = (ticksIn(24) * guests + ticksIn(longDays * 24) * longGuests) * seriesPerGuest;

/** `sooner`: as background work ended, `later`: when garbage was collected too. The bounds are on that. */
function memoryRows(context: Context, sooner: Memories, later: Memories): Row[] {
  const name = "memory after 24 h of 10,000 series:";
  const { ours, theirs } = later;
  const peer = (one: "prometheus" | "victoria-metrics") => peerValue(context, one, theirs.get(one)?.anonMb);
  return [
    valueRow(`${name} anonymous`, "MB", ours.anonMb, 60),
    ratioRow(`${name} anonymous`, "MB", ours.anonMb, peer("prometheus"), 0.6),
    valueRow(`${name} resident, clean file pages included`, "MB", ours.rssMb, 200),
    valueRow(`${name} anonymous, as background work ended`, "MB", sooner.ours.anonMb),
    ...[...theirs].map(([one, memory]) => valueRow(`${one}: ${name} anonymous`, "MB", memory.anonMb)),
    ...[...sooner.theirs].map(([one, memory]) =>
      valueRow(`${one}: ${name} anonymous, as background work ended`, "MB", memory.anonMb),
    ),
  ];
}

/** The hub must not run. */
function diskRows(context: Context, hub: HubProcess, peers: readonly PeerProcess[]): Row[] {
  const tiers = measureTiers(join(hub.dir, "state/series"));
  const bytes = new Map(peers.map((peer) => [peer.name, peer.bytesPerSample(peerSamples)]));
  const raw = tiers.rawBytes / tiers.rawSamples;
  const perPoint = tiers.rollupBytes / tiers.rollupPoints;
  const projected = 10_000 * (14 * 8640 * raw + 400 * 96 * perPoint);
  return [
    ratioRow("disk, raw tier", "B / sample", raw, peerValue(context, "victoria-metrics", bytes.get("victoria-metrics")), 1),
    ratioRow("disk, raw tier", "B / sample", raw, peerValue(context, "prometheus", bytes.get("prometheus")), 0.45),
    valueRow("disk, 15 min tier", "B / point", perPoint),
    valueRow("disk, 10,000 series: 14 d raw + 400 d of 15 min, projected from measured blocks", "GB", projected / 1e9, 4),
    valueRow("disk, the hub's whole folder, write-ahead ring included", "MB", diskBytes(hub.dir) / 1e6),
    ...peerNames.flatMap((name) => {
      const value = bytes.get(name);
      return value === undefined ? [] : [valueRow(`${name}: disk`, "B / sample", value)];
    }),
  ];
}

/** kill -9 and start again, the files in the page cache: what an upgrade or a crash costs. */
async function readyRows(context: Context, { hub, peers }: Loaded): Promise<Row[]> {
  const again = async (system: HubProcess | PeerProcess): Promise<number> => {
    await system.kill();
    return system.start();
  };
  const ours: number[] = [];
  const cpuSec: number[] = [];
  const theirs: number[] = [];
  const prometheus = peers.find(({ name }) => name === "prometheus");
  for (let index = 0; index < 5; index++) {
    ours.push(await again(hub));
    cpuSec.push(readUsage(hub.pid).cpuSec);
    if (prometheus !== undefined) theirs.push(await again(prometheus));
  }
  const name = "ready after kill -9 with all data";
  return [
    valueRow(name, "ms", median(ours), 350),
    valueRow(`${name}, its CPU`, "ms", median(cpuSec) * 1000),
    ratioRow(name, "ms", median(ours), peerValue(context, "prometheus", theirs.length === 0 ? undefined : median(theirs)), 0.5),
  ];
}

async function run(context: Context): Promise<Row[]> {
  const { scratch, say, onEnd } = context;
  const dir = join(scratch, "history");
  const hub = new HubProcess(join(dir, "hub"));
  onEnd(() => hub.kill());
  await hub.start();
  const peers = availablePeers(context, dir);
  for (const peer of peers) await peer.start();
  const { end: endMs, live } = await load(context, hub, peers);
  say("history: real pace until background work has ended");
  await liveUntil(Promise.all([hub, ...peers].map(({ pid }) => settle(pid, 180_000))), live);
  const sooner = readMemories(hub, peers);
  say("history: real pace until all garbage was collected");
  await liveUntil(sleep(collectedMs), live);
  const loaded: Loaded = { hub, peers, endMs };
  const rows = memoryRows(context, sooner, readMemories(hub, peers));
  for (const sink of live.sinks) sink.close();
  say("history: kill -9 and start");
  rows.push(...(await readyRows(context, loaded)));
  await hub.stop();
  rows.push(...diskRows(context, hub, peers));
  await hub.start();
  say("history: queries, warm");
  rows.push(...(await warmRows(context, loaded)));
  say("history: queries, cold");
  rows.push(...(await coldRows(context, loaded, evict)));
  await hub.kill();
  for (const peer of peers) await peer.kill();
  return rows;
}

export const history: Measure = {
  title: "a day of 10,000 series, a month of 200, a year of 10: disk, memory, queries, start",
  minutes: ({ peers }) => (peers ? 20 : 5.5),
  run,
};
