import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type RestoreReport, type RestoreStep, restoreSteps } from "#protocol/restore.ts";
import { NodeView } from "../../../agent/restore/node-view.ts";
import type { RestorePorts } from "../../../agent/restore/ports.ts";
import { memoryProblem } from "../../../agent/restore/steps/prepare.ts";
import { newId, plantTest, startOperations, startRestoreNode, statesOf, vmConfig } from "../../support/restore-node.ts";

const tookMs = ({ startedAt, endedAt }: RestoreReport) => endedAt - startedAt;
const calls = (violations: readonly string[], misuses: readonly string[]) => [...violations, ...misuses];

for (const type of ["qemu", "lxc"] as const) {
  test(`a ${type} test is cancelled at each of its steps, and leaves nothing`, async (t) => {
    const node = await startRestoreNode(t);
    const order = plantTest(node, type, { keepSec: 600 });
    const before = node.lab.restores.inventory();
    const agent = startOperations(node);
    const proven = restoreSteps.filter((step) => step !== "stop" && step !== "destroy");
    const found: Partial<Record<RestoreStep, string>> = {};
    for (const step of proven) {
      const id = newId();
      agent.onStep(step, () => agent.operations.hear({ type: "op.cancel", body: { id, actor: "alice@pve" } }));
      agent.start(id, { kind: "restore-test", params: order });
      const { outcome, reason, leftovers } = await agent.report(id);
      found[step] = [outcome, reason, ...leftovers].join(" ");
      await node.drive(agent.operations.settled());
      assert.deepEqual(node.lab.restores.inventory(), before, step);
    }
    assert.deepEqual(found, Object.fromEntries(proven.map((step) => [step, "cancelled Cancelled"])));
    assert.deepEqual(calls(node.lab.restores.safety.violations, node.lab.misuses), []);
    assert.equal(node.sandboxes.open_.size, 0);
  });
}

test("an order that comes again is not done again: its result is said again, until the hub has it", async (t) => {
  const node = await startRestoreNode(t);
  const agent = startOperations(node);
  const id = newId();
  const order = plantTest(node, "lxc");
  agent.start(id, { kind: "restore-test", params: order });
  agent.start(id, { kind: "restore-test", params: order });
  const report = await agent.report(id);
  const told = () => agent.said.filter(({ type }) => type === "op.result").length;
  const restores = () => node.lab.tasks.on("pve1").filter(({ type }) => type === "vzrestore").length;
  assert.deepEqual([report.outcome, told(), restores()], ["passed", 1, 1]);
  agent.start(id, { kind: "restore-test", params: order });
  agent.operations.connected();
  const next = startOperations(node, {}, "2:2:boot");
  next.operations.connected();
  assert.deepEqual([told(), next.said.length, restores()], [3, 1, 1]);
  next.operations.hear({ type: "op.seen", body: { id } });
  next.operations.connected();
  assert.equal(next.said.length, 1);
  next.start(id, { kind: "restore-test", params: order });
  await node.drive(next.operations.tend());
  assert.deepEqual([next.said.at(-1)?.type, restores()], ["op.result", 1]);
});

const refusals: [name: string, limits: { enabled?: boolean }, operation: Record<string, unknown>, late: boolean, code: string][] =
  [
    ["a node that does not permit tests", { enabled: false }, {}, false, "not-permitted"],
    ["an order that comes after its time", {}, {}, true, "expired"],
    ["an order that is no operation", {}, { kind: "format-disks" }, false, "invalid"],
    ["an order with a field more", {}, { kind: "restore-plan", params: {}, sudo: true }, false, "invalid"],
  ];
for (const [name, limits, operation, late, code] of refusals) {
  test(`${name} is refused, and nothing was begun`, async (t) => {
    const node = await startRestoreNode(t, { limits });
    const agent = startOperations(node);
    const id = newId();
    const order = { kind: "restore-test", params: plantTest(node, "qemu"), ...operation };
    agent.start(id, order, late ? node.clock.now() - 1 : undefined);
    const result = await agent.result(id);
    assert.deepEqual(result.kind === "refused" ? result.code : result.kind, code);
    assert.deepEqual(
      [agent.operations.journals.ids(), node.lab.tasks.on("pve1").filter(({ type }) => type === "qmrestore")],
      [[], []],
    );
  });
}

test("a guest that is kept stays until its time, which can be moved, but not beyond the node's own limit", async (t) => {
  const node = await startRestoreNode(t, { limits: { keepSec: 7200 } });
  const agent = startOperations(node);
  const id = newId();
  const { clock } = node;
  const untilKept = new Promise<number>((resolve) => agent.onStep("keep", () => resolve(clock.now())));
  agent.start(id, { kind: "restore-test", params: plantTest(node, "lxc", { keepSec: 600, timeoutSec: 300 }) });
  const kept = () =>
    agent.said.flatMap(({ type, body }) => (type === "op.progress" && body.keepUntil !== undefined ? [body.keepUntil] : []));
  const guests = () => node.lab.world.guestsNow().map(({ life }) => life.spec.vmid);
  const keptAt = await node.drive(untilKept);
  await node.drive(clock.sleep(1000));
  agent.operations.hear({ type: "op.keep", body: { id, untilAt: clock.now() + 86_400_000, actor: "alice@pve" } });
  await node.drive(clock.sleep(3_600_000));
  assert.deepEqual(
    [kept()[0], (kept()[1] ?? 0) - keptAt < 7_300_000, guests().includes(990_000)],
    [keptAt + 600_000, true, true],
  );
  agent.operations.hear({ type: "op.keep", body: { id, untilAt: clock.now() - 1, actor: "alice@pve" } });
  const report = await agent.report(id);
  assert.deepEqual(
    [report.outcome, report.level, statesOf(report.steps).keep, guests().includes(990_000)],
    ["passed", "works", "passed", false],
  );
});

test("a kept guest outlives its agent: the next one takes it away when its time is over, and calls the test interrupted", async (t) => {
  const node = await startRestoreNode(t);
  const first = startOperations(node);
  const id = newId();
  const before = node.lab.restores.inventory();
  first.start(id, { kind: "restore-test", params: plantTest(node, "lxc", { keepSec: 3600 }) });
  const untilKept = new Promise<void>((resolve) => first.onStep("keep", resolve));
  await node.drive(untilKept);
  const kept = {
    ...node.ports,
    clock: {
      ...node.clock,
      now: () => node.clock.now(),
      monotonicMs: () => node.clock.monotonicMs(),
      sleep: (ms: number, signal?: AbortSignal) => node.clock.sleep(ms, signal),
    },
  };
  node.sandboxes.broken = true;
  const second = startOperations(node, kept, "2:2:boot");
  await node.drive(second.operations.tend());
  const guests = () => node.lab.world.guestsNow().some(({ life }) => life.spec.vmid === 990_000);
  assert.deepEqual([second.resultOf(id), guests()], [undefined, true]);
  const toldOfGuest = () =>
    second.said.flatMap(({ type, body }) => (type === "op.progress" && body.testVmid !== undefined ? [body] : []));
  const [told] = toldOfGuest();
  assert.deepEqual([told?.testVmid, typeof told?.keepUntil], [990_000, "number"], "the hub hears whom it keeps until when");
  second.operations.connected();
  assert.deepEqual(toldOfGuest(), [told, told], "and hears it again in each session");
  const report = await second.report(id);
  assert.deepEqual(
    [report.outcome, report.level, report.reason, guests()],
    ["interrupted", "works", "The agent ended in or after the step keep", false],
  );
  assert.equal(
    report.steps.find(({ step }) => step === "keep")?.reason,
    "Kept on after the agent's restart: DHCP, DNS and the way in were made anew at the bridge that it is plugged into",
  );
  assert.deepEqual(node.lab.restores.inventory(), before);
});

for (const end of ["cancelled", "taken over"] as const) {
  test(`a test that failed, and whose guest is kept to be looked at, has failed though it is ${end}`, async (t) => {
    const node = await startRestoreNode(t);
    const failing: RestorePorts["check"] = async ({ name, kind }) => ({ name, kind, state: "failed", reason: "status 500" });
    const first = startOperations(node, { check: failing });
    const id = newId();
    const before = node.lab.restores.inventory();
    first.start(id, { kind: "restore-test", params: plantTest(node, "lxc", { keepSec: 3600 }) });
    await node.drive(new Promise<void>((resolve) => first.onStep("keep", resolve)));
    await node.drive(node.clock.sleep(1000));
    const last = end === "cancelled" ? first : startOperations(node, {}, "2:2:boot");
    if (end === "taken over") await node.drive(last.operations.tend());
    last.operations.hear({ type: "op.cancel", body: { id, actor: "alice@pve" } });
    const { outcome, level, reason } = await last.report(id);
    assert.deepEqual([outcome, level], ["failed", "boots"]);
    assert.match(reason, /checks failed: .*status 500/);
    if (end === "cancelled") assert.deepEqual(node.lab.restores.inventory(), before);
  });
}

test("four tests at once each have a number of their own and take hardly longer than the slowest alone", async (t) => {
  const node = await startRestoreNode(t, { limits: { parallel: 4, reserveMib: 0 } });
  const before = node.lab.restores.inventory();
  const agent = startOperations(node);
  const ids = [newId(), newId(), newId(), newId()];
  const order = plantTest(node, "lxc");
  const alone = newId();
  agent.start(alone, { kind: "restore-test", params: order });
  const slowestMs = tookMs(await agent.report(alone));
  await node.drive(agent.operations.settled());
  for (const id of ids) agent.start(id, { kind: "restore-test", params: order });
  await node.drive(agent.operations.settled());
  const reports = await Promise.all(ids.map((id) => agent.report(id)));
  assert.deepEqual(
    reports.map(({ outcome }) => outcome),
    ["passed", "passed", "passed", "passed"],
  );
  assert.deepEqual(reports.map(({ testVmid }) => testVmid).sort(), [990_000, 990_001, 990_002, 990_003]);
  // By the journals' own times, which are the lab's: each starts its guest before any other has stopped its own.
  const at = (step: RestoreStep) => reports.map(({ steps }) => steps.find((one) => one.step === step)?.startedAt ?? 0);
  assert.ok(Math.max(...at("start")) < Math.min(...at("stop")));
  const all = Math.max(...reports.map(({ endedAt }) => endedAt)) - Math.min(...reports.map(({ startedAt }) => startedAt));
  assert.ok(all < 1.5 * slowestMs, `four: ${all} ms, one: ${slowestMs} ms`);
  assert.deepEqual(node.lab.restores.inventory(), before);
});

test("tests that run at once share what is free: what another has claimed and not used yet is not given twice", async (t) => {
  const node = await startRestoreNode(t);
  const view = new NodeView(node.ports);
  const memoryMib = (await view.availableMemoryMib()) ?? 0;
  const storage = await node.drive(view.storage("local-lvm"));
  const diskGib = storage.ok ? Math.floor((storage.value.availBytes / 2 ** 30) * 0.6) : 0;
  const big = { config: vmConfig.replace("size=4G", `size=${diskGib}G`) };
  for (const [limits, planted, why] of [
    [{ reserveMib: memoryMib - 1500 }, {}, /the test guest takes 1024, other tests 1024 and \d+ must stay$/],
    [{}, big, /^local-lvm has .* GiB free, the test needs .* GiB, other tests .* GiB$/],
  ] as const) {
    const agent = startOperations(node, { limits: { ...node.ports.limits, parallel: 2, ...limits } });
    const order = plantTest(node, "qemu", {}, planted);
    const ids = [newId(), newId()];
    for (const id of ids) agent.start(id, { kind: "restore-test", params: order });
    await node.drive(agent.operations.settled());
    const reports = await Promise.all(ids.map((id) => agent.report(id)));
    assert.deepEqual(reports.map(({ outcome }) => outcome).sort(), ["passed", "refused"]);
    assert.match(reports.find(({ outcome }) => outcome === "refused")?.reason ?? "", why);
  }
});

test("memory that another test's guest holds already is not counted twice when the next one starts", async (t) => {
  const node = await startRestoreNode(t);
  const view = new NodeView(node.ports);
  const memoryMib = (await view.availableMemoryMib()) ?? 0;
  // Room for a guest of 1024 MiB and half of another one.
  const claims = [{ storage: undefined, bytes: 0, memoryMib: 1024, guest: { type: "qemu", vmid: 990_001 } as const }];
  const ports = { ...node.ports, limits: { ...node.ports.limits, reserveMib: memoryMib - 1536 } };
  const look = () => memoryProblem({ ports, view, otherClaims: () => claims, claim: () => undefined }, 1024);
  const group = join(node.root, "sys/fs/cgroup/qemu.slice/990001.scope");
  mkdirSync(group, { recursive: true });
  const hold = (mib: number) => writeFileSync(join(group, "memory.stat"), `anon ${mib * 2 ** 20}\nfile 9000000000\nshmem 0\n`);

  assert.match((await look()) ?? "", /the test guest takes 1024, other tests 1024 and/);
  hold(511);
  assert.match((await look()) ?? "", /other tests 513 and/);
  hold(512);
  assert.equal(await look(), undefined);
  hold(4096);
  assert.equal(await look(), undefined);
});

test("memory that production took while a backup was restored is not taken from it: the copy is not started", async (t) => {
  const node = await startRestoreNode(t);
  const limits = { ...node.ports.limits };
  const agent = startOperations(node, { limits });
  const id = newId();
  agent.onStep("unlock", () => {
    limits.reserveMib = 4_000_000;
  });
  agent.start(id, { kind: "restore-test", params: plantTest(node, "qemu") });
  const report = await agent.report(id);
  assert.deepEqual([report.outcome, statesOf(report.steps).start], ["refused", "failed"]);
  assert.match(report.reason, /must stay$/);
});

test("each node of a cluster begins in a part of the range of its own: tests that begin at the same moment don't meet", async (t) => {
  const found: unknown[] = [];
  for (const name of ["pve1", "pve2"]) {
    const node = await startRestoreNode(t, { nodes: 2, node: name });
    const agent = startOperations(node);
    const id = newId();
    agent.start(id, { kind: "restore-plan", params: plantTest(node, "lxc") });
    const result = await node.drive(agent.result(id));
    found.push(result.kind === "restore-plan" ? result.plan.testVmid : result);
  }
  assert.deepEqual(found, [990_000, 990_005]);
});

test("more tests than the node takes wait for their turn; one that waits is cancelled without a trace", async (t) => {
  const node = await startRestoreNode(t);
  const agent = startOperations(node);
  const [first, second, third] = [newId(), newId(), newId()];
  const order = plantTest(node, "lxc");
  for (const id of [first, second, third]) agent.start(id, { kind: "restore-test", params: order });
  agent.operations.hear({ type: "op.cancel", body: { id: second, actor: "alice@pve" } });
  const [one, two, three] = [await agent.report(first), await agent.report(second), await agent.report(third)];
  assert.deepEqual([one.outcome, two.outcome, two.testVmid, three.outcome], ["passed", "cancelled", undefined, "passed"]);
  assert.ok(three.startedAt < one.endedAt && (three.steps[0]?.startedAt ?? 0) >= one.endedAt);
});

test("a dry run names every call and makes none of them", async (t) => {
  const node = await startRestoreNode(t);
  const agent = startOperations(node);
  const id = newId();
  const tasks = node.lab.tasks.on("pve1").length;
  agent.start(id, { kind: "restore-plan", params: plantTest(node, "qemu") });
  const result = await node.drive(agent.result(id));
  assert.equal(result.kind, "restore-plan");
  const plan = result.kind === "restore-plan" ? result.plan : undefined;
  assert.deepEqual(plan?.problems, []);
  assert.deepEqual([plan?.testVmid, plan?.storage, plan?.needsBytes], [990_000, "local-lvm", 4 * 2 ** 30]);
  assert.deepEqual(
    plan?.calls.map(({ step, method }) => `${step} ${method}`),
    [
      "locate GET",
      "configuration GET",
      "preflight GET",
      "restore POST",
      "compare GET",
      "strip PUT",
      "unlock PUT",
      "start PUT",
      "start POST",
      "stop POST",
      "destroy DELETE",
    ],
  );
  assert.deepEqual(plan?.removed.map(({ key }) => key).sort(), ["args", "hookscript", "hostpci0", "serial0", "startup"]);
  assert.equal(node.lab.tasks.on("pve1").length, tasks);
});

test("a stranger in the range is named and left alone, half-made ones too", async (t) => {
  const node = await startRestoreNode(t);
  const agent = startOperations(node);
  for (const [vmid, user] of [
    [990_003, "root@pam"],
    [990_004, "alice@pve"],
  ] as const)
    node.lab.control.inject({ kind: "restore", fault: "half-made", vmid, type: "qemu", text: "memory: 128\n", user });
  node.lab.control.inject({ kind: "restore", fault: "vmid-taken", vmid: 990_005 });
  node.lab.writeAll();
  const before = node.lab.restores.inventory();
  await node.drive(agent.operations.tend());
  const why = "no journal of ours names it";
  assert.deepEqual(agent.strangers, [[990_003, 990_004, 990_005].map((vmid) => ({ vmid, why }))]);
  assert.deepEqual(agent.problems, [[]]);
  assert.deepEqual([node.lab.restores.inventory(), node.lab.restores.safety.violations], [before, []]);
});

test("a volume without a guest under a test number would be destroyed with it: the next number is taken", async (t) => {
  const node = await startRestoreNode(t);
  const agent = startOperations(node);
  const storage = node.lab.world.storage("local-lvm");
  assert.ok(storage !== undefined);
  const at = node.clock.now();
  node.lab.world.volumes.allocate({ storage, node: "pve1", vmid: 990_000, type: "qemu", sizeBytes: 2 ** 30, at }, "disk");
  const before = node.lab.restores.inventory();
  const id = newId();
  agent.start(id, { kind: "restore-test", params: plantTest(node, "lxc") });
  const report = await agent.report(id);
  assert.deepEqual([report.outcome, report.testVmid], ["passed", 990_001]);
  assert.deepEqual(node.lab.restores.inventory(), before);
});
