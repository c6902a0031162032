import { createHash } from "node:crypto";
import { lookup } from "node:dns/promises";
import { hostname } from "node:os";
import type { createTransport, SendMailOptions } from "nodemailer";
import type { Notification } from "#protocol/notifications.ts";
import type { SendResult } from "../core/delivery.ts";
import { errorMessage } from "../core/error.ts";
import { htmlEscape } from "../core/html.ts";
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
const addressIn = (from: string) => /<([^<>]+)>\s*$/.exec(from)?.[1] ?? from.trim();

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

export async function sendEmail(ports: EmailPorts, notification: Notification, receiver: Email): Promise<SendResult> {
  const mail = await withSheet(formatEmail(notification, receiver, ports), notification);
  const { smtp } = receiver;
  const envelope = { from: addressIn(receiver.from), to: receiver.to.map(addressIn) };
  if (smtp === undefined) return attempt({ sendmail: true, path: ports.sendmail, newline: "unix" }, { ...mail, envelope });
  const found = await resolve(smtp.host, ports.rules(receiver.privateAddress));
  if ("problem" in found) return { ok: false, retry: found.retry, problem: found.problem };
  return attempt(smtpOptions(ports, smtp, found.address), { ...mail, envelope });
}

/** A report is a mail of its own: its text, and the same as PDF. */
async function withSheet(mail: SendMailOptions, { sheet }: Notification): Promise<SendMailOptions> {
  if (sheet === undefined) return mail;
  const { pdfOf } = await import("../pdf.ts");
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
    name: hostname(),
    secure: tls === "tls",
    requireTLS: tls === "starttls",
    ignoreTLS: tls === "none",
    tls: { servername: host, minVersion: "TLSv1.2" as const, ...(ca === undefined ? {} : { ca }) },
    ...(user === undefined ? {} : { auth: { user, pass: password === undefined ? "" : secret(password) } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  };
}

/** Resolved here, so that the connection is made to the very address that was checked. */
async function resolve(host: string, rules: OutgoingRules): Promise<{ address: string } | { problem: string; retry: boolean }> {
  try {
    const all = await lookup(host, { all: true });
    // Mail is relayed over the internet with STARTTLS as well: which of its ways is encrypted is for `tls` to say.
    const problems = all.map(({ address }) => addressProblem(address, "https:", rules));
    const allowed = all.find((_, index) => problems[index] === undefined);
    if (allowed !== undefined) return { address: allowed.address };
    return { problem: `${host}: ${problems[0] ?? "no address"}`, retry: false };
  } catch (error) {
    return { problem: `${host}: ${errorMessage(error)}`, retry: true };
  }
}

async function attempt(options: Parameters<typeof createTransport>[0], mail: SendMailOptions): Promise<SendResult> {
  const { default: nodemailer } = await import("nodemailer");
  const transport = nodemailer.createTransport(options);
  try {
    const { response, rejected = [] } = (await transport.sendMail(mail)) as { response: string; rejected?: string[] };
    const refused = rejected.length === 0 ? "" : ` (refused for ${rejected.join(", ")})`;
    return { ok: true, answer: `${response}${refused}` };
  } catch (error) {
    return failure(error as Error & { code?: string; responseCode?: number });
  } finally {
    transport.close();
  }
}

/** RFC 5321 §4.2.1: 5yz to an address or to the mail itself is final. To anything before, it is a setting that somebody will put right. */
function failure(error: Error & { code?: string; responseCode?: number }): SendResult {
  const isAboutMail = error.code === "EENVELOPE" || error.code === "EMESSAGE";
  return { ok: false, retry: !(isAboutMail && (error.responseCode ?? 0) >= 500), problem: error.message };
}
