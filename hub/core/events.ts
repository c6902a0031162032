import type { EventView } from "#protocol/api.ts";

type Severity = EventView["severity"];
type Row = { severity: Severity; text: (facts: never) => string };

const minutes = (ms: number) => (ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`);

/** Every event there is. `text`: the sentence an operator reads, from the facts the event must bring. Names are stable: webhooks and filters use them. */
export const eventTypes = {
  "hub.started": { severity: "info", text: (f: { version: string }) => `Proven hub ${f.version} started` },
  "hub.stopped": { severity: "info", text: (_: object) => "Proven hub stopped" },
  "ingest.refused": {
    severity: "critical",
    text: (f: { problem: string }) => `The hub can't store samples, agents keep them: ${f.problem}`,
  },
  "ingest.resumed": { severity: "info", text: (_: object) => "The hub stores samples again" },

  "agent.joined": { severity: "info", text: (f: { node: string; by: string }) => `The agent of ${f.node} joined by ${f.by}` },
  "agent.connected": {
    severity: "info",
    text: (f: { node: string; software: string }) => `The agent of ${f.node} is connected (${f.software})`,
  },
  "agent.away": { severity: "warning", text: (f: { node: string; why: string }) => `The agent of ${f.node} is away: ${f.why}` },
  "agent.silent": {
    severity: "warning",
    text: (f: { node: string; forMs: number }) =>
      `No samples from ${f.node} for ${minutes(f.forMs)}: what only it knows is unknown`,
  },
  "agent.sampling": { severity: "info", text: (f: { node: string }) => `Samples from ${f.node} arrive again` },
  "agent.revoked": { severity: "warning", text: (f: { node: string }) => `The agent of ${f.node} was revoked` },
  "agent.key-changed": {
    severity: "critical",
    text: (f: { node: string }) =>
      `An agent called itself ${f.node} with another key: refused. Revoke the old key if the node was reinstalled`,
  },
  "agent.refused": {
    severity: "warning",
    text: (f: { node: string; problem: string }) => `An agent that says it is ${f.node} was refused: ${f.problem}`,
  },
  "agent.clock-skew": {
    severity: "warning",
    text: (f: { node: string; skewMs: number }) =>
      `The clock of ${f.node} is ${(Math.abs(f.skewMs) / 1000).toFixed(1)} s ${f.skewMs > 0 ? "ahead of" : "behind"} the hub's`,
  },
  "agent.clock-right": { severity: "info", text: (f: { node: string }) => `The clock of ${f.node} agrees with the hub's again` },
  "duty.moved": {
    severity: "info",
    text: (f: { duty: string; node: string; from: string | undefined }) =>
      `${f.node} took over ${f.duty}${f.from === undefined ? "" : ` from ${f.from}`}`,
  },

  "node.online": { severity: "info", text: (f: { node: string }) => `Node ${f.node} is online` },
  "node.offline": { severity: "critical", text: (f: { node: string }) => `Node ${f.node} is offline, say the other members` },
  "node.unknown": { severity: "warning", text: (f: { node: string }) => `Nobody can tell whether node ${f.node} is alive` },
  "quorum.lost": { severity: "critical", text: (f: { name: string }) => `Cluster ${f.name} has no quorum: it is read-only` },
  "quorum.regained": { severity: "info", text: (f: { name: string }) => `Cluster ${f.name} has quorum again` },

  "guest.created": { severity: "info", text: (f: { guest: string; node: string }) => `${f.guest} was created on ${f.node}` },
  "guest.deleted": {
    severity: "warning",
    text: (f: { guest: string; node: string }) => `${f.guest} was deleted: no agent lists it any more, it was on ${f.node}`,
  },
  "guest.replaced": {
    severity: "warning",
    text: (f: { guest: string; node: string }) => `${f.guest} on ${f.node} is another guest with a vmid used before`,
  },
  "guest.migrated": {
    severity: "info",
    text: (f: { guest: string; from: string; node: string }) => `${f.guest} moved from ${f.from} to ${f.node}`,
  },
  "guest.started": { severity: "info", text: (f: { guest: string; node: string }) => `${f.guest} was started on ${f.node}` },
  "guest.stopped": { severity: "info", text: (f: { guest: string; node: string }) => `${f.guest} stopped on ${f.node}` },
  "guest.io-error": {
    severity: "critical",
    text: (f: { guest: string; node: string }) => `${f.guest} on ${f.node} halted on an I/O error`,
  },

  "storage.inactive": { severity: "critical", text: (f: { storage: string }) => `Storage ${f.storage} is not active` },
  "storage.active": { severity: "info", text: (f: { storage: string }) => `Storage ${f.storage} is active again` },
  "task.failed": {
    severity: "warning",
    text: (f: { task: string; node: string; status: string }) => `${f.task} on ${f.node} failed: ${f.status}`,
  },
  "task.lost": {
    severity: "warning",
    text: (f: { task: string; node: string }) => `${f.task} on ${f.node} ended unseen: its node no longer knows it`,
  },

  "alert.firing": {
    severity: "warning",
    text: (f: { text: string; rule: string }) => `Alert ${f.rule}: ${f.text}`,
  },
  "alert.resolved": {
    severity: "info",
    text: (f: { text: string; rule: string }) => `Over, ${f.rule}: ${f.text}`,
  },

  "receiver.failing": {
    severity: "warning",
    text: (f: { receiver: string; problem: string }) => `Messages to ${f.receiver} don't get through: ${f.problem}`,
  },
  "receiver.back": { severity: "info", text: (f: { receiver: string }) => `Messages to ${f.receiver} get through again` },
  "receiver.disabled": {
    severity: "warning",
    text: (f: { receiver: string; problem: string }) =>
      `The receiver ${f.receiver} wants nothing more and was disabled: ${f.problem}`,
  },
  "delivery.dead": {
    severity: "warning",
    text: (f: { receiver: string; problem: string }) => `A message to ${f.receiver} was given up: ${f.problem}`,
  },

  "key.created": {
    severity: "info",
    text: (f: { name: string; scopes: string }) => `API key "${f.name}" was created (${f.scopes})`,
  },
  "key.revoked": { severity: "info", text: (f: { name: string }) => `API key "${f.name}" was revoked` },
  "login.failed": { severity: "warning", text: (f: { address: string }) => `A wrong API key came from ${f.address}` },
  "login.locked": {
    severity: "warning",
    text: (f: { address: string }) => `${f.address} tried too many wrong API keys and must wait`,
  },
} as const satisfies Record<string, Row>;

export type EventType = keyof typeof eventTypes;
type FactsOf = { [T in EventType]: Parameters<(typeof eventTypes)[T]["text"]>[0] };
export type EventFacts<T extends EventType> = FactsOf[T];
const table: { [T in EventType]: { severity: Severity; text: (facts: FactsOf[T]) => string } } = eventTypes;

/** Where an event belongs; the store adds its id. */
export type EventPlace = { cluster?: string; entity?: string; node?: string; actor?: string };
export type NewEvent = Omit<EventView, "id">;

/** Facts and places come from agents: their names are bounded when parsed, and the sentence is cut here. */
export function describeEvent<T extends EventType>(type: T, facts: EventFacts<T>, place: EventPlace, at: number): NewEvent {
  const row = table[type];
  const { cluster = null, entity = null, node = null, actor = null } = place;
  return { at, cluster, type, severity: row.severity, entity, node, text: row.text(facts).slice(0, 1000), actor };
}

export type EventFilter = {
  cluster?: string | undefined;
  type?: string | undefined;
  severity?: Severity | undefined;
  entity?: string | undefined;
  node?: string | undefined;
  since?: number | undefined;
};

/** `type` names one event or, ending in a dot, a family: `guest.`. */
export function matchesEvent(event: EventView, filter: EventFilter): boolean {
  const { type } = filter;
  return (
    (filter.cluster === undefined || event.cluster === filter.cluster) &&
    (type === undefined || event.type === type || (type.endsWith(".") && event.type.startsWith(type))) &&
    (filter.severity === undefined || event.severity === filter.severity) &&
    (filter.entity === undefined || event.entity === filter.entity) &&
    (filter.node === undefined || event.node === filter.node) &&
    (filter.since === undefined || event.at >= filter.since)
  );
}
