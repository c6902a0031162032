import type { AlertView } from "#protocol/alerting.ts";

/** Alerts as they are and as they change, as `AlertingPorts` of the alert engine gives them. */
export interface AlertFeed {
  /** Pending and firing alerts, and some resolved ones. */
  views(): AlertView[];
  /** Changed ones, after the change is durable; an ended one comes once more, as `resolved` or `inactive`. Returns the way to stop. */
  onAlerts(listener: (changed: AlertView[]) => void): () => void;
}

/** Hands the engine's alerts to those who were wired before it. Until it is attached nothing is known: `isKnown` tells that from no alerts. */
export class AlertRelay implements AlertFeed {
  private source: AlertFeed | undefined;
  private readonly listeners = new Set<(changed: AlertView[]) => void>();

  get isKnown(): boolean {
    return this.source !== undefined;
  }

  /** Once. Listeners get all that there is. */
  attach(source: AlertFeed): void {
    this.source = source;
    source.onAlerts((changed) => this.tell(changed));
    this.tell(source.views());
  }

  views(): AlertView[] {
    return this.source?.views() ?? [];
  }

  onAlerts(listener: (changed: AlertView[]) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private tell(changed: AlertView[]): void {
    for (const listener of this.listeners) listener(changed);
  }
}
