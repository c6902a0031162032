import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import type { Policy } from "#protocol/policy.ts";
import { checkPolicy, checksFor, defaultPolicy } from "../../../hub/core/policy-check.ts";
import { openings, type Place, type PolicyGuest, planNights, stepPolicy } from "../../../hub/core/verify-policy.ts";
import { recurrenceSpan } from "../../../hub/core/window.ts";
import { fc } from "../../support/property.ts";

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;
/** A Monday, midnight UTC. */
const start = Date.UTC(2026, 0, 5) as EpochMs;

const policyOf = (overrides: Partial<Policy> = {}): Policy => ({ ...defaultPolicy("UTC"), enabled: true, ...overrides });
const guestOf = (vmid: number, overrides: Partial<PolicyGuest> = {}): PolicyGuest => ({
  cluster: "c",
  vmid,
  name: `g${vmid}`,
  since: start,
  provenAt: null,
  triedAt: null,
  usualMs: 20 * minute,
  running: false,
  blocked: undefined,
  ...overrides,
});
const anywhere = (): Place => ({ ok: true, node: "pve1" });
const timesOf = (policy: Policy, now: number) => ({
  span: recurrenceSpan(policy.window, now as EpochMs),
  nights: openings(policy, now as EpochMs),
});
type Rest = { begun?: number; place?: () => Place; times?: ReturnType<typeof timesOf> };
const step = (policy: Policy, guests: PolicyGuest[], now: number, rest: Rest = {}) => {
  const running = guests.filter((guest) => guest.running).length;
  const { begun = 0, place = anywhere, times = timesOf(policy, now) } = rest;
  return stepPolicy({ policy, guests, running, begun, place, ...times, now: now as EpochMs });
};
const wordOf = (decisions: ReturnType<typeof step>) =>
  Object.fromEntries(decisions.map(({ vmid, decision }) => [vmid, decision]));
const inWindow = start + 2 * hour;

test("outside its window a policy tests nothing", () => {
  assert.deepEqual(wordOf(step(policyOf(), [guestOf(100)], start)), { 100: "later" });
  assert.deepEqual(wordOf(step(policyOf(), [guestOf(100)], inWindow)), { 100: "test" });
  assert.deepEqual(wordOf(step(policyOf({ enabled: false }), [guestOf(100)], inWindow)), { 100: "later" });
});

test("never proven goes before proven long ago, and that before proven lately", () => {
  const policy = policyOf({ everyDays: 2, parallel: { total: 1, perNode: 1 } });
  const guests = [
    guestOf(100, { provenAt: (start - 3 * day) as EpochMs }),
    guestOf(101),
    guestOf(102, { provenAt: (start - 4 * day) as EpochMs }),
    guestOf(103, { provenAt: (start - hour) as EpochMs }),
  ];
  const decisions = step(policy, guests, inWindow);
  assert.deepEqual(
    decisions.map(({ vmid }) => vmid),
    [101, 102, 100, 103],
  );
  assert.equal(decisions[0]?.decision, "test");
  assert.equal(decisions[3]?.decision, "recent");
});

const reasons: [name: string, guest: Partial<PolicyGuest>, at: number, decision: string][] = [
  ["a test of it runs", { running: true }, inWindow, "running"],
  ["its proof is young", { provenAt: (start - day) as EpochMs }, inWindow, "recent"],
  ["its last test failed some hours ago", { triedAt: (start - hour) as EpochMs }, inWindow, "retry-later"],
  ["it has no backup", { blocked: { decision: "no-backup", why: "none" } }, inWindow, "no-backup"],
  ["it is in maintenance", { blocked: { decision: "maintenance", why: "window" } }, inWindow, "maintenance"],
  ["the window closes before it could end", {}, start + 6 * hour - 10 * minute, "window-closing"],
];
for (const [name, guest, at, decision] of reasons) {
  test(`why was it not tested: ${name}`, () => {
    const [decided] = step(policyOf(), [guestOf(105, guest)], at);
    assert.equal(decided?.decision, decision);
    assert.ok((decided?.why ?? "").length > 3);
  });
}

test("a node that is busy, or none that reaches the backup, is said", () => {
  const busy: Place = { ok: false, busy: true, why: "pve1 makes backups" };
  const none: Place = { ok: false, busy: false, why: "no agent" };
  assert.deepEqual(step(policyOf(), [guestOf(100)], inWindow, { place: () => busy })[0]?.why, "pve1 makes backups");
  assert.equal(step(policyOf(), [guestOf(100)], inWindow, { place: () => none })[0]?.decision, "no-node");
});

test("thirty guests in thirty nights are one a night, not thirty in the first", () => {
  const guests = Array.from({ length: 30 }, (_, index) => guestOf(100 + index));
  const words = step(policyOf(), guests, inWindow).map(({ decision }) => decision);
  assert.deepEqual(words.filter((word) => word === "test" || word === "later").length, 1);
  assert.equal(words.filter((word) => word === "quota").length, 29);
  assert.deepEqual(step(policyOf(), guests.slice(1), inWindow, { begun: 1 })[0]?.decision, "quota", "and no more after that one");
});

/** Nights as the hub runs them: looks every ten minutes while the window is open, tests take their time. */
function simulate(policy: Policy, count: number, tookMs: number, days: number) {
  const guests = Array.from({ length: count }, (_, index) => guestOf(100 + index, { usualMs: tookMs }));
  const running = new Map<PolicyGuest, number>();
  const gaps = new Map<number, number[]>();
  let [most, begun, wrongOrder] = [0, 0, 0];
  // Worked out once: the calendar costs more than all decisions together.
  const all = openings({ ...policy, everyDays: days + policy.everyDays }, (start - 1) as EpochMs);
  const at = (now: number) => ({
    span: recurrenceSpan(policy.window, now as EpochMs),
    nights: all.filter((night) => night > now && night <= now + policy.everyDays * day),
  });
  let times = at(start);
  for (let now: number = start; now < start + days * day; now += 10 * minute) {
    for (const [guest, until] of running) {
      if (until > now) continue;
      running.delete(guest);
      guest.running = false;
      gaps.set(guest.vmid, [...(gaps.get(guest.vmid) ?? []), now - (guest.provenAt ?? start)]);
      guest.provenAt = now as EpochMs;
    }
    if (now >= times.span.until) [times, begun] = [at(now), 0];
    if (!times.span.active) continue;
    const decisions = step(policy, guests, now, { begun, times });
    const tested = decisions.findLastIndex(({ decision }) => decision === "test");
    const passedOver = decisions
      .slice(0, Math.max(0, tested))
      .filter(({ decision }) => decision === "later" || decision === "quota");
    wrongOrder += passedOver.length;
    for (const { vmid, decision } of decisions) {
      const guest = guests.find((one) => one.vmid === vmid);
      if (decision !== "test" || guest === undefined) continue;
      begun++;
      guest.running = true;
      guest.triedAt = now as EpochMs;
      running.set(guest, now + tookMs);
    }
    most = Math.max(most, running.size);
  }
  const oldest = Math.max(...guests.map(({ provenAt }) => start + days * day - (provenAt ?? start)));
  return { most, wrongOrder, longest: Math.max(oldest, ...[...gaps.values()].flat()), tests: [...gaps.values()].flat().length };
}

test("in virtual weeks: never more than P at once, oldest first, everybody within N days where the nights are long enough", () => {
  const arbitrary = fc.record({
    everyDays: fc.integer({ min: 3, max: 10 }),
    total: fc.integer({ min: 1, max: 4 }),
    tookMin: fc.integer({ min: 5, max: 90 }),
    load: fc.double({ min: 0.05, max: 0.6, noNaN: true }),
  });
  fc.assert(
    fc.property(arbitrary, ({ everyDays, total, tookMin, load }) => {
      const policy = policyOf({ everyDays, parallel: { total, perNode: total } });
      // Looks are ten minutes apart, and a test isn't begun that could not end in the window.
      const slotMin = Math.ceil(tookMin / 10) * 10;
      const aNight = total * Math.floor((300 - tookMin * 1.2) / slotMin + 1);
      const count = Math.max(1, Math.floor(aNight * everyDays * load));
      const result = simulate(policy, count, tookMin * minute, 2 * everyDays + 2);
      assert.ok(result.most <= total, `${result.most} at once`);
      assert.equal(result.wrongOrder, 0);
      assert.ok(result.longest <= (everyDays + 1) * day, `${count} guests: ${result.longest / day} of ${everyDays} days`);
    }),
    { numRuns: 20 },
  );
});

test("a few guests are not tested more often than asked", () => {
  const { tests } = simulate(policyOf(), 3, 20 * minute, 90);
  assert.ok(tests <= 3 * 4, `${tests} tests of 3 guests in 90 days`);
});

test("the night on which clocks are set forward, or back, has its window too", () => {
  const policy = policyOf({ window: { calendar: "02:30", timezone: "Europe/Rome", durationSec: 3600 } });
  for (const [name, at] of [
    // 2026-03-29 02:00 CET becomes 03:00 CEST: 02:30 does not exist, the window begins at 01:00 UTC.
    ["spring", Date.UTC(2026, 2, 29, 1, 10)],
    // 2026-10-25 03:00 CEST becomes 02:00 CET: 02:30 comes twice, the window once.
    ["autumn", Date.UTC(2026, 9, 25, 0, 40)],
  ] as const) {
    assert.equal(
      step(policy, [guestOf(100, { usualMs: 5 * minute, since: (at - day) as EpochMs })], at)[0]?.decision,
      "test",
      name,
    );
  }
  const nights = planNights({ policy, guests: [guestOf(100)], now: Date.UTC(2026, 9, 24) as EpochMs }, 7).nights;
  const starts = nights.map(({ from }) => new Date(from).toISOString());
  assert.deepEqual(starts.slice(0, 3), ["2026-10-24T00:30:00.000Z", "2026-10-25T00:30:00.000Z", "2026-10-26T01:30:00.000Z"]);
});

test("the plan of the next nights goes from the oldest proof on, and says when the nights are too short", () => {
  const guests = [4, 3, 2, 1].map((days) =>
    guestOf(100 + days, { provenAt: (start - days * day) as EpochMs, since: (start - 9 * day) as EpochMs }),
  );
  const { nights, short } = planNights({ policy: policyOf({ everyDays: 4 }), guests, now: start }, 4);
  assert.deepEqual(nights.flatMap((night) => night.guests.map(({ vmid }) => vmid)).slice(0, 4), [104, 103, 102, 101]);
  assert.equal(short, 0);
  const many = Array.from({ length: 100 }, (_, index) => guestOf(100 + index, { usualMs: 4 * hour }));
  assert.ok(planNights({ policy: policyOf({ everyDays: 2 }), guests: many, now: start }, 2).short > 0);
});

test("checks come by tag, each name once, and a policy that can't work is told field by field", () => {
  const ping = { kind: "agent-ping" as const, name: "alive" };
  const web = { kind: "http" as const, name: "web", scheme: "http" as const, path: "/" };
  const policy = policyOf({
    checks: [
      { tags: [], checks: [ping] },
      { tags: ["web"], checks: [web, { ...ping, timeoutSec: 9 }] },
    ],
  });
  assert.deepEqual(checksFor(policy, ["web.shop"]), [ping, web]);
  assert.deepEqual(checksFor(policy, ["website"]), [ping]);
  assert.deepEqual(checkPolicy(policy), []);
  const wrong = policyOf({
    window: { calendar: "25:00", timezone: "Nowhere/At", durationSec: 60 },
    parallel: { total: 1, perNode: 2 },
  });
  assert.deepEqual(
    checkPolicy(wrong).map(({ field }) => field),
    ["window.calendar", "parallel.perNode"],
  );
});
