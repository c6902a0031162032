import assert from "node:assert/strict";
import { test } from "node:test";
import { seriesAnswerSchema } from "#protocol/api.ts";
import { groupAnswerSchema, topAnswerSchema } from "#protocol/class-queries.ts";
import { guestKey, nodeKey, type Vmid } from "#protocol/ids.ts";
import { connect, inventoryOf, type TestHub, testHub } from "../../support/test-hub.ts";

function asker(hub: TestHub) {
  const key = hub.newKey("read");
  return (path: string, body: object, accept = "application/json") =>
    hub.app.request(`/api/v1/series/${path}`, {
      method: "POST",
      headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json", Accept: accept },
      body: JSON.stringify(body),
    });
}

const guest = (vmid: number) => guestKey(vmid as Vmid);

/** Four guests on two nodes; one minute of samples, guest 103 has none. */
function filled(t: Parameters<typeof testHub>[0]) {
  const hub = testHub(t);
  const [pve1, pve2] = [connect(hub, "pve1"), connect(hub, "pve2")];
  hub.fleet.inventory(
    pve1,
    inventoryOf({
      guests: [
        { vmid: 100, name: "web", tags: ["prod"], pool: "shop" },
        { vmid: 101, tags: ["prod", "db"] },
      ],
    }),
  );
  hub.fleet.inventory(pve2, inventoryOf({ guests: [{ vmid: 102, pool: "shop" }, { vmid: 103 }] }));
  const start = Math.floor(hub.clock.now() / 60_000) * 60_000 - 120_000;
  for (let i = 0; i < 6; i++) {
    const at = start + i * 10_000;
    hub.series.put(pve1, guest(100), "cpu", at, 0.2);
    hub.series.put(pve1, guest(101), "cpu", at, i === 5 ? 0.9 : 0.1);
    hub.series.put(pve2, guest(102), "cpu", at, 0.5);
    hub.series.put(pve1, guest(100), "net_in", at, 10);
    hub.series.put(pve1, guest(100), "net_out", at, 1);
    hub.series.put(pve1, guest(101), "net_in", at, 10.5);
    hub.series.put(pve1, nodeKey(pve1.node), "nic_in", at, 7, { instance: "eno1" });
    hub.series.put(pve1, nodeKey(pve1.node), "nic_in", at, 8, { instance: "eno2" });
  }
  return { hub, ask: asker(hub), start };
}

const orders: [name: string, body: object, places: [string, number][]][] = [
  [
    "guests by cpu",
    {},
    [
      ["VM 102", 0.5],
      ["VM 101", 0.233],
      ["web", 0.2],
    ],
  ],
  ["the first place only", { n: 1 }, [["VM 102", 0.5]]],
  ["the idlest first", { lowest: true, n: 1 }, [["web", 0.2]]],
  [
    "by their peaks",
    { aggregate: "max" },
    [
      ["VM 101", 0.9],
      ["VM 102", 0.5],
      ["web", 0.2],
    ],
  ],
  ["by what they had last", { aggregate: "last", n: 1 }, [["VM 101", 0.9]]],
  [
    "on one node",
    { node: "pve1" },
    [
      ["VM 101", 0.233],
      ["web", 0.2],
    ],
  ],
  ["with a tag", { tag: "db" }, [["VM 101", 0.233]]],
  [
    "of a pool",
    { pool: "shop" },
    [
      ["VM 102", 0.5],
      ["web", 0.2],
    ],
  ],
  [
    "by all traffic",
    { metric: "net_in", plus: ["net_out"] },
    [
      ["web", 11],
      ["VM 101", 10.5],
    ],
  ],
  ["over two days", { windowMs: 172_800_000, n: 1 }, [["VM 102", 0.5]]],
];
for (const [name, body, places] of orders) {
  test(`ranking: ${name}`, async (t) => {
    const { ask } = filled(t);
    const response = await ask("top", { class: "guests", metric: "cpu", ...body });
    const answer = topAnswerSchema.parse(await response.json());
    const told = answer.series.map((one) => [one.name, Math.round((Object.values(one.columns)[0]?.[0] ?? 0) * 1000) / 1000]);
    assert.deepEqual(told, places);
  });
}

test("a ranking says of how many it is, and where each place is", async (t) => {
  const { hub, ask } = filled(t);
  const answer = topAnswerSchema.parse(await (await ask("top", { class: "guests", metric: "cpu", n: 1 })).json());
  const from = hub.clock.now() - 3_600_000;
  assert.deepEqual([answer.members, answer.ranked, answer.tier, answer.stepMs], [4, 3, "raw", 3_600_000]);
  assert.deepEqual(answer.series[0], {
    cluster: "00000000000000aa",
    entity: "guest/102",
    name: "VM 102",
    node: "pve2",
    metric: "cpu",
    instance: null,
    unit: "ratio",
    source: "test",
    at: [from],
    columns: { avg: [0.5] },
  });
});

test("each NIC of a node has its own place", async (t) => {
  const { ask } = filled(t);
  const answer = topAnswerSchema.parse(await (await ask("top", { class: "nodes", metric: "nic_in" })).json());
  assert.deepEqual(
    answer.series.map(({ name, instance, columns }) => [name, instance, columns.rate]),
    [
      ["pve1", "eno2", [8]],
      ["pve1", "eno1", [7]],
    ],
  );
});

test("groups have common steps; a step without samples is null and counts none", async (t) => {
  const { ask, start } = filled(t);
  const body = {
    class: "guests",
    metric: "cpu",
    by: "tag",
    from: start,
    to: start + 90_000,
    stepMs: 30_000,
    combine: ["sum", "max", "count"],
  };
  const answer = groupAnswerSchema.parse(await (await ask("group", body)).json());
  const at = [start, start + 30_000, start + 60_000];
  assert.deepEqual(
    answer.series.map(({ group, members, at, columns: { sum, max, count } }) => ({
      group,
      members,
      at,
      sum: sum?.map(rounded),
      max: max?.map(rounded),
      count,
    })),
    [
      { group: "db", members: 1, at, sum: [0.1, 0.367, null], max: [0.1, 0.367, null], count: [1, 1, 0] },
      { group: "prod", members: 2, at, sum: [0.3, 0.567, null], max: [0.2, 0.367, null], count: [2, 2, 0] },
      { group: null, members: 2, at, sum: [0.5, 0.5, null], max: [0.5, 0.5, null], count: [1, 1, 0] },
    ],
  );
});
const rounded = (value: number | null) => (value === null ? null : Math.round(value * 1000) / 1000);

test("a comparison answers what was a week ago on the asked range", async (t) => {
  const { hub, ask, start } = filled(t);
  const week = 604_800_000;
  hub.series.put(connect(hub, "pve1"), guest(100), "cpu", start - week + 5000, 0.7);
  const range = { from: start, to: start + 20_000, stepMs: 10_000, offsetMs: week };
  const body = { series: [{ entity: "guest/100", metric: "cpu" }], ...range, aggregates: ["avg"] };
  const answer = seriesAnswerSchema.parse(await (await ask("query", body)).json());
  assert.deepEqual([answer.from, answer.offsetMs], [start, week]);
  assert.deepEqual(
    [answer.series[0]?.at, answer.series[0]?.columns.avg],
    [
      [start, start + 10_000],
      [0.7, null],
    ],
  );
  const groups = await ask("group", { class: "guests", metric: "cpu", by: "cluster", ...range });
  assert.deepEqual(groupAnswerSchema.parse(await groups.json()).series[0]?.columns.sum, [0.7, null]);
});

test("both have the binary form of a series query", async (t) => {
  const { ask, start } = filled(t);
  const range = { from: start, to: start + 60_000, stepMs: 60_000 };
  const bodies: [string, object, string[], number[]][] = [
    ["top", { class: "guests", metric: "cpu", aggregate: "max", n: 2 }, ["max"], [0.9]],
    ["group", { class: "guests", metric: "net_in", by: "pool", combine: ["max", "count"], ...range }, ["max", "count"], [10, 1]],
  ];
  for (const [path, body, columns, values] of bodies) {
    const response = await ask(path, body, "application/vnd.proven.columns");
    assert.equal(response.headers.get("Content-Type"), "application/vnd.proven.columns");
    const bytes = await response.arrayBuffer();
    const start = 4 + new DataView(bytes).getUint32(0, true);
    const header = JSON.parse(new TextDecoder().decode(bytes.slice(4, start)));
    assert.deepEqual([header.series[0].length, header.series[0].columns], [1, columns]);
    assert.deepEqual([...new Float64Array(bytes, start, 1 + columns.length)].slice(1), values);
  }
});

const range = { from: 1_700_000_000_000, to: 1_700_000_060_000 };
const refusals: [name: string, path: string, body: object, status: number, field: string][] = [
  ["a class there is none of", "top", { class: "disks", metric: "cpu" }, 400, "class"],
  ["another class's metric", "top", { class: "storages", metric: "cpu" }, 400, "metric"],
  ["too many places", "top", { class: "guests", metric: "cpu", n: 101 }, 400, "n"],
  ["a window of a second", "top", { class: "guests", metric: "cpu", windowMs: 1000 }, 400, "windowMs"],
  ["a gauge's rate", "top", { class: "guests", metric: "cpu", aggregate: "rate" }, 400, "aggregate"],
  ["bytes and cores added", "top", { class: "guests", metric: "cpu", plus: ["mem_used"] }, 400, "plus.0"],
  ["nodes by tag", "top", { class: "nodes", metric: "cpu", tag: "prod" }, 400, "tag"],
  ["a cluster there is none of", "top", { class: "guests", metric: "cpu", cluster: "x" }, 404, "cluster"],
  ["groups by colour", "group", { class: "guests", metric: "cpu", by: "colour", ...range }, 400, "by"],
  ["nodes grouped by pool", "group", { class: "nodes", metric: "cpu", by: "pool", ...range }, 400, "by"],
  ["an end before the beginning", "group", { class: "guests", metric: "cpu", by: "tag", from: 5, to: 5 }, 400, "to"],
  [
    "an offset of no whole steps",
    "group",
    { class: "guests", metric: "cpu", by: "tag", ...range, stepMs: 20_000, offsetMs: 7 },
    400,
    "offsetMs",
  ],
  ["too many points", "group", { class: "guests", metric: "cpu", by: "tag", from: 0, to: 2e12, stepMs: 1000 }, 413, "stepMs"],
];
for (const [name, path, body, status, field] of refusals) {
  test(`${name} is ${status} and names ${field}`, async (t) => {
    const { ask } = filled(t);
    const response = await ask(path, body);
    const { error } = await response.json();
    assert.deepEqual([response.status, error.field], [status, field]);
  });
}

test("a query that would read too much is refused before anything is read", async (t) => {
  const { hub, ask } = filled(t);
  hub.series.reader.read = () => assert.fail("it was read");
  const to = hub.clock.now();
  const series = Array.from({ length: 300 }, () => ({ entity: "guest/100", metric: "cpu" }));
  const response = await ask("query", { series, from: to - 10 * 86_400_000, to, stepMs: 600_000 });
  const { error } = await response.json();
  assert.deepEqual([response.status, error.field], [413, "from"]);
  assert.match(error.message, /300 series .* million samples to read, at most 20 million are: ask for fewer series/);
});

test("a long answer is read in pieces, and others get their turn in between", async (t) => {
  const { hub, ask, start } = filled(t);
  const pieces: number[] = [];
  const { read } = hub.series.reader;
  let turns = 0;
  hub.series.reader.read = (series, range) => {
    pieces.push(series.length);
    setImmediate(() => turns++);
    return read(series, { ...range, from: range.to, stepMs: undefined });
  };
  const series = Array.from({ length: 30 }, () => ({ entity: "guest/100", metric: "cpu" }));
  const to = start + 60_000;
  const answer = await ask("query", { series, from: to - 10 * 86_400_000, to, stepMs: 600_000 });
  assert.equal(seriesAnswerSchema.parse(await answer.json()).series.length, 30);
  assert.deepEqual(pieces, [11, 11, 8]);
  assert.ok(turns >= 2);
});
