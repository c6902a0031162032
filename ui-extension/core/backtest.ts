import type { BacktestAnswer } from "#protocol/backtest.ts";
import { groupBy } from "./group.ts";
import { plural, type Translate } from "./text.ts";

export type Bar = { from: number; to: number; open: boolean };
/** One entity's episodes. */
export type Lane = { key: string; title: string; bars: Bar[]; firingMs: number };

const lanesMax = 15;

/** Entities by how long they would have been firing, at most 15; `more`: so many are not shown. */
export function backtestLanes({ episodes, to }: BacktestAnswer): { lanes: Lane[]; more: number } {
  const groups = groupBy(
    episodes,
    ({ cluster, entity, incarnation, instance }) => `${cluster} ${entity}#${incarnation} ${instance ?? ""}`,
  );
  const lanes = [...groups].map(([key, list]): Lane => {
    const [first] = list;
    const bars = list.map(({ firedAt, resolvedAt }) => ({ from: firedAt, to: resolvedAt ?? to, open: resolvedAt === null }));
    const name = first?.instance ? `${first.title}, ${first.instance}` : (first?.title ?? key);
    return { key, title: name, bars, firingMs: bars.reduce((sum, bar) => sum + bar.to - bar.from, 0) };
  });
  lanes.sort((a, b) => b.firingMs - a.firingMs);
  return { lanes: lanes.slice(0, lanesMax), more: Math.max(0, lanes.length - lanesMax) };
}

/** `Would have fired 7 times in the last 30 days, on 3 of 40`. */
export function backtestVerdict(answer: BacktestAnswer, t: Translate): string {
  const { episodes, subjects, notifications, from, to } = answer;
  const days = Math.max(1, Math.round((to - from) / 86_400_000));
  if (subjects === 0) return t("There is no history of what this rule is about");
  if (episodes.length === 0) return t("Would not have fired in the last {days} days, on none of {n}", { days, n: subjects });
  const concerned = backtestLanes(answer);
  const fired = plural(
    t,
    episodes.length,
    "Would have fired {n} time in the last {days} days",
    "Would have fired {n} times in the last {days} days",
    { days },
  );
  const on = t("on {some} of {all}", { some: concerned.lanes.length + concerned.more, all: subjects });
  const messages = plural(t, notifications.length, "{n} message", "{n} messages");
  return `${fired}, ${on} · ${messages}`;
}

/** Midnights (UTC) within a range, at most ten. */
export function dayMarks(from: number, to: number): number[] {
  const day = 86_400_000;
  const step = Math.max(1, Math.ceil((to - from) / day / 10)) * day;
  const marks: number[] = [];
  for (let at = Math.ceil(from / day) * day; at <= to; at += step) marks.push(at);
  return marks;
}
