import type { Delivery, Notification, Receiver } from "#protocol/notifications.ts";
import {
  type Attempt,
  afterAttempt,
  asOfNow,
  channelPace,
  ended,
  healthy,
  isOpen,
  keepsOpen,
  newDelivery,
  nextOf,
  replayed,
  type SendResult,
  stepHealth,
  type Waiting,
} from "../core/delivery.ts";
import type { ReceiverStanding } from "../core/fact-samples.ts";
import { takeToken } from "../core/limits.ts";
import { describeError } from "../log.ts";
import { after, type Clock, type Log } from "../ports.ts";
import type { Send } from "../senders/send.ts";
import type { Actor, StateStore } from "../store/state.ts";
import type { Dispatcher } from "./alert-ports.ts";
import { DeliveryLog } from "./delivery-log.ts";
import { stillFires } from "./still-firing.ts";
import { SwitchedOff } from "./switched-off.ts";
import { emptyLane, isOvertaken, type Lane, queueOf } from "./waiting-lane.ts";

export type DispatcherPorts = {
  state: StateStore;
  clock: Clock;
  log: Log;
  random: () => number;
  send: Send;
  /** What operators should hear of by another way than this one. */
  events: {
    failing(receiver: Receiver, problem: string): void;
    back(receiver: Receiver): void;
    disabled(receiver: Receiver, problem: string): void;
    dead(receiver: Receiver, problem: string): void;
  };
};

type Finished = { lane: Lane; waiting: Waiting; receiver: Receiver; attempt: Attempt };

const by: Actor = { actor: "hub", reason: "delivery" };
/** A wall clock that was set must not make a restart wait longer than a retry would have. */
const restartDelayMaxMs = 5 * 60_000;
const recordAgainMs = 1000;
const stopWaitMs = 3000;
/** How many failures in a row make an event. */
const failingAfter = 3;

/**
 * Brings notifications to their receivers: at least once, in each group in order, at most one message of a group at a time. A message is durable
 * before it is sent and its result is recorded after, so that a crash in between repeats it once; receivers can tell by its id.
 */
export class DeliveryDispatcher implements Dispatcher {
  readonly log: DeliveryLog;
  private readonly lanes = new Map<string, Lane>();
  /** Written by a transaction that may still fail. */
  private readonly fresh = new Set<string>();
  private readonly switchedOff: SwitchedOff;
  /** Receivers that somebody changed since this hub started: of those that take nothing, they were switched off by a person. */
  private readonly changed = new Set<string>();
  private readonly finished: Finished[] = [];
  private readonly listeners = new Map<string, (delivery: Delivery) => void>();
  private readonly sending = new Set<Promise<void>>();
  private stopped = false;

  /** Takes up what an earlier run left; sends nothing before `start`. */
  constructor(private readonly ports: DispatcherPorts) {
    this.log = new DeliveryLog(ports.state);
    this.switchedOff = new SwitchedOff(ports.state);
    for (const [receiver, problem] of this.switchedOff.entries()) this.lane(receiver).problem = problem;
    const { clock } = ports;
    for (const { id, receiver, group, isTest, nextAttemptAt } of this.log.open()) {
      const delayMs = Math.min(Math.max(0, (nextAttemptAt ?? 0) - clock.now()), restartDelayMaxMs);
      this.lane(receiver)[isTest ? "tests" : "waiting"].set(id, { id, group, isTest, dueAt: clock.monotonicMs() + delayMs });
    }
  }

  start(): void {
    for (const receiver of [...this.lanes.keys()]) this.pump(receiver);
  }

  enqueue(notification: Notification): void {
    const { state, clock } = this.ports;
    if (state.get("delivery", notification.id) !== undefined) return;
    state.put("delivery", notification.id, newDelivery(notification, clock.now()), by);
    this.fresh.add(notification.id);
  }

  committed(): void {
    const receivers = new Set<string>();
    for (const id of this.fresh) {
      // Missing: its transaction failed, and with it the record that it was told.
      const delivery = this.ports.state.get("delivery", id);
      if (delivery !== undefined) receivers.add(this.admit(delivery));
    }
    this.fresh.clear();
    for (const receiver of receivers) this.pump(receiver);
  }

  /** Sends it ahead of all others and resolves after its one attempt. */
  test(notification: Notification): Promise<Delivery> {
    return new Promise((resolve) => {
      this.listeners.set(notification.id, resolve);
      this.enqueue(notification);
      this.committed();
    });
  }

  /**
   * Somebody changed, enabled, disabled or removed a receiver: what waits for it is tried at once, or ends. What it refused as it was before is
   * sent again as far as it still fires: the alert counts as told, and nobody was.
   */
  receiverChanged(id: string): void {
    const lane = this.lanes.get(id);
    this.switchedOff.forget(id);
    this.changed.add(id);
    for (const dead of this.log.newestDead(id)) {
      const delivery = this.ports.state.get("delivery", dead);
      if (delivery !== undefined && stillFires(this.ports.state, delivery)) this.replay(dead);
    }
    if (lane === undefined) return;
    lane.health = healthy;
    this.makeDue(lane);
    this.pump(id);
  }

  /** Sends a dead letter again. False: it is none, or its receiver takes nothing. */
  replay(id: string): boolean {
    const { state, clock } = this.ports;
    const delivery = state.get("delivery", id);
    if (delivery?.state !== "dead" || state.get("receiver", delivery.receiver)?.enabled !== true) return false;
    const next = replayed(delivery, clock.now());
    state.put("delivery", id, next, by);
    this.pump(this.admit(next));
    return true;
  }

  /** Why a receiver fails now; null: it doesn't, or nobody knows. */
  problemOf(receiver: string): string | null {
    return this.lanes.get(receiver)?.problem ?? null;
  }

  /** Receivers that nothing reaches though nobody switched them off: refused for good, gone, or tried in vain several times. */
  failing(): { receiver: Receiver; problem: string }[] {
    return [...this.lanes].flatMap(([id, { problem, health }]) => {
      const receiver = this.ports.state.get("receiver", id);
      const isPassing = health.failures > 0 && health.failures < failingAfter;
      const isOn = receiver?.enabled === true || this.switchedOff.has(id);
      return problem === null || isPassing || receiver === undefined || !isOn ? [] : [{ receiver, problem }];
    });
  }

  standings(): ReceiverStanding[] {
    const failing = new Set(this.failing().map(({ receiver }) => receiver.id));
    return this.ports.state.list("receiver").flatMap(({ id, document: { name, enabled } }): ReceiverStanding[] => {
      if (failing.has(id)) return [{ name, fails: true }];
      const lane = this.lanes.get(id);
      const isKnown = enabled ? lane?.tried === true && lane.problem === null : this.changed.has(id);
      return isKnown ? [{ name, fails: false }] : [];
    });
  }

  /** Ends waiting; messages under way may still get their answer for 3 s, else they are sent again at the next start. */
  async stop(): Promise<void> {
    this.stopped = true;
    for (const { cancel } of this.lanes.values()) cancel();
    const patience = new AbortController();
    await Promise.race([Promise.all(this.sending), this.ports.clock.sleep(stopWaitMs, patience.signal)]);
    patience.abort();
    this.record();
  }

  private lane(receiver: string): Lane {
    const present = this.lanes.get(receiver);
    if (present !== undefined) return present;
    const made = emptyLane();
    this.lanes.set(receiver, made);
    return made;
  }

  private admit(delivery: Delivery): string {
    const { group, kind } = delivery.notification;
    const isTest = kind === "test";
    const waiting = { id: delivery.id, group, isTest, dueAt: this.ports.clock.monotonicMs() };
    this.lane(delivery.receiver)[isTest ? "tests" : "waiting"].set(delivery.id, waiting);
    this.log.note(delivery);
    return delivery.receiver;
  }

  private makeDue(lane: Lane): void {
    const now = this.ports.clock.monotonicMs();
    for (const one of lane.waiting.values()) if (one.dueAt > now) one.dueAt = now;
  }

  /** Sends what may go now, and sees to it that the rest goes in time. */
  private pump(id: string): void {
    const lane = this.lane(id);
    lane.cancel();
    if (this.stopped) return;
    const receiver = this.ports.state.get("receiver", id);
    if (receiver === undefined) {
      this.endAll(lane, "dropped", "the receiver was removed");
      return;
    }
    if (!receiver.enabled && lane.waiting.size > 0) this.endAll(lane, "dead", "the receiver is disabled", false);
    this.lookAgain(lane, id, this.sendDue(lane, receiver));
  }

  /** Sends what may go now; returns when there will be more (undefined: when something changes). */
  private sendDue(lane: Lane, receiver: Receiver): number | undefined {
    const { parallel, rate } = channelPace[receiver.type];
    for (;;) {
      const now = this.ports.clock.monotonicMs();
      // While it fails, one message finds out whether it still does.
      const full = lane.underWay.size >= (lane.health.failures > 0 ? 1 : parallel);
      const next = nextOf(full ? lane.tests.values() : queueOf(lane), lane.underWay, lane.health, now);
      if (!("send" in next)) return full ? undefined : next.lookAgainAt;
      if (this.endsNothing(next.send, receiver)) {
        this.end(lane, [next.send], "dropped", "what it ends was never told here");
        continue;
      }
      if (!next.send.isTest) {
        const turn = takeToken(lane.bucket, rate, now);
        lane.bucket = turn.bucket;
        if (turn.waitMs > 0) return now + turn.waitMs;
      }
      this.deliver(lane, next.send, receiver);
    }
  }

  private lookAgain(lane: Lane, receiver: string, at: number | undefined): void {
    if (at === undefined) return;
    const { clock } = this.ports;
    lane.cancel = after(clock, Math.max(0, at - clock.monotonicMs()), () => this.pump(receiver));
  }

  private deliver(lane: Lane, waiting: Waiting, receiver: Receiver): void {
    lane.underWay.add(waiting.group);
    const run = this.attempt(waiting, receiver).then((attempt) => {
      this.sending.delete(run);
      this.finished.push({ lane, waiting, receiver, attempt });
      // What ends in the same turn is recorded in one transaction.
      if (this.finished.length === 1) setImmediate(() => this.record());
    });
    this.sending.add(run);
  }

  private async attempt({ id }: Waiting, receiver: Receiver): Promise<Attempt> {
    const { clock, state, send } = this.ports;
    const [at, startedMs] = [clock.now(), clock.monotonicMs()];
    const delivery = state.get("delivery", id);
    const gone: SendResult = { ok: false, retry: false, problem: "removed while it waited" };
    const result = delivery === undefined ? gone : await send(asOfNow(delivery.notification, at), receiver);
    return { at, tookMs: Math.round(clock.monotonicMs() - startedMs), result };
  }

  private record(): void {
    const batch = this.finished.splice(0);
    if (batch.length === 0) return;
    try {
      const changed = this.ports.state.together(() => batch.map((one) => this.store(one)));
      for (const [index, one] of batch.entries()) this.settle(one, changed[index]);
    } catch (error) {
      // What was sent must not be sent again because the disk is full: it stays under way until it could be recorded.
      this.ports.log(3, `deliveries can't be recorded, trying again: ${describeError(error)}`);
      this.finished.push(...batch);
      if (!this.stopped) after(this.ports.clock, recordAgainMs, () => this.record());
      return;
    }
    for (const { receiver } of batch) this.pump(receiver.id);
  }

  private store({ lane, waiting, receiver, attempt }: Finished): Delivery | undefined {
    const isOld = () => isOvertaken(lane, waiting, (id) => this.log.sequenceOf(id));
    const isWanted = (delivery: Delivery) => stillFires(this.ports.state, delivery) && !isOld();
    return this.ports.state.update("delivery", waiting.id, by, (present) =>
      present === undefined
        ? undefined
        : afterAttempt(present, attempt, this.ports.random, receiver.type, () => isWanted(present)),
    );
  }

  /** The end of a trouble of which nothing reached the receiver. */
  private endsNothing({ id, group }: Waiting, receiver: Receiver): boolean {
    if (keepsOpen(receiver.type) || !this.log.neverArrived(receiver.id, group)) return false;
    return this.ports.state.get("delivery", id)?.notification.kind === "resolved";
  }

  private settle({ lane, waiting, receiver, attempt }: Finished, delivery: Delivery | undefined): void {
    const { clock, random } = this.ports;
    const { result } = attempt;
    const now = clock.monotonicMs();
    lane.underWay.delete(waiting.group);
    if (delivery?.state === "retrying") waiting.dueAt = now + ((delivery.nextAttemptAt ?? 0) - attempt.at);
    else lane[waiting.isTest ? "tests" : "waiting"].delete(waiting.id);
    if (delivery !== undefined) this.log.note(delivery);
    const stepped = stepHealth(lane.health, result, now, random);
    // A failed test says nothing about when the others should be tried; one that gets through says a lot.
    if (!waiting.isTest || result.ok) lane.health = stepped.health;
    lane.problem = result.ok ? null : result.problem;
    lane.tried = true;
    if (stepped.isBack) this.makeDue(lane);
    this.tell(receiver, lane, result, delivery, stepped.isBack);
    const heard = this.listeners.get(waiting.id);
    this.listeners.delete(waiting.id);
    if (delivery !== undefined) heard?.(delivery);
  }

  private tell(receiver: Receiver, lane: Lane, result: SendResult, delivery: Delivery | undefined, isBack: boolean): void {
    const { events, state } = this.ports;
    if (isBack) events.back(receiver);
    if (result.ok) return;
    if (lane.health.failures === failingAfter && delivery?.state === "retrying") events.failing(receiver, result.problem);
    if (delivery?.state === "dead") events.dead(receiver, delivery.problem ?? result.problem);
    if (result.disable !== true) return;
    const why = { actor: "hub", reason: `disabled: ${result.problem}`.slice(0, 200) };
    state.update("receiver", receiver.id, why, (present) => (present?.enabled ? { ...present, enabled: false } : undefined));
    this.switchedOff.note(receiver.id, result.problem, this.ports.clock.now());
    events.disabled(receiver, result.problem);
  }

  private endAll(lane: Lane, state: "dead" | "dropped", problem: string, withTests = true): void {
    const queues = withTests ? [lane.tests, lane.waiting] : [lane.waiting];
    const ending = queues.flatMap((queue) => [...queue.values()]).filter(({ group }) => !lane.underWay.has(group));
    this.end(lane, ending, state, problem);
  }

  private end({ tests, waiting }: Lane, ending: readonly Waiting[], state: "dead" | "dropped", problem: string): void {
    const deliveries = this.ports.state.together(() =>
      ending.map(({ id }) =>
        this.ports.state.update("delivery", id, by, (present) =>
          present !== undefined && isOpen(present) ? ended(present, state, problem) : undefined,
        ),
      ),
    );
    for (const { id } of ending) for (const queue of [tests, waiting]) queue.delete(id);
    for (const delivery of deliveries) {
      if (delivery === undefined) continue;
      this.log.note(delivery);
      this.listeners.get(delivery.id)?.(delivery);
      this.listeners.delete(delivery.id);
    }
  }
}
