import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { RestoreReport, RestoreStep, RestoreTest } from "#protocol/restore.ts";
import type { RestoreLimits, RestorePorts } from "../../agent/restore/ports.ts";
import { mortalPorts } from "./mortal-ports.ts";
import { newId, plantTest, type RestoreNode, startOperations, startRestoreNode, statesOf } from "./restore-node.ts";

/** What goes wrong, and the record that the test must leave of it. */
export type Scenario = {
  name: string;
  type: "qemu" | "lxc";
  order?: Partial<RestoreTest>;
  planted?: Parameters<typeof plantTest>[3];
  limits?: Partial<RestoreLimits>;
  /** Nodes of the cluster; default 1. */
  nodes?: number;
  before?: (node: RestoreNode, order: RestoreTest) => void;
  /** What the agent sees of its world instead of the lab. */
  ports?: (node: RestoreNode) => Partial<RestorePorts>;
  /** In the moment in which that step begins. */
  at?: [RestoreStep, (node: RestoreNode, order: RestoreTest) => void];
  /** In that moment, too: the agent's process ends, or the whole node reboots; another agent takes over. */
  dies?: "agent" | "node";
  /** From that moment on nobody hears the agent, until so long after the test is over, ms. */
  unheardMs?: number;
  /** The configuration file that is there when the test begins to clear away. */
  half?: "" | "lock: create\n" | "memory: 128\n";
  outcome: RestoreReport["outcome"];
  level: RestoreReport["level"];
  reason: RegExp;
  /** Undefined: it was never reached. */
  steps?: { [Step in RestoreStep]?: string | undefined };
  leftovers?: RegExp[];
  /** Puts right what was in the way of clearing away: after it and the agent's next look nothing is left. */
  mended?: (node: RestoreNode) => void;
  /** Somebody else's guest is there afterwards: the node is not as before, and must not be. */
  leaves?: true;
};

type Fault = Parameters<RestoreNode["lab"]["control"]["inject"]>[0];
export const inject =
  (...faults: Fault[]) =>
  ({ lab }: RestoreNode) => {
    for (const fault of faults) lab.control.inject(fault);
  };
type Damage = Parameters<RestoreNode["lab"]["restores"]["archives"]["damage"]>[1];
export const damaged = (damage: Damage) => (node: RestoreNode, order: RestoreTest) =>
  node.lab.restores.archives.damage(order.backup.volid, damage);
/** So long after now, while a step goes on. */
export const later = (ms: number, action: (node: RestoreNode) => void) => (node: RestoreNode) => {
  node.lab.schedule.at(node.clock.now() + ms, () => action(node));
};
export const quorum = (quorate: boolean) => (node: RestoreNode) => {
  node.lab.control.inject({ kind: "quorum", quorate });
  node.lab.writeAll();
};

export const unread = { integrity: false };
/** Word of the lab's faults, and the number that the first test guest gets. */
export const restore = "restore" as const;
export const testVmid = 990_000;

/** One test each: the record is as it must be, the node as before, and the lab saw no harm. */
export function testScenarios(scenarios: readonly Scenario[]): void {
  for (const scenario of scenarios) test(scenario.name, (t) => playScenario(t, scenario));
}

async function playScenario(t: TestContext, scenario: Scenario): Promise<void> {
  const { limits, nodes = 1 } = scenario;
  const node = await startRestoreNode(t, { nodes, ...(limits !== undefined && { limits }) });
  const order = plantTest(node, scenario.type, scenario.order, scenario.planted);
  scenario.before?.(node, order);
  const { restores, misuses } = node.lab;
  const before = restores.inventory();
  const { report, agent } = await runScenario(node, order, scenario);
  assert.match(report.reason, scenario.reason);
  assert.deepEqual([report.outcome, report.level], [scenario.outcome, scenario.level]);
  const states = statesOf(report.steps);
  const wanted = Object.keys(scenario.steps ?? {}) as RestoreStep[];
  assert.deepEqual(Object.fromEntries(wanted.map((name) => [name, states[name]])), scenario.steps ?? {});
  assert.deepEqual(
    report.leftovers.map((left, index) => scenario.leftovers?.[index]?.test(left) ?? left),
    scenario.leftovers?.map(() => true) ?? [],
  );
  if (scenario.mended !== undefined) {
    scenario.mended(node);
    await node.drive(agent.operations.tend());
    assert.deepEqual(agent.problems.at(-1), []);
  }
  assert.deepEqual([restores.safety.violations, misuses], [[], []]);
  const same = JSON.stringify(restores.inventory()) === JSON.stringify(before);
  assert.equal(same, scenario.leaves !== true, JSON.stringify(restores.inventory()));
}

/** The report, and the agent that made it. */
export async function runScenario(
  node: RestoreNode,
  order: RestoreTest,
  scenario: Pick<Scenario, "ports" | "at" | "dies" | "unheardMs" | "half">,
) {
  const { at: [step, action] = [], dies, unheardMs, half } = scenario;
  const mortal = mortalPorts({ ...node.ports, ...scenario.ports?.(node) });
  const first = startOperations(node, mortal.ports);
  let dead: () => void = () => undefined;
  const died = new Promise<void>((resolve) => {
    dead = resolve;
  });
  if (step !== undefined)
    first.onStep(step, () => {
      action?.(node, order);
      if (unheardMs !== undefined) first.unheard(true);
      if (dies === undefined) return;
      mortal.die();
      if (dies === "node") node.lab.control.inject({ kind: "node", node: node.node, action: "kill" });
      dead();
    });
  let found: string | undefined;
  if (half !== undefined)
    first.onStep("stop", () => {
      found = node.lab.tree.readGuest(testVmid);
    });
  const id = newId();
  first.start(id, { kind: "restore-test", params: order });
  if (dies !== undefined) {
    await node.drive(died);
    const second = await takeOver(node, dies);
    return { report: await second.report(id), agent: second };
  }
  if (unheardMs !== undefined) {
    await node.drive(first.operations.settled());
    await node.clock.advance(unheardMs);
    assert.equal(first.resultOf(id), undefined);
    first.unheard(false);
    first.operations.connected();
  }
  const report = await first.report(id);
  assert.equal(found, half);
  return { report, agent: first };
}

/** The agent that starts after the one that died, on a node that took two minutes to boot. */
async function takeOver(node: RestoreNode, dies: "agent" | "node") {
  if (dies === "node") {
    await node.clock.advance(120_000);
    node.lab.control.inject({ kind: "node", node: node.node, action: "revive" });
  }
  const second = startOperations(node, {}, "2:2:boot");
  await node.drive(second.operations.tend());
  return second;
}
