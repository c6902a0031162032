import type { EpochMs } from "#protocol/ids.ts";
import type { Delivery, Notification, ReceiverType } from "#protocol/notifications.ts";
import { durationText } from "./alert-text.ts";
import type { BucketRate } from "./limits.ts";

/** What came of one attempt to send. `answer`, `problem`: what the other side said, without secrets. */
export type SendResult =
  | { ok: true; answer: string }
  | {
      ok: false;
      /** Trying again may help. */
      retry: boolean;
      problem: string;
      /** Not before so long. */
      retryAfterSec?: number | undefined;
      /** The other side wants nothing more from us (HTTP 410). */
      disable?: boolean | undefined;
    };

export type Attempt = { at: EpochMs; tookMs: number; result: SendResult };

const dayMs = 86_400_000;
/** A clock that jumps must not make a message too old before it had its chances. */
const attemptsAtLeast = 8;
const firstDelayMs = 1000;
const delayMaxMs = 5 * 60_000;
const pauseMaxMs = 30_000;
const retryAfterMaxMs = 3_600_000;
const answerMax = 500;
/** Of a message's attempts the first and the newest are kept. */
const attemptsMax = 40;

export function newDelivery(notification: Notification, now: EpochMs): Delivery {
  return {
    id: notification.id,
    receiver: notification.receiver,
    state: "queued",
    createdAt: now,
    nextAttemptAt: now,
    deliveredAt: null,
    attempts: [],
    problem: null,
    notification,
  };
}

/** What takes longer on its way says so: what it tells may be over. */
const lateMs = 15 * 60_000;

/** A message as it goes out now. One that waited for its receiver says how long in its first line. */
export function asOfNow(notification: Notification, now: EpochMs): Notification {
  const waitedMs = now - notification.at;
  if (waitedMs < lateMs || notification.kind === "test" || notification.kind === "report") return notification;
  return { ...notification, verdict: `LATE by ${durationText(waitedMs)}: ${notification.verdict}` };
}

/** Where what we told stays open until we tell its end: another one's incident, or what somebody's hook made of it. */
const keepers: readonly ReceiverType[] = ["pagerduty", "alertmanager", "webhook"];
export const keepsOpen = (receiver: ReceiverType): boolean => keepers.includes(receiver);
/** The end of such a thing, and what still fires, is tried for so long; what fires longest stays at an Alertmanager until then. */
const keptMs = 30 * dayMs;

/** What of a message is still worth telling after a day in vain: the ends of what stays open there. Undefined: nothing. */
function endOf(notification: Notification, receiver: ReceiverType): Notification | undefined {
  if (!keepsOpen(receiver)) return undefined;
  if (notification.kind === "resolved" && notification.alerts.every(({ state }) => state === "resolved")) return notification;
  // An Alertmanager takes each alert for itself; elsewhere a trouble is over when all of it is.
  if (receiver !== "alertmanager") return undefined;
  const alerts = notification.alerts.filter(({ state }) => state === "resolved");
  return alerts.length === 0 ? undefined : { ...notification, alerts };
}

/** Still on its way. */
export const isOpen = ({ state }: Pick<Delivery, "state">): boolean => state === "queued" || state === "retrying";

/**
 * A delivery after one more attempt. It is retried for a day, with delays that double up to 5 min (half of each is random), then dead; a
 * refusal that trying again can't change is dead at once. A test is tried once. The end of what stays open at the receiver is retried for 30 days,
 * and so is what still fires and no later message tells (`isWanted`): it counts as told.
 */
export function afterAttempt(
  delivery: Delivery,
  attempt: Attempt,
  random: () => number,
  receiver: ReceiverType,
  isWanted: () => boolean = () => false,
): Delivery {
  const { at, tookMs, result } = attempt;
  const answer = (result.ok ? result.answer : result.problem).slice(0, answerMax);
  const before = delivery.attempts;
  const attempts = [
    ...(before.length < attemptsMax ? before : [...before.slice(0, 1), ...before.slice(2)]),
    { at, tookMs, ok: result.ok, answer },
  ];
  const done = { ...delivery, attempts, nextAttemptAt: null };
  if (result.ok) return { ...done, state: "delivered", deliveredAt: at, problem: null };
  if (delivery.notification.kind === "test") return { ...done, state: "dropped", problem: answer };
  if (!result.retry) return { ...done, state: "dead", problem: answer };
  // Those before it was replayed do not count. By a clock that was set back nobody can tell which these are.
  const tries = at < delivery.createdAt ? attempts.length : attempts.filter((one) => one.at >= delivery.createdAt).length;
  const waitedMs = at - delivery.createdAt;
  const isLate = waitedMs >= dayMs && tries >= attemptsAtLeast;
  const kept = !isLate || isWanted() ? delivery.notification : endOf(delivery.notification, receiver);
  const notification = isLate && waitedMs >= keptMs ? undefined : kept;
  if (notification === undefined) {
    return { ...done, state: "dead", problem: `not delivered within ${kept === undefined ? "a day" : "30 days"}: ${answer}` };
  }
  const nextAttemptAt = (at + retryDelayMs(tries, result.retryAfterSec, random)) as EpochMs;
  return { ...done, notification, state: "retrying", nextAttemptAt, problem: answer };
}

/** `tries`: attempts so far, from 1. */
export function retryDelayMs(tries: number, retryAfterSec: number | undefined, random: () => number): number {
  const bound = Math.min(delayMaxMs, firstDelayMs * 2 ** Math.min(tries - 1, 20));
  const asked = Math.min((retryAfterSec ?? 0) * 1000, retryAfterMaxMs);
  return Math.max(Math.ceil(bound / 2 + (random() * bound) / 2), asked);
}

/** The receiver is gone, or wants nothing more: what waits for it ends. */
export function ended(delivery: Delivery, state: "dead" | "dropped", problem: string): Delivery {
  return { ...delivery, state, nextAttemptAt: null, problem };
}

/** A dead letter starts anew, with a day of its own. Its attempts stay in the log. */
export function replayed(delivery: Delivery, now: EpochMs): Delivery {
  return { ...delivery, state: "queued", createdAt: now, nextAttemptAt: now, deliveredAt: null, problem: null };
}

/** How a receiver does. Times are monotonic ms. */
export type ReceiverHealth = {
  /** Failed attempts since the last that got through. */
  failures: number;
  /** Nothing is sent to it before. */
  pausedUntil: number;
};
export const healthy: ReceiverHealth = { failures: 0, pausedUntil: 0 };

/** From so many failures on the receiver is down, not the message bad: when it is back, everything that waits is due at once. */
const outageFailures = 3;

/** After a failure nothing is sent for a while, at most 30 s (or what was asked for): a receiver that is back is noticed in that time. */
export function stepHealth(
  health: ReceiverHealth,
  result: SendResult,
  now: number,
  random: () => number,
): { health: ReceiverHealth; isBack: boolean } {
  if (result.ok) return { health: healthy, isBack: health.failures >= outageFailures };
  if (!result.retry) return { health, isBack: false };
  const failures = health.failures + 1;
  const bound = Math.min(pauseMaxMs, firstDelayMs * 2 ** Math.min(failures - 1, 20));
  const asked = Math.min((result.retryAfterSec ?? 0) * 1000, retryAfterMaxMs);
  const pauseMs = Math.max(Math.ceil(bound / 2 + (random() * bound) / 2), asked);
  return { health: { failures, pausedUntil: now + pauseMs }, isBack: false };
}

/** How many messages at a time, and how fast: services of others lock out who is faster. Messages of one group always go one after the other. */
export const channelPace: Record<ReceiverType, { parallel: number; rate: BucketRate }> = {
  email: { parallel: 2, rate: { perSec: 10, burst: 50 } },
  webhook: { parallel: 8, rate: { perSec: 1000, burst: 1000 } },
  // core.telegram.org/bots/faq: one message a second to one chat, 20 a minute to a group.
  telegram: { parallel: 1, rate: { perSec: 0.33, burst: 5 } },
  ntfy: { parallel: 2, rate: { perSec: 5, burst: 30 } },
  gotify: { parallel: 2, rate: { perSec: 20, burst: 50 } },
  // discord.com/developers: 5 requests in 2 s for one webhook.
  discord: { parallel: 1, rate: { perSec: 2, burst: 4 } },
  // api.slack.com/apis/rate-limits: incoming webhooks one a second.
  slack: { parallel: 1, rate: { perSec: 1, burst: 3 } },
  teams: { parallel: 1, rate: { perSec: 2, burst: 4 } },
  pagerduty: { parallel: 2, rate: { perSec: 2, burst: 60 } },
  alertmanager: { parallel: 4, rate: { perSec: 500, burst: 500 } },
  "web-push": { parallel: 2, rate: { perSec: 20, burst: 50 } },
  node: { parallel: 4, rate: { perSec: 100, burst: 200 } },
};

/** A message that waits, as far as choosing the next one goes. `dueAt`: monotonic ms. */
export type Waiting = { id: string; group: string; dueAt: number; isTest: boolean };

/**
 * The next message of one receiver, or when to look again (undefined: when something changes). Messages are in the order they came, tests
 * before all others since they wait for nobody; of each group only the first may go, and none while one of it is under way.
 */
export function nextOf(
  waiting: Iterable<Waiting>,
  underWay: ReadonlySet<string>,
  health: ReceiverHealth,
  now: number,
): { send: Waiting } | { lookAgainAt: number | undefined } {
  const seen = new Set<string>();
  let lookAgainAt: number | undefined;
  for (const one of waiting) {
    if (underWay.has(one.group) || seen.has(one.group)) continue;
    seen.add(one.group);
    const at = one.isTest ? one.dueAt : Math.max(one.dueAt, health.pausedUntil);
    if (at <= now) return { send: one };
    if (lookAgainAt === undefined || at < lookAgainAt) lookAgainAt = at;
  }
  return { lookAgainAt };
}
