import type { Acknowledgement, AlertView, automaticWindows, Why } from "#protocol/alerting.ts";
import type { BacktestAnswer, BacktestRequest } from "#protocol/backtest.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Actor } from "../store/state.ts";

/** What one asks: why did, or didn't, this rule fire here? `incarnation` undefined: the present one. */
export type WhyQuestion = {
  rule: string;
  cluster: string;
  entity: string;
  instance: string | null;
  incarnation: number | undefined;
};

/** A window that facts opened. */
export type OpenAutomaticWindow = {
  id: string;
  kind: (typeof automaticWindows)[number];
  since: EpochMs;
  until: EpochMs;
  text: string;
};

/** What the API asks of the alert engine. Rules, silences, windows and routes are documents of the state store, which the API changes itself. */
export interface AlertingPorts {
  /** Pending and firing alerts, and resolved ones whose end is still to be told; figures as they are now. */
  views(): AlertView[];
  /** Undefined: there is no such rule or entity. */
  why(question: WhyQuestion): Why | undefined;
  /** Null takes an acknowledgement back. Undefined: no such alert fires. */
  acknowledge(id: string, acknowledged: Acknowledgement | null, by: Actor): AlertView | undefined;
  /** @throws Refusal when the range or the number of series is too large. */
  backtest(request: BacktestRequest): Promise<BacktestAnswer>;
  /** Rules, silences, windows or routes were changed in the store: they count from now on. */
  reload(): void;
  automaticWindows(): readonly OpenAutomaticWindow[];
  /**
   * Alerts that changed, at most once a second. One that is over comes once more, as `resolved`, or as `inactive` when it never fired.
   * Returns the way to stop.
   */
  onAlerts(listener: (changed: AlertView[]) => void): () => void;
}
