import type { Server } from "node:https";
import type { AddressInfo } from "node:net";
import { setImmediate } from "node:timers/promises";
import { getRequestListener } from "@hono/node-server";
import type { TaskView } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { softwareVersion } from "#protocol/version.ts";
import { tellAcknowledgements } from "./acknowledgement-events.ts";
import { Agenda } from "./agenda.ts";
import { Alerting, rememberTasks } from "./alerting.ts";
import { AuditWatch, auditCheckMs } from "./audit-watch.ts";
import { Certificates } from "./certificates.ts";
import type { HubConfig } from "./config.ts";
import { DueTimes, JobMemory } from "./core/backup-due.ts";
import type { ClusterPicture } from "./core/cluster.ts";
import { type BackupKnowledge, protectionsOf } from "./core/protection.ts";
import type { LiveTable, RecordSink, SeriesRanker, SeriesReader } from "./core/series.ts";
import { openDelivery } from "./delivery.ts";
import { openExchange } from "./exchange.ts";
import { Fleet } from "./fleet.ts";
import { createApp } from "./http/app.ts";
import { hubMetricRows } from "./http/metrics.ts";
import type { HttpPorts } from "./http/ports.ts";
import { createHubServer } from "./https-server.ts";
import { tellIncidents } from "./incident-acknowledgement.ts";
import { Journal } from "./journal.ts";
import { sessionsEndedAt } from "./keys.ts";
import { Gate } from "./link/gate.ts";
import { LoginAsks } from "./link/login-asks.ts";
import { LinkServer } from "./link/server.ts";
import { describeError } from "./log.ts";
import { listenersOf, NodeOutlets } from "./node-receiver.ts";
import { openOutlets } from "./outlets.ts";
import type { Clock, Log } from "./ports.ts";
import { PveIngest } from "./pve-ingest.ts";
import { mailReports, seedReports } from "./report-mail.ts";
import { openRestore, type RunningRestore } from "./restore.ts";
import { sessionEvents } from "./session-events.ts";
import { readJoinKey } from "./setup.ts";
import type { StateStore } from "./store/state.ts";
import { TaskBook } from "./task-book.ts";
import type { HubCertificate } from "./tls.ts";
import { Troubles } from "./troubles.ts";
import { WatchLoop } from "./watch-loop.ts";

/** The open series store, as hub/store/series.ts gives it. */
export type OpenSeries = {
  reader: SeriesReader & SeriesRanker;
  live: LiveTable;
  sink: RecordSink;
  /** A bounded piece of background work: compaction, rollups, retention. `due`: there is more to do at once. */
  maintain(now: EpochMs): Promise<{ due: boolean }>;
  /** A short step of what opening the store put off. Returns whether there is more. */
  warm(): boolean;
  /** What of the history can't be read; undefined: nothing was found. */
  problem(): string | undefined;
  close(): Promise<void>;
};

export type HubParts = {
  config: HubConfig;
  clock: Clock;
  log: Log;
  state: StateStore;
  series: OpenSeries;
  certificate: HubCertificate;
};
export type RunningHub = {
  url: string;
  port: number;
  /** Acknowledges what is durable, closes every connection and the stores; at most about 5 s. */
  stop(): Promise<void>;
};

/** After the start: what is asked at once is answered before. */
const warmMs = 200;
/** After the start: agents come back within this time. */
const firstTickMs = 1000;
const maintainMs = 30_000;
const certificateEveryMs = 5_000;
/** After the start, which has enough to do. */
const auditFirstMs = 5 * 60_000;
const documentsFirstMs = 60_000;
/** What is kept for weeks and months needs no more than this; ended sessions are refused wherever they are used. */
const pruneMs = 10 * 60_000;
const drainMs = 5000;
/** How long tasks and events are kept: as long as rollups. */
const historyMs = 400 * 86_400_000;

export type Assembly = ReturnType<typeof assembleHub>;

/** Wires the hub's parts; nothing listens or runs yet. */
export function assembleHub({ config, clock, log, state, series, certificate }: HubParts) {
  const troubles = new Troubles();
  const journal = new Journal({ add: (events) => state.history.addEvents(events), clock, log });
  const fleet = new Fleet({ state, live: series.live, clock, journal });
  const tasks = new TaskBook({ history: state.history, journal, clock, changed: (changed) => tasksChanged(changed) });
  const now = () => clock.now();
  const certificates = new Certificates(config.state, certificate);
  const gate = new Gate({
    state,
    fingerprints: () => certificates.fingerprints(),
    joinKey: () => readJoinKey(config.state),
    now,
    monotonicMs: () => clock.monotonicMs(),
  });
  const loginAsks: LoginAsks = new LoginAsks({ clock, send: (agent, type, body) => link.sendLogin(agent, type, body) });
  seedReports(state, Intl.DateTimeFormat().resolvedOptions().timeZone);
  const taskMemory = rememberTasks(state.history, clock.now());
  const backups: BackupKnowledge = {
    tasks: taskMemory,
    due: new DueTimes(Intl.DateTimeFormat().resolvedOptions().timeZone),
    jobs: new JobMemory(),
    catalogued: (cluster, guest, node) => restore.catalogue.ofPresent(cluster, guest, node),
    testGuests: (cluster, now) => restore.book.testGuests(cluster, now),
  };
  const restore: RunningRestore = openRestore({
    protections: (picture, now) => protectionsOf(picture, backups, now),
    pictures: () => fleet.pictures(),
    automaticWindows: () => alerting.automaticWindows(),
    base: () => delivery.base,
    timezone: Intl.DateTimeFormat().resolvedOptions().timeZone,
    state,
    store: series.reader,
    clock,
    journal,
    picture: (cluster) => fleet.pictures().find((picture) => picture.cluster === cluster),
    takes: (agent) => link.takesOperations(agent),
    send: (agent, type, body) => link.sendOperation(agent, type, body),
    problem: (reason) => troubles.count(reason),
  });
  const events = sessionEvents({
    fleet,
    logins: loginAsks,
    restore: restore.session,
    tasks,
    journal,
    troubles,
    log,
    link: () => link,
    welcomed: (agent) => {
      link.sendPins(agent, certificates.pins());
      outlets.agents.refresh(agent);
      restore.welcomed(agent);
    },
    told: (agent, body) => nodes.told(agent, body),
  });
  const link: LinkServer = new LinkServer({
    clock,
    sink: series.sink,
    admit: (hello, nonce, address) => gate.admit(hello, nonce, address),
    takeNextKey: (agent, nonce, offer) => gate.takeNextKey(agent, nonce, offer),
    events,
  });
  const watch: WatchLoop = new WatchLoop({
    fleet,
    reader: series.reader,
    live: series.live,
    clock,
    journal,
    sendDuties: (agent) => {
      link.sendDuties(agent, fleet.dutiesOf(agent));
      outlets.agents.refresh(agent);
    },
    dismiss: (agent) => link.revoke(agent),
    proofOf: (picture, owned) => restore.badge(picture, owned, clock.now()),
  });
  restore.onProof((cluster, vmid) => watch.guestChanged(cluster, vmid));
  const tasksChanged = (changed: readonly TaskView[]) => {
    watch.tasksChanged(changed);
    for (const task of changed) taskMemory.add(task);
  };
  const nodes = new NodeOutlets({
    clock,
    connected: () => listenersOf(fleet.pictures()),
    tell: (agent, body) => link.sendTell(agent, body),
  });
  const delivery = openDelivery({ config, state, clock, log, journal, outlet: nodes });
  const alerting: Alerting = new Alerting({
    state,
    reader: restore.series,
    live: series.live,
    clock,
    pictures: () => fleet.pictures(),
    backups,
    proofs: restore.facts,
    refusing: () => troubles.problems().length > 0,
    dispatcher: delivery.dispatcher,
    tell: (what, { subject, node, text, ruleName }) => {
      const place = { cluster: subject.cluster, entity: subject.entity, ...(node === null ? {} : { node }) };
      journal.emit(what === "firing" ? "alert.firing" : "alert.resolved", { text, rule: ruleName }, place);
    },
    version: () => fleet.version,
  });
  const ingest = new PveIngest({ journal, clock, pictures: () => fleet.pictures() });
  const audit = new AuditWatch({ state, clock });
  const ports = {
    audit,
    clock,
    ingest,
    log,
    state,
    delivery,
    journal,
    alerting,
    restore,
    reader: restore.series,
    live: series.live,
    pictures: () => fleet.pictures(),
    logins: {
      agents: () => connectedAgents(fleet.pictures()),
      endedAt: () => sessionsEndedAt(state),
      ask: (agent, type, body) => loginAsks.ask(agent, type, body),
      end: (agent, session) => void link.sendLogin(agent, "login.end", { session }),
    },
    agents: () => fleet.counts(),
    renewKey: (agent) => link.renewKey(agent),
    counters: () => series.sink.counters,
    refused: () => troubles.refused(),
    problems: () => [
      ...troubles.problems(),
      ...[series.problem()].filter((problem) => problem !== undefined),
      ...fleet.problems(),
      ...delivery.problems(),
      ...audit.problems(),
      ...(outlets.mqtt?.problem === undefined ? [] : [outlets.mqtt.problem]),
    ],
    onBatch: (listener) => watch.onBatch(listener),
    startedAt: clock.now(),
    panelDir: config.panel,
    backups,
  } satisfies HttpPorts;
  const { live, pictures } = ports;
  const { reader } = series;
  const onEvent = ports.journal.onEvent.bind(ports.journal);
  const outlets = openOutlets({ config, clock, log, reader, live, pictures, link, onEvent });
  tellAcknowledgements(outlets.alerts, journal);
  tellIncidents(outlets.alerts, { state, dispatcher: delivery.dispatcher, clock });
  outlets.alerts.attach(alerting);
  const exchange = openExchange({
    config,
    clock,
    log,
    reader,
    live,
    pictures,
    hubRows: () => hubMetricRows(ports),
    proofs: restore,
  });
  const httpPorts: HttpPorts = { ...ports, ...exchange };
  const app = createApp(httpPorts);
  return {
    app,
    httpPorts,
    link,
    watch,
    fleet,
    tasks,
    journal,
    gate,
    certificates,
    exchange,
    ingest,
    outlets,
    delivery,
    alerting,
    restore,
    audit,
  };
}

function connectedAgents(pictures: readonly ClusterPicture[]) {
  return pictures.flatMap(({ cluster, name, agents }) =>
    [...agents.values()]
      .filter(({ state }) => state === "connected")
      .map(({ node }) => ({ agent: { cluster, node }, clusterName: name })),
  );
}

/** Serves, and runs what runs in the background. @throws what listening threw (`EADDRINUSE` …). */
export async function startHub(parts: HubParts): Promise<RunningHub> {
  const { clock, log, state, series, config, certificate } = parts;
  const assembly = assembleHub(parts);
  const { app, link, watch, journal, exchange, ingest, outlets, delivery, alerting, restore, audit, certificates } = assembly;
  const server = createHubServer(certificate, getRequestListener(app.fetch));
  link.attach(server);
  await listen(server, config);
  journal.emit("hub.started", { version: softwareVersion });
  delivery.start();
  state.started();

  const agenda = new Agenda({ clock, log });
  const watching = agenda.add("watching what changes", firstTickMs, () => watch.tick());
  watch.onWork(watching.soon);
  const judging = agenda.add("judging alerts", firstTickMs, () => alerting.tick());
  alerting.onWork(judging.soon);
  const operating = agenda.add("operations on agents", firstTickMs, () => restore.operations.tick());
  restore.operations.onWork(operating.soon);
  const testing = agenda.add("ordering restore tests", maintainMs, () => restore.verify.tick());
  restore.verify.onWork(testing.soon);
  const reports = { state, clock, runs: () => restore.book.newest(), dispatcher: delivery.dispatcher };
  const reporting = agenda.add("mailing reports", maintainMs, () => mailReports(reports));
  const stopFrames = soonAfterFrames(series.live, log, () => {
    alerting.pass();
    judging.soon(alerting.loop.dueInMs());
  });
  const maintaining = agenda.add("background work", maintainMs, async () => {
    while ((await series.maintain(clock.now())).due) await setImmediate();
    return maintainMs;
  });
  const warming = agenda.add("reading the newest samples again", warmMs, () => (series.warm() ? 0 : Number.POSITIVE_INFINITY));
  const auditing = agenda.add("following the audit log", auditFirstMs, async () => {
    const { problem } = await audit.check();
    if (problem !== null) log(3, `the audit log can't be trusted: ${problem}`);
    return auditCheckMs;
  });
  let isStopping = false;
  const checking = agenda.add("checking what is stored", documentsFirstMs, async () => {
    const problem = await state.checkInSlices(() => setImmediate(!isStopping));
    if (problem !== undefined) log(4, `of what is stored, ${problem}`);
    return Number.POSITIVE_INFINITY;
  });
  certificates.onPins = (fingerprints) => link.sendPinsToAll(fingerprints);
  certificates.onSwitch = ({ cert, key, fingerprint }) => {
    server.setSecureContext({ cert, key, minVersion: "TLSv1.2" });
    log(5, `new connections are shown the new certificate ${fingerprint}`);
  };
  const certifying = agenda.add("looking for a new certificate", firstTickMs, () => lookForCertificate(certificates, clock, log));
  const pruning = agenda.add("dropping what is old", maintainMs, () => {
    state.history.prune((clock.now() - historyMs) as EpochMs);
    state.removeEndedSessions(clock.now());
    delivery.prune(clock.now());
    alerting.loop.prune(clock.now());
    restore.prune(clock.now());
    return pruneMs;
  });
  const stop = async () => {
    await watching.stop();
    stopFrames();
    await judging.stop();
    await testing.stop();
    await reporting.stop();
    await operating.stop();
    alerting.stop();
    await link.drain(drainMs);
    await closeServer(server);
    await warming.stop();
    await maintaining.stop();
    await certifying.stop();
    await pruning.stop();
    await audit.stop();
    await auditing.stop();
    isStopping = true;
    await checking.stop();
    watch.close();
    journal.emit("hub.stopped", {});
    ingest.stop();
    await outlets.stop();
    await delivery.stop();
    await exchange.stop();
    await series.close();
    await state.close();
  };
  const { port } = server.address() as AddressInfo; // it listens on TCP
  return { url: `https://${hostInUrl(config.listen)}:${port}`, port, stop };
}

/** What is wrong with the files is logged, at leisure: the hub goes on with what it shows. */
async function lookForCertificate(certificates: Certificates, clock: Clock, log: Log): Promise<number> {
  try {
    await certificates.look(clock.now());
    return certificateEveryMs;
  } catch (error) {
    log(3, `the new certificate can't be taken up: ${error instanceof Error ? error.message : String(error)}`);
    return maintainMs;
  }
}

/** Frames come in bunches: once for all of those that came in one turn of the event loop. */
function soonAfterFrames(live: LiveTable, log: Log, work: () => void): () => void {
  let due = false;
  return live.onFrame(() => {
    if (due) return;
    due = true;
    void setImmediate().then(() => {
      due = false;
      try {
        work();
      } catch (error) {
        log(3, `alerts were not judged: ${describeError(error)}`);
      }
    });
  });
}

/** An address to try from this machine. */
function hostInUrl(listen: string): string {
  if (listen === "0.0.0.0") return "127.0.0.1";
  if (listen === "::") return "[::1]";
  return listen.includes(":") ? `[${listen}]` : listen;
}

function listen(server: Server, { port, listen: host }: HubConfig): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port, host }, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
