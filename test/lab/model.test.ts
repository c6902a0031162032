import assert from "node:assert/strict";
import { test } from "node:test";
import { metrics } from "#protocol/metrics.ts";
import { fc } from "../support/property.ts";
import { truthOf } from "./model.ts";
import { buildSpec } from "./spec.ts";
import { World } from "./world.ts";

const now = Date.UTC(2026, 10, 23, 12);
const dayMs = 86_400_000;
const makeWorld = (seed = "proven") => new World(buildSpec(seed, 3, 40));
const vmids = buildSpec("proven", 3, 40).guests.map(({ vmid }) => vmid);
const guestCounters = metrics.filter((metric) => metric.entity === "guest" && metric.kind === "counter").map(({ name }) => name);
const instant = fc.integer({ min: now - 30 * dayMs, max: now });

test("the same seed gives the same truth, another seed another", () => {
  const [one, two, other] = [truthOf(makeWorld()), truthOf(makeWorld()), truthOf(makeWorld("other"))];
  fc.assert(
    fc.property(fc.constantFrom(...vmids), fc.constantFrom("cpu", "mem_used", "net_in"), instant, (vmid, metric, at) => {
      assert.equal(one(`guest/${vmid}`, metric, undefined, at), two(`guest/${vmid}`, metric, undefined, at));
    }),
  );
  assert.notEqual(one("guest/100", "cpu", undefined, now), other("guest/100", "cpu", undefined, now));
});

test("counters of a guest never fall while its process lives", () => {
  const world = makeWorld();
  const truth = truthOf(world);
  const instances: Record<string, string> = { drive: "scsi0", nic: "net0" };
  fc.assert(
    fc.property(
      fc.constantFrom(...vmids),
      fc.constantFrom(...guestCounters),
      instant,
      fc.integer({ min: 1, max: dayMs }),
      (vmid, name, at, later) => {
        const guest = world.guest(vmid);
        assert.ok(guest !== undefined);
        const [from, to] = [world.state(guest, at)?.startedAt, world.state(guest, at + later)?.startedAt];
        const metric = metrics.find((row) => row.entity === "guest" && row.name === name);
        const instance = metric !== undefined && "instance" in metric ? instances[metric.instance] : undefined;
        const [before, after] = [truth(`guest/${vmid}`, name, instance, at), truth(`guest/${vmid}`, name, instance, at + later)];
        if (from !== to || before === undefined || after === undefined) return;
        assert.ok(after >= before, `${name} fell from ${before} to ${after}`);
      },
    ),
    { numRuns: 2000 },
  );
});

test("every gauge stays in its bounds", () => {
  const truth = truthOf(makeWorld());
  fc.assert(
    fc.property(fc.constantFrom(...vmids), instant, (vmid, at) => {
      const of = (metric: string) => truth(`guest/${vmid}`, metric, undefined, at);
      assert.ok((of("mem_used") ?? 0) <= (of("mem_max") ?? 0));
      assert.ok((of("disk_used") ?? 0) <= (of("disk_max") ?? 0));
      assert.ok((of("cpu") ?? 0) >= 0 && (of("psi_io_some") ?? 0) <= 100);
    }),
  );
  const cpu = truth("node/pve1", "cpu", undefined, now);
  assert.ok(cpu !== undefined && cpu > 0.02 && cpu < 0.9);
});

test("a day's load is higher at its peak than at night", () => {
  const truth = truthOf(makeWorld());
  const mean = (hour: number) => {
    const values = Array.from(
      { length: 28 },
      (_, day) => truth("node/pve2", "cpu", undefined, now - day * dayMs + (hour - 12) * 3_600_000) ?? 0,
    );
    return values.reduce((sum, value) => sum + value, 0) / values.length;
  };
  assert.ok(mean(14) > 1.5 * mean(2), `${mean(14)} against ${mean(2)}`);
});

test("what nobody can know has no value", () => {
  const world = makeWorld();
  const truth = truthOf(world);
  assert.equal(truth("guest/100", "disk_used", undefined, now), undefined, "disk of a VM");
  assert.equal(truth("guest/105", "cpu", undefined, now), undefined, "load of a stopped guest");
  assert.equal(truth("guest/105", "status", undefined, now), 0);
  assert.equal(truth("guest/120", "status", undefined, now), 2, "paused");
  assert.equal(truth("guest/9000", "status", undefined, now), 0, "the template");
  assert.equal(truth("guest/4711", "status", undefined, now), undefined, "no such guest");
  world.node("pve1").timeline.outages.push({ from: now });
  world.forgetReadings();
  assert.equal(truth("guest/100", "status", undefined, now), undefined, "on a dead node");
  assert.equal(truth("node/pve1", "cpu", undefined, now), undefined);
  assert.equal(truth("cluster", "nodes_online", undefined, now), 2);
  assert.notEqual(truth("guest/100", "status", undefined, now - 1), undefined, "before it died");
});

test("a restart takes the counters back to zero and uptime with them", () => {
  const world = makeWorld();
  const truth = truthOf(world);
  const guest = world.guest(100);
  assert.ok(guest !== undefined);
  assert.ok((truth("guest/100", "net_in", undefined, now - 1) ?? 0) > 1e6);
  world.record(guest, { at: now, what: "start" });
  assert.equal(truth("guest/100", "net_in", undefined, now), 0);
  assert.equal(truth("guest/100", "uptime", undefined, now + 90_000), 90);
  assert.ok((truth("guest/100", "net_in", undefined, now - 1) ?? 0) > 1e6, "the past stays");
});

test("totals are the sums of their parts", () => {
  const truth = truthOf(makeWorld());
  const of = (metric: string, instance?: string) => truth("guest/100", metric, instance, now) ?? Number.NaN;
  assert.equal(of("net_in"), of("nic_in", "net0") + of("nic_in", "net1"));
  assert.equal(of("disk_read"), of("drive_read", "scsi0"));
});

test("a set value holds from its time on: a gauge as it is, a counter as growth a second", () => {
  const world = makeWorld();
  const truth = truthOf(world);
  const before = truth("guest/100", "net_in", undefined, now) ?? 0;
  world.override("guest/100", { metric: "cpu", instance: undefined, from: now, value: 0.5 });
  world.override("guest/100", { metric: "net_in", instance: undefined, from: now, value: 1000 });
  world.override("node/pve1", { metric: "cpu", instance: undefined, from: now, value: 0.9 });
  assert.equal(truth("guest/100", "cpu", undefined, now + 60_000), 0.5);
  assert.equal(truth("guest/100", "net_in", undefined, now + 60_000), before + 60_000);
  const nodeCpu = truth("node/pve1", "cpu", undefined, now + 60_000) ?? 0;
  assert.ok(Math.abs(nodeCpu - 0.9) < 0.001, String(nodeCpu));
  assert.notEqual(truth("guest/100", "cpu", undefined, now - 1), 0.5);
});
