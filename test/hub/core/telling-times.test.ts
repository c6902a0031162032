import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import type { Route } from "#protocol/notifications.ts";
import { episodeOf } from "../../../hub/core/alert.ts";
import type { AlertGroup, AlertRecord } from "../../../hub/core/alert-record.ts";
import { planTellings } from "../../../hub/core/group.ts";
import { nextFreedAt } from "../../../hub/core/telling-times.ts";
import { fc } from "../../support/property.ts";

const at = (sec: number) => (sec * 1000) as EpochMs;

type Story = {
  now: number;
  waitSec: number;
  intervalSec: number;
  repeatSec: number;
  escalateSec: number;
  toldSec: number;
  alerts: { firedSec: number; isTold: boolean; takenUntilSec: number | null }[];
  overSec: number | null;
};

const second = fc.integer({ min: 0, max: 900 });
const story: fc.Arbitrary<Story> = fc.record({
  now: fc.integer({ min: 900, max: 1000 }),
  waitSec: fc.constantFrom(0, 30, 300),
  intervalSec: fc.constantFrom(0, 60, 600),
  repeatSec: fc.constantFrom(0, 900, 3600),
  escalateSec: fc.constantFrom(120, 900),
  toldSec: second,
  alerts: fc.array(
    fc.record({ firedSec: second, isTold: fc.boolean(), takenUntilSec: fc.option(fc.integer({ min: 800, max: 1500 })) }),
    { maxLength: 3 },
  ),
  overSec: fc.option(second),
});

const record = (id: string, firedSec: number, takenUntilSec: number | null) =>
  ({
    id,
    rule: "hot",
    severity: "warning",
    subject: { cluster: "c1", entity: "node/pve1", incarnation: 1, instance: null },
    alert: { state: "firing", activeAt: at(firedSec), firedAt: at(firedSec), okSince: null },
    node: "pve1",
    tags: [],
    pool: null,
    acknowledged: takenUntilSec === null ? null : { by: "anna", at: 0, until: at(takenUntilSec), note: null },
    heldBy: null,
    wasHeld: false,
    freedAt: null,
    told: [],
    groups: ["r|"],
  }) as unknown as AlertRecord;

function planAt({ waitSec, intervalSec, repeatSec, escalateSec, toldSec, alerts, overSec }: Story, now: EpochMs) {
  const records = alerts.map(({ firedSec, takenUntilSec }, index) => record(`a${index}`, firedSec, takenUntilSec));
  const known = alerts.flatMap(({ isTold, firedSec }, index) => (isTold ? [{ id: `a${index}`, firedSec }] : []));
  const episodes = [...known, ...(overSec === null ? [] : [{ id: "over", firedSec: overSec }])].map(({ id, firedSec }) => ({
    key: episodeOf(id, at(firedSec)),
    alert: id,
    severity: "warning" as const,
    firedAt: at(firedSec),
    toldAt: at(toldSec),
    resolvedAt: null,
    endText: null,
  }));
  const told = { sequence: 1, at: at(toldSec), step: 0, episodes };
  const group: AlertGroup = { id: "r|", route: "r", labels: {}, openedAt: at(0), told: { ops: told } };
  const route = {
    id: "r",
    enabled: true,
    match: {},
    receivers: ["ops"],
    groupBy: [],
    groupWaitSec: waitSec,
    groupIntervalSec: intervalSec,
    repeatSec,
    escalation: [{ afterSec: escalateSec, receivers: ["boss"] }],
  } as unknown as Route;
  const receivers = new Map(["ops", "boss"].map((id) => [id, { enabled: true }]));
  const input = { alerts: records, groups: new Map([[group.id, group]]), routes: [route], receivers };
  const plan = planTellings({ ...input, factsOf: () => undefined, isOn: () => false, reminds: true, now });
  const freedAt = Math.min(...records.map((one) => nextFreedAt(one, now)));
  return { due: plan.due, nextAt: Math.min(plan.nextAt, freedAt) };
}

test("where nothing is due, nothing gets due before the instant that the plan names", () => {
  let waited = 0;
  fc.assert(
    fc.property(story, (one) => {
      const { due, nextAt } = planAt(one, at(one.now));
      if (due.length > 0) return;
      waited++;
      const untilSec = Math.min(Math.ceil(nextAt / 1000), one.now + 4000);
      for (let sec = one.now + 1; sec < untilSec; sec += 7) assert.deepEqual(planAt(one, at(sec)).due, [], `at ${sec} s`);
      assert.deepEqual(planAt(one, (untilSec * 1000 - 1) as EpochMs).due, []);
    }),
    { numRuns: 500 },
  );
  assert.ok(waited > 50, `${waited} stories had to wait`);
});

test("what is told once is not looked at again before it repeats, escalates or somebody's time with it is over", () => {
  const told: Story = {
    now: 1000,
    waitSec: 30,
    intervalSec: 60,
    repeatSec: 3600,
    escalateSec: 900,
    toldSec: 700,
    alerts: [{ firedSec: 700, isTold: true, takenUntilSec: 1300 }],
    overSec: null,
  };
  assert.deepEqual(planAt(told, at(1001)), { due: [], nextAt: at(1300) });
  const free = { ...told, alerts: [{ firedSec: 700, isTold: true, takenUntilSec: null }] };
  assert.deepEqual(planAt(free, at(1001)), { due: [], nextAt: at(1600) });
  assert.deepEqual(planAt({ ...free, escalateSec: 120_000 }, at(1001)), { due: [], nextAt: at(700 + 3600) });
});
