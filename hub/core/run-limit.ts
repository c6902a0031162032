import type { EpochMs } from "#protocol/ids.ts";
import { Refusal } from "./refusal.ts";
import { isOpen } from "./run.ts";
import type { Run } from "./run-record.ts";

/** Runs ordered by hand that may go on at once about one guest (or, together, about none), and be ordered in a day: each is kept for 400 days. */
export const openByHandMax = 32;
export const byHandPerDayMax = 200;
const dayMs = 86_400_000;

/** @throws Refusal when one more would be too many; what policies order doesn't count. */
export function refuseManyRuns(runs: Iterable<Run>, about: { cluster: string; vmid: number | null }, now: EpochMs): void {
  let [open, today] = [0, 0];
  for (const run of runs) {
    if (run.policy !== null || run.cluster !== about.cluster || (run.guest?.vmid ?? null) !== about.vmid) continue;
    if (isOpen(run)) open++;
    if (now - run.createdAt < dayMs) today++;
  }
  const subject = about.vmid === null ? "storages" : `guest ${about.vmid}`;
  if (open >= openByHandMax)
    throw new Refusal("conflict", `${open} runs about ${subject} have not ended: wait for them, or cancel some`);
  if (today >= byHandPerDayMax)
    throw new Refusal("rate-limited", `${today} runs about ${subject} were ordered within a day`, { retryAfterSec: 3600 });
}
