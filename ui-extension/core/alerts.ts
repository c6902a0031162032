import type { AlertView, Severity } from "#protocol/alerting.ts";
import { formatAge, formatMoment } from "./age.ts";
import { formatFigure } from "./alert-figures.ts";
import { byText } from "./sort.ts";
import { plural, type Translate } from "./text.ts";

const rank: Record<Severity, number> = { critical: 0, warning: 1, info: 2 };

/** A firing or pending alert with those that follow from it. */
export type Cause = { alert: AlertView; consequences: AlertView[] };

/** An alert's sentence, and what its text says below it: a failed test's backup and the end of its log. */
export function headlineOf(text: string): [sentence: string, below: string] {
  const end = text.indexOf("\n");
  return end < 0 ? [text, ""] : [text.slice(0, end), text.slice(end + 1)];
}

/** Somebody has to look: it fires, nobody took it, nothing keeps it quiet. */
export function isOpen({ state, acknowledged, suppressedBy, severity }: AlertView): boolean {
  return state === "firing" && severity !== "info" && acknowledged === null && suppressedBy === null;
}

/** Alerts by cause: what follows from another one stands below it. Open ones first, then the worst, then what takes most guests along, then the newest. */
export function groupCauses(alerts: readonly AlertView[]): Cause[] {
  const known = new Map(alerts.map((alert) => [alert.id, alert]));
  const causeOf = (alert: AlertView): AlertView => {
    const seen = new Set([alert.id]);
    let cause = alert;
    for (;;) {
      const { suppressedBy } = cause;
      const above = suppressedBy?.by === "inhibited" ? known.get(suppressedBy.id) : undefined;
      if (above === undefined || seen.has(above.id)) return cause;
      seen.add(above.id);
      cause = above;
    }
  };
  const causes = new Map<string, Cause>();
  const entryOf = (alert: AlertView) => {
    const entry = causes.get(alert.id) ?? { alert, consequences: [] };
    causes.set(alert.id, entry);
    return entry;
  };
  for (const alert of alerts) {
    const cause = causeOf(alert);
    if (cause === alert) entryOf(alert);
    else entryOf(cause).consequences.push(alert);
  }
  return [...causes.values()].sort((a, b) => compareAlerts(a.alert, b.alert));
}

export function compareAlerts(a: AlertView, b: AlertView): number {
  return (
    Number(a.state === "pending") - Number(b.state === "pending") ||
    Number(isOpen(b)) - Number(isOpen(a)) ||
    rank[a.severity] - rank[b.severity] ||
    b.affected.length - a.affected.length ||
    sinceOf(b) - sinceOf(a) ||
    byText(a.id, b.id)
  );
}

export const sinceOf = ({ firedAt, activeAt }: AlertView): number => firedAt ?? activeAt ?? 0;

const answers: ReadonlySet<string> = new Set(["yes", "no", "none"]);

/** `97 %, limit 90 %`; a state's word alone; empty where there is neither, and where the word is an answer whose question only the rule knows. */
export function figureWords({ value, valueText, unit, threshold }: AlertView, t: Translate): string {
  if (valueText !== null) return answers.has(valueText) ? "" : valueText;
  if (value === null) return "";
  const figure = formatFigure(value, unit);
  return threshold === null ? figure : t("{figure}, limit {limit}", { figure, limit: formatFigure(threshold, unit) });
}

export type Told = { mark: "told" | "taken" | "quiet" | "wait" | "lost"; text: string };

/** What became of an alert, in words. */
export function dispositionWords(alert: AlertView, now: number, timeZone: string, t: Translate): Told {
  const moment = (at: number) => formatMoment(at, now, timeZone);
  const { acknowledged, suppressedBy, notified, disposition, state } = alert;
  if (state === "pending")
    return { mark: "wait", text: t("holds since {age}, has not fired yet", { age: formatAge(now - sinceOf(alert)) }) };
  if (disposition === "acknowledged" && acknowledged !== null) {
    const text = t("taken by {who} at {time}", { who: acknowledged.by, time: moment(acknowledged.at) });
    return { mark: "taken", text: acknowledged.note === null ? text : `${text}: ${acknowledged.note}` };
  }
  const until = suppressedBy?.until ? ` ${t("until {time}", { time: moment(suppressedBy.until) })}` : "";
  if (suppressedBy !== null) return { mark: "quiet", text: `${t(suppressedBy.text)}${until}` };
  if (notified.length > 0) {
    const [first] = notified;
    const who = [...new Set(notified.map(({ receiver }) => receiver))].join(", ");
    return { mark: "told", text: t("told {who} at {time}", { who, time: moment(first?.at ?? 0) }) };
  }
  if (disposition === "no-route") return { mark: "lost", text: t("told nobody: no route takes it") };
  if (state === "resolved") return { mark: "quiet", text: t("told nobody") };
  return { mark: "wait", text: t("about to be told") };
}

/** `3 h 10 min` from firing to the end. */
export const lastedMs = (alert: AlertView, now: number): number => (alert.resolvedAt ?? now) - sinceOf(alert);

/** Where it is: its node, unless it is about that node. */
export const placeOf = ({ node, entity }: AlertView): string => (node === null || entity === `node/${node}` ? "" : node);

/** `quiet`: taken by somebody, or kept quiet. `info`: they ask for nobody. */
export type AlertCounts = { open: number; firing: number; quiet: number; info: number; pending: number };

export function countAlerts(alerts: readonly AlertView[]): AlertCounts {
  const firing = alerts.filter(({ state }) => state === "firing");
  const open = firing.filter(isOpen).length;
  const quiet = firing.filter(({ acknowledged, suppressedBy }) => acknowledged !== null || suppressedBy !== null).length;
  return { open, firing: firing.length, quiet, info: firing.length - open - quiet, pending: alerts.length - firing.length };
}

/** The page's first line. */
export function alertsVerdict(
  alerts: readonly AlertView[],
  t: Translate,
): { level: "critical" | "warning" | "fine"; text: string } {
  const open = alerts.filter(isOpen);
  const { quiet, info } = countAlerts(alerts);
  const rest = [
    quiet === 0 ? "" : ` · ${plural(t, quiet, "{n} taken, silenced or a consequence", "{n} taken, silenced or consequences")}`,
    info === 0 ? "" : ` · ${t("{n} for information", { n: info })}`,
  ].join("");
  if (open.length === 0) return { level: "fine", text: `${t("Nothing needs you now")}${rest}` };
  const critical = open.filter(({ severity }) => severity === "critical").length;
  const parts = [
    critical > 0 ? plural(t, critical, "{n} critical", "{n} critical") : "",
    open.length - critical > 0 ? plural(t, open.length - critical, "{n} warning", "{n} warnings") : "",
  ].filter((part) => part !== "");
  const text = plural(t, open.length, "{what} needs you", "{what} need you", { what: parts.join(" + ") });
  return { level: critical > 0 ? "critical" : "warning", text: `${text}${rest}` };
}

/** Alerts about an entity, or about what is on that node. */
export function alertsAbout(alerts: readonly AlertView[], entity: string, cluster: string): AlertView[] {
  return alerts
    .filter(
      (alert) =>
        alert.cluster === cluster && (alert.entity === entity || (alert.node !== null && entity === `node/${alert.node}`)),
    )
    .sort(compareAlerts);
}

/** Words of a filter, all of which must be in what an alert says. */
export function filterAlerts(alerts: readonly AlertView[], filter: string): AlertView[] {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  const textOf = (alert: AlertView) =>
    [alert.title, alert.text, alert.ruleName, alert.rule, alert.node ?? "", alert.entity, alert.severity, ...alert.tags]
      .join(" ")
      .toLowerCase();
  return alerts.filter((alert) => words.every((word) => textOf(alert).includes(word)));
}
