import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, testHub } from "../../support/test-hub.ts";

test("health counts connected agents and says the age of the newest sample", async (t) => {
  const hub = testHub(t);
  const key = hub.newKey("read");
  const agent = connect(hub, "pve1");
  hub.series.frameCame(agent, hub.clock.now());
  await hub.clock.advance(3000);

  const response = await hub.app.request("/api/v1/health", { headers: { Authorization: `Bearer ${key}` } });

  assert.equal(response.status, 200);
  assert.deepEqual(await response.json(), {
    status: "ok",
    version: "0.1.0",
    startedAt: Date.UTC(2026, 0, 5, 12),
    agents: { connected: 1, total: 1 },
    newestSampleAgeMs: 3000,
    problems: [],
    counters: { records: 0, samples: 0, duplicates: 0, refused: {} },
  });
});

test("health is degraded with its reason while an agent is away", async (t) => {
  const hub = testHub(t);
  const key = hub.newKey("read");
  hub.fleet.closed(connect(hub, "pve1"), "connection closed (1006)");

  const response = await hub.app.request("/api/v1/health", { headers: { Authorization: `Bearer ${key}` } });
  const { status, agents, problems } = await response.json();

  assert.deepEqual(
    { status, agents, problems },
    { status: "degraded", agents: { connected: 0, total: 1 }, problems: ["The agent of pve1 is away"] },
  );
});
