import type { TaskView } from "#protocol/api.ts";
import type { TaskReport } from "#protocol/messages.ts";
import type { AgentId } from "./core/series.ts";
import { lostTasks, taskView } from "./core/task.ts";
import { taskEvent } from "./core/task-events.ts";
import type { Journal } from "./journal.ts";
import type { Clock } from "./ports.ts";
import type { History } from "./store/history.ts";

export type TaskBookPorts = { history: History; journal: Journal; clock: Clock; changed(tasks: readonly TaskView[]): void };

/** What ended longer ago was over before we looked: history, no news. */
const newsMs = 5 * 60_000;
const runningMax = 10_000;

/** Keeps what agents report of their nodes' tasks. */
export class TaskBook {
  /** Tasks that run as far as we know, by UPID. */
  private readonly running: Map<string, TaskView>;

  constructor(private readonly ports: TaskBookPorts) {
    const known = ports.history.tasks({ state: "running" }, { limit: runningMax, cursor: undefined });
    this.running = new Map(known.items.map((task) => [task.upid, task]));
  }

  /** `first`: the first report of a session lists all of the last day, so that a running task which is missing there has ended unseen. */
  report(agent: AgentId, reports: readonly TaskReport[], first: boolean): void {
    // A node's tasks are its own agent's business: an agent can't write another node's history.
    const views = reports.flatMap((report) => taskView(agent.cluster, report) ?? []).filter((view) => view.node === agent.node);
    const lost = first ? lostTasks(this.runningOf(agent), new Set(views.map((view) => view.upid))) : [];
    const changed = this.ports.history.upsertTasks([...views, ...lost]);
    for (const { task, known } of changed) this.take(task, known);
    if (changed.length > 0) this.ports.changed(changed.map(({ task }) => task));
  }

  private take(task: TaskView, known: boolean): void {
    if (task.state === "running") this.running.set(task.upid, task);
    else this.running.delete(task.upid);
    const place = { cluster: task.cluster, node: task.node, ...entityOf(task), actor: task.user };
    const own = taskEvent(task);
    const title = task.id === "" ? task.type : `${task.type} ${task.id}`;
    const isNews = known || (task.endedAt ?? 0) > this.ports.clock.now() - newsMs;
    if (own !== undefined && isNews) this.ports.journal.emit(own.type, own.facts, place);
    else if (task.state === "failed" && isNews) {
      this.ports.journal.emit("task.failed", { task: title, node: task.node, status: task.status ?? "no status" }, place);
    }
    if (task.state === "lost") this.ports.journal.emit("task.lost", { task: title, node: task.node }, place);
  }

  private runningOf(agent: AgentId): TaskView[] {
    return [...this.running.values()].filter((task) => task.cluster === agent.cluster && task.node === agent.node);
  }
}

/** Most tasks are about a guest; `id` is its vmid then, or `vmid@storage`. */
function entityOf({ id }: TaskView): { entity?: string } {
  const [vmid = ""] = id.split("@");
  return /^[1-9][0-9]{2,8}$/.test(vmid) ? { entity: `guest/${vmid}` } : {};
}
