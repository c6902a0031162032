import type { AlertView } from "#protocol/alerting.ts";
import type { MessageOf } from "#protocol/messages.ts";
import { agentAlert, concerns, inParts, type Listener, snapshotFor } from "../core/agent-alerts.ts";
import type { AgentId } from "../core/series.ts";
import type { AlertRelay } from "./alert-feed.ts";

export type AgentOutletPorts = {
  alerts: AlertRelay;
  /** Agents with a session now. */
  connected(): Listener[];
  send(agent: AgentId, body: MessageOf<"alerts">["body"]): void;
};

/** Tells each agent the alerts that concern its node. Agents remember what they told: saying it again does no harm. */
export class AgentOutlet {
  constructor(private readonly ports: AgentOutletPorts) {
    ports.alerts.onAlerts((changed) => this.changed(changed));
  }

  /** The agent has a new session, or other duties: it gets all that fires, so that it can tell what ended meanwhile. */
  refresh(agent: AgentId): void {
    const { alerts, send } = this.ports;
    // Without the alert engine an empty list would call everything over.
    if (!alerts.isKnown) return;
    const listeners = this.ports.connected();
    const listener = listeners.find((one) => one.agent.node === agent.node && one.agent.cluster === agent.cluster);
    if (listener === undefined) return;
    const nodes = nodesIn(listeners, agent.cluster);
    const own = alerts.views().filter((alert) => concerns(alert, listener, nodes));
    for (const body of snapshotFor(own)) send(agent, body);
  }

  /** Ends go to every agent of the cluster: who raised it may not be who would raise it now, and who didn't ignores it. */
  private changed(changed: readonly AlertView[]): void {
    const listeners = this.ports.connected();
    for (const listener of listeners) {
      const nodes = nodesIn(listeners, listener.agent.cluster);
      const own = changed.filter((alert) =>
        alert.state === "resolved"
          ? alert.cluster === listener.agent.cluster
          : alert.state === "firing" && concerns(alert, listener, nodes),
      );
      for (const body of inParts(own.flatMap((alert) => agentAlert(alert) ?? []))) this.ports.send(listener.agent, body);
    }
  }
}

function nodesIn(listeners: readonly Listener[], cluster: string): ReadonlySet<string> {
  return new Set(listeners.filter(({ agent }) => agent.cluster === cluster).map(({ agent }) => agent.node as string));
}
