import type { Aggregate, SeriesAnswer } from "#protocol/api.ts";

type AnswerSeries = SeriesAnswer["series"][number];

/** One line on a shared time axis. A value of null is a gap: nothing is known of that step. */
export type Column = readonly (number | null)[];

/** All series of an answer on one axis of whole steps, each aggregate a column; found by `columnKey`. */
export type Grid = {
  at: readonly number[];
  columns: ReadonlyMap<string, Column>;
  instances: ReadonlyMap<string, readonly string[]>;
};

export const columnKey = (entity: string, metric: string, instance: string | null, aggregate: Aggregate) =>
  `${entity} ${metric} ${instance ?? ""} ${aggregate}`;

/**
 * Lays an answer's series on one axis from `from` to `to`. Steps without a sample are null, except where a series is sampled more slowly than
 * the axis: then a hole no longer than two and a half times its own usual distance is bridged, as nothing is missing there.
 */
export function gridOf(answers: readonly SeriesAnswer[], from: number, to: number, stepMs: number): Grid {
  const at = Array.from({ length: Math.max(0, Math.round((to - from) / stepMs)) }, (_, index) => from + index * stepMs);
  const columns = new Map<string, (number | null)[]>();
  const instances = new Map<string, string[]>();
  for (const series of answers.flatMap((answer) => answer.series)) {
    for (const [aggregate, values] of aggregatesOf(series)) {
      const key = columnKey(series.entity, series.metric, series.instance, aggregate);
      const column = columns.get(key) ?? new Array<number | null>(at.length).fill(null);
      place(column, series.at, values, from, stepMs);
      columns.set(key, column);
    }
    if (series.instance !== null) noteInstance(instances, `${series.entity} ${series.metric}`, series.instance);
  }
  return { at, columns: new Map([...columns].map(([key, column]) => [key, bridged(column)])), instances };
}

function aggregatesOf(series: AnswerSeries): [Aggregate, readonly (number | null)[]][] {
  return (["avg", "min", "max", "last", "rate"] as const).flatMap((aggregate) => {
    const values = series.columns[aggregate];
    return values === undefined ? [] : [[aggregate, values] as [Aggregate, readonly (number | null)[]]];
  });
}

function noteInstance(instances: Map<string, string[]>, key: string, instance: string): void {
  const known = instances.get(key) ?? [];
  if (!known.includes(instance)) instances.set(key, [...known, instance].sort());
}

/** Later answers win, but a null never hides a value: the tail is asked again while its step still fills. */
function place(
  column: (number | null)[],
  at: readonly number[],
  values: readonly (number | null)[],
  from: number,
  stepMs: number,
): void {
  for (const [index, time] of at.entries()) {
    const slot = Math.floor((time - from) / stepMs);
    const value = values[index] ?? null;
    if (slot >= 0 && slot < column.length && value !== null) column[slot] = value;
  }
}

/** Copies the value before it into each hole that a slow but regular series leaves between its samples. */
function bridged(column: readonly (number | null)[]): Column {
  const known = column.flatMap((value, index) => (value === null ? [] : [index]));
  const distances = known.slice(1).map((index, i) => index - (known[i] ?? index));
  const usual = distances.toSorted((a, b) => a - b)[Math.floor((distances.length - 1) / 2)] ?? 1;
  if (usual <= 1) return column;
  const result = [...column];
  for (const [i, distance] of distances.entries()) {
    const start = known[i] ?? 0;
    if (distance <= usual * 2.5) result.fill(column[start] ?? null, start + 1, start + distance);
  }
  return result;
}

/** Adds columns step by step. A step is null where all are: one silent NIC doesn't hide the others. */
export function sumColumns(columns: readonly Column[], length: number): Column {
  return Array.from({ length }, (_, index) => {
    const values = columns.map((column) => column[index] ?? null).filter((value) => value !== null);
    return values.length === 0 ? null : values.reduce((a, b) => a + b, 0);
  });
}

/** a ÷ b × factor step by step; null where either is unknown or nothing happened (b is 0). */
export function divideColumns(a: Column, b: Column, factor: number): Column {
  return a.map((value, index) => {
    const divisor = b[index] ?? null;
    return value === null || divisor === null || divisor <= 0 ? null : (value / divisor) * factor;
  });
}

/** Mean of what is known of a column; undefined: nothing is. */
export function meanOf(column: Column): number | undefined {
  let [sum, count] = [0, 0];
  for (const value of column) {
    if (value === null) continue;
    sum += value;
    count++;
  }
  return count === 0 ? undefined : sum / count;
}

/** The value of now: the newest known one, if it lies within the last 45 s or two steps. Undefined: nothing is known now. */
export function currentValue(column: Column, stepMs: number): number | undefined {
  const last = lastKnown(column);
  const steps = Math.max(2, Math.ceil(45_000 / stepMs));
  return last !== undefined && column.length - 1 - last.index <= steps ? last.value : undefined;
}

/** Newest known value of a column, with its place. Undefined: it has none. */
export function lastKnown(column: Column): { value: number; index: number } | undefined {
  const index = column.findLastIndex((value) => value !== null);
  const value = column[index];
  return value === undefined || value === null ? undefined : { value, index };
}

/** Places of values that stand alone between two gaps: a line can't show them, a dot can. */
export function isolatedPoints(column: Column): number[] {
  return column.flatMap((value, index) =>
    value !== null && (column[index - 1] ?? null) === null && (column[index + 1] ?? null) === null ? [index] : [],
  );
}
