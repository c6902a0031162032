import type { EpochMs } from "#protocol/ids.ts";
import type { Notification } from "#protocol/notifications.ts";
import { DeliveryDispatcher } from "../../hub/alerting/dispatcher.ts";
import type { Clock } from "../../hub/ports.ts";
import type { StateStore } from "../../hub/store/state.ts";
import { settle } from "../support/fake-clock.ts";

/** One message as it came to its receiver. `again`: a repetition, as its id tells. */
export type Arrival = { notification: Notification; at: number; again: boolean };

/** What the hub does with a message on its way, where it may be killed. */
export type DeliveryStep = "delivering" | "noting";

type Sleeper = { dueMs: number; wake(): void };

/** Receivers of a story, over all lives of its hub. */
export class Receivers {
  readonly arrivals: Arrival[] = [];
  /** Those that do not answer. */
  readonly down = new Set<string>();
  /** Attempts that failed. */
  failures = 0;
  private readonly ids = new Set<string>();

  take(notification: Notification, at: number): void {
    this.arrivals.push({ notification, at, again: this.ids.has(notification.id) });
    this.ids.add(notification.id);
  }

  /** Each once, in the order of arrival. */
  get sent(): Notification[] {
    return this.arrivals.flatMap(({ notification, again }) => (again ? [] : [notification]));
  }
}

/** The hub's real dispatcher in virtual time, for one life of the hub. */
export class Deliveries {
  readonly dispatcher: DeliveryDispatcher;
  /** The hub is to be killed at this step of its next message. */
  killAt: DeliveryStep | undefined;
  /** It was: nothing of this life goes on. */
  isKilled = false;
  private sleepers: Sleeper[] = [];
  private isBusy = true;

  constructor(
    private readonly receivers: Receivers,
    private readonly time: { now(): EpochMs; monotonicMs(): number },
    state: StateStore,
  ) {
    const clock: Clock = {
      now: () => time.now(),
      monotonicMs: () => time.monotonicMs(),
      sleep: (...args) => this.sleep(...args),
    };
    const ignore = () => undefined;
    const events = { failing: ignore, back: ignore, disabled: ignore, dead: ignore };
    const send = (notification: Notification) => this.send(notification);
    this.dispatcher = new DeliveryDispatcher({ state, clock, log: ignore, random: () => 0.5, send, events });
    this.dispatcher.start();
  }

  committed(): void {
    this.isBusy = true;
    this.dispatcher.committed();
  }

  /** Everything that is due now happens. */
  async run(): Promise<void> {
    for (;;) {
      const now = this.time.monotonicMs();
      const due = this.sleepers.filter(({ dueMs }) => dueMs <= now);
      this.sleepers = this.sleepers.filter(({ dueMs }) => dueMs > now);
      for (const { wake } of due) wake();
      if (due.length === 0 && !this.isBusy) return;
      this.isBusy = false;
      await settle();
    }
  }

  private async send(notification: Notification): ReturnType<ConstructorParameters<typeof DeliveryDispatcher>[0]["send"]> {
    this.isBusy = true;
    if (this.isKilled || this.killAt === "delivering") return this.die();
    if (this.receivers.down.has(notification.receiver)) {
      this.receivers.failures++;
      return { ok: false, retry: true, problem: "connection refused" };
    }
    this.receivers.take(notification, this.time.now());
    return this.killAt === "noting" ? this.die() : { ok: true, answer: "ok" };
  }

  /** What is under way never ends. */
  private die(): Promise<never> {
    this.isKilled = true;
    return new Promise(() => undefined);
  }

  private sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const sleeper = { dueMs: this.time.monotonicMs() + Math.max(0, ms), wake: resolve };
      this.sleepers.push(sleeper);
      signal?.addEventListener("abort", () => {
        this.sleepers = this.sleepers.filter((other) => other !== sleeper);
        resolve();
      });
    });
  }
}
