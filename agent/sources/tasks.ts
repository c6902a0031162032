import { type FSWatcher, watch } from "node:fs";
import { open, stat } from "node:fs/promises";
import { join } from "node:path";
import { parseUpid } from "#protocol/ids.ts";
import type { TaskReport } from "#protocol/messages.ts";
import { errorCode } from "../core/error.ts";
import { fileProblem } from "./files.ts";

const folder = "/var/log/pve/tasks";
const dayMs = 24 * 3_600_000;
/** Reports of one call; older ones of a longer list are left out. */
const reportsMax = 2000;
const tailMaxBytes = 1 << 20;
/** A look is due after so many calls, though the folder's watcher saw nothing: it may have been replaced. */
const quietCallsMax = 30;

/**
 * A line of `active` (`UPID 0|1 [end status]`) or of `index` (`UPID end status`); end in hex seconds, the status to the end of the line
 * (pve-common `PVE/INotify.pm` read_active_workers, `PVE/RESTEnvironment.pm` active_workers). Undefined: no task line.
 */
export function parseTaskLine(line: string, file: "active" | "index"): TaskReport | undefined {
  const match = /^(UPID:\S+) (.*)$/.exec(line.trimEnd());
  const upid = parseUpid(match?.[1])?.upid;
  if (match === null || upid === undefined) return undefined;
  const rest = file === "active" ? /^[01]\s*(.*)$/.exec(match[2] as string)?.[1] : match[2];
  if (rest === undefined) return undefined;
  if (rest === "") return file === "active" ? { upid } : undefined;
  const ended = /^([0-9A-Fa-f]{8,9})(?: (.*))?$/.exec(rest);
  if (ended === null) return undefined;
  const status = ended[2]?.slice(0, 4096);
  return {
    upid,
    endedAt: Number.parseInt(ended[1] as string, 16) * 1000,
    ...(status === undefined || status === "" ? {} : { status }),
  };
}

type Position = { inode: number; offset: number };
type Stamp = { inode: number; size: number; mtimeMs: number };

/** Follows this node's task lists: `index` by its offset, also across its rotation to `index.1`; `active` whenever it was replaced. */
export class TaskSource {
  problem: string | undefined;
  private index: Position | undefined;
  private active: Stamp | undefined;
  /** Newest reported end of each task, 0 while it runs. */
  private readonly reported = new Map<string, number>();
  private watcher: FSWatcher | undefined;
  /** Something in the folder moved since the look before, or nobody can tell. */
  private touched = true;
  private quietCalls = 0;

  /** `watched`: the folder is looked at only when something in it moved (inotify). */
  constructor(
    private readonly root: string,
    private readonly watched = false,
  ) {}

  /** Started and ended tasks since the call before; the first gives those that ended within a day, and the running ones. */
  async read(now: number): Promise<TaskReport[]> {
    if (this.skips()) return [];
    this.touched = !this.watch();
    this.quietCalls = 0;
    this.problem = undefined;
    const found = new Map<string, TaskReport>();
    for (const task of [...(await this.readIndex()), ...(await this.readActive())]) {
      const known = found.get(task.upid);
      if (known?.endedAt === undefined) found.set(task.upid, task);
    }
    const news = [...found.values()].filter((task) => this.isNews(task, now));
    for (const task of news) this.reported.set(task.upid, task.endedAt ?? 0);
    this.forget(now);
    return news.slice(-reportsMax);
  }

  /** True: nothing moved since the look before, so a call would find nothing; it counts as one. */
  skips(): boolean {
    return !this.touched && this.problem === undefined && ++this.quietCalls < quietCallsMax;
  }

  close(): void {
    this.watcher?.close();
    this.watcher = undefined;
  }

  /** False: the folder can't be watched, so every call must look. */
  private watch(): boolean {
    if (!this.watched) return false;
    if (this.watcher !== undefined) return true;
    try {
      this.watcher = watch(join(this.root, folder), { persistent: false }, () => {
        this.touched = true;
      });
      this.watcher.on("error", () => {
        this.close();
        this.touched = true;
      });
      return true;
    } catch {
      return false;
    }
  }

  private isNews(task: TaskReport, now: number): boolean {
    const reported = this.reported.get(task.upid);
    if (task.endedAt === undefined) return reported === undefined;
    return reported !== task.endedAt && task.endedAt >= now - dayMs;
  }

  private forget(now: number): void {
    for (const [upid, endedAt] of this.reported) {
      const old = endedAt > 0 ? endedAt < now - dayMs : (parseUpid(upid)?.startedAt ?? 0) < now - 30 * dayMs;
      if (old) this.reported.delete(upid);
    }
  }

  private async readIndex(): Promise<TaskReport[]> {
    const before = this.index;
    const tasks: TaskReport[] = [];
    const current = await this.stamp("index");
    if (before === undefined) tasks.push(...(await this.linesFrom("index.1", 0)).tasks);
    else if (current !== undefined && current.inode !== before.inode) {
      const rotated = await this.stamp("index.1");
      const from = rotated?.inode === before.inode ? before.offset : 0;
      tasks.push(...(await this.linesFrom("index.1", from)).tasks);
    }
    if (current === undefined) return tasks;
    const from = before?.inode === current.inode && before.offset <= current.size ? before.offset : 0;
    if (from === current.size) {
      this.index = { inode: current.inode, offset: from };
      return tasks;
    }
    const tail = await this.linesFrom("index", from);
    this.index = { inode: current.inode, offset: tail.offset };
    return [...tasks, ...tail.tasks];
  }

  private async readActive(): Promise<TaskReport[]> {
    const stamp = await this.stamp("active");
    const same =
      stamp?.inode === this.active?.inode && stamp?.size === this.active?.size && stamp?.mtimeMs === this.active?.mtimeMs;
    if (stamp === undefined || same) return [];
    this.active = stamp;
    return (await this.linesFrom("active", 0)).tasks;
  }

  private async stamp(file: string): Promise<Stamp | undefined> {
    try {
      const { ino, size, mtimeMs } = await stat(join(this.root, folder, file));
      return { inode: ino, size, mtimeMs };
    } catch (error) {
      const code = errorCode(error);
      // A node that never ran a task has neither list.
      if (code !== "ENOENT" || !(await this.folderExists())) this.problem = fileProblem(folder, code);
      return undefined;
    }
  }

  private async folderExists(): Promise<boolean> {
    return stat(join(this.root, folder)).then(
      () => true,
      () => false,
    );
  }

  /** Whole lines from `offset` on; a last one that is still being written stays for the next time. */
  private async linesFrom(
    file: "active" | "index" | "index.1",
    offset: number,
  ): Promise<{ tasks: TaskReport[]; offset: number }> {
    try {
      const handle = await open(join(this.root, folder, file), "r");
      try {
        const buffer = Buffer.alloc(Math.min(tailMaxBytes, Math.max(0, (await handle.stat()).size - offset)));
        const { bytesRead } = await handle.read(buffer, 0, buffer.length, offset);
        const whole = buffer.subarray(0, bytesRead).lastIndexOf(10) + 1;
        const lines = buffer.toString("utf8", 0, whole).split("\n");
        const tasks = lines.flatMap((line) => parseTaskLine(line, file === "active" ? "active" : "index") ?? []);
        return { tasks, offset: offset + whole };
      } finally {
        await handle.close();
      }
    } catch (error) {
      const code = errorCode(error);
      if (code !== "ENOENT") this.problem = fileProblem(`${folder}/${file}`, code);
      return { tasks: [], offset };
    }
  }
}
