import { stat } from "node:fs/promises";
import { join } from "node:path";
import { type NodeName, parseUpid, type Vmid } from "#protocol/ids.ts";
import { type Asked, askEveryMs, calmEveryMs, isCalm, planRound, type Use } from "../core/ask-plan.ts";
import { errorCode } from "../core/error.ts";
import { type GuestRun, ReclaimableMemory } from "../core/guest-memory.ts";
import type { SampleTable } from "../core/table.ts";
import { asNumber, asObject, asText } from "../core/values.ts";
import type { Clock, ReadText } from "../ports.ts";
import type { PveApi } from "../pve/api.ts";
import { fileProblem } from "./files.ts";
import { parseGuestConfig } from "./guest-config.ts";
import { meminfoParams, parseMemoryAnswer } from "./guest-meminfo.ts";
import { idsOf } from "./metric-ids.ts";
import { apiProblem } from "./node-api.ts";
import type { LocalGuest } from "./pmxcfs.ts";
import { counted, instanceName, minuteMs, type NodeSight, type SlowSource } from "./slow-source.ts";
import { parseTaskLine } from "./tasks.ts";

const ids = idsOf("guest");
const source = "agent";
const activeTasks = "/var/log/pve/tasks/active";
const lendAnswerMs = 30 * minuteMs;
/** A dead agent costs 3 s; a round ends after this, whoever is left comes next. */
const roundMs = 8000;
/** Between two looks for whom to ask: while somebody was due at the look before, and else. */
const busyEveryMs = 5000;
const idleEveryMs = minuteMs / 2;
/** A lock that was looked up so long ago need not be looked up again. */
const justNowMs = 500;
const filesystemsMax = 64;

export type GuestFilesystem = { mount: string; total: number; used: number };

// Full by nature: images that can't be written.
const readOnlyTypes = new Set(["squashfs", "iso9660", "udf", "cdfs", "cramfs", "erofs"]);

/**
 * Data of `GET …/agent/get-fsinfo`: `{result: […]}` of QEMU's `guest-get-fsinfo` (its qga/qapi-schema.json); never seen from a real system, the
 * recorded one had no guest agent. A file system that is mounted in several places counts once, at its shortest path.
 */
export function parseFsinfo(data: unknown): GuestFilesystem[] | undefined {
  const result = asObject(data)?.result;
  if (!Array.isArray(result)) return undefined;
  const byDevice = new Map<string, GuestFilesystem>();
  for (const value of result) {
    const entry = asObject(value);
    const mount = asText(entry?.mountpoint);
    const [total, used] = [asNumber(entry?.["total-bytes"]), asNumber(entry?.["used-bytes"])];
    const type = asText(entry?.type)?.toLowerCase() ?? "";
    if (entry === undefined || mount === undefined || !(total > 0) || !(used >= 0) || readOnlyTypes.has(type)) continue;
    const device = asText(entry.name) ?? mount;
    const known = byDevice.get(device);
    if (known === undefined || mount.length < known.mount.length) byDevice.set(device, { mount, total, used });
  }
  return [...byDevice.values()].slice(0, filesystemsMax);
}

/** Guests that a running backup task of this node may touch: those it names, or all when it names none (a job over several). */
export type RunningBackups = { all: boolean; vmids: ReadonlySet<string> };

export function runningBackups(active: string): RunningBackups {
  const ids = active.split("\n").flatMap((line) => {
    const task = parseTaskLine(line, "active");
    const upid = task?.endedAt === undefined ? parseUpid(task?.upid) : undefined;
    return upid?.type === "vzdump" ? [upid.id] : [];
  });
  return { all: ids.includes(""), vmids: new Set(ids) };
}

/** `identity`: of the guest that was asked, as its vmid may be another one's by now. `filesystems`: by the names that records take. */
type Known = Asked & { identity: readonly string[]; answeredMs: number; filesystems: readonly Use[] };

/**
 * File systems and memory of virtual machines, from their own agents through PVE's API: one guest after the other, each every five minutes (ten while
 * nothing in it moves), and never one that has a lock or may be in a backup, whose frozen file systems a second client of its agent would endanger. Backups are looked up
 * before each round, the lock right before each question (the tick that starts the round has just done so). Memory is asked for right after the
 * file systems, where a balloon driver's figure is there to be corrected; what became of that says nothing of the guest's agent. fsfreeze-status is not asked: it is one more conversation over the same socket, and a frozen agent refuses get-fsinfo itself.
 */
export class GuestAgentSource implements SlowSource {
  readonly name = "guest-agent";
  readonly lendMs = lendAnswerMs;
  readonly patienceMs = minuteMs;
  problem: string | undefined;
  version = 0;
  readonly memory = new ReclaimableMemory();
  private readonly known = new Map<Vmid, Known>();
  private asking = 0;
  private busy = true;
  private backups: { mark: string; running: RunningBackups } | undefined;

  constructor(
    private readonly root: string,
    private readonly api: PveApi,
    private readonly read: ReadText,
    private readonly clock: Clock,
  ) {}

  everyMs(): number | undefined {
    return this.busy ? busyEveryMs : idleEveryMs;
  }

  found(): string {
    const answered = [...this.known.values()].filter(({ failures }) => failures === 0).length;
    const every = `${askEveryMs / minuteMs} to ${calmEveryMs / minuteMs} min`;
    return `${answered} of ${counted(this.asking, "guest agent")} answered, each asked every ${every}`;
  }

  /** What became of the newest question, for the inventory. */
  stateOf(guest: LocalGuest): "off" | "unasked" | "answers" | "silent" | undefined {
    if (guest.type !== "qemu" || guest.config === undefined) return undefined;
    if (guest.config.guestAgent !== true) return "off";
    const known = this.known.get(guest.vmid);
    if (known === undefined) return "unasked";
    return known.failures === 0 ? "answers" : "silent";
  }

  async refresh(sight: NodeSight): Promise<void> {
    for (const [vmid, { identity }] of this.known) if (!isSame(sight.guests.get(vmid), identity)) this.known.delete(vmid);
    this.memory.keep(sight.guests);
    const guests = [...sight.guests.values()].filter((guest) => mayAnswer(guest, sight));
    this.asking = guests.length;
    const startedMs = this.clock.monotonicMs();
    const vmids = guests.map(({ vmid }) => vmid);
    this.busy = planRound(vmids, this.known, startedMs).length > 0;
    if (!this.busy) return;
    const backups = await this.readBackups();
    const free = vmids.filter((vmid) => !touches(backups, vmid));
    for (const vmid of planRound(free, this.known, startedMs)) {
      if (this.clock.monotonicMs() - startedMs > roundMs) return;
      const identity = sight.guests.get(vmid)?.config?.identity ?? [];
      const lookedMs = await this.look(vmid, sight.node, sight.lookedMs);
      if (lookedMs === undefined) continue;
      if (!(await this.ask(vmid, identity))) return;
      const uptimeSec = sight.balloonUptime?.(vmid);
      if (uptimeSec !== undefined) await this.askMemory({ vmid, identity, uptimeSec }, sight.node, lookedMs);
    }
  }

  put(table: SampleTable, sight: NodeSight): void {
    const nowMs = this.clock.monotonicMs();
    for (const [vmid, { answeredMs, failures, atMs, filesystems, identity }] of this.known) {
      const guest = sight.guests.get(vmid);
      // Lent also while it has a lock: only asking is forbidden then.
      if (guest?.config?.guestAgent !== true || !isSame(guest, identity) || !sight.isRunning(vmid)) continue;
      const entity = table.entity(guest.key, guest.config.identity);
      if (nowMs - atMs <= 2 * lendAnswerMs + calmEveryMs) table.put(entity, ids.agent_up, source, failures === 0 ? 1 : 0);
      if (nowMs - answeredMs > lendAnswerMs) continue;
      for (const { instance, total, used } of filesystems) {
        table.put(entity, ids.fs_total, source, total, instance);
        table.put(entity, ids.fs_used, source, used, instance);
      }
    }
  }

  /**
   * The last look before the question: vzdump locks a guest before it freezes it. When the guest was seen to be free; undefined: it is not, or can't be
   * looked at. `lookedMs`: when somebody has looked last.
   */
  private async look(vmid: Vmid, node: NodeName, lookedMs: number): Promise<number | undefined> {
    const nowMs = this.clock.monotonicMs();
    if (nowMs - lookedMs <= justNowMs) return lookedMs;
    const config = await this.read(`/etc/pve/nodes/${node}/qemu-server/${vmid}.conf`, 1 << 20);
    if (!config.ok) return undefined;
    const { lock, guestAgent } = parseGuestConfig(config.text, "qemu");
    return lock === undefined && guestAgent === true ? nowMs : undefined;
  }

  /** Undefined: nobody can say. */
  private async readBackups(): Promise<RunningBackups | undefined> {
    const mark = await stat(join(this.root, activeTasks)).then(
      ({ ino, size, mtimeMs }) => `${ino} ${size} ${mtimeMs}`,
      errorCode,
    );
    if (this.backups?.mark === mark) return this.backups.running;
    const active = await this.read(activeTasks, 4 << 20);
    if (!active.ok && active.code !== "ENOENT") {
      this.problem = `${fileProblem(activeTasks, active.code)}, so no guest is asked`;
      return undefined;
    }
    const running = runningBackups(active.ok ? active.text : "");
    this.backups = { mark, running };
    return running;
  }

  /** False: the API itself does not answer, so nothing is known about this guest and no other is asked now. */
  private async ask(vmid: Vmid, identity: readonly string[]): Promise<boolean> {
    const before = this.known.get(vmid);
    const result = await this.api.get(`/nodes/localhost/qemu/${vmid}/agent/get-fsinfo`);
    const atMs = this.clock.monotonicMs();
    if (!result.ok && result.error.status === 0 && !result.error.reason.startsWith("no answer within")) {
      this.problem = apiProblem(result.error);
      return false;
    }
    this.problem = undefined;
    const told = result.ok ? parseFsinfo(result.data) : undefined;
    const filesystems = told?.map(({ mount, ...space }) => ({ instance: instanceName(mount), ...space }));
    if (filesystems !== undefined) {
      const calm = isCalm(before?.filesystems ?? [], filesystems);
      this.known.set(vmid, { identity, atMs, failures: 0, calm, answeredMs: atMs, filesystems });
    } else {
      const kept = { answeredMs: before?.answeredMs ?? Number.NEGATIVE_INFINITY, filesystems: before?.filesystems ?? [] };
      this.known.set(vmid, { identity, atMs, failures: (before?.failures ?? 0) + 1, ...kept });
    }
    const [was, is] = [before === undefined ? undefined : before.failures === 0, filesystems !== undefined];
    if (was !== is) this.version++;
    return true;
  }

  /** Only of a guest that has just answered. */
  private async askMemory(run: GuestRun, node: NodeName, lookedMs: number): Promise<void> {
    const { vmid } = run;
    if (this.known.get(vmid)?.failures !== 0 || !this.memory.isDue(run, this.clock.monotonicMs())) return;
    if ((await this.look(vmid, node, lookedMs)) === undefined) return;
    const result = await this.api.get(`/nodes/localhost/qemu/${vmid}/agent/file-read`, meminfoParams);
    this.memory.note(run, parseMemoryAnswer(result), this.clock.monotonicMs());
  }
}

const touches = (backups: RunningBackups | undefined, vmid: Vmid) =>
  backups === undefined || backups.all || backups.vmids.has(String(vmid));

function mayAnswer(guest: LocalGuest, sight: NodeSight): boolean {
  const { type, config, vmid } = guest;
  return type === "qemu" && config?.guestAgent === true && config.lock === undefined && !config.template && sight.isRunning(vmid);
}

function isSame(guest: LocalGuest | undefined, identity: readonly string[]): boolean {
  const now = guest?.config?.identity;
  return now === identity || now?.join(" ") === identity.join(" ");
}
