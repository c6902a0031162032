import { type ClusterId, type EpochMs, type NodeName, nodeKey } from "#protocol/ids.ts";
import type { Inventory } from "#protocol/inventory.ts";
import type { Duty, TaskReport } from "#protocol/messages.ts";
import type { SampleTable } from "../../agent/core/table.ts";
import type { Clock, Collector, SourceReport } from "../../agent/ports.ts";

/** One node whose load counts the ticks, every 10 s. */
export class FakeCollector implements Collector {
  readonly node = "pve1" as NodeName;
  ticks = 0;
  duties: readonly Duty[] = [];
  inventoryVersion = 1;
  newTasks: TaskReport[] = [];
  /** How long the next `collect` takes, ms. */
  collectMs = 0;
  /** From this tick on there is one series more, so that the schema changes. */
  swapFromTick = 4;
  mounted = true;
  settled = true;

  constructor(private readonly clock: Clock) {}

  async identify() {
    return this.mounted ? { node: this.node, clusterId: "0123456789abcdef" as ClusterId, clusterName: "lab" } : undefined;
  }

  async collect(table: SampleTable): Promise<void> {
    this.ticks++;
    if (this.collectMs > 0) await this.clock.sleep(this.collectMs);
    const entity = table.entity(nodeKey(this.node));
    table.put(entity, 5, "proc", this.ticks);
    if (this.ticks >= this.swapFromTick) table.put(entity, 11, "proc", this.ticks % 7);
  }

  async inventory(now: EpochMs): Promise<{ version: number; inventory: Inventory }> {
    const inventory: Inventory = {
      at: now,
      cluster: { name: "lab", quorate: true, members: [] },
      node: { zpools: [], sources: [] },
      guests: [],
      storages: [],
    };
    return { version: this.inventoryVersion, inventory };
  }

  async tasks(): Promise<TaskReport[]> {
    return this.newTasks.splice(0);
  }

  setDuties(duties: readonly Duty[]): void {
    this.duties = duties;
  }

  async nextChange(atMostMs: number, signal: AbortSignal): Promise<void> {
    await this.clock.sleep(Math.min(atMostMs, 10_000), signal);
  }

  async check(): Promise<SourceReport[]> {
    return [];
  }

  close(): void {}
}
