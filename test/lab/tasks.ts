import { appendFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Schedule } from "./clock.ts";
import { hash32 } from "./random.ts";
import { replaceFile, type Tree } from "./tree.ts";
import type { World } from "./world.ts";

/** What a running worker sees of its task. */
export type TaskHandle = { readonly upid: string; readonly node: string; log(line: string): void; now(): number };

/**
 * The work of a task: yields how many ms of lab time to wait; what it returns is the end status (default `OK`), what it throws becomes
 * `TASK ERROR: …`. DELETE of the task throws InterruptedError into it.
 */
export type Worker = (task: TaskHandle) => Generator<number, string | undefined, undefined>;

/** Thrown into a worker that is stopped; vzdump's own words for it are the message. */
export class InterruptedError extends Error {
  constructor() {
    super("interrupted by signal");
  }
}

/** An error of PVE's own wording: the task's end status. */
export class TaskError extends Error {}

export type Task = {
  readonly upid: string;
  readonly node: string;
  readonly type: string;
  readonly id: string;
  readonly user: string;
  readonly pid: number;
  readonly pstart: number;
  readonly startedAt: number;
  endedAt?: number;
  status?: string;
};

type Running = { task: Task; worker: ReturnType<Worker>; cancel: () => void };

export type NewTask = { node: string; type: string; id: string; user: string };

const hex = (value: number, width: number) => value.toString(16).toUpperCase().padStart(width, "0");
const activeMax = 25;

/** Every node's tasks, in memory and in its /var/log/pve/tasks, as pve-common PVE/RESTEnvironment.pm keeps them. */
export class Tasks {
  private readonly byNode = new Map<string, Task[]>();
  private readonly running = new Map<string, Running>();
  private readonly ended: ((task: Task) => void)[] = [];
  private sequence = 0;

  constructor(
    private readonly world: World,
    private readonly schedule: Schedule,
    private readonly tree: Tree,
  ) {
    for (const node of world.nodes.keys()) this.byNode.set(node, []);
  }

  /** Newest first. */
  on(node: string): readonly Task[] {
    return this.byNode.get(node) ?? [];
  }

  find(upid: string): Task | undefined {
    return this.on(upid.split(":")[1] ?? "").find((task) => task.upid === upid);
  }

  isRunning(upid: string): boolean {
    return this.running.has(upid);
  }

  onEnd(listener: (task: Task) => void): void {
    this.ended.push(listener);
  }

  start(what: NewTask, work: Worker): Task {
    const at = this.schedule.now();
    const task = this.register(what, at);
    writeFileSync(this.logPath(task), "");
    this.tree.logEvent(at, task.node, "pvedaemon", 6, task.user, `starting task ${task.upid}`, task.pid);
    const handle: TaskHandle = {
      upid: task.upid,
      node: task.node,
      log: (line) => this.appendLog(task, line),
      now: () => this.schedule.now(),
    };
    const running: Running = { task, worker: work(handle), cancel: () => undefined };
    this.running.set(task.upid, running);
    this.writeActive(task.node);
    // As fork_worker does, the answer with the UPID comes before the work.
    running.cancel = this.schedule.at(at + 1, () => this.step(running));
    return task;
  }

  /** DELETE of the task: the worker gets a signal. True when it was running. */
  interrupt(upid: string): boolean {
    return this.fail(upid, new InterruptedError());
  }

  /** Something below the worker breaks. */
  fail(upid: string, error: InterruptedError | TaskError): boolean {
    const running = this.running.get(upid);
    if (running === undefined) return false;
    running.cancel();
    this.step(running, error);
    return true;
  }

  /** kill -9, or the end of the node: the log breaks off. */
  kill(upid: string): void {
    const running = this.running.get(upid);
    if (running === undefined) return;
    running.cancel();
    this.finish(running, "unexpected status", false);
  }

  /** The node died: its workers do nothing more, their locks stay. */
  freezeOn(node: string): void {
    for (const { task, cancel } of this.running.values()) if (task.node === node) cancel();
  }

  /** The node is back: what ran there before has no status. */
  killAllOn(node: string): void {
    for (const { task } of [...this.running.values()]) if (task.node === node) this.kill(task.upid);
  }

  /** A task that ended before the lab began. */
  addPast(what: NewTask, startedAt: number, endedAt: number, status: string, log: readonly string[]): Task {
    const task = this.register(what, startedAt);
    writeFileSync(this.logPath(task), `${[...log, lastLine(status)].join("\n")}`);
    task.endedAt = endedAt;
    task.status = status;
    this.appendIndex(task);
    return task;
  }

  readLog(task: Task): string[] {
    const path = this.logPath(task);
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    return text === "" ? [] : text.replace(/\n$/, "").split("\n");
  }

  private register({ node, type, id, user }: NewTask, startedAt: number): Task {
    this.sequence++;
    const pid = 2000 + ((hash32(`${node} pids`) + this.sequence * 7) % 4_000_000);
    const pstart = Math.floor((startedAt - this.world.bootedAt(this.world.node(node), startedAt)) / 10);
    const upid = `UPID:${node}:${hex(pid, 8)}:${hex(pstart, 8)}:${hex(Math.floor(startedAt / 1000), 8)}:${type}:${id}:${user}:`;
    const task: Task = { upid, node, type, id, user, pid, pstart, startedAt };
    this.byNode.get(node)?.unshift(task);
    return task;
  }

  private step(running: Running, signal?: InterruptedError | TaskError): void {
    try {
      const next = signal === undefined ? running.worker.next() : running.worker.throw(signal);
      if (next.done === true) this.finish(running, next.value ?? "OK");
      else running.cancel = this.schedule.at(this.schedule.now() + next.value, () => this.step(running));
    } catch (error) {
      if (!(error instanceof InterruptedError) && !(error instanceof TaskError)) throw error;
      this.finish(running, error.message);
    }
  }

  private finish({ task }: Running, status: string, says = true): void {
    this.running.delete(task.upid);
    task.endedAt = this.schedule.now();
    task.status = status;
    if (says) this.appendLog(task, lastLine(status));
    this.appendIndex(task);
    this.writeActive(task.node);
    const pri = isSuccess(status) ? 6 : 3;
    this.tree.logEvent(task.endedAt, task.node, "pvedaemon", pri, task.user, `end task ${task.upid} ${status}`, task.pid);
    for (const listener of this.ended) listener(task);
  }

  private folder(node: string): string {
    return join(this.tree.root(node), "var/log/pve/tasks");
  }

  /** `<last hex digit of the start>/<UPID>` (pve-common, PVE/UPID.pm). */
  logPath(task: Task): string {
    return join(this.folder(task.node), (task.upid.split(":")[4] ?? "0").slice(-1), task.upid);
  }

  private appendLog(task: Task, line: string): void {
    appendFileSync(this.logPath(task), `${line}\n`);
  }

  private appendIndex({ node, upid, endedAt, status }: Task): void {
    appendFileSync(join(this.folder(node), "index"), `${upid} ${hex(Math.floor((endedAt ?? 0) / 1000), 8)} ${status ?? ""}\n`);
  }

  writeActive(node: string): void {
    const tasks = [...this.on(node)].sort((a, b) => b.startedAt - a.startedAt);
    const running = tasks.filter(({ upid }) => this.running.has(upid));
    const over = tasks.filter(({ upid, endedAt }) => !this.running.has(upid) && endedAt !== undefined).slice(0, activeMax);
    const lines = [
      ...running.map(({ upid }) => `${upid} 0\n`),
      ...over.map(({ upid, endedAt, status }) => `${upid} 1 ${hex(Math.floor((endedAt as number) / 1000), 8)} ${status}\n`),
    ];
    replaceFile(join(this.folder(node), "active"), lines.join(""));
    this.world.changed(`tasklist ${node}`);
  }
}

/** PVE::Tools::upid_status_is_error: `OK` and `WARNINGS: n` are no errors. */
export const isSuccess = (status: string) => status === "OK" || /^WARNINGS: \d+$/.test(status);

const lastLine = (status: string) =>
  status === "OK" ? "TASK OK" : status.startsWith("WARNINGS: ") ? `TASK ${status}` : `TASK ERROR: ${status}`;
