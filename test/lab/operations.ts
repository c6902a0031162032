import { logStamp } from "./backups.ts";
import type { Schedule } from "./clock.ts";
import { withLock } from "./guest-file.ts";
import { type Task, TaskError, type TaskHandle, type Tasks, type Worker } from "./tasks.ts";
import type { Tree } from "./tree.ts";
import type { Guest, World } from "./world.ts";

export type PowerOptions = { timeoutSec?: number; forceStop?: boolean };

const word = (guest: Guest) => (guest.life.spec.type === "qemu" ? "VM" : "CT");
const prefix = (guest: Guest) => (guest.life.spec.type === "qemu" ? "qm" : "vz");

/** As `check_lock` of PVE::AbstractConfig. */
export function refuseLocked(guest: Guest): void {
  if (guest.lock !== undefined) throw new TaskError(`${word(guest)} is locked (${guest.lock})`);
}

/** Everything that changes a guest: as tasks where PVE forks a worker. Texts as recorded. */
export class Operations {
  constructor(
    private readonly world: World,
    private readonly schedule: Schedule,
    private readonly tree: Tree,
    private readonly tasks: Tasks,
  ) {}

  private now(): number {
    return this.schedule.now();
  }

  running(guest: Guest): boolean {
    return this.world.reading(guest, this.now()) !== undefined;
  }

  setLock(guest: Guest, lock: string | undefined): void {
    if (lock === undefined) delete guest.lock;
    else guest.lock = lock;
    if (guest.file !== undefined) guest.file.text = withLock(guest.file.text, lock);
    this.world.touchGuest(guest);
    this.tree.writeGuest(guest, this.now(), guest.file?.text);
  }

  /** Does it at once, without a task: what QEMU or the guest itself did. */
  apply(guest: Guest, what: "start" | "stop" | "pause" | "resume"): void {
    this.world.record(guest, { at: this.now(), what });
    this.tree.writeGuest(guest, this.now());
  }

  moveTo(guest: Guest, node: string): void {
    this.world.record(guest, { at: this.now(), what: "move", node });
    this.tree.writeGuest(guest, this.now());
  }

  delete(guest: Guest): void {
    this.world.deleteLife(guest, this.now());
    this.tree.writeGuest(guest, this.now());
  }

  /** Another guest under the same vmid: new uuid, new MACs, its counters from zero. */
  recreate(vmid: number): Guest {
    const old = this.world.newest(vmid);
    if (old === undefined) throw new Error(`no guest ${vmid} to recreate`);
    if (old.life.deletedAt === undefined) this.delete(old);
    const { lock: _, ...spec } = old.life.spec;
    const guest = this.world.addLife({ ...spec, habit: "always" }, old.life.incarnation + 1, this.now());
    this.world.touchGuest(guest);
    this.tree.writeGuest(guest, this.now());
    return guest;
  }

  /** `qmstart`, `vzstop` … on the node where the guest lives. */
  power(guest: Guest, what: "start" | "stop" | "shutdown", user: string, options: PowerOptions = {}): Task {
    const task = { node: guest.home, type: `${prefix(guest)}${what}`, id: String(guest.life.spec.vmid), user };
    const work: Record<typeof what, () => ReturnType<Worker>> = {
      start: () => this.startWork(guest),
      stop: () => this.stopWork(guest),
      shutdown: () => this.shutdownWork(guest, options),
    };
    return this.tasks.start(task, work[what]);
  }

  private *startWork(guest: Guest): ReturnType<Worker> {
    refuseLocked(guest);
    if (this.running(guest)) throw new TaskError(`${word(guest)} ${guest.life.spec.vmid} already running`);
    yield 1600;
    this.apply(guest, "start");
    return undefined;
  }

  private *stopWork(guest: Guest): ReturnType<Worker> {
    refuseLocked(guest);
    if (!this.running(guest)) throw new TaskError(`${word(guest)} ${guest.life.spec.vmid} not running`);
    yield 1400;
    this.apply(guest, "stop");
    return undefined;
  }

  /** A VM with a dead guest agent doesn't hear it: three seconds for the agent, then the timeout. */
  private *shutdownWork(guest: Guest, { timeoutSec = 60, forceStop = false }: PowerOptions): ReturnType<Worker> {
    refuseLocked(guest);
    if (!this.running(guest)) throw new TaskError(`${word(guest)} ${guest.life.spec.vmid} not running`);
    const hears = guest.life.spec.type === "lxc" || guest.life.spec.agent === "answers";
    if (hears && timeoutSec >= 9) yield 9000;
    else {
      yield timeoutSec * 1000 + 3000;
      if (!forceStop) throw new TaskError("VM quit/powerdown failed - got timeout");
    }
    this.apply(guest, "stop");
    return undefined;
  }

  /** Live for VMs, with a restart for containers; takes longer the more memory, or `durationMs`. */
  migrate(guest: Guest, target: string, user: string, durationMs?: number): Task {
    const id = String(guest.life.spec.vmid);
    const task = { node: guest.home, type: guest.life.spec.type === "qemu" ? "qmigrate" : "vzmigrate", id, user };
    return this.tasks.start(task, (handle) => this.migrateWork(handle, guest, target, durationMs));
  }

  private *migrateWork(task: TaskHandle, guest: Guest, target: string, durationMs: number | undefined): ReturnType<Worker> {
    const { vmid, memBytes } = guest.life.spec;
    refuseLocked(guest);
    if (guest.home === target) throw new TaskError("target is local node.");
    this.setLock(guest, "migrate");
    const { ip } = this.world.node(target).spec;
    task.log(`${logStamp(task.now())} starting migration of ${word(guest)} ${vmid} to node '${target}' (${ip})`);
    const startedAt = task.now();
    try {
      yield durationMs ?? 5000 + memBytes / 1e6;
      this.moveTo(guest, target);
    } finally {
      this.setLock(guest, undefined);
    }
    const took = new Date(task.now() - startedAt).toISOString().slice(11, 19);
    task.log(`${logStamp(task.now())} migration finished successfully (duration ${took})`);
    return undefined;
  }
}
