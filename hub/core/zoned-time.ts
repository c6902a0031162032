import type { EpochMs } from "#protocol/ids.ts";

/** Wall time somewhere. `month` 1 … 12. */
export type LocalTime = { year: number; month: number; day: number; hour: number; minute: number; second: number };

const dayMs = 86_400_000;
const formats = new Map<string, Intl.DateTimeFormat>();

function formatOf(timezone: string): Intl.DateTimeFormat {
  const known = formats.get(timezone);
  if (known !== undefined) return known;
  const numeric = {
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  } as const;
  const format = new Intl.DateTimeFormat("en-US", { timeZone: timezone, calendar: "gregory", hourCycle: "h23", ...numeric });
  formats.set(timezone, format);
  return format;
}

/** Is it a name of the IANA database that this runtime knows? */
export function isTimezone(timezone: string): boolean {
  try {
    formatOf(timezone);
    return true;
  } catch {
    return false;
  }
}

/** What a clock on the wall shows there at this instant. Throws a RangeError where nobody knows the timezone: see isTimezone. */
export function localTime(at: number, timezone: string): LocalTime {
  const local: LocalTime = { year: 0, month: 0, day: 0, hour: 0, minute: 0, second: 0 };
  for (const { type, value } of formatOf(timezone).formatToParts(at)) {
    if (type in local) local[type as keyof LocalTime] = Number(value);
  }
  return local;
}

const asUtc = ({ year, month, day, hour, minute, second }: LocalTime) => Date.UTC(year, month - 1, day, hour, minute, second);

/** Local minus UTC, ms; seconds are whole. */
function offsetAt(at: number, timezone: string): number {
  return asUtc(localTime(at, timezone)) - Math.floor(at / 1000) * 1000;
}

/**
 * The instants at which the clocks there show this: one, two when they are set back over it, or — when they are set forward over it —
 * the first instant after the gap.
 */
export function instantsOf(local: LocalTime, timezone: string): { at: EpochMs[]; gap: boolean } {
  const wanted = asUtc(local);
  const [before, after] = [offsetAt(wanted - dayMs, timezone), offsetAt(wanted + dayMs, timezone)];
  const candidates = before === after ? [wanted - before] : [wanted - before, wanted - after].sort((a, b) => a - b);
  const at = candidates.filter((one) => offsetAt(one, timezone) === wanted - one) as EpochMs[];
  if (at.length > 0) return { at, gap: false };
  return { at: [changeBetween(wanted - dayMs, wanted + dayMs, timezone)], gap: true };
}

/** First second with the offset of `to`. */
function changeBetween(from: number, to: number, timezone: string): EpochMs {
  const last = offsetAt(to, timezone);
  let [low, high] = [Math.floor(from / 1000), Math.floor(to / 1000)];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(middle * 1000, timezone) === last) high = middle;
    else low = middle;
  }
  return (high * 1000) as EpochMs;
}

/** Monday 1 … Sunday 7. */
export function weekdayOf(year: number, month: number, day: number): number {
  return ((Math.floor(Date.UTC(year, month - 1, day) / dayMs) + 3) % 7) + 1;
}

/** `month`: 1 to 12. */
export function daysIn(year: number, month: number): number {
  return Math.round((Date.UTC(year, month, 1) - Date.UTC(year, month - 1, 1)) / dayMs);
}
