import type { Outlook } from "#protocol/entities.ts";
import { plural, type Translate } from "./text.ts";
import { type DisplayUnit, formatValue } from "./units.ts";

/** How a projection reads: worth a warning, plain, or nothing to go by. */
export type OutlookText = { level: "warn" | "" | "dim"; text: string };

const soonDays = 14;

/** When something will be full, as words with their range; without a trend, why there is none. */
export function outlookText(outlook: Outlook, unit: DisplayUnit, t: Translate): OutlookText {
  const { trend, why, perDay, days, daysEarliest, daysLatest } = outlook;
  if (trend === "none" || perDay === null || days === null) return { level: "dim", text: noTrend(why, t) };
  const rate = t("grows by {amount} a day", { amount: unit === "percent" ? pointsText(perDay, t) : formatValue(perDay, unit) });
  if (days < 1) return { level: "warn", text: t("{rate}: full within a day", { rate }) };
  if (days > 730) return { level: "", text: t("{rate}: not full within two years", { rate }) };
  const range =
    daysEarliest === null || daysLatest === null || daysLatest > 730
      ? t("at the earliest in {days}", { days: daysText(daysEarliest ?? days, t) })
      : betweenText(daysEarliest, daysLatest, t);
  return {
    level: days <= soonDays ? "warn" : "",
    text: t("{rate}: full in about {days} ({range})", { rate, days: daysText(days, t), range }),
  };
}

const pointsText = (ratio: number, t: Translate) => t("{n} % points", { n: (ratio * 100).toFixed(ratio < 0.01 ? 2 : 1) });

/** Both in one unit; what is the same at both ends is said once. */
function betweenText(earliest: number, latest: number, t: Translate): string {
  const [a, b] = [daysText(earliest, t), daysText(latest, t)];
  if (a === b) return t("quite surely");
  const [isDays, areDays] = [isToldInDays(earliest), isToldInDays(latest)];
  return t("between {a} and {b}", { a: isDays === areDays ? (a.split(" ")[0] ?? a) : a, b });
}

const isToldInDays = (days: number) => Math.round(days) < 60;

function daysText(days: number, t: Translate): string {
  const whole = Math.max(1, Math.round(days));
  if (isToldInDays(days)) return plural(t, whole, "{n} day", "{n} days");
  return plural(t, Math.round(whole / 30.4), "{n} month", "{n} months");
}

function noTrend(why: Outlook["why"], t: Translate): string {
  switch (why) {
    case "too-short":
      return t("No projection yet: it takes a week of history");
    case "too-few":
      return t("No projection: too few samples in the last 90 days");
    case "not-growing":
      return t("Doesn't grow");
    default:
      return t("No clear trend in the last 90 days");
  }
}
