import type { AlertView } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Notification } from "#protocol/notifications.ts";
import type { ActionLink } from "./action-link.ts";
import { durationText, valueText } from "./alert-text.ts";
import { type AlertValues, type MessageValues, parseTemplate, renderTemplate } from "./template.ts";

/** What a notification says, before a channel gives it its form: plain text that nobody has escaped yet. */
export type Message = {
  /** One line. */
  verdict: string;
  /** Lines: object, value, threshold, since of each alert; or the receiver's template. */
  body: string;
  link: string;
  /** What can be done from the message itself. */
  actions: readonly ActionLink[];
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u2028\u2029]/g;
/** Without line breaks and control characters: names come from guests. */
export const oneLine = (text: string): string =>
  text
    .replace(/[\s\u0085\u2028\u2029]+/g, " ")
    .replace(controls, "")
    .trim();

/** `2026-01-05 12:00 UTC` */
export const timeText = (at: number) => `${new Date(at).toISOString().slice(0, 16).replace("T", " ")} UTC`;

/** `base`: the hub's address as people reach it, without a slash at its end. A template that is no longer valid gives way to the built-in body. */
export function messageOf(
  notification: Notification,
  base: string,
  template?: string,
  actions: readonly ActionLink[] = [],
): Message {
  const link = linkOf(notification, base);
  const verdict = oneLine(notification.verdict);
  const parsed = template === undefined ? undefined : parseTemplate(template);
  if (parsed?.ok !== true) return { verdict, body: builtInBody(notification, verdict), link, actions };
  const values = notification.alerts.map((alert) => alertValues(alert, notification.at, base));
  const body = renderTemplate(parsed.template, messageValues(notification, link), values);
  return { verdict, body: body.replace(controls, "").trimEnd(), link, actions };
}

/** Verdict, body, link and actions as one text. */
export const plainText = ({ verdict, body, link, actions }: Message): string =>
  [verdict, "", ...(body === "" ? [] : [body, ""]), link, ...actions.map(({ label, url }) => `${label}: ${url}`)].join("\n");

function builtInBody({ alerts, more, at }: Notification, verdict: string): string {
  const blocks = alerts.map((alert) => alertLines(alert, verdict, at).join("\n"));
  if (more > 0) blocks.push(`… and ${more} more`);
  return blocks.join("\n\n");
}

function alertLines(alert: AlertView, verdict: string, at: number): string[] {
  const { value, threshold, duration } = figures(alert, at);
  const [sentence = "", ...below] = alert.text.split("\n").map(oneLine).filter(Boolean);
  const since = alert.activeAt === null ? [] : [`since ${timeText(alert.activeAt)}`];
  const over = alert.resolvedAt === null ? "" : `, over ${timeText(alert.resolvedAt)}`;
  return [
    `${objectText(alert)} [${alert.state === "resolved" ? "resolved" : alert.severity}]`,
    ...(verdict.includes(sentence) ? [] : [sentence]),
    [...(value === "" ? [] : [`value ${value}`]), ...(threshold === "" ? [] : [`threshold ${threshold}`])].join(", "),
    since.length === 0 ? "" : `${since[0]}${over}${duration === "" ? "" : ` (${duration})`}`,
    // A guest may have written it: none of it passes for a line, or a link, of ours.
    ...below.map((line) => `| ${line}`),
    ...(alert.remedy === null || alert.state === "resolved" ? [] : [`What to do: ${oneLine(alert.remedy)}`]),
  ].filter((line) => line !== "");
}

function objectText({ title, node, instance, entity }: AlertView): string {
  const where = node === null || entity === `node/${node}` ? "" : ` on ${node}`;
  return oneLine(`${title}${where}${instance === null ? "" : `, ${instance}`}`);
}

function figures(alert: AlertView, at: number) {
  const { value, threshold, unit, activeAt, resolvedAt } = alert;
  return {
    value: alert.valueText ?? (value === null ? "" : valueText(value, unit)),
    threshold: threshold === null ? "" : valueText(threshold, unit),
    duration: activeAt === null ? "" : durationText((resolvedAt ?? at) - activeAt),
  };
}

function messageValues(notification: Notification, link: string): MessageValues {
  const { verdict, severity, kind, reason, at, alerts, more, group, route } = notification;
  const count = String(alerts.length + more);
  return { verdict: oneLine(verdict), severity, kind, reason, time: timeText(at), count, more: String(more), group, route, link };
}

function alertValues(alert: AlertView, at: number, base: string): AlertValues {
  return {
    ...figures(alert, at),
    title: oneLine(alert.title),
    text: oneLine(alert.text),
    rule: alert.ruleName,
    severity: alert.severity,
    state: alert.state,
    node: alert.node ?? "",
    instance: alert.instance ?? "",
    pool: alert.pool ?? "",
    tags: alert.tags.join(", "),
    since: alert.activeAt === null ? "" : timeText(alert.activeAt),
    remedy: alert.remedy ?? "",
    link: linkOfAlert(alert, base),
  };
}

/** Where the panel shows it: the page of the one entity, else all alerts. */
function linkOf({ alerts, more }: Notification, base: string): string {
  const [first] = alerts;
  const one = first !== undefined && more === 0 && alerts.every(({ entity }) => entity === first.entity);
  return one ? linkOfAlert(first, base) : `${base}/#/alerts`;
}

/** Only nodes, guests and storages have pages of their own. */
export function linkOfAlert({ entity, cluster }: AlertView, base: string): string {
  if (!/^(node|guest|storage)\//.test(entity)) return `${base}/#/alerts`;
  return `${base}/#/${entity.split("/").map(encodeURIComponent).join("/")}?cluster=${encodeURIComponent(cluster)}`;
}

/**
 * As many whole lines as fit into `max`, and a line that says how many were left out. `measure`: what the channel counts (escaped characters,
 * bytes); it must not shrink when text is added. Where not one line fits, it is cut between characters.
 */
export function cutLines(text: string, max: number, measure: (text: string) => number = (all) => all.length): string {
  if (measure(text) <= max) return text;
  const lines = text.split("\n");
  const ending = (left: number) => `\n… ${left} more ${left === 1 ? "line" : "lines"}`;
  const room = max - measure(ending(lines.length));
  let kept = 0;
  let used = 0;
  for (const line of lines) {
    const size = measure(kept === 0 ? line : `\n${line}`);
    if (used + size > room) break;
    used += size;
    kept++;
  }
  if (kept > 0) return `${lines.slice(0, kept).join("\n")}${ending(lines.length - kept)}`;
  return cutText(text, max, measure);
}

/** Cut between characters, with `…` in place of the rest. */
export function cutText(text: string, max: number, measure: (text: string) => number = (all) => all.length): string {
  if (measure(text) <= max) return text;
  let used = measure("…");
  let cut = "";
  for (const character of text) {
    used += measure(character);
    if (used > max) break;
    cut += character;
  }
  return `${cut}…`;
}

/** What a `test` notification says; it goes the way of every other one. */
export function testNotification(receiver: string, id: string, now: EpochMs): Notification {
  return {
    id,
    kind: "test",
    reason: "test",
    at: now,
    group: `test|${receiver}`,
    sequence: 1,
    route: "test",
    receiver,
    step: 0,
    severity: "info",
    verdict: `TEST: Proven can reach the receiver ${receiver}`,
    alerts: [],
    more: 0,
    nodes: [],
  };
}
