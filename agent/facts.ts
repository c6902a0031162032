import type { EpochMs } from "#protocol/ids.ts";
import type { Inventory, RangeStranger } from "#protocol/inventory.ts";
import { limits } from "#protocol/limits.ts";
import type { TaskReport } from "#protocol/messages.ts";
import { fitInventory } from "./core/inventory-size.ts";
import { RecentTasks } from "./core/recent-tasks.ts";
import type { Collector } from "./ports.ts";

/** A message's type and braces around it have room beside it. */
const inventoryMaxBytes = limits.messageMaxBytes - 1024;

/** After a start one source after the other has something to say: for so many ticks they are waited for, and told together. */
const settleTicks = 3;

type FactsCollector = Pick<Collector, "inventory" | "tasks" | "settled">;

/** What the hub is told beside samples: the inventory, and the tasks of the last day. Filled by the sampler, read by the session. */
export class Facts {
  inventory: { version: number; inventory: Inventory } | undefined;
  private clockProblem: string | undefined;
  /** What others than the collector have to say about this node, by source. */
  private readonly problems = new Map<string, string>();
  private strangers: readonly RangeStranger[] | undefined;
  private problemsChanged = false;
  private heldTicks = 0;
  private readonly recent = new RecentTasks();
  /** The session's ears: a changed inventory, new or ended tasks. */
  onInventory: (inventory: Inventory) => void = () => undefined;
  onTasks: (tasks: readonly TaskReport[]) => void = () => undefined;

  /** Stands in the inventory as one of the node's sources until it is undefined. */
  setProblem(source: string, problem: string | undefined): void {
    if (this.problems.get(source) === problem) return;
    if (problem === undefined) this.problems.delete(source);
    else this.problems.set(source, problem);
    this.problemsChanged = true;
  }

  /** Guests in the range of test guests that are none of ours; undefined: nobody could look. */
  setStrangers(strangers: readonly RangeStranger[] | undefined): void {
    if (JSON.stringify(this.strangers) === JSON.stringify(strangers)) return;
    this.strangers = strangers;
    this.problemsChanged = true;
  }

  tasks(): TaskReport[] {
    return this.recent.all();
  }

  /** `clockProblem`: stands in the inventory as one of the node's sources. */
  async refresh(collector: FactsCollector, now: EpochMs, clockProblem?: string): Promise<void> {
    const { version, inventory } = await collector.inventory(now);
    const isNews = version !== this.inventory?.version || clockProblem !== this.clockProblem || this.problemsChanged;
    if (isNews && !this.waits(collector)) {
      this.clockProblem = clockProblem;
      this.problemsChanged = false;
      const all = clockProblem === undefined ? [...this.problems] : [["clock", clockProblem] as const, ...this.problems];
      const told = this.strangers === undefined ? inventory : withStrangers(inventory, this.strangers);
      const whole = all.length === 0 ? told : withProblems(told, all);
      this.inventory = { version, inventory: fitInventory(whole, inventoryMaxBytes) };
      this.onInventory(this.inventory.inventory);
    }
    const tasks = await collector.tasks(now);
    if (tasks.length === 0) return;
    this.recent.merge(tasks, now);
    this.onTasks(tasks);
  }

  /** The first picture is told at once: the hub needs the names of what it gets samples of. */
  private waits({ settled }: FactsCollector): boolean {
    return this.inventory !== undefined && !settled && ++this.heldTicks <= settleTicks;
  }
}

function withStrangers(inventory: Inventory, strangers: readonly RangeStranger[]): Inventory {
  const rangeStrangers = strangers.slice(0, 64).map(({ vmid, why }) => ({ vmid, why: why.slice(0, 300) }));
  return { ...inventory, node: { ...inventory.node, rangeStrangers } };
}

function withProblems(inventory: Inventory, problems: readonly (readonly [source: string, problem: string])[]): Inventory {
  const { node } = inventory;
  const more = problems.map(([source, problem]) => ({ source, problem: problem.slice(0, 500) }));
  return { ...inventory, node: { ...node, sources: [...node.sources, ...more] } };
}
