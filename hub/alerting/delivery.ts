import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { EpochMs } from "#protocol/ids.ts";
import type { Delivery, PushSubscriptionJson, Receiver } from "#protocol/notifications.ts";
import type { HubConfig } from "../config.ts";
import { testNotification } from "../core/message.ts";
import { receiverRules, secretName } from "../core/receiver-check.ts";
import { Heartbeat } from "../heartbeat.ts";
import type { Journal } from "../journal.ts";
import { sessionsEndedAt } from "../keys.ts";
import { OutgoingClient } from "../outgoing.ts";
import type { Clock, Log } from "../ports.ts";
import { Secrets } from "../secrets.ts";
import { addressIn } from "../senders/email.ts";
import { type NodeOutlet, openSender, type SenderPorts, serviceAddresses } from "../senders/send.ts";
import { loadVapidKeys, type VapidKeys } from "../senders/web-push.ts";
import type { StateStore } from "../store/state.ts";
import type { HttpProxy } from "../tunnel.ts";
import { ActionLinks } from "./action-links.ts";
import { DeliveryDispatcher, type DispatcherPorts } from "./dispatcher.ts";
import { type PushSubscriberPorts, PushSubscribers, type Subscriber } from "./push-subscribers.ts";

export type DeliveryParts = {
  config: HubConfig;
  state: StateStore;
  clock: Clock;
  log: Log;
  journal: Pick<Journal, "emit" | "emitRarely">;
  outlet: NodeOutlet | undefined;
  /** What Proxmox VE hides from a user now; absent: nobody can be asked. */
  sightOf?: PushSubscriberPorts["sightOf"];
  /** The way to receivers outside; absent: there is no need of one. */
  proxy?: HttpProxy | undefined;
  /** For tests: other addresses of services, and of authorities to trust. */
  services?: Partial<Pick<SenderPorts, "telegramApi" | "pagerDutyApi" | "sendmail" | "ca">>;
};

/** What the API asks of delivery. */
export type ReceiverPorts = {
  dispatcher: DeliveryDispatcher;
  secrets: Secrets;
  vapid: VapidKeys;
  /** The hub's address as people reach it. */
  base: string;
  links: ActionLinks;
  /** Sends a test and resolves after its one attempt. */
  test(receiver: string): Promise<Delivery>;
  subscribe(subscription: PushSubscriptionJson, owner: Subscriber): string;
  /** False: there is no such subscription. */
  unsubscribe(id: string): boolean;
};

export type RunningDelivery = ReceiverPorts & {
  start(): void;
  problems(): string[];
  prune(now: EpochMs): void;
  stop(): Promise<void>;
};

const sendmailPath = "/usr/sbin/sendmail";

/** Everything between the alert engine and the receivers. Nothing is sent before `start`. */
export function openDelivery(parts: DeliveryParts): RunningDelivery {
  const { config, state, clock, log, journal } = parts;
  const secrets = new Secrets(config.state);
  const receivers = new Set(state.list("receiver").map(({ id }) => id));
  secrets.prune("receiver/", (name) => receivers.has(name.split("/")[1] ?? ""));
  const vapid = loadVapidKeys(secrets);
  const base = (config.url ?? `https://${hostname()}:${config.port}`).replace(/\/+$/, "");
  const links = new ActionLinks(secrets, base, () => sessionsEndedAt(state));
  const { proxy } = parts;
  const clients = [false, true].map((open) => new OutgoingClient(receiverRules(open), { ...caOf(parts), proxy }));
  const subscribers = new PushSubscribers({ state, clock, log, sightOf: parts.sightOf ?? (async () => "unknown") });
  const send = openSender({
    sendmail: sendmailPath,
    ...serviceAddresses,
    ...parts.services,
    clock,
    client: (privateAddress) => clients[privateAddress ? 1 : 0] as OutgoingClient, // there are these two
    rules: receiverRules,
    secret: ({ ref }) => secrets.get(ref),
    base,
    actionsOf: (notification) => links.of(notification),
    vapid,
    subscriptions: () => subscribers.entitled(),
    contacts: () => mailAddresses(state),
    unsubscribe: (id) => void subscribers.remove(id),
    outlet: parts.outlet,
  });
  const dispatcher = new DeliveryDispatcher({ state, clock, log, random: Math.random, send, events: eventsTo(journal) });
  const heartbeat = config.heartbeat === undefined ? undefined : new Heartbeat(config.heartbeat, { clock, log, proxy });
  return {
    dispatcher,
    secrets,
    vapid,
    base,
    links,
    test: (receiver) => dispatcher.test(testNotification(receiver, `test-${randomUUID()}`, clock.now())),
    subscribe: (subscription, owner) => subscribers.add(subscription, owner),
    unsubscribe: (id) => subscribers.remove(id),
    start: () => {
      dispatcher.start();
      heartbeat?.start();
    },
    problems: () => [...(heartbeat?.problems() ?? []), ...dispatcher.failing().map(failureText)],
    prune: (now) => {
      dispatcher.log.prune(now);
      void subscribers.keepConfirmed();
    },
    stop: async () => {
      await Promise.all([dispatcher.stop(), heartbeat?.stop()]);
      for (const client of clients) client.close();
    },
  };
}

const failureText = ({ receiver: { name }, problem }: { receiver: Receiver; problem: string }) =>
  `The receiver ${name} gets no messages: ${problem}`;

/** What the hub's mails say they come from. */
const mailAddresses = (state: StateStore) =>
  state.list("receiver").flatMap(({ document }) => (document.type === "email" ? [addressIn(document.from)] : []));

const caOf = ({ services }: DeliveryParts) => (services?.ca === undefined ? {} : { ca: services.ca });

/** Which of a receiver's secrets are set. */
export const secretsSet = (secrets: Secrets, receiver: string, fields: readonly string[]): string[] =>
  fields.filter((field) => secrets.has(secretName(receiver, field)));

function eventsTo(journal: DeliveryParts["journal"]): DispatcherPorts["events"] {
  return {
    failing: ({ id }, problem) => journal.emitRarely(id, "receiver.failing", { receiver: id, problem }),
    back: ({ id }) => journal.emitRarely(id, "receiver.back", { receiver: id }),
    disabled: ({ id }, problem) => journal.emit("receiver.disabled", { receiver: id, problem }),
    dead: ({ id }, problem) => journal.emitRarely(id, "delivery.dead", { receiver: id, problem }),
  };
}
