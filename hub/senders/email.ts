import { createHash } from "node:crypto";
import { lookup } from "node:dns/promises";
import { isIP } from "node:net";
import { hostname } from "node:os";
import type { createTransport, SendMailOptions } from "nodemailer";
import type { Notification } from "#protocol/notifications.ts";
import type { SendResult } from "../core/delivery.ts";
import { errorMessage } from "../core/error.ts";
import { htmlEscape } from "../core/html.ts";
import { BoundedMap } from "../core/limits.ts";
import { plainText } from "../core/message.ts";
import { addressProblem, type OutgoingRules } from "../core/outgoing-url.ts";
import { sheetText } from "../core/sheet.ts";
import { type ChannelPorts, type MessagePorts, messageFor, type ReceiverOf } from "./channel.ts";

type Email = ReceiverOf<"email">;
type Smtp = NonNullable<Email["smtp"]>;

export type EmailPorts = ChannelPorts & {
  rules(privateAddress: boolean): OutgoingRules;
  sendmail: string;
  /** PEM of the authorities to trust instead of Node's. */
  ca?: string | undefined;
};

const subjectMax = 200;
const timeoutMs = 20_000;
const colors = { info: "#3b82f6", warning: "#b45309", critical: "#b91c1c", resolved: "#15803d" };
const hash = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 40);

/** `ops@example.org` of `Operators <ops@example.org>`. */
export const addressIn = (from: string) => /<([^<>]+)>\s*$/.exec(from)?.[1] ?? from.trim();

/**
 * One mail to all. All mails of a group refer to the same root, which makes them one thread; a mail that is sent twice has the same
 * Message-ID, so that most mailboxes show it once. RFC 3834: it is generated, and nobody should answer automatically.
 */
export function formatEmail(notification: Notification, receiver: Email, ports: MessagePorts): SendMailOptions {
  const message = messageFor(notification, receiver, ports);
  const domain = addressIn(receiver.from).split("@")[1] ?? hostname();
  const root = `<group.${hash(`${receiver.id}\n${notification.group}`)}@${domain}>`;
  const critical = notification.severity === "critical" && notification.kind !== "resolved";
  return {
    from: receiver.from,
    to: receiver.to,
    subject: [...message.verdict].slice(0, subjectMax).join(""),
    messageId: `<${hash(`${receiver.id}\n${notification.id}`)}@${domain}>`,
    references: [root],
    inReplyTo: root,
    date: new Date(notification.at),
    text: plainText(message),
    html: htmlOf(notification, message),
    priority: critical ? "high" : "normal",
    headers: {
      "Auto-Submitted": "auto-generated",
      "X-Auto-Response-Suppress": "All",
      "X-Proven-Severity": notification.severity,
    },
  };
}

function htmlOf(notification: Notification, { verdict, body, link, actions }: ReturnType<typeof messageFor>): string {
  const color = colors[notification.kind === "resolved" ? "resolved" : notification.severity];
  const blocks = body === "" ? [] : body.split("\n\n").map((block) => `<p>${htmlEscape(block).replaceAll("\n", "<br>\n")}</p>`);
  return [
    '<!doctype html><html><head><meta charset="utf-8"></head><body style="font-family:sans-serif;font-size:14px;line-height:1.5">',
    `<p style="border-left:4px solid ${color};padding-left:8px;font-weight:bold">${htmlEscape(verdict)}</p>`,
    ...blocks,
    `<p><a href="${htmlEscape(link)}">${htmlEscape(link)}</a></p>`,
    ...actions.map(({ label, url }) => `<p><a href="${htmlEscape(url)}"><b>${htmlEscape(label)}</b></a></p>`),
    "</body></html>",
  ].join("\n");
}

/** Sends mails. Who has one already doesn't get it again when the server wants to be asked again for another of its recipients. */
export class EmailSender {
  private readonly reached = new BoundedMap<string, ReadonlySet<string>>(1000);

  async send(ports: EmailPorts, notification: Notification, receiver: Email): Promise<SendResult> {
    const mail = await withSheet(formatEmail(notification, receiver, ports), notification);
    const known = this.reached.get(notification.id) ?? new Set();
    const open = receiver.to.map(addressIn).filter((address) => !known.has(address));
    if (open.length === 0) return { ok: true, answer: `accepted for ${[...known].join(", ")} before` };
    const sent = await transmit(ports, receiver, { ...mail, envelope: { from: addressIn(receiver.from), to: open } });
    if (sent.result.ok) this.reached.delete(notification.id);
    else this.reached.set(notification.id, new Set([...known, ...sent.accepted]));
    // That the last one was refused for good does not make a mail lost that others have.
    if (sent.isFinal && known.size > 0 && !sent.result.ok)
      return { ok: true, answer: `accepted for ${[...known].join(", ")}, then: ${sent.result.problem}` };
    return sent.result;
  }
}

/** What came of one mail. `accepted`: of its recipients, where it has to be tried again. `isFinal`: the rest was refused for good. */
type Transmission = { result: SendResult; accepted: readonly string[]; isFinal: boolean; isUnreached: boolean };

const failed = (problem: string, retry: boolean): Transmission => ({
  result: { ok: false, retry, problem },
  accepted: [],
  isFinal: false,
  isUnreached: false,
});

/** To the first of the server's addresses that answers: one of IPv6 may lead nowhere. */
async function transmit(ports: EmailPorts, { smtp, privateAddress }: Email, mail: SendMailOptions): Promise<Transmission> {
  if (smtp === undefined) return attempt({ sendmail: true, path: ports.sendmail, newline: "unix" }, mail);
  const found = await resolve(smtp.host, ports.rules(privateAddress));
  if ("problem" in found) return failed(found.problem, found.retry);
  let sent = failed("no address", true);
  for (const address of found.addresses) {
    sent = await attempt(smtpOptions(ports, smtp, address), mail);
    if (!sent.isUnreached) break;
  }
  return sent;
}

/** A report is a mail of its own: its text, and the same as PDF. */
async function withSheet(mail: SendMailOptions, { sheet }: Notification): Promise<SendMailOptions> {
  if (sheet === undefined) return mail;
  const { pdfOf } = await import("../proof/pdf.ts");
  const { html: _, ...rest } = mail;
  const filename = `${sheet.title.replace(/[^A-Za-z0-9]+/g, "-")}.pdf`;
  return {
    ...rest,
    text: sheetText(sheet),
    attachments: [{ filename, content: await pdfOf(sheet), contentType: "application/pdf" }],
  };
}

function smtpOptions({ ca, secret }: EmailPorts, { host, port, tls, user, password }: Smtp, address: string) {
  return {
    // The address that was checked, and the name its certificate must have.
    host: address,
    port,
    // A name without a dot is refused by servers that want a whole one; nodemailer says an address then.
    ...(hostname().includes(".") ? { name: hostname() } : {}),
    secure: tls === "tls",
    requireTLS: tls === "starttls",
    ignoreTLS: tls === "none",
    tls: {
      ...(isIP(host) === 0 ? { servername: host } : {}),
      minVersion: "TLSv1.2" as const,
      ...(ca === undefined ? {} : { ca }),
    },
    ...(user === undefined ? {} : { auth: { user, pass: password === undefined ? "" : secret(password) } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

/** At most so many of its addresses are tried in turn. */
const addressesMax = 3;

/** Resolved here, so that the connection is made to the very address that was checked. */
async function resolve(
  host: string,
  rules: OutgoingRules,
): Promise<{ addresses: string[] } | { problem: string; retry: boolean }> {
  try {
    const all = await lookup(host, { all: true });
    // Mail is relayed over the internet with STARTTLS as well: which of its ways is encrypted is for `tls` to say.
    const problems = all.map(({ address }) => addressProblem(address, "https:", rules));
    const addresses = all.filter((_, index) => problems[index] === undefined).map(({ address }) => address);
    if (addresses.length > 0) return { addresses: addresses.slice(0, addressesMax) };
    return { problem: `${host}: ${problems[0] ?? "no address"}`, retry: false };
  } catch (error) {
    return { problem: `${host}: ${errorMessage(error)}`, retry: true };
  }
}

/** As nodemailer tells of mails and failures. */
type Sent = { response: string; accepted?: string[]; rejected?: string[]; rejectedErrors?: SmtpError[] };
type SmtpError = Error & { code?: string; command?: string; responseCode?: number };

async function attempt(options: Parameters<typeof createTransport>[0], mail: SendMailOptions): Promise<Transmission> {
  const { default: nodemailer } = await import("nodemailer");
  const transport = nodemailer.createTransport(options);
  try {
    const { response, accepted = [], rejected = [], rejectedErrors = [] } = (await transport.sendMail(mail)) as Sent;
    const later = rejectedErrors.find(({ responseCode = 0 }) => responseCode >= 400 && responseCode < 500);
    if (later !== undefined) {
      const problem = `not yet accepted for ${rejected.join(", ")}: ${later.message}`;
      return { ...failed(problem, true), accepted };
    }
    const refused = rejected.length === 0 ? "" : ` (refused for ${rejected.join(", ")})`;
    return { result: { ok: true, answer: `${response}${refused}` }, accepted, isFinal: true, isUnreached: false };
  } catch (error) {
    return failure(error as SmtpError);
  } finally {
    transport.close();
  }
}

/** RFC 5321 §4.2.1: 5yz to an address or to the mail itself is final. To anything before, it is a setting that somebody will put right. */
function failure({ code, command, responseCode = 0, message }: SmtpError): Transmission {
  const isFinal = (code === "EENVELOPE" || code === "EMESSAGE") && responseCode >= 500;
  return { ...failed(message, !isFinal), isFinal, isUnreached: command === "CONN" && code !== "ETLS" };
}
