import { ApiError, type Call } from "./api.ts";
import type { Schedule } from "./clock.ts";
import { type Copies, type Copy, lockPatienceMs, lockTimeout } from "./copies.ts";
import { parseGuestFile } from "./guest-file.ts";
import type { GuestRuntime } from "./guest-runtime.ts";
import { type Operations, type PowerOptions, refuseLocked } from "./operations.ts";
import type { RestoreSafety } from "./restore-safety.ts";
import type { Traces } from "./restore-traces.ts";
import { type Task, TaskError, type TaskHandle, type Tasks, type Worker } from "./tasks.ts";
import type { Guest, World } from "./world.ts";

export type PowerParts = {
  world: World;
  schedule: Schedule;
  tasks: Tasks;
  operations: Operations;
  copies: Copies;
  traces: Traces;
  safety: RestoreSafety;
  runtime: GuestRuntime;
  /** Whether a bridge of that name exists on the nodes. */
  hasBridge(name: string): boolean;
};

const word = (guest: Guest) => (guest.life.spec.type === "qemu" ? "VM" : "CT");

/** Waits for the flock of a configuration, as PVE's tasks do. */
export function* waitForLock(copies: Copies, guest: Guest, task: TaskHandle): Generator<number, void, undefined> {
  const { vmid } = guest.life.spec;
  if (!copies.isHeld(vmid)) return;
  task.log("trying to acquire lock...");
  for (let waited = 0; copies.isHeld(vmid); waited += 100) {
    if (waited >= lockPatienceMs) throw new TaskError(lockTimeout(guest));
    yield 100;
  }
  task.log(" OK");
}

/** A task's guest must still be there when the lock came. */
export function mustExist(guest: Guest): void {
  const { type, vmid, node } = guest.life.spec;
  if (guest.life.deletedAt === undefined) return;
  const folder = type === "qemu" ? "qemu-server" : "lxc";
  throw new TaskError(`Configuration file 'nodes/${node}/${folder}/${vmid}.conf' does not exist`);
}

/** Starts and stops of restored guests; what is recorded of the recorded node's flows. */
export class CopyPower {
  private readonly stoppedAt = new WeakMap<Guest, number>();

  constructor(private readonly parts: PowerParts) {}

  /** As the API does it, with what is refused before there is a task. */
  ask(guest: Guest, what: "start" | "stop" | "shutdown", { user, params }: Call, options: PowerOptions): Task {
    const { type, vmid } = guest.life.spec;
    const skiplock = params.skiplock === 1;
    if (skiplock && user !== "root@pam") {
      throw new ApiError(400, "Parameter verification failed.", { skiplock: "Only root may use this option." });
    }
    if (what === "start") return this.start(guest, user, skiplock);
    if (type === "lxc" && !this.parts.operations.running(guest) && !this.parts.copies.isHeld(vmid)) {
      throw new ApiError(500, `CT ${vmid} not running`);
    }
    return what === "stop" ? this.stop(guest, user, skiplock) : this.shutdown(guest, user, options);
  }

  /** Nobody asked for it now: the create call with `start=1`, or the node's boot with `onboot`. */
  autostart({ guest, owner }: Copy): void {
    this.start(guest, owner, false);
  }

  private start(guest: Guest, user: string, skiplock: boolean): Task {
    return this.task(guest, "start", user, (task) => this.startWork(guest, task, skiplock));
  }

  private stop(guest: Guest, user: string, skiplock: boolean): Task {
    return this.task(guest, "stop", user, (task) => this.stopWork(guest, task, skiplock));
  }

  private shutdown(guest: Guest, user: string, options: PowerOptions): Task {
    return this.task(guest, "shutdown", user, (task) => this.shutdownWork(guest, task, options));
  }

  private task(guest: Guest, what: string, user: string, work: Worker): Task {
    const prefix = guest.life.spec.type === "qemu" ? "qm" : "vz";
    const { vmid } = guest.life.spec;
    return this.parts.tasks.start({ node: guest.home, type: `${prefix}${what}`, id: String(vmid), user }, work);
  }

  private *startWork(guest: Guest, task: TaskHandle, skiplock: boolean): ReturnType<Worker> {
    const { operations, copies, safety, schedule, runtime } = this.parts;
    const { type, vmid } = guest.life.spec;
    yield* waitForLock(copies, guest, task);
    mustExist(guest);
    copies.look(guest);
    if (!skiplock) refuseLocked(guest);
    if (operations.running(guest)) throw new TaskError(`${word(guest)} ${vmid} already running`);
    copies.hold(vmid, task.upid);
    try {
      safety.starts(guest);
      yield* this.precheck(guest, task);
      yield type === "qemu" ? 1600 : 2000;
      operations.apply(guest, "start");
      runtime.started(guest);
      const stopped = this.stoppedAt.get(guest);
      // `qm cleanup` of the stop before waits for "the" process to end, now the new one: nobody gets the lock for 30 s.
      if (type === "qemu" && stopped !== undefined && schedule.now() - 1600 - stopped < 1000) this.keepLocked(vmid);
    } finally {
      copies.releaseAll(task.upid);
    }
    return undefined;
  }

  private keepLocked(vmid: number): void {
    const { copies, schedule } = this.parts;
    const holder = `qm cleanup ${vmid}`;
    schedule.at(schedule.now() + 1, () => copies.hold(vmid, holder));
    schedule.at(schedule.now() + 30_000, () => copies.releaseAll(holder));
  }

  private *precheck(guest: Guest, task: TaskHandle): Generator<number, void, undefined> {
    const { copies, hasBridge } = this.parts;
    const { type, vmid } = guest.life.spec;
    const { values } = parseGuestFile(guest.file?.text ?? "");
    if (type === "lxc" && !values.has("arch")) {
      throw new TaskError("missing 'arch' - internal error at /usr/share/perl5/PVE/LXC.pm line 729.");
    }
    yield 100;
    for (const { bridge } of copies.nets(guest)) {
      // That a start fails there is recorded, its words are not.
      if (bridge !== undefined && !hasBridge(bridge)) throw new TaskError(`bridge '${bridge}' does not exist`);
    }
    if (type === "lxc" && copies.referenced(guest).some(({ damage }) => damage === "incomplete")) {
      yield 900;
      task.log("run_buffer: 571 Script exited with status 255");
      task.log(`lxc_init: 845 Failed to run lxc.hook.pre-start for container "${vmid}"`);
      task.log(`__lxc_start: 2039 Failed to initialize container "${vmid}"`);
      throw new TaskError(`startup for container '${vmid}' failed`);
    }
  }

  /** Stopping a VM that doesn't run is no error, locked or not. `skiplock` as in qemu-server PVE/QemuServer.pm vm_stop; not recorded. */
  private *stopWork(guest: Guest, task: TaskHandle, skiplock: boolean): ReturnType<Worker> {
    const { operations, copies } = this.parts;
    yield* waitForLock(copies, guest, task);
    mustExist(guest);
    copies.look(guest);
    if (!operations.running(guest)) return undefined;
    if (!skiplock) refuseLocked(guest);
    yield guest.life.spec.type === "qemu" ? 600 : 1400;
    this.stopped(guest);
    return undefined;
  }

  private *shutdownWork(
    guest: Guest,
    task: TaskHandle,
    { timeoutSec = 60, forceStop = false }: PowerOptions,
  ): ReturnType<Worker> {
    const { operations, copies, runtime, schedule } = this.parts;
    yield* waitForLock(copies, guest, task);
    mustExist(guest);
    copies.look(guest);
    refuseLocked(guest);
    if (!operations.running(guest)) throw new TaskError(`${word(guest)} ${guest.life.spec.vmid} not running`);
    const hears = runtime.isUp(guest, schedule.now());
    if (hears && timeoutSec >= 9) yield 9000;
    else {
      yield timeoutSec * 1000 + 3000;
      if (!forceStop) throw new TaskError("VM quit/powerdown failed - got timeout");
    }
    this.stopped(guest);
    return undefined;
  }

  private stopped(guest: Guest): void {
    this.parts.operations.apply(guest, "stop");
    this.stoppedAt.set(guest, this.parts.schedule.now());
    this.parts.runtime.stopped(guest);
  }

  /** `DELETE … force=1` of a container ends it first. */
  stopNow(guest: Guest): void {
    this.stopped(guest);
  }
}
