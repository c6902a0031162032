import type { ClusterId, NodeName } from "#protocol/ids.ts";
import type { Message } from "#protocol/messages.ts";
import { backoffMs } from "./core/backoff.ts";
import { errorTrace } from "./core/error.ts";
import { SampleTable } from "./core/table.ts";
import { Facts } from "./facts.ts";
import { findHub, type HubFiles, readJoined, writeJoined, writePins } from "./hub-place.ts";
import { connectHub } from "./hub-socket.ts";
import type { AgentIdentity } from "./identity.ts";
import { Link } from "./link.ts";
import type { ServiceManager } from "./notify.ts";
import type { TellProblem } from "./operations-door.ts";
import type { Outlet } from "./outlet.ts";
import type { Clock, Collector, Log } from "./ports.ts";
import { Sampler } from "./sampler.ts";
import type { SessionOperations } from "./session.ts";
import { answerSight, type SightPorts } from "./sight.ts";
import type { SpoolStore } from "./spool-store.ts";
import { TickClock } from "./tick-clock.ts";

/** How long a stop waits for the hub to acknowledge, ms. */
const drainMs = 5_000;
const drainLookMs = 50;
/** The gateway begins so long after the start, ms: the first samples are on their way by then. */
const gatewayAfterMs = 500;
/** How long a stop waits for hooks and mail that are under way, ms; what is cut off is told again after the start. */
const outletMs = 5_000;

export type AgentPorts = {
  clock: Clock;
  log: Log;
  random(): number;
  collector: Collector;
  identity: AgentIdentity;
  store: SpoolStore;
  service: ServiceManager;
  hubFiles: HubFiles;
  outlet: Outlet;
  /** Browsers of this node, and sign-ins for the hub; undefined: switched off. */
  gateway: AgentGateway | undefined;
  /** This node's Proxmox VE, asked as root; absent: nothing is asked. */
  api?: SightPorts["api"];
  /** What the hub may ask of this node. */
  operations?: AgentOperations;
  /** Without a hub that knew us for so long, the outlet tells, ms. */
  hubUnreachableMs: number;
};

export type AgentOperations = SessionOperations & {
  run(signal: AbortSignal): Promise<void>;
  /** Where it says what is wrong on this node. */
  onProblem: TellProblem;
};

export type AgentGateway = {
  /** Who this node is, as soon as it is known. */
  self: { node: NodeName; clusterId: ClusterId } | undefined;
  /** What is done now and then keeps to `clock`. */
  run(signal: AbortSignal, clock: Clock): Promise<void>;
  answer(message: Message): Promise<Message | undefined>;
};

/**
 * Samples and sends until `signal` aborts. Then it drains: no new tick, up to 5 s for acknowledgements, the rest to the disk. Works without a
 * hub: it looks for one while it spools.
 */
export async function runAgent(ports: AgentPorts, signal: AbortSignal): Promise<void> {
  const { api, clock, log, collector, store, service, hubFiles, outlet, gateway, operations } = ports;
  const facts = new Facts();
  if (operations !== undefined)
    operations.onProblem = (problem, strangers) => {
      facts.setProblem("restore-tests", problem);
      facts.setStrangers(strangers);
    };
  const linkStop = new AbortController();
  const tickClock = new TickClock(clock);
  const link = new Link({
    ...ports,
    sessionClock: tickClock,
    facts,
    identify: async () => {
      const self = await collector.identify();
      if (self !== undefined) outlet.node = self.node;
      if (gateway !== undefined) gateway.self = self ?? gateway.self;
      return self;
    },
    setDuties: (...duties) => collector.setDuties(...duties),
    backups: collector.backups,
    hearAlerts: (body) => outlet.hear(body),
    tellOutlet: (body) => outlet.tell(body),
    answerHub: async (message) => (api && (await answerSight(message, { api, clock }))) ?? gateway?.answer(message),
    findHub: () => findHub(hubFiles),
    connect: (place, stop) => connectHub(place.url, place.accepts ?? [place.fingerprint], stop),
    readJoined: () => readJoined(hubFiles.stateDir),
    writeJoined: (fingerprint) => writeJoined(hubFiles.stateDir, fingerprint),
    writePins: (place, shown, accepts) => writePins(hubFiles.stateDir, place, shown, accepts),
  });
  const sampler = new Sampler({
    ...ports,
    table: new SampleTable(),
    facts,
    awayMs: () => link.awayMs(),
    onTick: () => {
      void service.alive();
      tickClock.tick();
      watchHub(ports, link);
    },
  });
  const linking = runForEver("link", () => link.run(linkStop.signal), ports, linkStop.signal);
  const serving =
    gateway &&
    clock
      .sleep(gatewayAfterMs, linkStop.signal)
      .then(() => runForEver("gateway", () => gateway.run(linkStop.signal, tickClock), ports, linkStop.signal));
  const operating = operations && runForEver("operations", () => operations.run(linkStop.signal), ports, linkStop.signal);
  await service.ready();
  log(6, "agent started", { stream: store.stream, waiting: store.waiting });
  await sampler.run(signal);
  await service.stopping();
  await drain(store, link, clock);
  linkStop.abort();
  await Promise.all([linking, serving, operating]);
  await outlet.settled(outletMs);
  await store.close();
  collector.close();
  log(6, "agent stopped", { waiting: store.waiting, skipped: sampler.skipped });
}

/** Waits until the hub has everything, as long as there is one and the time is not up. */
async function drain(store: SpoolStore, link: Link, clock: Clock): Promise<void> {
  const untilMs = clock.monotonicMs() + drainMs;
  while (store.waiting > 0 && link.awayMs() === 0 && clock.monotonicMs() < untilMs) await clock.sleep(drainLookMs);
}

/** An agent that once knew a hub and is without it for too long says so by its outlet, and when it is back. */
function watchHub({ outlet, hubFiles, hubUnreachableMs }: AgentPorts, link: Link): void {
  const awayMs = link.awayMs();
  if (awayMs === 0) outlet.hubIsBack();
  else if (awayMs >= hubUnreachableMs && readJoined(hubFiles.stateDir) !== undefined) outlet.hubIsAway(awayMs);
}

/** A bug in what runs beside the sampling must not end it: it is logged, and that part begins anew. */
async function runForEver(
  name: string,
  run: () => Promise<void>,
  { clock, log, random }: Pick<AgentPorts, "clock" | "log" | "random">,
  signal: AbortSignal,
): Promise<void> {
  for (let attempt = 3; !signal.aborted; attempt++) {
    try {
      await run();
    } catch (error) {
      log(3, `${name} failed, starting it anew`, { problem: errorTrace(error) });
      await clock.sleep(backoffMs(attempt, random()), signal);
    }
  }
}
