import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { Health, SeriesAnswer } from "#protocol/api.ts";
import { scaledClock } from "../lab/clock.ts";
import { System } from "../support/system.ts";

/** The lab runs so many times faster: pvestatd's ten seconds last one. */
const factor = 10;
const nodes = ["pve1", "pve2", "pve3"];

describe("the hub goes away and comes back while agents sample", () => {
  const state = mkdtempSync(join(tmpdir(), "proven-outage-"));
  let system: System;
  let startedAt: number;

  before(async () => {
    startedAt = Date.now();
    system = await System.prepare({ state, lab: { activity: false, clock: scaledClock(factor) } });
    await system.startHub();
    await system.startAgents();
    await connected();
  });

  after(async () => {
    await system.stop();
    rmSync(state, { recursive: true, force: true });
  });

  const connected = () =>
    system.until(
      "three agents connected",
      () => system.get<Health>("health"),
      ({ agents }) => agents.connected === 3,
    );

  /** Times of all samples of one node's cpu since the start, and between which of them something is missing. */
  async function samplesOf(node: string): Promise<{ at: number[]; gaps: string[] }> {
    const answer = await system.post<SeriesAnswer>("series/query", {
      series: [{ entity: `node/${node}`, metric: "uptime" }],
      from: startedAt,
      to: Date.now(),
      aggregates: ["last"],
    });
    const at = answer.series[0]?.at ?? [];
    const gaps = at.flatMap((time, index) => {
      const before = at[index - 1];
      return before !== undefined && time - before > 2500 ? [`${time - before} ms before ${new Date(time).toISOString()}`] : [];
    });
    return { at, gaps };
  }

  /** All agents have delivered what they sampled before now. */
  async function caughtUp(): Promise<void> {
    const now = Date.now();
    for (const node of nodes) {
      await system.until(
        `${node} caught up`,
        () => samplesOf(node),
        ({ at }) => (at.at(-1) ?? 0) >= now,
      );
    }
  }

  async function assertNothingMissing(): Promise<void> {
    await caughtUp();
    for (const node of nodes) {
      const { at, gaps } = await samplesOf(node);
      assert.deepEqual(gaps, [], node);
      assert.equal(new Set(at).size, at.length, `${node}: no sample twice`);
    }
  }

  test("the hub is stopped for two minutes of the cluster's time: afterwards every sample is there", async () => {
    await system.hub.stop();
    const back = Date.now() + 120_000 / factor;
    await system.lab.clock.sleep((back - Date.now()) * factor);
    await system.startHub();
    await connected();
    await assertNothingMissing();
  });

  test("kill -9 of the hub again and again during ingest: nothing that was acknowledged is missing", async () => {
    for (let round = 0; round < 3; round++) {
      await system.hub.stop("SIGKILL");
      await system.startHub();
      await connected();
      await caughtUp();
    }
    await assertNothingMissing();
  });

  test("an agent is stopped and started: what it had not delivered comes from its spool", async () => {
    const agent = system.agents.get("pve2");
    assert.ok(agent);
    await system.hub.stop();
    const before = Date.now();
    await system.lab.clock.sleep(3000 * factor);
    assert.equal(await agent.stop(), 0);
    await system.startHub();
    await agent.start();
    await connected();
    await caughtUp();
    const { at } = await samplesOf("pve2");
    assert.ok(at.filter((time) => time > before && time < before + 3000).length >= 2, "samples taken while the hub was away");
  });
});
