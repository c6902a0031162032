import type { EpochMs } from "#protocol/ids.ts";
import { byText } from "#protocol/order.ts";
import type { Policy, PolicyDecision, PolicyNight, PolicyPlan } from "#protocol/policy.ts";
import { nextInstant, parseCalendar } from "./calendar.ts";
import type { Span } from "./window.ts";

/** One guest of a policy, as far as its turn goes. */
export type PolicyGuest = {
  cluster: string;
  vmid: number;
  name: string;
  /** Since when the policy holds it. */
  since: EpochMs;
  /** End of the newest test that passed; null: never. */
  provenAt: EpochMs | null;
  /** Begin of the newest test of any end, the one that runs included; null: never. */
  triedAt: EpochMs | null;
  /** How long a test takes, ms; undefined: nobody knows yet. */
  usualMs: number | undefined;
  running: boolean;
  /** What forbids it now, as a decision with its sentence; undefined: nothing. */
  blocked: { decision: PolicyDecision["decision"]; why: string } | undefined;
};

/** Where a guest could be tested now. `why`: a sentence. */
export type Place = { ok: true; node: string } | { ok: false; busy: boolean; why: string };

export type PolicyState = {
  policy: Policy;
  guests: readonly PolicyGuest[];
  /** Tests of this policy that go on. */
  running: number;
  /** Tests of this policy that began since its window opened. */
  begun: number;
  place(guest: PolicyGuest): Place;
  /** `recurrenceSpan` of its window, and `openings` of its period: the same for hours, and dear to work out. */
  span: Span;
  nights: readonly EpochMs[];
  now: EpochMs;
};

const dayMs = 86_400_000;
const hourMs = 3_600_000;
/** A test of unknown length. */
const unknownMs = 20 * 60_000;
/** Within so many days what is late is caught up. */
const catchUpDays = 3;
/** Nights looked ahead, for deadlines and for capacity. */
const nightsMax = 400;
const yearDays = 366;

/** When the guest's next test has to be done: its proof gets too old then; one never proven has a period from when the policy began to hold it. */
export const dueAt = (
  { provenAt, since }: Pick<PolicyGuest, "provenAt" | "since">,
  { everyDays }: Pick<Policy, "everyDays">,
): EpochMs => ((provenAt ?? since) + everyDays * dayMs) as EpochMs;

/** Oldest proof first; among those never proven the one that was never tried, then the one tried longest ago. */
function byAge(a: PolicyGuest, b: PolicyGuest): number {
  return (
    (a.provenAt ?? 0) - (b.provenAt ?? 0) ||
    (a.triedAt ?? 0) - (b.triedAt ?? 0) ||
    byText(a.cluster, b.cluster) ||
    a.vmid - b.vmid
  );
}

/** Openings of the policy's window after `now`, within its period; at most `most`. */
export function openings({ window, everyDays }: Pick<Policy, "window" | "everyDays">, now: EpochMs, most = nightsMax): EpochMs[] {
  const parsed = parseCalendar(window.calendar);
  const found: EpochMs[] = [];
  if (!parsed.ok) return found;
  const end = now + everyDays * dayMs;
  let at = nextInstant(parsed.event, now, window.timezone);
  while (at !== undefined && at <= end && found.length < most) {
    found.push(at);
    at = nextInstant(parsed.event, at, window.timezone);
  }
  return found;
}

/** Tests that one night holds: as many one after the other as its parallelism allows. */
function nightHolds({ policy, guests }: Pick<PolicyState, "policy" | "guests">): number {
  const known = guests.flatMap(({ usualMs }) => usualMs ?? []);
  const usual = known.length === 0 ? unknownMs : known.reduce((sum, ms) => sum + ms, 0) / known.length;
  return policy.parallel.total * Math.max(1, Math.floor((policy.window.durationSec * 1000) / Math.max(1, usual)));
}

/**
 * How many tests this night needs so that every later deadline can be met at the same pace: the largest share of guests due by a time in the
 * nights until then. `begun` ones count for all deadlines, since the oldest were begun first.
 */
function quota(
  state: Pick<PolicyState, "policy" | "guests" | "begun">,
  nights: readonly EpochMs[],
  now: EpochMs,
): { pace: number; tests: number } {
  const { everyDays } = state.policy;
  const deadlines = state.guests.map((guest) => {
    // What was too old before the policy came is spread over its first period: all at once helps nobody.
    const by = Math.max(dueAt(guest, state.policy), guest.since + everyDays * dayMs);
    return by > now ? by : now + Math.min(everyDays, catchUpDays) * dayMs;
  });
  let pace = 0;
  let passed = 0;
  deadlines
    .sort((a, b) => a - b)
    .forEach((by, index) => {
      while (passed < nights.length && (nights[passed] ?? 0) < by) passed++;
      pace = Math.max(pace, (index + 1 + state.begun) / (passed + 1));
    });
  return { pace, tests: Math.ceil(pace - 1e-9) };
}

/** Before this age a guest is not tested again, so that the pace, which is rounded up, doesn't test everything twice as often as asked. */
function freshUntil(guest: PolicyGuest, policy: Policy, pace: number, holds: number): EpochMs {
  if (guest.provenAt === null) return 0 as EpochMs;
  const period = policy.everyDays * dayMs;
  // Where the nights are short of time none of it is left unused.
  if (pace > holds / 2) return (guest.provenAt + period / 10) as EpochMs;
  // Fewer guests than nights: each waits for one of the last nights of its period.
  return (guest.provenAt + (pace < 1 ? period * 0.85 - dayMs : period / 2)) as EpochMs;
}

/** After a test that did not pass: not the next minute, and not only after a month either. */
const retryMs = ({ everyDays }: Policy) => Math.max(20 * hourMs, (everyDays * dayMs) / 10);

/**
 * What the policy does now, guest by guest. Only in its window; at most `parallel.total` at once; the oldest proof first, spread evenly over
 * the period. Restarting the hub changes nothing: all of it follows from what is stored.
 */
export function stepPolicy(state: PolicyState): PolicyDecision[] {
  const { policy, guests, span, nights, now } = state;
  const { pace, tests } = quota(state, nights, now);
  const holds = nightHolds(state);
  let left = Math.max(0, tests - state.begun);
  let free = span.active && policy.enabled ? policy.parallel.total - state.running : 0;
  return [...guests].sort(byAge).map((guest): PolicyDecision => {
    const decided = decide(guest, { state, left, free, freshUntil: freshUntil(guest, policy, pace, holds) });
    if (decided.decision === "test") free--;
    if (decided.decision === "test" || decided.decision === "later") left--;
    const { cluster, vmid, name } = guest;
    return { cluster, vmid, name, ...decided, dueAt: dueAt(guest, policy) };
  });
}

type Turn = { state: PolicyState; left: number; free: number; freshUntil: EpochMs };
type Decided = Pick<PolicyDecision, "decision" | "why">;

function decide(guest: PolicyGuest, { state, left, free, freshUntil }: Turn): Decided {
  const { policy, span, now } = state;
  if (guest.running) return { decision: "running", why: "A test of it runs" };
  if (now < freshUntil) return { decision: "recent", why: `Proven in time; its turn comes from ${dayOf(freshUntil)} on` };
  const retryAt = (guest.triedAt ?? 0) + retryMs(policy);
  if (guest.triedAt !== null && guest.triedAt > (guest.provenAt ?? 0) && now < retryAt) {
    return { decision: "retry-later", why: `Its last test did not pass; the next is made from ${dayOf(retryAt)} on` };
  }
  if (guest.blocked !== undefined) return guest.blocked;
  if (left <= 0) return { decision: "quota", why: "The tests of this night go to guests whose proof is older" };
  if (!span.active) return { decision: "later", why: `It waits for the window of policy ${policy.id}` };
  if (!fits(guest, policy, span, now))
    return { decision: "window-closing", why: "The rest of the window is shorter than its test" };
  if (free <= 0) return { decision: "later", why: `${policy.parallel.total} tests run already` };
  const place = state.place(guest);
  if (place.ok) return { decision: "test", why: `On ${place.node}` };
  return { decision: place.busy ? "node-busy" : "no-node", why: place.why };
}

const dayOf = (at: number) => new Date(at).toISOString().slice(0, 10);

/** Time that a test of it should be given, ms. */
export const neededMs = ({ usualMs }: Pick<PolicyGuest, "usualMs">): number => (usualMs ?? unknownMs) * 1.2;

/** What is longer than the whole window begins with it. */
function fits(guest: PolicyGuest, { window }: Policy, { from, until }: Span, now: EpochMs): boolean {
  const needed = neededMs(guest);
  return now + needed <= until || (needed > window.durationSec * 1000 && now - from < hourMs);
}

/** The next openings with the guests each would test, if all pass and nothing comes between. */
export function planNights(
  state: Pick<PolicyState, "policy" | "guests" | "now">,
  count: number,
): Pick<PolicyPlan, "nights" | "short"> {
  const { policy, now } = state;
  const holds = nightHolds(state);
  let guests = [...state.guests];
  const nights: PolicyNight[] = [];
  // Beyond its period, too: a weekly window opens once in it, and people want to see more of what comes.
  const upcoming = openings({ ...policy, everyDays: yearDays }, now, Math.max(count, 0));
  let short = 0;
  for (const from of upcoming) {
    const until = (from + policy.window.durationSec * 1000) as EpochMs;
    const { pace, tests } = quota({ policy, guests, begun: 0 }, openings(policy, from), from);
    const order = guests.filter((guest) => from >= freshUntil(guest, policy, pace, holds) && !isBarred(guest)).sort(byAge);
    const chosen = order.slice(0, Math.min(tests, holds));
    short = Math.max(short, tests - holds);
    nights.push({
      from,
      until,
      guests: chosen.map((guest) => {
        const due = dueAt(guest, policy);
        return { cluster: guest.cluster, vmid: guest.vmid, name: guest.name, dueAt: due, overdue: from > due };
      }),
    });
    const tested = new Set(chosen);
    guests = guests.map((guest) => (tested.has(guest) ? { ...guest, provenAt: from, triedAt: from, running: false } : guest));
  }
  return { nights, short: Math.max(0, short) };
}

/** What won't be over by the next night. */
const isBarred = ({ blocked }: PolicyGuest) => blocked?.decision === "no-backup" || blocked?.decision === "backup-unknown";
