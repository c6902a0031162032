import type { AlertView } from "#protocol/alerting.ts";
import { AlertRelay } from "../../hub/alerting/alert-feed.ts";

/** An alert engine as far as its listeners see it. */
export class FakeAlerts {
  readonly relay = new AlertRelay();
  private readonly current = new Map<string, AlertView>();
  private tell: (changed: AlertView[]) => void = () => undefined;

  constructor(...first: AlertView[]) {
    for (const alert of first) this.current.set(alert.id, alert);
  }

  attach(): void {
    this.relay.attach({
      views: () => [...this.current.values()],
      onAlerts: (listener) => {
        this.tell = listener;
        return () => undefined;
      },
    });
  }

  /** As the engine does: what is over comes once more and is then no longer among its views. */
  change(...changed: AlertView[]): void {
    for (const alert of changed) {
      if (alert.state === "resolved" || alert.state === "inactive") this.current.delete(alert.id);
      else this.current.set(alert.id, alert);
    }
    this.tell(changed);
  }
}
