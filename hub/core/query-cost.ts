import { limits } from "#protocol/limits.ts";
import { Refusal } from "./refusal.ts";
import { rollupDayMs, rollupRows } from "./rollup.ts";
import { readsRollups } from "./tier.ts";

/** What one request may have decoded, samples and steps of rollups alike: about a second of one core, where 20 million a second were measured. */
const decodedMax = 20_000_000;
/** What is decoded in one go, about 50 ms: nothing is ingested and nobody answered meanwhile. */
export const decodedAtOnce = 1_000_000;

type Range = { from: number; to: number; stepMs: number | undefined };

/** What is decoded of each series. Rollups come a whole day at a time; of the newest day there is none yet. */
export function decodedPerSeries(range: Range, now: number): number {
  const { from, to } = range;
  const samples = (ms: number) => Math.ceil(Math.max(0, ms) / limits.sampleEveryMs);
  if (!readsRollups(range, now)) return samples(to - from);
  const days = Math.ceil(to / rollupDayMs) - Math.floor(from / rollupDayMs);
  const unrolled = Math.min(to, now) - Math.max(from, now - rollupDayMs);
  return days * rollupRows + samples(unrolled);
}

/** @throws Refusal before anything is read, when too much would be. `field` and `remedy`: what the asker can change. */
export function refuseCost(range: Range, series: number, now: number, field: string, remedy: string): void {
  const decoded = decodedPerSeries(range, now) * series;
  if (decoded <= decodedMax) return;
  const millions = (n: number) => `${Math.round(n / 1e6)} million`;
  const what = `${series} series over this range are about ${millions(decoded)} samples to read, at most ${millions(decodedMax)} are`;
  throw new Refusal("too-large", `${what}: ${remedy}`, { field });
}
