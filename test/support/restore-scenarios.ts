import assert from "node:assert/strict";
import { test } from "node:test";
import type { RestoreReport, RestoreStep, RestoreTest } from "#protocol/restore.ts";
import type { RestoreLimits } from "../../agent/restore/ports.ts";
import { newId, plantTest, type RestoreNode, startOperations, startRestoreNode, statesOf } from "./restore-node.ts";

/** What goes wrong, and the record that the test must leave of it. */
export type Scenario = {
  name: string;
  type: "qemu" | "lxc";
  order?: Partial<RestoreTest>;
  planted?: Parameters<typeof plantTest>[3];
  limits?: Partial<RestoreLimits>;
  before?: (node: RestoreNode, order: RestoreTest) => void;
  /** In the moment in which that step begins. */
  at?: [RestoreStep, (node: RestoreNode) => void];
  outcome: RestoreReport["outcome"];
  level: RestoreReport["level"];
  reason: RegExp;
  /** Undefined: it was never reached. */
  steps?: { [Step in RestoreStep]?: string | undefined };
  leftovers?: RegExp[];
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

export const unread = { integrity: false };
/** Word of the lab's faults, and the number that the first test guest gets. */
export const restore = "restore" as const;
export const testVmid = 990_000;

/** One test each: the record is as it must be, the node as before, and the lab saw no harm. */
export function testScenarios(scenarios: readonly Scenario[]): void {
  for (const scenario of scenarios) testScenario(scenario);
}

function testScenario(scenario: Scenario): void {
  test(scenario.name, async (t) => {
    const node = await startRestoreNode(t, scenario.limits === undefined ? {} : { limits: scenario.limits });
    const order = plantTest(node, scenario.type, scenario.order, scenario.planted);
    scenario.before?.(node, order);
    const { restores, misuses } = node.lab;
    const before = restores.inventory();
    const agent = startOperations(node);
    const [step, action] = scenario.at ?? [];
    if (step !== undefined && action !== undefined) agent.onStep(step, () => action(node));
    const id = newId();
    agent.start(id, { kind: "restore-test", params: order });
    const report = await agent.report(id);
    assert.match(report.reason, scenario.reason);
    assert.deepEqual([report.outcome, report.level], [scenario.outcome, scenario.level]);
    const states = statesOf(report.steps);
    const wanted = Object.keys(scenario.steps ?? {}) as RestoreStep[];
    assert.deepEqual(Object.fromEntries(wanted.map((name) => [name, states[name]])), scenario.steps ?? {});
    assert.deepEqual(
      report.leftovers.map((left, index) => scenario.leftovers?.[index]?.test(left) ?? left),
      scenario.leftovers?.map(() => true) ?? [],
    );
    assert.deepEqual([restores.safety.violations, misuses], [[], []]);
    const same = JSON.stringify(restores.inventory()) === JSON.stringify(before);
    assert.equal(same, scenario.leaves !== true, JSON.stringify(restores.inventory()));
  });
}
