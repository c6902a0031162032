import type { EpochMs } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import { type Metric, metricById } from "#protocol/metrics.ts";
import { encodeFrame, encodeSchema, type Schema, stateFor } from "#protocol/records.ts";
import { type SeriesTruth, seriesTruth } from "./model.ts";
import type { World } from "./world.ts";

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const dayMs = 24 * hourMs;

/** Up to this age, so often; coarser the older. */
const steps: readonly (readonly [olderThanMs: number, stepMs: number])[] = [
  [7 * dayMs, 15 * minuteMs],
  [dayMs, 5 * minuteMs],
  [hourMs, minuteMs],
  [0, 10_000],
];

/** Times of the history, growing: `from` ≤ t < `to`, on multiples of their step; ages count back from `to`. */
export function seedInstants(from: number, to: number): EpochMs[] {
  const instants: EpochMs[] = [];
  let next = from;
  for (const [olderThanMs, stepMs] of steps) {
    const end = to - olderThanMs;
    for (let at = Math.ceil(next / stepMs) * stepMs; at < end; at += stepMs) {
      instants.push(at as EpochMs);
      next = at + 1;
    }
  }
  return instants;
}

type Column = { truth: SeriesTruth | undefined; scale: number };

function columnsOf(world: World, schema: Schema): Column[] {
  return schema.series.map(({ entity, metric, instance }) => {
    const row: Metric | undefined = metricById(metric);
    const key = schema.entities[entity]?.key;
    if (row === undefined || key === undefined) throw new Error(`series of an unknown metric ${metric} or entity ${entity}`);
    return { truth: seriesTruth(world, key, row.name, instance), scale: row.scale };
  });
}

/** Scaled integers of all series at `at`, NaN where nobody can know. */
function fill(values: Float64Array, columns: readonly Column[], at: number): void {
  for (let i = 0; i < columns.length; i++) {
    const { truth, scale } = columns[i] as Column;
    const value = truth?.(at);
    values[i] = value === undefined ? Number.NaN : Math.round(value * scale);
  }
}

export type SeedOptions = { from: number; to: number; firstSeq?: number };

/**
 * The history of one agent's series as records of the sample stream: the schema, then a frame per instant, a key frame at least every
 * limits.keyFrameEvery. `schema`: what that agent's collector declares. Sequence numbers count up from `firstSeq` (1).
 */
export function* seedFrames(
  world: World,
  schema: Schema,
  { from, to, firstSeq = 1 }: SeedOptions,
): Generator<Uint8Array, void, undefined> {
  const columns = columnsOf(world, schema);
  const state = stateFor(schema);
  const values = new Float64Array(columns.length);
  let seq = firstSeq;
  yield encodeSchema(seq++, schema);
  let sinceKey: number = limits.keyFrameEvery;
  for (const at of seedInstants(from, to)) {
    fill(values, columns, at);
    const key = sinceKey >= limits.keyFrameEvery;
    yield encodeFrame(seq++, at, key, values, state);
    sinceKey = key ? 1 : sinceKey + 1;
  }
}
