import { placeOfPeer } from "../core/connections.ts";

import { BoundedMap } from "../core/limits.ts";
import { type Backoff, backoffRules, backoffWaitMs, stepBackoff } from "../core/login-guard.ts";
import { Refusal } from "../core/refusal.ts";
import type { Clock } from "../ports.ts";

const rememberedMax = 20_000;
/** Attempts under way: each refused one holds Proxmox VE for 3 s. */
const underWayMax = 16;
const perAddressMax = 4;

/** Slows down who guesses passwords; see hub/core/login-guard.ts. */
export class LoginGuard {
  private readonly pairs = new BoundedMap<string, Backoff>(rememberedMax);
  private readonly users = new BoundedMap<string, Backoff>(rememberedMax);
  private readonly addresses = new BoundedMap<string, Backoff>(rememberedMax);
  /** Who got in from where. */
  private readonly known = new BoundedMap<string, true>(rememberedMax);
  private readonly underWay = new Map<string, number>();
  private total = 0;

  constructor(private readonly clock: Pick<Clock, "monotonicMs">) {}

  /** Runs the attempt; an `unauthenticated` refusal of it is a failure. @throws Refusal */
  async attempt<T extends { state: string }>(from: string, user: string, work: () => Promise<T>): Promise<T> {
    const address = placeOfPeer(from);
    this.refuseWaiting(address, user);
    const here = this.underWay.get(address) ?? 0;
    if (this.total >= underWayMax || here >= perAddressMax)
      throw new Refusal("rate-limited", "too many people sign in just now", { retryAfterSec: 5 });
    this.total++;
    this.underWay.set(address, here + 1);
    try {
      const result = await work();
      if (result.state === "ok") this.succeeded(address, user);
      return result;
    } catch (error) {
      if (error instanceof Refusal && error.code === "unauthenticated") this.failed(address, user);
      throw error;
    } finally {
      this.total--;
      const left = (this.underWay.get(address) ?? 1) - 1;
      if (left === 0) this.underWay.delete(address);
      else this.underWay.set(address, left);
    }
  }

  private refuseWaiting(address: string, user: string): void {
    const now = this.clock.monotonicMs();
    const pair = `${address} ${user}`;
    const own = backoffWaitMs(this.pairs.get(pair), backoffRules.pair, now);
    const others =
      this.known.get(pair) === true
        ? 0
        : Math.max(
            backoffWaitMs(this.users.get(user), backoffRules.user, now),
            backoffWaitMs(this.addresses.get(address), backoffRules.address, now),
          );
    const waitMs = Math.max(own, others);
    if (waitMs === 0) return;
    throw new Refusal("rate-limited", "too many refused sign-ins", { retryAfterSec: Math.ceil(waitMs / 1000) });
  }

  private failed(address: string, user: string): void {
    const now = this.clock.monotonicMs();
    const pair = `${address} ${user}`;
    this.pairs.set(pair, stepBackoff(this.pairs.get(pair), backoffRules.pair, now));
    this.users.set(user, stepBackoff(this.users.get(user), backoffRules.user, now));
    this.addresses.set(address, stepBackoff(this.addresses.get(address), backoffRules.address, now));
  }

  private succeeded(address: string, user: string): void {
    const pair = `${address} ${user}`;
    this.pairs.delete(pair);
    this.known.set(pair, true);
  }
}
