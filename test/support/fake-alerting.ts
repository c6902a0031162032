import type { AlertView, Why } from "#protocol/alerting.ts";
import type { BacktestAnswer, BacktestRequest } from "#protocol/backtest.ts";
import type { AlertingPorts, OpenAutomaticWindow, WhyQuestion } from "../../hub/alerting/alerting-ports.ts";
import type { StateStore } from "../../hub/store/state.ts";

/** The alert engine as the API sees it: alerts are what a test puts in, back-tests answer one episode. */
export class FakeAlerting implements AlertingPorts {
  alerts: AlertView[] = [];
  automatic: OpenAutomaticWindow[] = [];
  reloads = 0;
  readonly questions: WhyQuestion[] = [];
  readonly listeners = new Set<(changed: AlertView[]) => void>();

  constructor(private readonly state: StateStore) {}

  views(): AlertView[] {
    return this.alerts;
  }

  why(question: WhyQuestion): Why | undefined {
    this.questions.push(question);
    const { rule, incarnation = 1, cluster, entity, instance } = question;
    if (this.state.get("rule", rule) === undefined) return undefined;
    const decisions = [{ at: 1000, what: "evaluated", reason: "above-trigger", value: 0.97, text: "97 % is above 90 %" }];
    const effective = { trigger: 0.9, clear: 0.8, forSec: 300, severity: "warning" as const };
    return { rule, subject: { cluster, entity, incarnation, instance }, state: "firing", applies: true, effective, decisions };
  }

  acknowledge(id: string, acknowledged: AlertView["acknowledged"]): AlertView | undefined {
    const known = this.alerts.find((alert) => alert.id === id && alert.state === "firing");
    if (known === undefined) return undefined;
    const changed: AlertView = { ...known, acknowledged, disposition: acknowledged === null ? "notified" : "acknowledged" };
    this.alerts = this.alerts.map((alert) => (alert.id === id ? changed : alert));
    for (const listener of this.listeners) listener([changed]);
    return changed;
  }

  async backtest({ from, to }: BacktestRequest): Promise<BacktestAnswer> {
    const subject = { cluster: "00000000000000aa", entity: "guest/100", incarnation: 1, instance: null };
    const episode = { ...subject, title: "web (VM 100)", activeAt: from, firedAt: from + 1, resolvedAt: null, peak: 0.97 };
    return { from, to, stepMs: 900_000, subjects: 1, skipped: [], episodes: [episode], notifications: [] };
  }

  reload(): void {
    this.reloads++;
  }

  automaticWindows(): readonly OpenAutomaticWindow[] {
    return this.automatic;
  }

  onAlerts(listener: (changed: AlertView[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
