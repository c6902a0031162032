import type { Notification, Receiver, ReceiverType, SecretRef } from "#protocol/notifications.ts";
import { softwareVersion } from "#protocol/version.ts";
import type { ActionLink } from "../core/action-link.ts";
import type { SendResult } from "../core/delivery.ts";
import { type Message, messageOf } from "../core/message.ts";
import type { OutgoingClient, OutgoingResult } from "../outgoing.ts";
import type { Clock } from "../ports.ts";
import { parseRetryAfter } from "./remote-write/delivery.ts";

export type ReceiverOf<T extends ReceiverType> = Extract<Receiver, { type: T }>;

/** What the text of a message needs. */
export type MessagePorts = {
  /** The hub's address as people reach it, without a slash at its end. */
  base: string;
  /** Links that act on the message's alerts. */
  actionsOf(notification: Notification): readonly ActionLink[];
};

/** What every channel needs of the world. */
export type ChannelPorts = MessagePorts & {
  clock: Clock;
  /** HTTP with the address policy; `privateAddress` as the receiver says. */
  client(privateAddress: boolean): OutgoingClient;
  /** @throws when the secrets' file doesn't hold it. */
  secret(ref: SecretRef): string;
};

export const messageFor = (notification: Notification, receiver: Receiver, { base, actionsOf }: MessagePorts): Message =>
  messageOf(notification, base, receiver.template, receiver.actions === false ? [] : actionsOf(notification));

export type PostRequest = { url: string; headers?: Readonly<Record<string, string>>; body: unknown; privateAddress: boolean };

const timeoutMs = 20_000;
const answerMaxBytes = 64 << 10;

/** Posts JSON (a string is sent as it is). */
export function postJson(ports: ChannelPorts, { url, headers = {}, body, privateAddress }: PostRequest): Promise<OutgoingResult> {
  return ports.client(privateAddress).send({
    url: new URL(url),
    method: "POST",
    headers: { "user-agent": `proven-hub/${softwareVersion}`, ...headers, "content-type": "application/json" },
    body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
    timeoutMs,
    answerMaxBytes,
  });
}

/**
 * What an HTTP answer means for a message. Worth another try: no answer, 5xx, 429, timeouts, and credentials that are wrong (somebody will set
 * them right, and what waited should then arrive). 410: never again. Any other 4xx refuses this very message.
 * `alwaysRetry`: of any refusal but 410, as Standard Webhooks wants it.
 */
export function resultOf(sent: OutgoingResult, ports: Pick<ChannelPorts, "clock">, alwaysRetry = false): SendResult {
  if (!sent.ok) return { ok: false, retry: sent.reason === "unreachable", problem: sent.problem };
  const { status, headers, body } = sent.answer;
  const said = body.toString("utf8", 0, 300).replace(/\s+/g, " ").trim();
  const answer = `HTTP ${status}${said === "" ? "" : ` ${said}`}`;
  if (status >= 200 && status < 300) return { ok: true, answer };
  if (status === 410) return { ok: false, retry: false, disable: true, problem: answer };
  const retry = alwaysRetry || status < 400 || status >= 500 || [401, 403, 407, 408, 425, 429].includes(status);
  const header = headers["retry-after"];
  // Discord's header may carry a fraction of a second.
  const fraction = header !== undefined && /^\d+\.\d+$/.test(header) ? Math.ceil(Number(header)) : undefined;
  const waitMs = fraction === undefined ? parseRetryAfter(header, ports.clock.now()) : fraction * 1000;
  return { ok: false, retry, problem: answer, ...(waitMs === undefined ? {} : { retryAfterSec: Math.ceil(waitMs / 1000) }) };
}

/** The JSON object an answer holds; undefined: it holds none. */
export function answerObject(sent: OutgoingResult): Record<string, unknown> | undefined {
  if (!sent.ok) return undefined;
  try {
    const parsed: unknown = JSON.parse(sent.answer.body.toString("utf8"));
    return isObject(parsed) ? parsed : undefined;
  } catch {
    return undefined;
  }
}

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A path appended to an address that may end in a slash or have a path of its own. */
export const underUrl = (base: string, path: string): string => `${base.replace(/\/+$/, "")}/${path}`;
