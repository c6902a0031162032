import type { AlertView } from "#protocol/alerting.ts";
import type { AgentAlert, MessageOf } from "#protocol/messages.ts";
import type { AgentId } from "./series.ts";

/** As the message's schema says. */
const alertsMax = 500;
const idMax = 600;

/** An agent that may be told. */
export type Listener = { agent: AgentId; hasClusterDuty: boolean };

/**
 * Whether an agent is told of a firing alert: it is about what is on its node now; and one agent, that with the duty `cluster`, is told of
 * what has no node (a shared storage, quorum), or whose node has no agent that could be told (it died).
 */
export function concerns(alert: AlertView, { agent, hasClusterDuty }: Listener, connected: ReadonlySet<string>): boolean {
  if (alert.cluster !== agent.cluster) return false;
  if (alert.node === agent.node) return true;
  return hasClusterDuty && (alert.node === null || !connected.has(alert.node));
}

/** For the wire, cut to its bounds; undefined: it never fired, or can't be named there. */
export function agentAlert(alert: AlertView): AgentAlert | undefined {
  const { id, firedAt, resolvedAt, state, remedy } = alert;
  if (firedAt === null || id.length > idMax) return undefined;
  const over = state === "resolved" ? (resolvedAt ?? undefined) : undefined;
  return {
    id,
    firedAt,
    ...(over !== undefined && { resolvedAt: over }),
    held: alert.suppressedBy !== null,
    rule: alert.rule.slice(0, 64),
    severity: alert.severity,
    entity: alert.entity.slice(0, 300),
    title: alert.title.slice(0, 300) || alert.entity.slice(0, 300),
    text: alert.text.slice(0, 1000) || alert.ruleName.slice(0, 1000),
    ...(remedy !== null && remedy !== "" && { remedy: remedy.slice(0, 500) }),
  };
}

const rank = { critical: 0, warning: 1, info: 2 } as const;

/** All that an agent should have raised. More than fit go in several messages, the worst first; then none can say that it is all. */
export function snapshotFor(alerts: readonly AlertView[]): MessageOf<"alerts">["body"][] {
  const firing = alerts.filter(({ state }) => state === "firing").flatMap((alert) => agentAlert(alert) ?? []);
  firing.sort((a, b) => rank[a.severity] - rank[b.severity] || a.firedAt - b.firedAt);
  if (firing.length <= alertsMax) return [{ all: true, alerts: firing }];
  return inParts(firing);
}

export function inParts(alerts: readonly AgentAlert[]): MessageOf<"alerts">["body"][] {
  const parts = Array.from({ length: Math.ceil(alerts.length / alertsMax) }, (_, index) =>
    alerts.slice(index * alertsMax, (index + 1) * alertsMax),
  );
  return parts.map((part) => ({ all: false, alerts: part }));
}
