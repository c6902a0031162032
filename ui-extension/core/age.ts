/** An age in its largest unit, as PVE's users say it: `4 s`, `3 min`, `2 h`, `5 d`. Never negative: clocks differ a little. */
export function formatAge(ageMs: number): string {
  const seconds = Math.max(0, Math.floor(ageMs / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} d`;
}

const formats = new Map<string, Intl.DateTimeFormat>();

function parts(at: number, timeZone: string): { day: string; month: string; year: string; time: string; seconds: string } {
  let format = formats.get(timeZone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone,
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
      hourCycle: "h23",
    });
    formats.set(timeZone, format);
  }
  const found = Object.fromEntries(format.formatToParts(at).map((part) => [part.type, part.value]));
  return {
    day: found.day ?? "",
    month: found.month ?? "",
    year: found.year ?? "",
    time: `${found.hour}:${found.minute}`,
    seconds: found.second ?? "",
  };
}

/** A moment as short as it is clear: `02:14` today, `11-22 02:14` this year, `2025-11-22 02:14` else. */
export function formatMoment(at: number, now: number, timeZone: string): string {
  const [then, today] = [parts(at, timeZone), parts(now, timeZone)];
  if (then.year !== today.year) return `${then.year}-${then.month}-${then.day} ${then.time}`;
  if (then.month !== today.month || then.day !== today.day) return `${then.month}-${then.day} ${then.time}`;
  return then.time;
}

/** A moment to the second: `2026-11-23 02:14:07`. */
export function formatExact(at: number, timeZone: string): string {
  const { year, month, day, time, seconds } = parts(at, timeZone);
  return `${year}-${month}-${day} ${time}:${seconds}`;
}

/**
 * Labels of a time axis at `splits` (s): clock times within a day and a half, dates beyond, months beyond a quarter. What isn't a midnight, or
 * a month's first, is named more closely, so that no two are alike.
 */
export function timeLabels(splits: readonly number[], [from, to]: readonly [number, number], timeZone: string): string[] {
  const days = (to - from) / 86_400;
  return splits.map((split) => {
    const { year, month, day, time } = parts(split * 1000, timeZone);
    if (days <= 1.5 || time !== "00:00") return time;
    return days > 100 && day === "01" ? `${year}-${month}` : `${month}-${day}`;
  });
}
