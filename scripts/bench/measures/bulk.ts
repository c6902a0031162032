import { rmSync } from "node:fs";
import { join } from "node:path";
import { availablePeers, type Context, type Measure, peerNames, peerValue } from "../context.ts";
import { feed, recentEnd, ticksIn } from "../feed.ts";
import { HubProcess, type HubProcessOptions } from "../hub-process.ts";
import { type LoopPauses, pauseRows } from "../loop-pauses.ts";
import type { PeerName } from "../peer-process.ts";
import { readUsage, settle } from "../process-usage.ts";
import { median, type Row, ratioRow, valueRow } from "../row.ts";
import { HubSink, PeerSink, type Sink } from "../sinks.ts";
import { seriesPerGuest, Workload } from "../workload.ts";

const guests = 1000;

type Round = { cpuSecPerM: number; samplesPerSec: number; wireBytes?: number };

/** One fresh system takes `hours` of 10,000 series; its CPU until background work is done, per million samples. */
async function oneRound(
  hours: number,
  pid: () => number,
  sink: Sink & { sentBytes?: number },
  workload: Workload,
): Promise<Round> {
  const ticks = ticksIn(hours);
  const samples = ticks * guests * seriesPerGuest;
  const before = readUsage(pid()).cpuSec;
  const startedMs = performance.now();
  await feed({ workload, sinks: [sink], end: recentEnd(), ticks, guests });
  const wallSec = (performance.now() - startedMs) / 1000;
  await settle(pid(), 120_000);
  const cpuSec = readUsage(pid()).cpuSec - before;
  sink.close();
  const round = { cpuSecPerM: (cpuSec / samples) * 1e6, samplesPerSec: samples / wallSec };
  return sink.sentBytes === undefined ? round : { ...round, wireBytes: sink.sentBytes / samples };
}

/** `atWork`: what to do with the hub while it runs. */
async function withHub<T>(
  context: Context,
  dir: string,
  options: HubProcessOptions,
  atWork: (hub: HubProcess) => Promise<T>,
): Promise<T> {
  const hub = new HubProcess(dir, options);
  context.onEnd(() => hub.kill());
  await hub.start();
  const result = await atWork(hub);
  await hub.kill();
  return result;
}

async function hubRound({ options }: Context, hub: HubProcess): Promise<Round> {
  const workload = new Workload(guests);
  const sink = await HubSink.connect(hub.door(), workload);
  return oneRound(options.bulkHours, () => hub.pid, sink, workload);
}

/** The same again with the event loop watched, from before the agents come: looking at it 200 times a second is not the hub's own CPU. */
async function watchedRound(context: Context, hub: HubProcess): Promise<LoopPauses | undefined> {
  hub.watchLoop();
  await hubRound(context, hub);
  return hub.loopPauses();
}

/** Every round has fresh folders, and the systems take turns, so that what else the machine does hits them alike. */
async function run(context: Context): Promise<Row[]> {
  const { options, scratch, say } = context;
  const ours: Round[] = [];
  const pauses: (LoopPauses | undefined)[] = [];
  const theirs = new Map<PeerName, number[]>(peerNames.map((name) => [name, []]));
  for (let index = 0; index < options.rounds; index++) {
    const dir = join(scratch, `bulk-${index}`);
    const round = await withHub(context, join(dir, "hub"), {}, (hub) => hubRound(context, hub));
    ours.push(round);
    say(`bulk ${index + 1}: hub ${round.cpuSecPerM.toFixed(3)} CPU s/M, ${Math.round(round.samplesPerSec / 1000)} k samples/s`);
    pauses.push(await withHub(context, join(dir, "watched"), { watchable: true }, (hub) => watchedRound(context, hub)));
    for (const peer of availablePeers(context, dir)) {
      await peer.start();
      const workload = new Workload(guests);
      const { cpuSecPerM } = await oneRound(options.bulkHours, () => peer.pid, new PeerSink([peer], workload), workload);
      await peer.kill();
      theirs.get(peer.name)?.push(cpuSecPerM);
      say(`bulk ${index + 1}: ${peer.name} ${cpuSecPerM.toFixed(3)} CPU s/M`);
    }
    if (!options.keep) rmSync(dir, { recursive: true, force: true });
  }
  return [...rowsOf(context, ours, theirs), ...pauseRows("bulk ingest:", worst(pauses))];
}

function rowsOf(context: Context, ours: readonly Round[], theirs: ReadonlyMap<PeerName, readonly number[]>): Row[] {
  const name = "bulk ingest, CPU to durable commit with compaction and rollups";
  const unit = "CPU s / M samples";
  const cpu = median(ours.map((round) => round.cpuSecPerM));
  const peer = (one: PeerName) => {
    const values = theirs.get(one) ?? [];
    return peerValue(context, one, values.length === 0 ? undefined : median(values));
  };
  return [
    ratioRow(name, unit, cpu, peer("prometheus"), 0.1),
    ratioRow(name, unit, cpu, peer("victoria-metrics"), 0.3),
    ...peerNames.flatMap((one) => peerOwnRow(one, unit, peer(one))),
    valueRow("bulk ingest, pace of one sender", "samples/s", median(ours.map((round) => round.samplesPerSec))),
    valueRow("wire", "B / sample", median(ours.map((round) => round.wireBytes ?? Number.NaN)), 2),
  ];
}

/** Of the round with the longest pause. */
const worst = (seen: readonly (LoopPauses | undefined)[]) =>
  seen.reduce((a, b) => (a !== undefined && (b === undefined || a.maxOwnMs > b.maxOwnMs) ? a : b), undefined);

function peerOwnRow(name: PeerName, unit: string, value: ReturnType<typeof peerValue>): Row[] {
  return "value" in value ? [valueRow(`${name}: bulk ingest, CPU`, unit, value.value)] : [];
}

export const bulk: Measure = {
  title: "bulk ingest: CPU per million samples, 10,000 series from ten nodes",
  minutes: ({ peers, rounds, bulkHours }) => rounds * bulkHours * (peers ? 0.6 : 0.17) + rounds * (peers ? 1.6 : 1),
  run,
};
