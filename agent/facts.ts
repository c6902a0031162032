import type { EpochMs } from "#protocol/ids.ts";
import type { Inventory, TaskReport } from "#protocol/messages.ts";
import { RecentTasks } from "./core/recent-tasks.ts";
import type { Collector } from "./ports.ts";

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
      this.inventory = { version, inventory: clockProblem === undefined ? inventory : withClock(inventory, clockProblem) };
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
