import { join } from "node:path";
import type { EpochMs } from "#protocol/ids.ts";
import { availablePeers, type Context, type Measure, peerNames, peerValue } from "../context.ts";
import { feed, recentEnd, ticksIn } from "../feed.ts";
import { HubProcess } from "../hub-process.ts";
import { type LoopPauses, pauseRows } from "../loop-pauses.ts";
import { readMemory, readUsage, type Usage } from "../process-usage.ts";
import { bestOf, type PeerValue, type Row, ratioRow, valueRow } from "../row.ts";
import { HubSink, PeerSink, type Sink } from "../sinks.ts";
import { Volume } from "../volume.ts";
import { seriesPerGuest, tickMs, Workload } from "../workload.ts";

const guests = 1000;
/** History everybody has before the window, so that chunks are full and compactions fall into it as they do all day. */
const historyHours = 2;
const warmUpMs = 60_000;
/** Behind the measured window, as watching costs wake-ups: long enough for two rounds of background work. */
const probedMs = 65_000;

const volumeMb = 2000;

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** What one system did in the window, per hour. */
type Pace = { cpuSecPerHour: number; cpuSecPerM: number; writtenMbPerHour: number; wakeupsPerMin: number; anonMb: number };

function paceOf(before: Usage, after: Usage, windowMs: number, anonMb: number): Pace {
  const perHour = 3_600_000 / windowMs;
  const samples = (windowMs / tickMs) * guests * seriesPerGuest;
  const cpuSec = after.cpuSec - before.cpuSec;
  return {
    cpuSecPerHour: cpuSec * perHour,
    cpuSecPerM: (cpuSec / samples) * 1e6,
    writtenMbPerHour: ((after.writtenBytes - before.writtenBytes) / 1e6) * perHour,
    wakeupsPerMin: ((after.wakeups - before.wakeups) * perHour) / 60,
    anonMb,
  };
}

/** One tick every ten seconds of wall time, until `untilMs`. */
async function keepPace(workload: Workload, sinks: readonly Sink[], untilMs: number, isOver: () => boolean): Promise<void> {
  while (!isOver() && Date.now() < untilMs) {
    await sleep(tickMs - (Date.now() % tickMs));
    workload.tick();
    const at = recentEnd() as EpochMs;
    await Promise.all(sinks.map((sink) => sink.write(at, guests)));
  }
}

async function run(context: Context): Promise<Row[]> {
  const { options, scratch, say, onEnd } = context;
  const dir = join(scratch, "pace");
  const hub = new HubProcess(join(dir, "hub"), { watchable: true });
  const peers = availablePeers(context, dir);
  const volumes = new Map([hub, ...peers].map((system) => [system.dir, Volume.create(system.dir, volumeMb)]));
  onEnd(async () => {
    await Promise.all([hub, ...peers].map((system) => system.kill()));
    for (const volume of volumes.values()) volume?.remove();
  });
  await hub.start();
  for (const peer of peers) await peer.start();
  const workload = new Workload(guests);
  const hubSink = await HubSink.connect(hub.door(), workload);
  const sinks: Sink[] = peers.length > 0 ? [hubSink, new PeerSink(peers, workload)] : [hubSink];
  say(`pace: ${historyHours} h of history first`);
  await feed({ workload, sinks, end: recentEnd(), ticks: ticksIn(historyHours), guests });
  // Ten nodes over nine tenths of the tick.
  for (const sink of sinks) sink.spreadMs = options.spread ? tickMs * 0.09 : 0;

  const systems = [{ name: "hub", pid: hub.pid, dir: hub.dir }, ...peers.map(({ name, pid, dir }) => ({ name, pid, dir }))];
  const usageOf = ({ pid, dir: at }: { pid: number; dir: string }): Usage => {
    const usage = readUsage(pid);
    return { ...usage, writtenBytes: volumes.get(at)?.writtenBytes() ?? usage.writtenBytes };
  };
  const windowMs = options.minutes * 60_000;
  const over = new AbortController();
  const pacing = keepPace(workload, sinks, Date.now() + warmUpMs + windowMs + probedMs + tickMs, () => over.signal.aborted);
  await Promise.race([sleep(warmUpMs), pacing]);
  const before = systems.map(usageOf);
  const startedMs = performance.now();
  await Promise.race([sleep(windowMs), pacing]);
  const lastedMs = performance.now() - startedMs;
  const paces = new Map(
    systems.map((system, index) => [
      system.name,
      paceOf(before[index] as Usage, usageOf(system), lastedMs, readMemory(system.pid).anonMb),
    ]),
  );
  hub.watchLoop();
  await Promise.race([sleep(probedMs), pacing]);
  const pauses = await hub.loopPauses();
  over.abort();
  await pacing;
  for (const sink of sinks) sink.close();
  await hub.kill();
  for (const peer of peers) await peer.kill();
  const isExact = [...volumes.values()].every((volume) => volume !== undefined);
  return rowsOf(context, paces, isExact ? "at the device" : "by /proc/<pid>/io, which overstates", pauses);
}

function rowsOf(context: Context, paces: ReadonlyMap<string, Pace>, how: string, pauses: LoopPauses | undefined): Row[] {
  const ours = paces.get("hub");
  if (ours === undefined) throw new Error("the hub was not measured");
  const theirs = (pick: (pace: Pace) => number): PeerValue[] =>
    peerNames.map((name) => {
      const pace = paces.get(name);
      return peerValue(context, name, pace === undefined ? undefined : pick(pace));
    });
  const only = (name: string, values: readonly PeerValue[]) => values.find(({ peer }) => peer === name) as PeerValue;
  const cpu = theirs((pace) => pace.cpuSecPerHour);
  const written = theirs((pace) => pace.writtenMbPerHour);
  const where = "real pace, 10 nodes × 1,000 series / 10 s:";
  return [
    ratioRow(`${where} CPU`, "CPU s / h", ours.cpuSecPerHour, only("prometheus", cpu), 0.15),
    ratioRow(`${where} CPU`, "CPU s / h", ours.cpuSecPerHour, bestOf(cpu), 0.25),
    ratioRow(`${where} disk writes ${how}`, "MB / h", ours.writtenMbPerHour, only("prometheus", written), 1),
    valueRow(`${where} wake-ups`, "/ min", ours.wakeupsPerMin, 200),
    valueRow(`${where} anonymous memory`, "MB", ours.anonMb),
    ...pauseRows(where, pauses),
    ...[...paces].filter(([name]) => name !== "hub").flatMap(([name, pace]) => peerRows(name, pace)),
  ];
}

function peerRows(name: string, pace: Pace): Row[] {
  return [
    valueRow(`${name}: real pace, CPU`, "CPU s / h", pace.cpuSecPerHour),
    valueRow(`${name}: real pace, disk writes`, "MB / h", pace.writtenMbPerHour),
    valueRow(`${name}: real pace, wake-ups`, "/ min", pace.wakeupsPerMin),
    valueRow(`${name}: real pace, anonymous memory`, "MB", pace.anonMb),
  ];
}

export const pace: Measure = {
  title: "real pace: ten nodes, 1,000 series each, every ten seconds",
  minutes: ({ minutes, peers }) => minutes + 2.4 + (peers ? 1 : 0.2),
  run,
};
