import type { FieldProblem, Recurrence, Window } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { nextInstant, nextInstants, parseCalendar, recurrenceProblem } from "./calendar.ts";
import { checkScope } from "./rule.ts";

/** A stretch of time in which something is, or is not, going on; the answer is good for [from, until). */
export type Span = { active: boolean; from: EpochMs; until: EpochMs };
export type Occurrence = { startsAt: EpochMs; endsAt: EpochMs };

const never = 8.64e15 as EpochMs;

/** Is a recurrence on at `now`? Occurrences that touch or overlap are one. */
export function recurrenceSpan({ calendar, timezone, durationSec }: Recurrence, now: EpochMs): Span {
  const parsed = parseCalendar(calendar);
  if (!parsed.ok) return { active: false, from: now, until: never };
  const durationMs = durationSec * 1000;
  const startAfter = (after: number) => nextInstant(parsed.event, after as EpochMs, timezone);
  const from = startAfter(now - durationMs);
  if (from === undefined || from > now) return { active: false, from: now, until: from ?? never };
  let [start, until] = [from, (from + durationMs) as EpochMs];
  // Bounded: every minute with a duration of hours would go on for ever.
  for (let looked = 0; looked < 500; looked++) {
    const next = startAfter(start);
    if (next === undefined || next > until) break;
    start = next;
    until = (next + durationMs) as EpochMs;
  }
  return { active: true, from, until };
}

/** Is a maintenance window open at `now`? What was ended early or extended counts instead of the occurrence it was made from. */
export function windowSpan(window: Window, now: EpochMs): Span {
  if (!window.enabled) return { active: false, from: now, until: never };
  const { once, recurrence, adjusted } = window;
  if (adjusted !== null && now >= adjusted.startsAt) {
    const original = recurrence === null ? once : occurrenceFrom(recurrence, adjusted.startsAt as EpochMs);
    if (now < adjusted.endsAt) return { active: true, from: adjusted.startsAt as EpochMs, until: adjusted.endsAt as EpochMs };
    // Ended early: the rest of the occurrence does not come back.
    if (original !== null && now < original.endsAt) return { active: false, from: now, until: original.endsAt as EpochMs };
  }
  if (once !== null) return onceSpan(once, now);
  return recurrence === null ? { active: false, from: now, until: never } : recurrenceSpan(recurrence, now);
}

function onceSpan({ startsAt, endsAt }: { startsAt: number; endsAt: number }, now: EpochMs): Span {
  if (now < startsAt) return { active: false, from: now, until: startsAt as EpochMs };
  if (now < endsAt) return { active: true, from: startsAt as EpochMs, until: endsAt as EpochMs };
  return { active: false, from: now, until: never };
}

const occurrenceFrom = ({ durationSec }: Recurrence, startsAt: EpochMs): Occurrence => ({
  startsAt,
  endsAt: (startsAt + durationSec * 1000) as EpochMs,
});

/** The next `count` times a window opens, an open one not counted. */
export function nextOccurrences({ once, recurrence, enabled }: Window, now: EpochMs, count: number): Occurrence[] {
  if (!enabled) return [];
  if (once !== null) return once.startsAt > now ? [once as Occurrence] : [];
  const parsed = recurrence === null ? undefined : parseCalendar(recurrence.calendar);
  if (recurrence === null || parsed === undefined || !parsed.ok) return [];
  return nextInstants(parsed.event, now, recurrence.timezone, count).map((at) => occurrenceFrom(recurrence, at));
}

/** Answers the same question again and again: a span is worked out anew only when `now` leaves it. */
export class SpanCache<K> {
  private readonly spans = new Map<K, Span>();

  constructor(private readonly spanOf: (key: K, now: EpochMs) => Span) {}

  at(key: K, now: EpochMs): Span {
    const known = this.spans.get(key);
    if (known !== undefined && now >= known.from && now < known.until) return known;
    const span = this.spanOf(key, now);
    this.spans.set(key, span);
    return span;
  }

  /** When the first of the answers that are good at `now` is good no more; Infinity: never. */
  nextAt(now: EpochMs): number {
    let next = Number.POSITIVE_INFINITY;
    for (const { from, until } of this.spans.values()) if (from <= now && now < until && until < next) next = until;
    return next;
  }

  clear(): void {
    this.spans.clear();
  }
}

export function checkRecurrence({ calendar, timezone }: Recurrence, field: string): FieldProblem[] {
  const found = recurrenceProblem(calendar, timezone);
  if (found === undefined) return [];
  const remedy =
    found.field === "calendar" ? "A Proxmox calendar event: sat 02:00, mon..fri 22:00, *-*-1..7 3:00" : "For example Europe/Rome";
  return [{ field: `${field}.${found.field}`, problem: found.problem, remedy }];
}

export function checkWindow(window: Window): FieldProblem[] {
  const problems = checkScope(window.scope, "scope");
  const { once, recurrence } = window;
  if ((once === null) === (recurrence === null)) {
    problems.push({
      field: "once",
      problem: "It has to be either once or repeated",
      remedy: "Give once or recurrence, the other null",
    });
  }
  if (once !== null && once.endsAt <= once.startsAt) {
    problems.push({ field: "once.endsAt", problem: "It ends before it begins", remedy: "A time after once.startsAt" });
  }
  return recurrence === null ? problems : [...problems, ...checkRecurrence(recurrence, "recurrence")];
}
