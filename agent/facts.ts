import type { EpochMs } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import type { Inventory, TaskReport } from "#protocol/messages.ts";
import { fitInventory } from "./core/inventory-size.ts";
import { RecentTasks } from "./core/recent-tasks.ts";
import type { Collector } from "./ports.ts";

/** A message's type and braces around it have room beside it. */
const inventoryMaxBytes = limits.messageMaxBytes - 1024;

/** What the hub is told beside samples: the inventory, and the tasks of the last day. Filled by the sampler, read by the session. */
export class Facts {
  inventory: { version: number; inventory: Inventory } | undefined;
  private clockProblem: string | undefined;
  private readonly recent = new RecentTasks();
  /** The session's ears: a changed inventory, new or ended tasks. */
  onInventory: (inventory: Inventory) => void = () => undefined;
  onTasks: (tasks: readonly TaskReport[]) => void = () => undefined;

  tasks(): TaskReport[] {
    return this.recent.all();
  }

  /** `clockProblem`: stands in the inventory as one of the node's sources. */
  async refresh(collector: Pick<Collector, "inventory" | "tasks">, now: EpochMs, clockProblem?: string): Promise<void> {
    const { version, inventory } = await collector.inventory(now);
    if (version !== this.inventory?.version || clockProblem !== this.clockProblem) {
      this.clockProblem = clockProblem;
      const whole = clockProblem === undefined ? inventory : withClock(inventory, clockProblem);
      this.inventory = { version, inventory: fitInventory(whole, inventoryMaxBytes) };
      this.onInventory(this.inventory.inventory);
    }
    const tasks = await collector.tasks(now);
    if (tasks.length === 0) return;
    this.recent.merge(tasks, now);
    this.onTasks(tasks);
  }
}

function withClock(inventory: Inventory, problem: string): Inventory {
  const { node } = inventory;
  return { ...inventory, node: { ...node, sources: [...node.sources, { source: "clock", problem }] } };
}
