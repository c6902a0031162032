import { createECDH } from "node:crypto";
import type { Notification, PushSubscriptionJson } from "#protocol/notifications.ts";
import type { SendResult } from "../core/delivery.ts";
import { BoundedMap } from "../core/limits.ts";
import { cutLines, cutText } from "../core/message.ts";
import type { OutgoingResult } from "../outgoing.ts";
import type { Secrets } from "../secrets.ts";
import { type ChannelPorts, type MessagePorts, messageFor, type ReceiverOf, resultOf } from "./channel.ts";

type WebPush = ReceiverOf<"web-push">;
export type VapidKeys = { publicKey: string; privateKey: string };
export type Subscription = { id: string; subscription: PushSubscriptionJson };

export type WebPushPorts = ChannelPorts & {
  vapid: VapidKeys;
  /** Of those who may hear of everything now. */
  subscriptions(): Promise<Subscription[]>;
  /** Addresses that the hub's mails come from. */
  contacts(): string[];
  /** The browser wants no more. */
  unsubscribe(id: string): void;
};

/** RFC 8291 §4: 4,096 bytes, of which encryption takes 103. */
const payloadMaxBytes = 3900;
const titleMaxBytes = 400;
const jsonBytes = (text: string) => Buffer.byteLength(JSON.stringify(text)) - 2;
/** A phone that was off for a day hears of it when it is back. */
const ttlSec = 86_400;

/** The hub's VAPID keys (RFC 8292), made when they are first wanted and kept: subscriptions are bound to them. */
export function loadVapidKeys(secrets: Secrets): VapidKeys {
  if (!secrets.has("vapid/private") || !secrets.has("vapid/public")) {
    const pair = createECDH("prime256v1");
    const publicKey = pair.generateKeys("base64url");
    // A key that begins with zeros is shorter as a number, and has to be 32 bytes all the same.
    const privateKey = Buffer.concat([Buffer.alloc(32), pair.getPrivateKey()])
      .subarray(-32)
      .toString("base64url");
    secrets.change({ "vapid/public": publicKey, "vapid/private": privateKey });
  }
  return { publicKey: secrets.get("vapid/public"), privateKey: secrets.get("vapid/private") };
}

/**
 * JSON for the panel's service worker. `tag`: a newer message of a group takes the place of the older one on the screen. `actions`: for
 * `showNotification`, each with the page it opens.
 */
export function formatWebPush(notification: Notification, receiver: WebPush, ports: MessagePorts): string {
  const { verdict, body, link, actions } = messageFor(notification, receiver, ports);
  const { kind, severity, group, id } = notification;
  const acts = actions.map(({ action, label, url }) => ({ action, title: label, url }));
  const title = cutText(verdict, titleMaxBytes, jsonBytes);
  const shown = { title, link, kind, severity, tag: group.slice(0, 200), id: id.slice(0, 200), actions: acts };
  const room = payloadMaxBytes - Buffer.byteLength(JSON.stringify({ ...shown, body: "" }));
  return JSON.stringify({ ...shown, body: cutLines(body, room, jsonBytes) });
}

/** RFC 2606, 6761, 6762 and 8375, and what networks at home and in offices use without asking. */
const localNames = /(^|\.)(local|localhost|localdomain|lan|home|internal|intranet|private|corp|arpa|invalid|test|example)$/;
const isPublicName = (host: string) => host.includes(".") && /[a-z]$/.test(host) && !localNames.test(host);

/**
 * Whom a push service would write to about us (RFC 8292 §2.1). Apple's refuses every message (403 BadJwtToken) where that is a name of a local
 * network, which most hubs have: then it is the address that the hub's mails come from, or one whose domain exists for such uses.
 */
export function vapidSubject(base: string, contacts: readonly string[]): string {
  const url = new URL(base);
  if (url.protocol === "https:" && isPublicName(url.hostname)) return base;
  const contact = contacts.find((address) => isPublicName(address.split("@")[1]?.toLowerCase() ?? ""));
  return `mailto:${contact ?? "nobody@example.com"}`;
}

/** Sends to every browser. Who has it already doesn't get it again when another one's push service has to be tried again. */
export class WebPushSender {
  private readonly reached = new BoundedMap<string, Set<string>>(1000);

  constructor(private readonly ports: WebPushPorts) {}

  async send(notification: Notification, receiver: WebPush): Promise<SendResult> {
    const subscriptions = await this.ports.subscriptions();
    if (subscriptions.length === 0)
      return { ok: false, retry: false, problem: "no browser of somebody who may see everything has asked for push messages" };
    const payload = formatWebPush(notification, receiver, this.ports);
    const reached = this.reached.get(notification.id) ?? new Set();
    this.reached.set(notification.id, reached);
    const open = subscriptions.filter(({ id }) => !reached.has(id));
    const results = await Promise.all(open.map((one) => this.sendOne(one, payload, notification, receiver)));
    for (const [index, { id }] of open.entries()) if (results[index]?.ok) reached.add(id);
    const again = results.find((result) => !result.ok && result.retry);
    if (again !== undefined) return again;
    this.reached.delete(notification.id);
    if (reached.size > 0) return { ok: true, answer: `${reached.size} of ${subscriptions.length} browsers` };
    return results[0] ?? { ok: false, retry: false, problem: "no browser took it" };
  }

  private async sendOne(
    { id, subscription }: Subscription,
    payload: string,
    notification: Notification,
    receiver: WebPush,
  ): Promise<SendResult> {
    const { vapid, base, contacts } = this.ports;
    const subject = vapidSubject(base, contacts());
    const { endpoint, keys } = subscription;
    const { default: webpush } = await import("web-push");
    const details = webpush.generateRequestDetails({ endpoint, keys }, payload, {
      vapidDetails: { subject, ...vapid },
      TTL: ttlSec,
      urgency: notification.severity === "critical" ? "high" : "normal",
      contentEncoding: "aes128gcm",
    });
    const sent = await this.ports.client(receiver.privateAddress).send({
      url: new URL(details.endpoint),
      method: "POST",
      headers: headersOf(details.headers),
      body: details.body,
      timeoutMs: 20_000,
      answerMaxBytes: 64 << 10,
    });
    if (isGone(sent)) {
      this.ports.unsubscribe(id);
      return { ok: false, retry: false, problem: "the browser has unsubscribed" };
    }
    const result = resultOf(sent, this.ports);
    // An endpoint is a capability: nobody should read it in the log of deliveries.
    return result.ok ? result : { ...result, problem: `${new URL(endpoint).host}: ${result.problem}` };
  }
}

/** RFC 8030 §7.3: 404 and 410 say that the subscription is over. */
const isGone = (sent: OutgoingResult) => sent.ok && (sent.answer.status === 404 || sent.answer.status === 410);

/** The length is the client's to say. */
function headersOf(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  const kept = Object.entries(headers).filter(([name]) => name.toLowerCase() !== "content-length");
  return Object.fromEntries(kept.map(([name, value]) => [name.toLowerCase(), String(value)]));
}
