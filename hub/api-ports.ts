import { hostname } from "node:os";
import type { Alerting } from "./alerting/alerting.ts";
import type { RunningDelivery } from "./alerting/delivery.ts";
import type { HubParts } from "./assembly.ts";
import type { AuditWatch } from "./audit-watch.ts";
import type { ClusterPicture } from "./core/cluster.ts";
import type { BackupKnowledge } from "./core/protection.ts";
import type { Fleet } from "./fleet.ts";
import type { HttpPorts } from "./http/ports.ts";
import type { Journal } from "./journal.ts";
import { sessionsEndedAt } from "./keys.ts";
import type { LoginAsks } from "./link/login-asks.ts";
import type { LinkServer } from "./link/server.ts";
import type { RunningRestore } from "./proof/restore.ts";
import type { PveIngest } from "./pve-ingest.ts";
import type { Troubles } from "./troubles.ts";
import type { WatchLoop } from "./watch-loop.ts";

/** Parts of the hub that the API asks. */
export type AskedParts = {
  troubles: Troubles;
  journal: Journal;
  fleet: Fleet;
  loginAsks: LoginAsks;
  link: LinkServer;
  watch: WatchLoop;
  backups: BackupKnowledge;
  restore: RunningRestore;
  delivery: RunningDelivery;
  alerting: Alerting;
  ingest: PveIngest;
  audit: AuditWatch;
  mqttProblem(): string | undefined;
};

/** What the API may ask of the hub, but for what the configuration alone says (exchange.ts). */
export function apiPorts({ config, clock, log, state, series }: HubParts, parts: AskedParts) {
  const { audit, ingest, delivery, journal, alerting, restore, backups, troubles, fleet, link, watch, loginAsks } = parts;
  return {
    audit,
    clock,
    ingest,
    log,
    state,
    delivery,
    journal,
    alerting,
    restore,
    backups,
    reader: restore.series,
    live: series.live,
    pictures: () => fleet.pictures(),
    clusterIds: () => fleet.clusterIds(),
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
      ...[parts.mqttProblem()].filter((problem) => problem !== undefined),
    ],
    onBatch: (listener) => watch.onBatch(listener),
    startedAt: clock.now(),
    panelDir: config.panel,
    hostName: hostname(),
  } satisfies HttpPorts;
}

function connectedAgents(pictures: readonly ClusterPicture[]) {
  return pictures.flatMap(({ cluster, name, agents }) =>
    [...agents.values()]
      .filter(({ state }) => state === "connected")
      .map(({ node }) => ({ agent: { cluster, node }, clusterName: name })),
  );
}
