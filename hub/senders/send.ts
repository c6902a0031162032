import type { Notification, Receiver } from "#protocol/notifications.ts";
import type { SendResult } from "../core/delivery.ts";
import { errorMessage } from "../core/error.ts";
import { MissingSecret } from "../secrets.ts";
import { sendAlertmanager } from "./alertmanager.ts";
import type { ReceiverOf } from "./channel.ts";
import { sendDiscord } from "./discord.ts";
import { type EmailPorts, EmailSender } from "./email.ts";
import { sendGotify } from "./gotify.ts";
import { sendNtfy } from "./ntfy.ts";
import { sendPagerDuty } from "./pagerduty.ts";
import { sendSlack } from "./slack.ts";
import { sendTeams } from "./teams.ts";
import { sendTelegram } from "./telegram.ts";
import { type WebPushPorts, WebPushSender } from "./web-push.ts";
import { sendWebhook } from "./webhook.ts";

/** Takes a notification to the agents of its nodes, which put it into the journal, run hooks and tell PVE, as `receiver` says. */
export interface NodeOutlet {
  send(notification: Notification, receiver: ReceiverOf<"node">): Promise<SendResult>;
}

export type SenderPorts = EmailPorts &
  WebPushPorts & { telegramApi: string; pagerDutyApi: string; outlet: NodeOutlet | undefined };

/** The addresses of services that have only one. */
export const serviceAddresses = { telegramApi: "https://api.telegram.org", pagerDutyApi: "https://events.pagerduty.com" };

export type Send = (notification: Notification, receiver: Receiver) => Promise<SendResult>;

/** Sends by any channel. Never throws; what it returns holds no secret. */
export function openSender(ports: SenderPorts): Send {
  const kept = { push: new WebPushSender(ports), email: new EmailSender() };
  return async (notification, receiver) => {
    const used: string[] = [];
    const secret: SenderPorts["secret"] = (ref) => {
      const value = ports.secret(ref);
      used.push(value);
      return value;
    };
    try {
      return withoutSecrets(await sendBy({ ...ports, secret }, kept, notification, receiver), used);
    } catch (error) {
      // A secret that is missing will be set; anything else here is a bug, and a message must not be lost by one.
      const problem = error instanceof MissingSecret ? error.message : `could not be sent: ${errorMessage(error)}`;
      return withoutSecrets({ ok: false, retry: true, problem }, used);
    }
  };
}

/** Senders that remember whom a message reached that has to be tried again. */
type Kept = { push: WebPushSender; email: EmailSender };

function sendBy(ports: SenderPorts, { push, email }: Kept, notification: Notification, receiver: Receiver): Promise<SendResult> {
  switch (receiver.type) {
    case "email":
      return email.send(ports, notification, receiver);
    case "webhook":
      return sendWebhook(ports, notification, receiver);
    case "telegram":
      return sendTelegram(ports, notification, receiver);
    case "ntfy":
      return sendNtfy(ports, notification, receiver);
    case "gotify":
      return sendGotify(ports, notification, receiver);
    case "discord":
      return sendDiscord(ports, notification, receiver);
    case "slack":
      return sendSlack(ports, notification, receiver);
    case "teams":
      return sendTeams(ports, notification, receiver);
    case "pagerduty":
      return sendPagerDuty(ports, notification, receiver);
    case "alertmanager":
      return sendAlertmanager(ports, notification, receiver);
    case "web-push":
      return push.send(notification, receiver);
    case "node":
      return sendToNodes(ports, notification, receiver);
  }
}

async function sendToNodes(
  { outlet }: SenderPorts,
  notification: Notification,
  receiver: ReceiverOf<"node">,
): Promise<SendResult> {
  return (
    outlet?.send(notification, receiver) ?? { ok: false, retry: true, problem: "this hub has no way to its agents' outlets" }
  );
}

/** What the other side said goes into logs and pages: one line, nothing a terminal obeys. */
const plain = (text: string) => text.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, " ").trim();

function withoutSecrets(result: SendResult, secrets: readonly string[]): SendResult {
  const clean = (text: string) =>
    secrets.reduce((rest, secret) => (secret.length < 4 ? rest : rest.replaceAll(secret, "•••")), plain(text));
  return result.ok ? { ok: true, answer: clean(result.answer) } : { ...result, problem: clean(result.problem) };
}
