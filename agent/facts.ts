import type { EpochMs } from "#protocol/ids.ts";
import type { Inventory, TaskReport } from "#protocol/messages.ts";
import { RecentTasks } from "./core/recent-tasks.ts";
import type { Collector } from "./ports.ts";

/** What the hub is told beside samples: the inventory, and the tasks of the last day. Filled by the sampler, read by the session. */
export class Facts {
  inventory: { version: number; inventory: Inventory } | undefined;
  private readonly recent = new RecentTasks();
  /** The session's ears: a changed inventory, new or ended tasks. */
  onInventory: (inventory: Inventory) => void = () => undefined;
  onTasks: (tasks: readonly TaskReport[]) => void = () => undefined;

  tasks(): TaskReport[] {
    return this.recent.all();
  }

  async refresh(collector: Pick<Collector, "inventory" | "tasks">, now: EpochMs): Promise<void> {
    const inventory = await collector.inventory(now);
    if (inventory.version !== this.inventory?.version) {
      this.inventory = inventory;
      this.onInventory(inventory.inventory);
    }
    const tasks = await collector.tasks(now);
    if (tasks.length === 0) return;
    this.recent.merge(tasks, now);
    this.onTasks(tasks);
  }
}
