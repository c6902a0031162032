import type { TestContext } from "node:test";
import type { AlertView } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Notification, Receiver } from "#protocol/notifications.ts";
import { DeliveryDispatcher } from "../../hub/alerting/dispatcher.ts";
import type { SendResult } from "../../hub/core/delivery.ts";
import { StateStore } from "../../hub/store/state.ts";
import { FakeClock, settle } from "./fake-clock.ts";
import { webhookReceiver } from "./notifications.ts";
import { temporaryDir } from "./temporary-dir.ts";

const by = { actor: "test", reason: "test" };

/** A dispatcher on a real state store, whose receivers do what the test says. */
export class DispatchRig {
  readonly clock = new FakeClock();
  readonly state: StateStore;
  /** Every attempt, in order. */
  readonly sent: Notification[] = [];
  readonly events: string[] = [];
  /** What receivers answer. */
  answer: (notification: Notification, receiver: Receiver) => SendResult | Promise<SendResult> = () => ({
    ok: true,
    answer: "ok",
  });
  dispatcher: DeliveryDispatcher;

  constructor(t: TestContext) {
    const dir = temporaryDir(t);
    this.state = StateStore.open({ dir, now: () => this.clock.now() });
    t.after(() => this.state.close());
    this.put(webhookReceiver("https://example.org/hook"));
    this.dispatcher = this.open();
    t.after(() => this.dispatcher.stop());
  }

  put(receiver: Receiver): void {
    this.state.put("receiver", receiver.id, receiver, by);
  }

  remove(receiver: string): void {
    this.state.remove("receiver", receiver, by);
  }

  /** The alert engine has it on record as firing. */
  fires({ id, rule, ruleName, severity, title, text, activeAt, firedAt, ...of }: AlertView): void {
    const at = (time: number | null) => (time ?? 0) as EpochMs;
    const { cluster, entity, incarnation, instance } = of;
    const alert = { state: "firing", activeAt: at(activeAt), firedAt: at(firedAt), okSince: null } as const;
    const subject = { cluster, entity, incarnation, instance };
    const about = { id, rule, ruleName, severity, subject, alert, reason: "breach", node: null, title, tags: [], pool: null };
    const figures = { value: null, valueText: null, unit: null, threshold: null, worst: null, text, remedy: null };
    const life = { inhibits: false, affected: [], fires: [], flapping: false, acknowledged: null, heldBy: null, wasHeld: false };
    this.state.put("alert", id, { ...about, ...figures, ...life, freedAt: null, told: [], groups: [], decisions: [] }, by);
  }

  /** As the alert engine does it. */
  tell(...notifications: Notification[]): void {
    this.state.together(() => {
      for (const notification of notifications) this.dispatcher.enqueue(notification);
    });
    this.dispatcher.committed();
  }

  /** The hub was killed: another dispatcher on the same store. What was under way never comes back to it. */
  restart(): void {
    this.dispatcher = this.open();
    this.dispatcher.start();
  }

  ids(): string[] {
    return this.sent.map(({ id }) => id);
  }

  stateOf(id: string): string | undefined {
    return this.state.get("delivery", id)?.state;
  }

  settle = (): Promise<void> => settle(10);

  private open(): DeliveryDispatcher {
    const note = (what: string) => (receiver: Receiver) => void this.events.push(`${what} ${receiver.id}`);
    return new DeliveryDispatcher({
      state: this.state,
      clock: this.clock,
      log: () => undefined,
      random: () => 0.5,
      send: async (notification, receiver) => {
        this.sent.push(notification);
        return this.answer(notification, receiver);
      },
      events: { failing: note("failing"), back: note("back"), disabled: note("disabled"), dead: note("dead") },
    });
  }
}
