import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { EntityKey, EpochMs } from "#protocol/ids.ts";
import { metricByName } from "#protocol/metrics.ts";
import { ruleOf } from "../../support/alert-views.ts";
import { reportOf } from "../../support/operating-agent.ts";
import { orderOf, restoreTest } from "../../support/operations-world.ts";
import { clusterA, connect, inventoryOf, testHub } from "../../support/test-hub.ts";

const by = { actor: "test", reason: "test" };
const entity = "guest/100" as EntityKey;
const dayMs = 86_400_000;

/** A hub with guest 100, whose backups are tested as the test says. */
function testedHub(t: TestContext) {
  const hub = testHub(t);
  const agent = connect(hub, "pve1");
  const seen = (identity: string[]) =>
    hub.fleet.inventory(agent, inventoryOf({ guests: [{ vmid: 100, name: "web", identity }] }));
  seen(["uuid:one"]);
  const tested = (overrides: Parameters<typeof reportOf>[1] = {}, tookMs = 180_000) => {
    const guest = { vmid: 100, type: "qemu" as const, name: "web", identity: ["uuid:one"] };
    const { id } = hub.restore.operations.start({ ...orderOf(hub.clock.now()), cluster: clusterA, guest });
    const run = hub.restore.book.get(id);
    if (run === undefined) throw new Error("no run");
    hub.restore.book.save({ ...run, state: "sent", node: agent.node, sentAt: hub.clock.now() }, by);
    const endedAt = hub.clock.now();
    const report = reportOf(restoreTest(), { startedAt: endedAt - tookMs, endedAt, ...overrides });
    hub.restore.session.operation(agent, { type: "op.result", body: { id, result: { kind: "restore-test", report } } });
    return endedAt;
  };
  const ask = async (path: string, body?: unknown) => {
    const init = body === undefined ? {} : { method: "POST", body: JSON.stringify(body) };
    const headers = { Authorization: `Bearer ${hub.newKey("read")}`, "Content-Type": "application/json" };
    return hub.app.request(path, { ...init, headers });
  };
  const rows = async () =>
    (await (await ask("/metrics")).text()).split("\n").filter((line) => /^proven_restore_\w+(speed|seconds|second)\{/.test(line));
  return { hub, agent, seen, tested, ask, rows };
}

type Answer = { tier: string; series: { at: number[]; unit: string; columns: Record<string, (number | null)[]> }[] };

test("what restore tests measured is a guest's history, a year back, with the store's own series in the same answer", async (t) => {
  const { hub, agent, tested, ask } = testedHub(t);
  const first = tested();
  await hub.clock.advance(dayMs);
  const second = tested({ measures: { restoreBytes: 4_000_000_000, restoreMs: 100_000 } }, 400_000);
  hub.series.put(agent, entity, "cpu", second, 0.5);
  const series = ["restore_duration", "cpu", "restore_speed", "restore_random_read"].map((metric) => ({ entity, metric }));
  const asked = await ask("/api/v1/series/query", { series, from: first, to: second + 1, aggregates: ["last"] });
  assert.equal(asked.status, 200);
  const [duration, cpu, speed, random] = ((await asked.json()) as Answer).series;
  assert.deepEqual([duration?.at, duration?.columns.last, duration?.unit], [[first, second], [180, 400], "seconds"]);
  assert.deepEqual([cpu?.at, cpu?.columns.last], [[second], [0.5]]);
  assert.deepEqual([speed?.columns.last, speed?.unit], [[100_000_000, 40_000_000], "bytes/s"]);
  assert.deepEqual(random?.at, []);
  const year = { series: series.slice(0, 1), from: second - 365 * dayMs, to: second + dayMs, stepMs: dayMs, aggregates: ["avg"] };
  const [steps] = ((await (await ask("/api/v1/series/query", year)).json()) as Answer).series;
  assert.equal(steps?.at.length, 366 + (second % dayMs === 0 ? 0 : 1));
  assert.deepEqual(
    steps?.columns.avg?.filter((value) => value !== null),
    [180, 400],
  );
});

test("/metrics has what the newest test measured, and one that failed at once does not pass for a fast one", async (t) => {
  const { hub, tested, rows } = testedHub(t);
  assert.deepEqual(await rows(), []);
  const measures = {
    restoreBytes: 10_000_000_000,
    restoreMs: 100_000,
    heartbeatMs: 20_500,
    sequentialRead: 506_000_000,
    randomRead: 4200,
  };
  tested({ measures });
  await hub.clock.advance(dayMs);
  tested({ outcome: "failed", level: "none", reason: "It did not boot", measures: {} }, 1000);
  assert.deepEqual(await rows(), [
    'proven_restore_age_seconds{id="qemu/100"} 0',
    'proven_restore_duration_seconds{id="qemu/100"} 180',
    'proven_restore_speed_bytes_per_second{id="qemu/100"} 100000000',
    'proven_restore_heartbeat_seconds{id="qemu/100"} 20.5',
    'proven_restore_sequential_read_bytes_per_second{id="qemu/100"} 506000000',
    'proven_restore_random_reads_per_second{id="qemu/100"} 4200',
  ]);
});

test("time for which somebody kept the test guest is no part of how long the test took", (t) => {
  const { hub, tested } = testedHub(t);
  const now = hub.clock.now();
  const kept = { step: "keep" as const, state: "passed" as const, startedAt: now - 7_260_000, endedAt: now - 60_000, log: [] };
  tested({ steps: [kept] }, 7_320_000);
  assert.equal(hub.restore.book.newest()[0]?.durationMs, 120_000);
});

test("a guest that has the number of an older one begins without figures; a card that was replaced makes no other guest", async (t) => {
  const { hub, seen, tested, rows } = testedHub(t);
  tested();
  seen(["uuid:one", "mac:AA"]);
  assert.equal((await rows()).length, 5);
  seen(["uuid:two"]);
  assert.deepEqual(await rows(), []);
  assert.equal(hub.restore.series.find({ cluster: clusterA, entity, metric: "restore_duration" }), undefined);
});

test("the slowest guests are ranked, and a rule about a figure of a test fires", async (t) => {
  const { hub, tested } = testedHub(t);
  const at = tested({}, 900_000);
  const metric = metricByName("guest", "restore_duration");
  assert.ok(metric);
  const ranked = hub.restore.series.top({ cluster: clusterA, metric, from: at, to: (at + 1) as EpochMs, count: 5 });
  assert.deepEqual(
    ranked.map(({ series, value }) => [series.entity, value]),
    [["guest/100", 900]],
  );
  const condition = { kind: "threshold", signal: "restore_duration", direction: "above", trigger: 600, clear: 500 } as const;
  hub.state.put("rule", "slow", ruleOf({ id: "slow", condition, forSec: 0 }), by);
  hub.alerting.reload();
  for (let looks = 0; looks < 4; looks++) {
    await hub.clock.advance(5000);
    hub.alerting.tick();
  }
  const alert = hub.alerting.views().find((view) => view.rule === "slow");
  assert.deepEqual([alert?.entity, alert?.state, alert?.value], ["guest/100", "firing", 900]);
});
