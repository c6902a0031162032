import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { EntityMetrics, GuestView, Health, NodeView, SeriesAnswer, StorageView } from "#protocol/api.ts";
import { type EntityKey, entityKind } from "#protocol/ids.ts";
import { type Metric, metricByName, metrics } from "#protocol/metrics.ts";
import { System } from "../support/system.ts";

/** Read once in a while and lent between, or from this machine: the collectors' own tests compare these. */
const slowInstances = new Set(["filesystem", "sensor", "certificate", "replication"]);
const isSlow = ({ name, instance }: Metric) => name.startsWith("updates") || slowInstances.has(instance ?? "");

/** The lab writes all files at multiples of this. */
const tickMs = 10_000;

describe("a cluster of three nodes and forty guests, from their files to the API", () => {
  const state = mkdtempSync(join(tmpdir(), "proven-truth-"));
  let system: System;
  /** What the agents read before is the lab's first writing, at no multiple of its pace. */
  let firstTickAt: number;

  before(async () => {
    system = await System.prepare({ state, lab: { activity: false } });
    await system.startHub();
    await system.startAgents();
    firstTickAt = (Math.ceil(Date.now() / tickMs) + 1) * tickMs; // shares of time need a whole tick before
    await system.until(
      "three agents with samples of all guests",
      async () => ({ health: await system.get<Health>("health"), guests: await system.get<{ items: GuestView[] }>("guests") }),
      ({ health, guests }) =>
        health.agents.connected === 3 && guests.items.length === 40 && guests.items.every(({ state }) => state !== "unknown"),
    );
  });

  after(async () => {
    await system.stop();
    rmSync(state, { recursive: true, force: true });
  });

  test("health: three agents connected, the newest sample a few seconds old, status ok", async () => {
    const health = await system.get<Health>("health");
    assert.deepEqual(health.agents, { connected: 3, total: 3 });
    assert.deepEqual([health.status, health.problems], ["ok", []]);
    assert.ok(health.newestSampleAgeMs !== null && health.newestSampleAgeMs < 2 * tickMs, `age ${health.newestSampleAgeMs}`);
  });

  test("without a key the answer is 401, with a wrong one too, and neither says which", async () => {
    const without = await system.call("GET", "/api/v1/health", { key: null });
    const wrong = await system.call("GET", "/api/v1/health", { key: `${system.apiKey.slice(0, -1)}x` });
    assert.deepEqual([without.status, wrong.status], [401, 401]);
    assert.doesNotMatch(JSON.stringify(wrong.body), new RegExp(system.apiKey.slice(0, -1)));
  });

  test("every metric of every guest, node and storage equals what the lab set", async () => {
    const entities = [
      ...(await system.get<{ items: GuestView[] }>("guests")).items,
      ...(await system.get<{ items: NodeView[] }>("nodes")).items,
      ...(await system.get<{ items: StorageView[] }>("storages")).items,
    ].map(({ entity }) => entity);
    await system.lab.clock.sleep(firstTickAt + 2.5 * tickMs - Date.now());
    const wrong: string[] = [];
    let compared = 0;
    for (const entity of entities) {
      const kind = entityKind(entity as EntityKey);
      const listed = kind === "storage" ? [] : (await system.get<EntityMetrics>(`${entity.replace("/", "s/")}/metrics`)).metrics;
      const instances = listed.filter(
        ({ instance, metric }) => instance !== null && !isSlow(metricByName(kind, metric) as Metric),
      );
      const selectors = [
        ...(metrics as readonly Metric[])
          .filter((metric) => metric.entity === kind && metric.instance === undefined && !isSlow(metric))
          .map((metric) => ({ entity, metric: metric.name })),
        ...instances.map(({ metric, instance }) => ({ entity, metric, instance: instance as string })),
      ];
      const answer = await system.post<SeriesAnswer>("series/query", {
        series: selectors,
        from: firstTickAt,
        to: Date.now(),
        aggregates: ["last"],
      });
      for (const { metric, instance, at, columns } of answer.series) {
        const row = metricByName(kind, metric) as Metric;
        at.forEach((time, index) => {
          if (row.kind === "counter" && index === 0) return; // its rate counts from a sample before the range
          const value = columns.last?.[index] ?? undefined;
          const truth = row.kind === "gauge" ? truthAt(time) : rateBetween(at[index - 1], time);
          compared++;
          const tolerance = 1.01 / row.scale / (row.kind === "gauge" ? 1 : 9);
          const same = value === undefined ? truth === undefined : Math.abs(value - (truth ?? Number.NaN)) <= tolerance;
          if (!same)
            wrong.push(
              `${entity} ${metric} ${instance ?? ""} at ${new Date(time).toISOString()}: ${value}, the lab says ${truth}`,
            );
        });

        function truthAt(time: number): number | undefined {
          return system.lab.truth(entity, metric, instance ?? undefined, Math.floor(time / tickMs) * tickMs);
        }

        /** Of a counter, per second. */
        function rateBetween(before: number | undefined, time: number): number | undefined {
          const [from, to] = before === undefined ? [] : [truthAt(before), truthAt(time)];
          return from === undefined || to === undefined ? undefined : (to - from) / ((time - (before as number)) / 1000);
        }
      }
    }
    assert.deepEqual(wrong.slice(0, 20), []);
    assert.ok(compared > 1000, `${compared} samples compared`);
  });

  test("a virtual machine's disk use is unknown, never 0, and a container's is known", async () => {
    const { items } = await system.get<{ items: GuestView[] }>("guests");
    const running = items.filter(({ state }) => state === "running");
    const vms = running.filter(({ type }) => type === "qemu");
    const containers = running.filter(({ type }) => type === "lxc");
    assert.deepEqual(new Set(vms.map(({ diskUsed }) => diskUsed.value)), new Set([null]));
    assert.ok(containers.length > 0 && containers.every(({ diskUsed }) => (diskUsed.value ?? 0) > 0));
  });

  test("the agents asked the local API for nothing that Proxmox does not have", () => {
    assert.deepEqual(system.lab.misuses, []);
  });

  test("one node dies: the others stay live, its guests turn unknown with their last values' age, and never 0", async () => {
    const before = await system.get<{ items: GuestView[] }>("guests");
    const victims = before.items.filter(({ node }) => node === "pve3").map(({ vmid }) => vmid);
    system.lab.control.inject({ kind: "node", node: "pve3", action: "kill" });
    await system.agents.get("pve3")?.exit();
    const { items } = await system.until(
      "the guests of pve3 are unknown",
      () => system.get<{ items: GuestView[] }>("guests"),
      (answer) => answer.items.filter(({ vmid }) => victims.includes(vmid)).every(({ state }) => state === "unknown"),
      90_000,
    );
    const dead = items.filter(({ vmid }) => victims.includes(vmid));
    assert.ok(dead.length > 5);
    assert.deepEqual(
      dead.filter(({ cpu, memUsed }) => cpu.state === "fresh" || memUsed.state === "fresh"),
      [],
    );
    const others = items.filter(({ node }) => node !== "pve3");
    assert.deepEqual(
      others.filter(({ state, cpu }) => state === "unknown" || (state === "running" && cpu.state !== "fresh")),
      [],
    );
    const nodes = await system.get<{ items: NodeView[] }>("nodes");
    assert.deepEqual(nodes.items.map(({ node, state, agent }) => [node, state, agent.state]).sort(), [
      ["pve1", "online", "connected"],
      ["pve2", "online", "connected"],
      ["pve3", "offline", "away"],
    ]);
  });

  test("it has power again: its agent comes back with it, and so does what it tells", async () => {
    system.lab.control.inject({ kind: "node", node: "pve3", action: "revive" });
    const { items } = await system.until(
      "pve3 is back",
      () => system.get<{ items: NodeView[] }>("nodes"),
      (answer) => answer.items.every(({ state, agent }) => state === "online" && agent.state === "connected"),
      90_000,
    );
    assert.equal(items.length, 3);
  });
});
