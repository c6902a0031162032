import type { EpochMs } from "#protocol/ids.ts";
import type { PushSubscriptionJson } from "#protocol/notifications.ts";
import { keyProblem } from "../core/keys.ts";
import { BoundedMap } from "../core/limits.ts";
import { describeError } from "../log.ts";
import type { Clock, Log } from "../ports.ts";
import { hashSecret } from "../secret-text.ts";
import type { Subscription } from "../senders/web-push.ts";
import type { Actor, StateStore } from "../store/state.ts";

/** What Proxmox VE says of a user: it hides nothing from him, or something, or nobody could ask. */
export type UserSight = "whole" | "partial" | "unknown";

export type PushSubscriberPorts = {
  state: StateStore;
  clock: Clock;
  log: Log;
  /** Asks every cluster of the hub. */
  sightOf(user: string): Promise<UserSight>;
};

/** Who subscribed: a Proxmox VE user, or with `key` whoever has that API key. */
export type Subscriber = { user: string; key?: string | undefined };

/** What Proxmox VE said of a user counts so long: a taken right ends within it. */
const askEveryMs = 5 * 60_000;
/** Where no agent can ask, as when the nodes that messages are about have died, what it said last counts so long. */
const trustMs = 24 * 3_600_000;
/** That nobody can ask counts so long: agents that don't answer must not hold up every message. */
const unknownMs = 60_000;
/** A confirmation is stored again when the stored one is so old; asked for as often though nothing is sent. */
const noteEveryMs = 3_600_000;

const by: Actor = { actor: "hub", reason: "web push" };

/**
 * Browsers that asked for push messages. Messages tell of everything there is, so that only who may see all of it can subscribe, and gets a message only
 * while he may: a browser whose owner has lost that right is forgotten when something is to be sent.
 */
export class PushSubscribers {
  private readonly told = new BoundedMap<string, { sight: UserSight; atMs: number }>(1000);

  private lookedMs = Number.NEGATIVE_INFINITY;

  constructor(private readonly ports: PushSubscriberPorts) {}

  /** The browser's id. */
  add(subscription: PushSubscriptionJson, { user, key }: Subscriber): string {
    const { state, clock } = this.ports;
    const id = hashSecret(subscription.endpoint);
    const now = clock.now();
    state.put(
      "pushSubscription",
      id,
      { subscription, user, ...(key !== undefined && { key }), createdAt: now, confirmedAt: now },
      by,
    );
    return id;
  }

  /** False: there is no such subscription. */
  remove(id: string): boolean {
    return this.ports.state.remove("pushSubscription", id, by);
  }

  /** Those whose owners may hear of everything now. */
  async entitled(): Promise<Subscription[]> {
    const all = this.ports.state.list("pushSubscription");
    const verdicts = await Promise.all(all.map(({ document }) => this.judge(document)));
    return all.flatMap(({ id, document }, index) => {
      const verdict = verdicts[index];
      if (verdict === "lost") this.forget(id, document.user);
      if (verdict === "confirmed" || document.confirmedAt === undefined) this.confirm(id);
      return verdict === "confirmed" || verdict === "trusted" ? [{ id, subscription: document.subscription }] : [];
    });
  }

  /**
   * Called now and then: asks though nothing is sent, so that Proxmox VE's last word on who is to be told is not a week old when all its nodes die. Never
   * throws.
   */
  async keepConfirmed(): Promise<void> {
    const { clock, log } = this.ports;
    if (clock.monotonicMs() - this.lookedMs < noteEveryMs) return;
    this.lookedMs = clock.monotonicMs();
    await this.entitled().catch((error: unknown) => log(4, `who gets push messages was not asked: ${describeError(error)}`));
  }

  /** `withheld`: nobody knows, and the newest word is too old. */
  private async judge(
    owner: Subscriber & { confirmedAt?: EpochMs | undefined },
  ): Promise<"confirmed" | "trusted" | "withheld" | "lost"> {
    const now = this.ports.clock.now();
    if (owner.key !== undefined || !owner.user.includes("@")) return this.hasKey(owner, now) ? "confirmed" : "lost";
    const sight = await this.sightOf(owner.user);
    if (sight !== "unknown") return sight === "whole" ? "confirmed" : "lost";
    return now - (owner.confirmedAt ?? now) < trustMs ? "trusted" : "withheld";
  }

  /** Subscriptions of before name their key, and not its id: a user of Proxmox VE has a realm. */
  private hasKey({ user, key }: Subscriber, now: EpochMs): boolean {
    const { state } = this.ports;
    return state.list("apiKey").some(({ id, document }) => {
      return (key === undefined ? document.name === user : id === key) && keyProblem(document, now) === undefined;
    });
  }

  private async sightOf(user: string): Promise<UserSight> {
    const nowMs = this.ports.clock.monotonicMs();
    const known = this.told.get(user);
    if (known !== undefined && nowMs - known.atMs < (known.sight === "unknown" ? unknownMs : askEveryMs)) return known.sight;
    const sight = await this.ports.sightOf(user);
    this.told.set(user, { sight, atMs: nowMs });
    return sight;
  }

  private forget(id: string, user: string): void {
    if (!this.remove(id)) return;
    const reason = `${user} may no longer see everything: the browser gets no more push messages`;
    this.ports.state.note("delete", "pushSubscription", id, { actor: "hub", reason });
    this.ports.log(5, reason);
  }

  private confirm(id: string): void {
    const now = this.ports.clock.now();
    this.ports.state.update("pushSubscription", id, by, (present) =>
      present === undefined || now - (present.confirmedAt ?? 0) < noteEveryMs ? undefined : { ...present, confirmedAt: now },
    );
  }
}
