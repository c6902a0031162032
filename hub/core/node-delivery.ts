import type { AlertView } from "#protocol/alerting.ts";
import type { AgentAlert } from "#protocol/messages.ts";
import type { Notification, Receiver } from "#protocol/notifications.ts";
import { type OutletWay, outletWays, type WayResult } from "#protocol/outlet.ts";
import { agentAlert, concerns, type Listener } from "./agent-alerts.ts";
import type { SendResult } from "./delivery.ts";
import type { AgentId } from "./series.ts";

/** As the message's schema says. */
const alertsMax = 100;

export type NodeReceiver = Extract<Receiver, { type: "node" }>;

/** What one agent is asked to tell. */
export type NodeTask = { agent: AgentId; alerts: AgentAlert[] };

export const waysOf = (receiver: NodeReceiver): OutletWay[] => outletWays.filter((way) => receiver[way]);

/**
 * Whom to ask: a test goes to every agent; an alert to that of its node, or, where it has none that could be told, to the one with the duty
 * `cluster`. `deaf`: clusters in which nobody is there to hear it.
 */
export function nodeTasks(notification: Notification, listeners: readonly Listener[]): { tasks: NodeTask[]; deaf: string[] } {
  if (notification.kind === "test") {
    const alerts = [testAlert(notification)];
    return { tasks: listeners.map(({ agent }) => ({ agent, alerts })), deaf: [] };
  }
  const told = notification.alerts.map((alert) => ({ alert, listener: listenerOf(alert, listeners) }));
  const deaf = told.flatMap(({ alert, listener }) => (listener === undefined ? [alert.cluster] : []));
  const tasks = listeners.flatMap(({ agent }): NodeTask[] => {
    const own = told.filter(({ listener }) => listener?.agent === agent);
    const alerts = own.flatMap(({ alert }) => agentAlert(alert) ?? []).slice(0, alertsMax);
    return alerts.length === 0 ? [] : [{ agent, alerts: alerts.map((alert) => ({ ...alert, held: false })) }];
  });
  return { tasks, deaf: [...new Set(deaf)] };
}

function listenerOf(alert: AlertView, listeners: readonly Listener[]): Listener | undefined {
  const inCluster = listeners.filter(({ agent }) => agent.cluster === alert.cluster);
  const connected = new Set<string>(inCluster.map(({ agent }) => agent.node));
  return inCluster.find((listener) => concerns(alert, listener, connected)) ?? (alert.node === null ? inCluster[0] : undefined);
}

const testAlert = ({ id, at, receiver }: Notification): AgentAlert => ({
  id: id.slice(0, 600),
  firedAt: at,
  held: false,
  rule: "test",
  severity: "info",
  entity: "hub",
  title: "Proven",
  text: `Proven can reach this node by the receiver ${receiver}`,
});

/** What an agent answered; undefined: nothing in time. */
export type NodeAnswer = { agent: AgentId; results: readonly WayResult[] | undefined };

/**
 * What the answers come to. Worth another try: nobody was there, or nobody answered. A way that is switched off or fails is a setting that
 * somebody has to put right: the message is dead, and can be sent again then. A way with nobody to tell (no hook) fails a test, so that one
 * learns of it; for an alert another way that told is enough.
 */
export function nodeResult(answers: readonly NodeAnswer[], deaf: readonly string[], isTest: boolean): SendResult {
  if (deaf.length > 0) return { ok: false, retry: true, problem: `no agent of the cluster ${deaf.join(", ")} is connected` };
  if (answers.length === 0) return { ok: false, retry: true, problem: "no agent is connected" };
  const said = answers.map(answerText).join("; ");
  const silent = answers.some(({ results }) => results === undefined);
  if (silent) return { ok: false, retry: true, problem: said };
  const isBad = answers.some(({ results = [] }) => {
    const outcomes = results.map(({ outcome }) => outcome);
    if (outcomes.some((outcome) => outcome === "off" || outcome === "failed")) return true;
    return isTest ? outcomes.includes("nothing") : !outcomes.includes("told");
  });
  return isBad ? { ok: false, retry: false, problem: said } : { ok: true, answer: said };
}

function answerText({ agent, results }: NodeAnswer): string {
  if (results === undefined) return `${agent.node}: its agent did not answer`;
  return `${agent.node}: ${results.map(({ way, outcome, said }) => (outcome === "told" ? `${way} ${said}` : `${way} ${outcome}: ${said}`)).join(", ")}`;
}
