import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { metricByName } from "#protocol/metrics.ts";
import { planQuery, planRange } from "../../../hub/core/query.ts";
import { aggregateOf, membersOf } from "../../../hub/core/query-class.ts";
import { decodedPerSeries, refuseCost } from "../../../hub/core/query-cost.ts";
import { Combined, groupMembers } from "../../../hub/core/query-groups.ts";
import { placesOf, refuseSum, summaryOf, topWindow } from "../../../hub/core/query-top.ts";
import { Refusal } from "../../../hub/core/refusal.ts";
import { readsRollups } from "../../../hub/core/tier.ts";
import { fc } from "../../support/property.ts";
import { cluster, testPicture } from "../../support/test-cluster.ts";

const day = 86_400_000;
const now = Date.UTC(2026, 0, 20, 12) as EpochMs;
const refused = (field: string, words: RegExp) => (error: unknown) =>
  error instanceof Refusal && error.details.field === field && words.test(error.message);

const guestMetric = (name: string) => {
  const metric = metricByName("guest", name);
  assert.ok(metric);
  return metric;
};
const [cpu, netIn, netOut] = [guestMetric("cpu"), guestMetric("net_in"), guestMetric("net_out")];
const series = [{ entity: "node/pve1", metric: "cpu" }];

test("a comparison keeps the asked range and says how far back its data lies", () => {
  assert.deepEqual(planRange({ from: now + 5000, to: now + 60_000, stepMs: 20_000, offsetMs: 7 * day }), {
    from: now,
    to: now + 60_000,
    stepMs: 20_000,
    offsetMs: 604_800_000,
  });
});

const badRanges: [name: string, query: Parameters<typeof planQuery>[0], field: string, words: RegExp][] = [
  [
    "an offset of half a step",
    { series, from: 0, to: day, stepMs: 60_000, offsetMs: 30_000 },
    "offsetMs",
    /multiple of the step, 60000 ms/,
  ],
  ["an offset beyond 1970", { series, from: 1000, to: day, stepMs: 60_000, offsetMs: day }, "offsetMs", /1970/],
  ["six years", { series, from: 0, to: 6 * 366 * day, points: 100 }, "from", /5 years/],
];
for (const [name, query, field, words] of badRanges) {
  test(`a query of ${name} is refused with ${field} and the remedy`, () => {
    assert.throws(() => planQuery(query), refused(field, words));
  });
}

const costs: [
  name: string,
  range: { from: number; to: number; stepMs: number | undefined },
  rollups: boolean,
  decoded: number,
][] = [
  ["an hour", { from: now - 3_600_000, to: now, stepMs: undefined }, false, 360],
  ["a day in steps of 15 minutes", { from: now - day, to: now, stepMs: 900_000 }, false, 8640],
  ["a week in steps of 10 minutes", { from: now - 7 * day, to: now, stepMs: 600_000 }, false, 60_480],
  ["a week in steps of 15 minutes", { from: now - 7 * day, to: now, stepMs: 900_000 }, true, 8 * 96 + 8640],
  ["an hour 20 days ago", { from: now - 20 * day, to: now - 20 * day + 3_600_000, stepMs: 60_000 }, true, 96],
];
for (const [name, range, rollups, decoded] of costs) {
  test(`${name} costs ${decoded} ${rollups ? "steps and samples" : "samples"} of each series`, () => {
    assert.deepEqual([readsRollups(range, now), decodedPerSeries(range, now)], [rollups, decoded]);
  });
}

test("what would decode too much is refused with the remedy, at the limit it is not", () => {
  const range = { from: now - day, to: now, stepMs: 60_000 };
  refuseCost(range, 2314, now, "from", "ask for less");
  assert.throws(
    () => refuseCost(range, 2400, now, "from", "ask for less"),
    refused("from", /2400 series .* 21 million .* at most 20 million are: ask for less/),
  );
});

test("a window of a day is read as it is, a longer or older one in whole steps of rollups", () => {
  assert.deepEqual(topWindow(3_600_000, now, now), { from: now - 3_600_000, to: now, stepMs: undefined });
  assert.deepEqual(topWindow(7 * day, now + 1000, now), { from: now - 7 * day, to: now + 1000, stepMs: 900_000 });
  assert.equal(topWindow(3_600_000, now - 20 * day, now).stepMs, 900_000);
});

test("many values become one; none becomes nothing known", () => {
  const column = Float64Array.of(Number.NaN, 4, 1, Number.NaN, 7, Number.NaN);
  assert.deepEqual(
    (["avg", "min", "max", "last", "rate"] as const).map((aggregate) => summaryOf(column, aggregate)),
    [4, 1, 7, 7, 4],
  );
  assert.ok(Number.isNaN(summaryOf(Float64Array.of(Number.NaN), "min")));
});

test("only metrics of one unit and kind are added, and only where the sum can be told", () => {
  refuseSum(netIn, [netOut], "rate");
  assert.throws(() => refuseSum(netIn, [cpu], "rate"), refused("plus.0", /another unit or kind/));
  assert.throws(() => refuseSum(netIn, [netOut], "max"), refused("aggregate", /ask for avg or rate/));
});

test("a gauge has no rate, a counter's default is one", () => {
  assert.deepEqual(
    [aggregateOf(cpu, undefined), aggregateOf(netIn, undefined), aggregateOf(netIn, "max")],
    ["avg", "rate", "max"],
  );
  assert.throws(() => aggregateOf(cpu, "rate"), refused("aggregate", /no counter/));
});

const picture = testPicture({
  at: now,
  nodes: {
    pve1: [
      { vmid: 100, name: "web", tags: ["prod", "web"], pool: "shop" },
      { vmid: 900, template: true },
    ],
    pve2: [
      { vmid: 101, tags: ["prod"] },
      { vmid: 102, type: "lxc" },
    ],
  },
  storages: [{ storage: "local" }, { storage: "nfs", shared: true }],
});

const filters: [name: string, of: "guests" | "nodes" | "storages", filter: Parameters<typeof membersOf>[1], members: string[]][] =
  [
    ["all guests, templates aside", "guests", {}, ["web", "VM 101", "CT102"]],
    ["guests of a node", "guests", { node: "pve2" }, ["VM 101", "CT102"]],
    ["guests with a tag in a pool", "guests", { tag: "prod", pool: "shop" }, ["web"]],
    ["guests of a node there is none of", "guests", { node: "pve9" }, []],
    ["nodes", "nodes", {}, ["pve1", "pve2"]],
    ["a node's own storages", "storages", { node: "pve1" }, ["local"]],
    ["all storages", "storages", {}, ["local", "local", "nfs"]],
  ];
for (const [name, of, filter, members] of filters) {
  test(`the class of ${name}`, () => {
    assert.deepEqual(
      membersOf(of, filter, [picture], now).map((member) => member.name),
      members,
    );
  });
}

test("nodes have no tags and storages no pools", () => {
  assert.throws(() => membersOf("nodes", { tag: "prod" }, [picture], now), refused("tag", /nodes have no tags/));
  assert.throws(
    () => groupMembers("storages", membersOf("storages", {}, [picture], now), "pool"),
    refused("by", /storages have no pools/),
  );
});

test("a guest with two tags is in both groups, one without in the group without a name, which comes last", () => {
  const guests = membersOf("guests", {}, [picture], now);
  const groups = groupMembers("guests", guests, "tag").map(({ name, members }) => [name, members.map((one) => one.name)]);
  assert.deepEqual(groups, [
    ["prod", ["web", "VM 101"]],
    ["web", ["web"]],
    [undefined, ["CT102"]],
  ]);
});

test("more groups than an answer may have are refused", () => {
  const [guest] = membersOf("guests", {}, [picture], now);
  assert.ok(guest);
  const many = Array.from({ length: 201 }, (_, i) => ({ ...guest, tags: [`t${i}`] }));
  assert.throws(() => groupMembers("guests", many, "tag"), refused("by", /201 groups are more than 200: filter/));
});

test("places are in order, a member's metrics added up, what is unknown has none", () => {
  const [web, vm101, ct102] = membersOf("guests", {}, [picture], now);
  assert.ok(web && vm101 && ct102);
  const valued = ([member, metric, value]: [typeof web, typeof netIn, number], i: number) => {
    const info = { id: i, cluster, entity: member.entity, incarnation: 1, metric, instance: undefined, source: "test" };
    return { member, info, value };
  };
  const all = [
    [web, netIn, 5],
    [web, netOut, 6],
    [vm101, netIn, 10],
    [ct102, netIn, Number.NaN],
  ] as [typeof web, typeof netIn, number][];
  const { places, ranked } = placesOf(all.map(valued), 5, false);
  assert.deepEqual(
    [places.map((place) => [place.member.name, place.value]), ranked],
    [
      [
        ["web", 11],
        ["VM 101", 10],
      ],
      2,
    ],
  );
  assert.equal(placesOf(all.map(valued), 1, true).places[0]?.member.name, "VM 101");
});

test("whatever series there are, a group's steps are what adding up its samples by hand gives", () => {
  const stepMs = 10_000;
  const value = fc.option(fc.integer({ min: -1000, max: 1000 }), { nil: Number.NaN });
  const oneSeries = fc.record({
    node: fc.constantFrom("a", "b", "c"),
    first: fc.integer({ min: -3, max: 12 }),
    values: fc.array(value, { maxLength: 20 }),
  });
  fc.assert(
    fc.property(fc.array(oneSeries, { maxLength: 12 }), fc.integer({ min: 1, max: 15 }), (all, count) => {
      for (const node of ["a", "b", "c"]) {
        const own = all.filter((one) => one.node === node);
        const combined = new Combined({ from: now, stepMs, count });
        for (const { first, values } of own) {
          combined.add(
            Float64Array.from(values, (_, i) => now + (first + i) * stepMs),
            Float64Array.from(values),
          );
        }
        const columns = (["sum", "avg", "min", "max", "count"] as const).map((name) => [...combined.column(name)]);
        const naive = Array.from({ length: count }, (_, step) => {
          const known = own.flatMap(({ first, values }) => values.filter((one, i) => first + i === step && !Number.isNaN(one)));
          const sum = known.reduce((a, b) => a + b, 0);
          if (known.length === 0) return [Number.NaN, Number.NaN, Number.NaN, Number.NaN, 0];
          return [sum, sum / known.length, Math.min(...known), Math.max(...known), known.length];
        });
        assert.deepEqual(
          columns.map((column) => column.map((one) => one + 0)),
          [0, 1, 2, 3, 4].map((i) => naive.map((row) => (row[i] ?? 0) + 0)),
        );
      }
    }),
  );
});
