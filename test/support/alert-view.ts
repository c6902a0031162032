import type { AlertView } from "#protocol/alerting.ts";
import { AlertRelay } from "../../hub/alert-feed.ts";

/** A firing alert about a guest, as the engine shows it. */
export function alertViewOf(overrides: Partial<AlertView> = {}): AlertView {
  return {
    id: "cpu@00000000000000aa/guest/100#1",
    rule: "cpu",
    ruleName: "CPU sustained",
    cluster: "00000000000000aa",
    entity: "guest/100",
    incarnation: 1,
    instance: null,
    severity: "warning",
    state: "firing",
    activeAt: 1_000,
    firedAt: 2_000,
    resolvedAt: null,
    node: "pve1",
    title: "web (VM 100)",
    tags: [],
    pool: null,
    value: 0.97,
    valueText: null,
    unit: "ratio",
    threshold: 0.9,
    text: "CPU 97 % for 10 minutes",
    remedy: null,
    reason: "breach",
    flapping: false,
    acknowledged: null,
    suppressedBy: null,
    disposition: "notified",
    notified: [],
    affected: [],
    ...overrides,
  };
}

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
