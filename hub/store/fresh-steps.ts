import { Buckets, type Track } from "../core/sampling.ts";
import type { SeriesInfo } from "../core/series.ts";
import { dayMs } from "./keys.ts";

/** Nearly every step of a chart that rollups answer is a multiple of this. */
const freshStepMs = 300_000;

/** Of 16 kB each, a day long. */
const entriesMax = 64;

/** After midnight two days have no rollup; more is a hub that was away, and would not be small. */
const spanMax = 2 * dayMs;

/** What blocks have of a series from the begin of a day on; samples from `until` on are not in it. */
type Fresh = { steps: Buckets; until: number };

type Reading = { series: SeriesInfo; track: Track; buckets: Buckets | undefined; groups: readonly { group: number }[] };

/**
 * The day that has no rollup yet, as blocks have it, in steps of five minutes: for a chart that stays open it would be up to two dozen blocks to
 * copy and decode at each question, which is a quarter of what a month takes. What came first goes first.
 */
export class FreshSteps {
  private readonly byGroup = new Map<number, Map<number, Fresh>>();
  private entries = 0;

  /**
   * Adds what is known of the samples of [from, to) of a gauge to its buckets. Returns from when on they are still to be read: `from` where
   * nothing is known, as rows in memory are older (`inMemoryFrom`) or the steps don't fit. `read` puts what blocks have of the range into the
   * track, and says when their newest row is.
   */
  add(reading: Reading, from: number, to: number, inMemoryFrom: number, read: () => number): number {
    const { series, buckets, groups } = reading;
    const [place, another] = groups;
    if (place === undefined || another !== undefined || buckets === undefined) return from;
    if (from % dayMs !== 0 || to - from > spanMax || buckets.stepMs % freshStepMs !== 0) return from;
    let known = this.byGroup.get(place.group)?.get(series.id);
    if (known === undefined || known.steps.start !== from) {
      known = stepsOf(reading.track, from, read());
      this.put(place.group, series.id, known);
    }
    const { steps, until } = known;
    if (until > to || inMemoryFrom < until) return from;
    buckets.addSteps(steps);
    return until;
  }

  /** One of the group's blocks was written or removed, or a day of it rolled up. */
  drop(group: number): void {
    this.entries -= this.byGroup.get(group)?.size ?? 0;
    this.byGroup.delete(group);
  }

  private put(group: number, series: number, fresh: Fresh): void {
    for (const oldest of this.byGroup.keys()) if (this.entries >= entriesMax) this.drop(oldest);
    const known = this.byGroup.get(group) ?? new Map<number, Fresh>();
    this.byGroup.set(group, known);
    if (!known.has(series)) this.entries++;
    known.set(series, fresh);
  }
}

/** Empties the track. */
function stepsOf(track: Track, from: number, newest: number): Fresh {
  track.settle();
  const until = Math.max(from, newest + 1);
  const steps = new Buckets(from, freshStepMs, Math.ceil((until - from) / freshStepMs));
  steps.addSamples(track, 0, track.length, undefined, false);
  track.clear();
  return { steps, until };
}
