import type { AlertView, Severity } from "#protocol/alerting.ts";
import { severities } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { NotifyReason } from "#protocol/notifications.ts";
import { durationText, headlineOf } from "./alert-text.ts";

/** First lines of messages: what is new, for how long, and what else there is. */

/** At most so many names of other alerts, and of what a cause takes along. */
const othersMax = 5;
const affectedMax = 20;

const worst = (alerts: readonly Pick<AlertView, "severity">[]): Severity =>
  severities[Math.max(0, ...alerts.map(({ severity }) => severities.indexOf(severity)))] ?? "info";

export function severityOf(alerts: readonly Pick<AlertView, "severity" | "state">[]): Severity {
  const firing = alerts.filter(({ state }) => state === "firing");
  return worst(firing.length > 0 ? firing : alerts);
}

/** Where an alert is, before its sentence: `acme: `; empty where that goes without saying. */
export type PlaceOf = (alert: AlertView) => string;

/**
 * First line of a message. `alerts`: all of it, the worst first; `fresh`: ids of those that the receiver hears of for the first time. It leads
 * with what is new; its duration is the longest of what it is about.
 */
export function verdictOf(
  reason: NotifyReason,
  alerts: readonly AlertView[],
  fresh: ReadonlySet<string>,
  now: EpochMs,
  placeOf: PlaceOf = () => "",
): string {
  const sentence = (list: readonly AlertView[]) => sentenceOf(list, placeOf);
  const firing = alerts.filter(({ state }) => state === "firing");
  const again = new Set(firing.map(({ id }) => id));
  const over = alerts.filter(({ state, id }) => state !== "firing" && !again.has(id));
  const isNew = firing.filter(({ id }) => fresh.has(id));
  const news = isNew.length > 0 ? isNew : firing;
  const rest = firing.filter((one) => !news.includes(one));
  const back = over.length === 0 ? "" : `; over: ${namesOf(over)}`;
  const level = worst(news).toUpperCase();
  switch (reason) {
    case "test":
      return `TEST: ${headlineOf(alerts[0]?.text ?? "Nothing is wrong")}`;
    case "all-resolved":
      return `RESOLVED after ${longest(over, now)}: ${sentence(over)}`;
    case "some-resolved":
      return `PARTLY RESOLVED after ${longest(over, now)}: ${sentence(over)}; still firing: ${namesOf(firing)}`;
    case "repeat":
      return `STILL ${worst(firing).toUpperCase()} after ${longest(firing, now)}: ${sentence(firing)}${takesAlong(firing)}${back}`;
    case "escalation":
      return `ESCALATED, nobody took it for ${longest(news, now)}: ${sentence(news)}${takesAlong(news)}${still(rest)}${back}`;
    case "catch-up":
      return `CATCHING UP, ${level} for ${longest(news, now)}: ${sentence(news)}${takesAlong(news)}${still(rest)}${back}`;
    default:
      return `${level}: ${sentence(news)}${takesAlong(news)}${still(rest)}${back}`;
  }
}

/** Else who sees it recovered asks why no end is told: see holdsOf in alert.ts. */
const flaps = " (it comes and goes: over after 15 min of calm)";

/** The first alert's sentence, and the names of the others. */
function sentenceOf(alerts: readonly AlertView[], placeOf: PlaceOf): string {
  const [first, ...others] = alerts;
  if (first === undefined) return "nothing is wrong any more";
  const names = nameList(others, new Set([first.title]));
  const sentence = `${placeOf(first)}${headlineOf(first.text)}`;
  if (others.length === 0) return `${sentence}${first.flapping && first.state === "firing" ? flaps : ""}`;
  return `${sentence} (and ${others.length} more${names === "" ? "" : `: ${names}`})`;
}

function takesAlong(alerts: readonly AlertView[]): string {
  const titles = [...new Set(alerts.flatMap(({ affected }) => affected))].sort();
  return titles.length === 0 ? "" : `; takes along ${listText(titles, affectedMax)}`;
}

const still = (alerts: readonly AlertView[]) => (alerts.length === 0 ? "" : `; still firing: ${namesOf(alerts)}`);
const namesOf = (alerts: readonly AlertView[]) => nameList(alerts, new Set());

function nameList(alerts: readonly AlertView[], without: ReadonlySet<string>): string {
  const titles = [...new Set(alerts.map(({ title }) => title))].filter((title) => !without.has(title));
  return listText(titles, othersMax);
}

function longest(alerts: readonly AlertView[], now: EpochMs): string {
  return durationText(
    Math.max(0, ...alerts.map(({ firedAt, resolvedAt }) => (firedAt === null ? 0 : (resolvedAt ?? now) - firedAt))),
  );
}

function listText(titles: readonly string[], max: number): string {
  const shown = titles.slice(0, max).join(", ");
  return titles.length > max ? `${shown} and ${titles.length - max} more` : shown;
}
