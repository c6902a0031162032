import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { metricById } from "#protocol/metrics.ts";
import { createPveApi } from "../../agent/pve/api.ts";
import { callLab, startTestLab } from "../support/lab-client.ts";
import { startLabCollector } from "../support/lab-collector.ts";
import { of } from "../support/started-collector.ts";

const MiB = 2 ** 20;
/** Of the lab's guests: a Linux, a Windows, and one that may not open files. */
const [linux, windows, closed] = [100, 106, 116];

/** A node with twenty guests; the Linux has 1,536 MiB in use as its balloon driver says, 512 of them page cache. */
async function started(context: TestContext) {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 20 });
  const set = (metric: string, value: number) =>
    lab.control.inject({ kind: "metric", entity: `guest/${linux}`, metric, value: value * MiB });
  set("mem_used", 1536);
  set("mem_reclaimable", 512);
  lab.writeAll();
  return { lab, clock, set };
}

/** In use, MiB, by whose word, and what could be taken back. */
function memoryOf({ table }: ReturnType<typeof startLabCollector>, values: Record<string, number>, vmid: number) {
  const { entities, series } = table.schema();
  const row = series.find(
    ({ entity, metric }) => entities[entity]?.key === `guest/${vmid}` && metricById(metric)?.name === "mem_used",
  );
  const { mem_used = Number.NaN, mem_reclaimable } = of(values, `guest/${vmid}`);
  return [mem_used / MiB, row?.source, mem_reclaimable === undefined ? undefined : mem_reclaimable / MiB];
}

const count = (calls: readonly string[], vmid: number, what: string) =>
  calls.filter((path) => path.endsWith(`/qemu/${vmid}/agent/${what}`)).length;

test("until a guest's agent has answered, its memory is the balloon driver's; from then on without its page cache, as the agent says", async (context) => {
  const { lab, clock, set } = await started(context);
  const agent = startLabCollector(context, lab, clock, "pve1");
  assert.deepEqual(memoryOf(agent, await agent.tick(), linux), [1536, "balloon", undefined]);
  const told = await agent.tickUntil((values) => `guest/${linux} mem_reclaimable` in values);
  assert.deepEqual(memoryOf(agent, told, linux), [1024, "agent", 512]);
  set("mem_used", 1736);
  await agent.pass(1);
  assert.deepEqual(
    memoryOf(agent, await agent.tick(), linux),
    [1224, "agent", 512],
    "between two answers the cache is as it was",
  );
});

test("a guest that refuses is asked once, keeps the balloon's figure, and neither it nor the source is said to fail", async (context) => {
  const { lab, clock } = await started(context);
  const agent = startLabCollector(context, lab, clock, "pve1");
  await agent.pass(190);
  const rounds = count(agent.calls, windows, "get-fsinfo");
  assert.ok(rounds >= 3, `${rounds} rounds`);
  assert.deepEqual([count(agent.calls, windows, "file-read"), count(agent.calls, closed, "file-read")], [1, 1]);
  assert.equal(count(agent.calls, linux, "file-read"), count(agent.calls, linux, "get-fsinfo"), "no question beyond the rounds");
  const values = await agent.tick();
  for (const vmid of [windows, closed]) {
    const [, source, reclaimable] = memoryOf(agent, values, vmid);
    assert.deepEqual([source, reclaimable, of(values, `guest/${vmid}`).agent_up], ["balloon", undefined, 1]);
  }
  const { guests, node } = (await agent.collector.inventory(clock.now())).inventory;
  assert.equal(guests.find(({ vmid }) => vmid === windows)?.agent, "answers");
  assert.deepEqual(
    node.sources.find(({ source }) => source === "guest-agent"),
    { source: "guest-agent" },
  );
  assert.deepEqual(agent.logs, []);
  assert.ok(
    agent.commands.every((command) => !/\bqm\b|agent/.test(command)),
    "no command is run for it",
  );
});

test("a guest that gets a lock after its file systems were told is not asked for its memory", async (context) => {
  const { lab, clock } = await started(context);
  const real = createPveApi({ baseUrl: `http://127.0.0.1:${lab.apiPorts.get("pve1")}`, root: lab.tree.root("pve1"), clock });
  context.after(() => real.close());
  const calls: string[] = [];
  const get: typeof real.get = async (path, params) => {
    calls.push(path);
    const answer = await real.get(path, params);
    if (path.endsWith(`/${linux}/agent/get-fsinfo`)) {
      await clock.advance(600);
      lab.control.inject({ kind: "lock", vmid: linux, lock: "backup" });
    }
    return answer;
  };
  const agent = startLabCollector(context, lab, clock, "pve1", { api: { ...real, get } });
  await agent.pass(12);
  assert.deepEqual([count(calls, linux, "get-fsinfo"), count(calls, linux, "file-read")], [1, 0]);
  assert.equal(count(calls, windows, "file-read"), 1, "the others are");
});

test("a guest that was started anew has the balloon's figure until it is asked again", async (context) => {
  const { lab, clock } = await started(context);
  const agent = startLabCollector(context, lab, clock, "pve1");
  await agent.tickUntil((values) => `guest/${linux} mem_reclaimable` in values);
  lab.control.inject({ kind: "guest", vmid: linux, action: "restart" });
  await agent.pass(1);
  assert.deepEqual(memoryOf(agent, await agent.tick(), linux), [1536, "balloon", undefined]);
  await agent.pass(66);
  assert.deepEqual(memoryOf(agent, await agent.tick(), linux), [1024, "agent", 512]);
});

test("caches that were dropped inside are not subtracted a second time", async (context) => {
  const { lab, clock, set } = await started(context);
  const agent = startLabCollector(context, lab, clock, "pve1");
  await agent.tickUntil((values) => `guest/${linux} mem_reclaimable` in values);
  set("mem_used", 400);
  await agent.pass(1);
  assert.deepEqual(memoryOf(agent, await agent.tick(), linux), [400, "balloon", undefined]);
});

test("a guest whose agent has been silent for half an hour has the balloon's figure again", async (context) => {
  const { lab, clock } = await started(context);
  const agent = startLabCollector(context, lab, clock, "pve1");
  await agent.tickUntil((values) => `guest/${linux} mem_reclaimable` in values);
  lab.world.agentOf = () => "dead";
  await agent.pass(175);
  assert.deepEqual(memoryOf(agent, await agent.tick(), linux), [1024, "agent", 512]);
  await agent.pass(10);
  assert.deepEqual(memoryOf(agent, await agent.tick(), linux), [1536, "balloon", undefined]);
});

test("the lab answers file-read as Proxmox VE does: text or base64, cut where it was told to, errors with the agent's words", async (context) => {
  const { lab } = await started(context);
  const read = (vmid: number, params: Record<string, string>) =>
    callLab(lab, "pve1", "GET", `/nodes/pve1/qemu/${vmid}/agent/file-read`, { params });
  const file = "/proc/meminfo";
  const whole = (await read(linux, { file })).data as { content: string; truncated?: number };
  assert.match(whole.content, /^MemTotal: +\d+ kB\nMemFree: +\d+ kB\nMemAvailable: +\d+ kB\n/);
  assert.equal(whole.truncated, undefined);
  const cut = { content: "Total", "bytes-read": 5, truncated: 1 };
  assert.deepEqual((await read(linux, { file, count: "5", offset: "3" })).data, cut);
  assert.deepEqual((await read(linux, { file, count: "5", offset: "3", decode: "0" })).data, { ...cut, content: "VG90YWw=" });
  const reasons = await Promise.all(
    [read(windows, { file }), read(closed, { file }), read(linux, { file: "/etc/shadow-" })].map(async (answer) => {
      const { status, reason } = await answer;
      return `${status} ${reason}`;
    }),
  );
  assert.deepEqual(reasons, [
    "500 Agent error: failed to open file '/proc/meminfo': The system cannot find the path specified.",
    "500 Agent error: Command guest-file-open has been disabled: the command is not allowed",
    "500 Agent error: failed to open file '/etc/shadow-' (mode: 'r'): No such file or directory",
  ]);
});
