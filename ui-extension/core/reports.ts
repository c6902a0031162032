import type { Report, ReportLanguage } from "#protocol/report.ts";
import { slugOf } from "./rules.ts";
import type { Translate } from "./text.ts";

const dayMs = 86_400_000;
/** Lengths of periods one can look at, days. */
export const reportDays = [7, 31, 92, 366] as const;

/** The last `days` days up to the minute that goes on: asked again within it, the same numbers come. */
export function lastDays(days: number, now: number): { from: number; to: number } {
  const to = Math.ceil(now / 60_000) * 60_000;
  return { from: to - days * dayMs, to };
}

/** A report to begin with: Monday mornings, or the first of each month. */
export const blankReport = (every: "week" | "month", timezone: string, language: ReportLanguage, receiver: string): Report => ({
  id: every === "week" ? "restore-proof-weekly" : "restore-proof-monthly",
  name: every === "week" ? "Restore proof, weekly" : "Restore proof, monthly",
  enabled: true,
  calendar: every === "week" ? "mon 07:00" : "*-*-1 07:00",
  timezone,
  receiver,
  language,
});

/** `mon 07:00 (Europe/Rome) to ops-mail, in English`. */
export const reportText = ({ calendar, timezone, receiver, language }: Report, languages: Record<string, string>, t: Translate) =>
  t("{calendar} ({timezone}) to {receiver}, in {language}", {
    calendar,
    timezone,
    receiver: receiver ?? t("nobody yet"),
    language: languages[language] ?? language,
  });

/** How many days such a report is about, as far as its calendar tells. */
export const daysOf = ({ calendar }: Pick<Report, "calendar">): number =>
  /^\*-\*-\d/.test(calendar) || /^monthly$/.test(calendar) ? 31 : 7;

/** A new report's id follows from its name; two of one name are told apart. */
export function reportId(name: string, taken: readonly string[]): string {
  const id = slugOf(name);
  if (!taken.includes(id)) return id;
  for (let n = 2; ; n++) if (!taken.includes(`${id}-${n}`)) return `${id}-${n}`;
}
