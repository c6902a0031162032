import type { TaskView } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { type AgentLink, openAgentLink } from "./agent-link.ts";
import { tellAcknowledgements } from "./alerting/acknowledgement-events.ts";
import { Alerting, rememberTasks } from "./alerting/alerting.ts";
import { openDelivery } from "./alerting/delivery.ts";
import { tellIncidents } from "./alerting/incident-acknowledgement.ts";
import { listenersOf, NodeOutlets } from "./alerting/node-receiver.ts";
import { openOutlets } from "./alerting/outlets.ts";
import { askSight } from "./alerting/push-sight.ts";
import { apiPorts } from "./api-ports.ts";
import { AuditWatch } from "./audit-watch.ts";
import { Certificates } from "./certificates.ts";
import { type HubConfig, section } from "./config.ts";
import { DueTimes, JobMemory } from "./core/backup-due.ts";
import { type BackupKnowledge, protectionsOf } from "./core/protection.ts";
import type { LiveTable, RecordSink, SeriesRanker, SeriesReader } from "./core/series.ts";
import { testGuestsOf } from "./core/test-guest.ts";
import { openExchange } from "./exchange.ts";
import { Fleet } from "./fleet.ts";
import { openHttp } from "./http/app.ts";
import { hubMetricRows } from "./http/metrics.ts";
import type { HttpPorts } from "./http/ports.ts";
import { savedJobTimes } from "./job-times.ts";
import { Journal } from "./journal.ts";
import type { Clock, Log } from "./ports.ts";
import { seedReports } from "./proof/report-mail.ts";
import { openRestore, type RunningRestore } from "./proof/restore.ts";
import { PveIngest } from "./pve-ingest.ts";
import type { StateStore } from "./store/state.ts";
import { TaskBook } from "./task-book.ts";
import type { HubCertificate } from "./tls.ts";
import { Troubles } from "./troubles.ts";
import { openProxy } from "./tunnel.ts";
import { WatchLoop, type WatchPorts } from "./watch-loop.ts";

/** The open series store, as hub/store/series.ts gives it. */
export type OpenSeries = {
  reader: SeriesReader & SeriesRanker;
  live: LiveTable;
  sink: RecordSink;
  /** A bounded piece of background work: compaction, rollups, retention. `due`: there is more to do at once. */
  maintain(now: EpochMs, keptBy?: EpochMs): Promise<{ due: boolean }>;
  /** A short step of what opening the store put off. Returns whether there is more. */
  warm(): boolean;
  /** Nothing is put off any more. */
  readonly isWhole: boolean;
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

/** Node's time zones take 11 ms to get ready: a start has no use for them, once reports and policies are there. */
const machineTimezone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** Wires the hub's parts; nothing listens or runs yet. */
export function assembleHub(parts: HubParts) {
  const { config, clock, log, state, series, certificate } = parts;
  const troubles = new Troubles();
  const journal = new Journal({ add: (events) => state.history.addEvents(events), clock, log });
  const fleet = new Fleet({ state, live: series.live, clock, journal });
  const tasks = new TaskBook({ history: state.history, journal, clock, changed: (changed) => tasksChanged(changed) });
  const certificates = new Certificates(config.state, certificate);
  const { proxy: proxyConfig } = config;
  const proxy = proxyConfig && section("proxy", () => openProxy(proxyConfig));
  seedReports(state, machineTimezone);
  const taskMemory = rememberTasks(state.history, clock.now());
  const backups: BackupKnowledge = {
    tasks: taskMemory,
    due: new DueTimes(machineTimezone),
    jobs: new JobMemory(savedJobTimes(state)),
    catalogued: (cluster, guest, node) => restore.catalogue.ofPresent(cluster, guest, node),
    testGuests: (picture, now) => testGuestsOf(picture, restore.book.testGuests(picture.cluster, now)),
  };
  const restore: RunningRestore = openRestore({
    protections: (picture, now) => protectionsOf(picture, backups, now),
    pictures: () => fleet.pictures(),
    automaticWindows: () => alerting.automaticWindows(),
    base: () => delivery.base,
    timezone: machineTimezone,
    state,
    store: series.reader,
    dutiesOf: (agent) => fleet.dutiesOf(agent),
    identityOf: (cluster, vmid) => fleet.owners(cluster)?.get(vmid)?.facts.identity,
    clock,
    journal,
    picture: (cluster) => fleet.pictures().find((picture) => picture.cluster === cluster),
    takes: (agent) => link.takesOperations(agent),
    send: (agent, type, body) => link.sendOperation(agent, type, body),
    problem: (reason) => troubles.count(reason),
  });
  const agentLink: AgentLink = openAgentLink(parts, {
    ...{ fleet, tasks, journal, troubles, certificates },
    restore: restore.session,
    welcomed: (agent) => {
      agentLink.link.sendPins(agent, certificates.pins());
      tellDuties(agent);
      outlets.agents.refresh(agent);
      restore.welcomed(agent);
    },
    told: (agent, body) => nodes.told(agent, body),
  });
  const { link, gate, loginAsks } = agentLink;
  const tellDuties: WatchPorts["sendDuties"] = (agent) =>
    link.sendDuties(agent, fleet.dutiesOf(agent), fleet.speakers(agent.cluster));
  const watch: WatchLoop = new WatchLoop({
    fleet,
    reader: series.reader,
    live: series.live,
    clock,
    journal,
    sendSpeakers: (agent, speakers) => link.sendDuties(agent, fleet.dutiesOf(agent), speakers),
    sendDuties: (agent) => {
      tellDuties(agent);
      outlets.agents.refresh(agent);
      restore.dutiesMoved(agent);
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
  const delivery = openDelivery({
    ...{ config, state, clock, log, journal, proxy, outlet: nodes },
    sightOf: (user) => askSight(fleet.pictures(), (agent) => loginAsks.ask(agent, "login.sight", { user })),
  });
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
    tell: (what, { subject, node, text, ruleName: rule, severity }) => {
      const place = { cluster: subject.cluster, entity: subject.entity, ...(node === null ? {} : { node }) };
      if (what === "firing") journal.emit("alert.firing", { text, rule, severity }, place);
      else journal.emit("alert.resolved", { text, rule }, place);
    },
    version: () => fleet.version,
  });
  const ingest = new PveIngest({ journal, clock, pictures: () => fleet.pictures() });
  const audit = new AuditWatch({ state, clock });
  const { reader, live } = series;
  const pictures = () => fleet.pictures();
  const onEvent = journal.onEvent.bind(journal);
  const outlets = openOutlets({ config, clock, log, reader, live, pictures, link, onEvent });
  tellAcknowledgements(outlets.alerts, journal);
  tellIncidents(outlets.alerts, { state, dispatcher: delivery.dispatcher, clock });
  outlets.alerts.attach(alerting);
  const ports = apiPorts(parts, {
    troubles,
    journal,
    fleet,
    loginAsks,
    link,
    watch,
    backups,
    restore,
    delivery,
    alerting,
    ingest,
    audit,
    mqttProblem: () => outlets.mqtt?.problem,
  });
  const exchange = openExchange({
    config,
    clock,
    log,
    reader,
    live,
    pictures,
    hubRows: () => hubMetricRows(ports),
    proxy,
    proofs: restore,
  });
  const httpPorts: HttpPorts = { ...ports, ...exchange };
  const { app, door } = openHttp(httpPorts);
  return {
    app,
    door,
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

export type Assembly = ReturnType<typeof assembleHub>;
