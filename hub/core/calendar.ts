import type { EpochMs } from "#protocol/ids.ts";
import { daysIn, instantsOf, isTimezone, type LocalTime, localTime, weekdayOf } from "./zoned-time.ts";

/**
 * Calendar events as Proxmox knows them: `[weekdays] [[year-]month-day] [hours:minutes[:seconds]]`, a part of systemd.time(7) plus its own
 * short form, where one list without a colon means minutes (`0/5`). Cf. proxmox-time `calendar_event.rs` and the schedules chapter of pve-docs.
 */
export type CalendarEvent = {
  /** Monday 1 … Sunday 7, sorted; never empty. */
  weekdays: readonly number[];
  /** Null: every year. */
  years: readonly number[] | null;
  months: readonly number[];
  days: readonly number[];
  hours: readonly number[];
  minutes: readonly number[];
  seconds: readonly number[];
};

export type CalendarProblem = {
  /** The piece of the text that is wrong. */
  part: string;
  problem: string;
};
export type ParsedCalendar = { ok: true; event: CalendarEvent } | ({ ok: false } & CalendarProblem);

class PartError extends Error {
  constructor(
    readonly part: string,
    readonly problem: string,
  ) {
    super(problem);
  }
}

const shorthands = new Map(
  Object.entries({
    minutely: "*:*:00",
    hourly: "*:00:00",
    daily: "*-*-* 00:00:00",
    weekly: "mon *-*-* 00:00:00",
    monthly: "*-*-01 00:00:00",
    yearly: "*-01-01 00:00:00",
    annually: "*-01-01 00:00:00",
    quarterly: "*-01,04,07,10-01 00:00:00",
    semiannually: "*-01,07-01 00:00:00",
    "semi-annually": "*-01,07-01 00:00:00",
  }),
);
const weekdayNames = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
const yearsMin = 1970;
const yearsMax = 2200;

/** Names the part that is wrong. An event that can never come (`2-30`) is refused too. */
export function parseCalendar(text: string): ParsedCalendar {
  try {
    const event = parseParts(text.trim().toLowerCase());
    const { months, days, years } = event;
    const comes = months.some((month) => days.some((day) => (years ?? [2024]).some((year) => day <= daysIn(year, month))));
    if (!comes) throw new PartError(text.trim(), "is a date that never comes");
    return { ok: true, event };
  } catch (error) {
    if (error instanceof PartError) return { ok: false, part: error.part, problem: error.problem };
    throw error;
  }
}

function parseParts(text: string): CalendarEvent {
  if (text === "") throw new PartError("", "is empty: write a time (21:00) or a word (daily)");
  const parts = (shorthands.get(text) ?? text).split(/\s+/);
  const every = { weekdays: span(1, 7), years: null, months: span(1, 12), days: span(1, 31) };
  let event: CalendarEvent = { ...every, hours: [0], minutes: [0], seconds: [0] };
  if (/^[a-z]/.test(parts[0] ?? "")) event = { ...event, weekdays: parseWeekdays(parts.shift() as string) };
  if (parts[0]?.includes("-")) event = { ...event, ...parseDate(parts.shift() as string) };
  if (parts.length > 0) event = { ...event, ...parseTime(parts.shift() as string) };
  const [left] = parts;
  if (left !== undefined) throw new PartError(left, "is one part too many: weekdays, date and time come once, in this order");
  return event;
}

function parseWeekdays(part: string): number[] {
  const numberOf = (name: string) => {
    const found = weekdayNames.findIndex((full) => full === name || full.slice(0, 3) === name);
    if (found < 0) throw new PartError(name, `is no weekday (mon … sun) and no word like daily`);
    return found + 1;
  };
  const days = part.split(",").flatMap((item) => {
    const [from = "", to, ...more] = item.split("..");
    if (more.length > 0) throw new PartError(item, "has more than one ..");
    if (to === undefined) return [numberOf(from)];
    const [first, last] = [numberOf(from), numberOf(to)];
    if (first > last) throw new PartError(item, "ends before it begins: a week begins on Monday");
    return span(first, last);
  });
  return sorted(days);
}

function parseDate(part: string): Pick<CalendarEvent, "years" | "months" | "days"> {
  const fields = part.split("-");
  if (fields.length > 3) throw new PartError(part, "is no date: year-month-day, or month-day");
  const [days = "*", months = "*", years = "*"] = fields.reverse();
  return {
    years: years === "*" ? null : parseList(years, "year", yearsMin, yearsMax),
    months: parseList(months, "month", 1, 12),
    days: parseList(days, "day", 1, 31),
  };
}

function parseTime(part: string): Pick<CalendarEvent, "hours" | "minutes" | "seconds"> {
  const fields = part.split(":");
  if (fields.length > 3) throw new PartError(part, "is no time: hours:minutes, or hours:minutes:seconds");
  const [hours, minutes, seconds = "0"] = fields.length === 1 ? ["*", part] : fields;
  return {
    hours: parseList(hours as string, "hour", 0, 23),
    minutes: parseList(minutes as string, "minute", 0, 59),
    seconds: parseList(seconds, "second", 0, 59),
  };
}

/** `*`, `5`, `1..7`, `0/15`, `8..17/2`, and lists of them. */
function parseList(part: string, what: string, min: number, max: number): number[] {
  return sorted(part.split(",").flatMap((item) => parseItem(item, what, min, max)));
}

function parseItem(item: string, what: string, min: number, max: number): number[] {
  const match = /^(\*|\d{1,4})(?:\.\.(\d{1,4}))?(?:\/(\d{1,4}))?$/.exec(item);
  if (match === null) throw new PartError(item, `is no ${what}: a number, *, a..b or a/step`);
  const [, start = "*", end, step] = match;
  if (start === "*" && end !== undefined) throw new PartError(item, "mixes * and ..");
  const number = (digits: string) => {
    const value = Number(digits);
    if (value < min || value > max) throw new PartError(item, `is no ${what}: ${min} to ${max}`);
    return value;
  };
  const first = start === "*" ? min : number(start);
  const every = step === undefined ? 1 : Number(step);
  if (every === 0) throw new PartError(item, "has a step of 0");
  if (end !== undefined && number(end) < first) throw new PartError(item, "ends before it begins");
  if (end === undefined && step === undefined && start !== "*") return [first];
  const last = end === undefined ? max : number(end);
  return span(first, last).filter((value) => (value - first) % every === 0);
}

const span = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index);
const sorted = (values: readonly number[]) => [...new Set(values)].sort((a, b) => a - b);

/** How far ahead an event is looked for: a Sunday the 29th of February may take 40 years. */
const yearsAhead = 45;

/**
 * First instant after `after`, undefined when there is none. A time that the clocks skip comes at the first instant after the gap; one that
 * they show twice comes once, except for events of every hour, which come in both.
 */
export function nextInstant(event: CalendarEvent, after: EpochMs, timezone: string): EpochMs | undefined {
  // Twice: an event of every hour whose time was just shown may come again with the clocks set back.
  const from = localTime(after, timezone);
  let best: EpochMs | undefined;
  const start = event.hours.length === 24 ? { ...localTime(after - 3 * 3_600_000, timezone) } : from;
  let day = { year: start.year, month: start.month, day: start.day };
  for (let found = 0; found < 3 && day.year <= from.year + yearsAhead; day = dayAfter(day)) {
    const match = nextDay(event, day, from.year + yearsAhead);
    if (match === undefined) break;
    day = match;
    best = firstInDay(event, day, after, timezone);
    if (best !== undefined) return best;
    found++;
  }
  return best;
}

type Day = { year: number; month: number; day: number };

function dayAfter({ year, month, day }: Day): Day {
  if (day < daysIn(year, month)) return { year, month, day: day + 1 };
  return month < 12 ? { year, month: month + 1, day: 1 } : { year: year + 1, month: 1, day: 1 };
}

/** The first day from `day` on that the event allows. */
function nextDay(event: CalendarEvent, from: Day, lastYear: number): Day | undefined {
  for (let { year, month, day } = from; year <= lastYear; ) {
    if (event.years !== null && !event.years.includes(year)) [year, month, day] = [year + 1, 1, 1];
    else if (!event.months.includes(month)) [year, month, day] = month < 12 ? [year, month + 1, 1] : [year + 1, 1, 1];
    else if (event.days.includes(day) && event.weekdays.includes(weekdayOf(year, month, day))) return { year, month, day };
    else ({ year, month, day } = dayAfter({ year, month, day }));
  }
  return undefined;
}

function firstInDay(event: CalendarEvent, day: Day, after: EpochMs, timezone: string): EpochMs | undefined {
  const shown = (hour: number, minute: number) => instantsOf({ ...day, hour, minute, second: minute }, timezone).at;
  let best: EpochMs | undefined;
  for (const hour of event.hours) {
    if (best !== undefined && (shown(hour, 0)[0] ?? best) > best) break;
    // A whole hour before `after`, whatever the clocks do in it, is not looked at.
    if ((shown(hour, 59).at(-1) ?? after) <= after) continue;
    const found = firstInHour(event, { ...day, hour }, after, timezone);
    if (found !== undefined && (best === undefined || found < best)) best = found;
  }
  return best;
}

function firstInHour(
  event: CalendarEvent,
  hour: Omit<LocalTime, "minute" | "second">,
  after: EpochMs,
  timezone: string,
): EpochMs | undefined {
  const everyHour = event.hours.length === 24;
  let best: EpochMs | undefined;
  for (const minute of event.minutes) {
    for (const second of event.seconds) {
      const { at, gap } = instantsOf({ ...hour, minute, second }, timezone);
      for (const one of everyHour && !gap ? at : at.slice(0, 1)) {
        if (one > after && (best === undefined || one < best)) best = one;
      }
      if (best !== undefined && at.length === 1) return best;
    }
  }
  return best;
}

/** The next `count` instants. */
export function nextInstants(event: CalendarEvent, after: EpochMs, timezone: string, count: number): EpochMs[] {
  const found: EpochMs[] = [];
  for (let from = after; found.length < count; ) {
    const next = nextInstant(event, from, timezone);
    if (next === undefined) break;
    found.push(next);
    from = next;
  }
  return found;
}

/** For validation: undefined when both are right. */
export function recurrenceProblem(
  calendar: string,
  timezone: string,
): { field: "calendar" | "timezone"; problem: string } | undefined {
  const parsed = parseCalendar(calendar);
  if (!parsed.ok) return { field: "calendar", problem: `'${parsed.part}' ${parsed.problem}` };
  return isTimezone(timezone) ? undefined : { field: "timezone", problem: `'${timezone}' is no timezone of the IANA database` };
}

const hourMs = 3_600_000;

/** The newest instant at or before `at`, none older than about a year. */
export function previousInstant(event: CalendarEvent, at: EpochMs, timezone: string): EpochMs | undefined {
  for (const back of [hourMs, 26 * hourMs, 8 * 24 * hourMs, 40 * 24 * hourMs, 400 * 24 * hourMs]) {
    let found: EpochMs | undefined;
    for (let next = nextInstant(event, (at - back) as EpochMs, timezone); next !== undefined && next <= at; ) {
      found = next;
      next = nextInstant(event, next, timezone);
    }
    if (found !== undefined) return found;
  }
  return undefined;
}
