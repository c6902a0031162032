import { ApiError, type Call, type Handler } from "./api.ts";
import { type Backup, backupSize, fileStamp, formatOf, logStamp } from "./backups.ts";
import type { Schedule } from "./clock.ts";
import { nightlyExclude, poolMembers, volumeOf } from "./config-files.ts";
import { uuidOf } from "./random.ts";
import { localGuest } from "./read-handlers.ts";
import { InterruptedError, type Task, TaskError, type TaskHandle, type Tasks, type Worker } from "./tasks.ts";
import type { Tree } from "./tree.ts";
import type { Guest, World } from "./world.ts";

export type Operations = ReturnType<typeof createOperations>;
export type OperationContext = { world: World; schedule: Schedule; tree: Tree; tasks: Tasks; backups: Backup[] };

export type VzdumpOptions = {
  storage: string;
  mode: "snapshot" | "suspend" | "stop";
  compress: string;
  vmids?: readonly number[];
  all?: boolean;
  protected?: boolean;
};

const mib = (bytes: number) => Math.round(bytes / 2 ** 20);

/** Everything that changes the cluster: as tasks where PVE forks a worker. Restores will stand here as further workers. */
export function createOperations({ world, schedule, tree, tasks, backups }: OperationContext) {
  /** Guests whose next backup fails, with the reason. */
  const failing = new Map<number, string>();
  /** vzdump runs once per node at a time (global lock, /var/run/vzdump.lock). */
  const dumping = new Map<string, string>();

  const now = () => schedule.now();
  const show = (guest: Guest) => {
    tree.writeGuest(guest, now());
    tree.writeCluster(now());
  };

  function setLock(guest: Guest, lock: string | undefined): void {
    if (lock === undefined) delete guest.lock;
    else guest.lock = lock;
    world.touchGuest(guest);
    show(guest);
  }

  function event(guest: Guest, what: "start" | "stop" | "pause" | "resume"): void {
    world.record(guest, { at: now(), what });
    show(guest);
  }

  function move(guest: Guest, node: string): void {
    world.record(guest, { at: now(), what: "move", node });
    show(guest);
  }

  const running = (guest: Guest) => world.reading(guest, now()) !== undefined;
  const word = (guest: Guest) => (guest.life.spec.type === "qemu" ? "VM" : "CT");

  function refuseLocked(guest: Guest): void {
    if (guest.lock !== undefined) throw new TaskError(`${word(guest)} is locked (${guest.lock})`);
  }

  /** Workers of the power actions; texts as recorded. */
  function* startWork(guest: Guest): ReturnType<Worker> {
    const { vmid, type } = guest.life.spec;
    refuseLocked(guest);
    if (running(guest)) throw new TaskError(type === "qemu" ? `VM ${vmid} already running` : `CT ${vmid} already running`);
    yield 1600;
    event(guest, "start");
    return undefined;
  }

  function* stopWork(guest: Guest): ReturnType<Worker> {
    refuseLocked(guest);
    if (!running(guest)) throw new TaskError(`${word(guest)} ${guest.life.spec.vmid} not running`);
    yield 1400;
    event(guest, "stop");
    return undefined;
  }

  function* shutdownWork(guest: Guest, timeoutMs: number, forceStop: boolean): ReturnType<Worker> {
    refuseLocked(guest);
    if (!running(guest)) throw new TaskError(`${word(guest)} ${guest.life.spec.vmid} not running`);
    const hears = guest.life.spec.type === "lxc" || guest.life.spec.agent === "answers";
    const needsMs = hears ? 9000 : Number.POSITIVE_INFINITY;
    if (needsMs <= timeoutMs) {
      yield needsMs;
    } else {
      yield timeoutMs + 3000;
      if (!forceStop) throw new TaskError("VM quit/powerdown failed - got timeout");
    }
    event(guest, "stop");
    return undefined;
  }

  const prefix = (guest: Guest) => (guest.life.spec.type === "qemu" ? "qm" : "vz");
  const nodeOf = (guest: Guest) => world.state(guest, now())?.node ?? guest.life.spec.node;

  function power(
    guest: Guest,
    what: "start" | "stop" | "shutdown",
    user: string,
    options: { timeoutSec?: number; forceStop?: boolean } = {},
  ): Task {
    const task = { node: nodeOf(guest), type: `${prefix(guest)}${what}`, id: String(guest.life.spec.vmid), user };
    if (what === "start") return tasks.start(task, () => startWork(guest));
    if (what === "stop") return tasks.start(task, () => stopWork(guest));
    return tasks.start(task, () => shutdownWork(guest, (options.timeoutSec ?? 60) * 1000, options.forceStop === true));
  }

  /** Live for VMs, restart migration for containers; takes longer the more memory. */
  function migrate(guest: Guest, target: string, user: string, durationMs?: number): Task {
    const { vmid, memBytes, type } = guest.life.spec;
    const source = nodeOf(guest);
    return tasks.start({ node: source, type: `${prefix(guest)}migrate`, id: String(vmid), user }, function* (task) {
      refuseLocked(guest);
      if (source === target) throw new TaskError("target is local node.");
      setLock(guest, "migrate");
      task.log(
        `${logStamp(now())} starting migration of ${word(guest)} ${vmid} to node '${target}' (${world.node(target).spec.ip})`,
      );
      try {
        yield durationMs ?? 5000 + memBytes / 1e6;
        if (running(guest) || type === "lxc") move(guest, target);
        else world.record(guest, { at: now(), what: "move", node: target });
      } finally {
        setLock(guest, undefined);
      }
      task.log(
        `${logStamp(now())} migration finished successfully (duration 00:00:${String(Math.round((memBytes / 1e9) % 60)).padStart(2, "0")})`,
      );
      return undefined;
    });
  }

  /** One guest's part of a vzdump job; false: failed, which the log says. */
  function* dumpGuest(task: TaskHandle, vmid: number, options: VzdumpOptions): Generator<number, boolean, undefined> {
    const guest = world.guest(vmid);
    if (guest === undefined) {
      task.log(`ERROR: Backup of VM ${vmid} failed - unable to find VM '${vmid}'`);
      task.log(`INFO: Failed at ${logStamp(now())}`);
      return false;
    }
    const { spec } = guest.life;
    const startedAt = now();
    const fail = (reason: string) => {
      task.log(`ERROR: Backup of VM ${vmid} failed - ${reason}`);
      task.log(`INFO: Failed at ${logStamp(now())}`);
      return false;
    };
    task.log(`INFO: Starting Backup of VM ${vmid} (${spec.type})`);
    task.log(`INFO: Backup started at ${logStamp(startedAt)}`);
    task.log(`INFO: status = ${running(guest) ? "running" : "stopped"}`);
    if (guest.lock !== undefined) return fail(`${word(guest)} is locked (${guest.lock})`);
    setLock(guest, "backup");
    try {
      task.log(`INFO: ${spec.type === "qemu" ? "VM" : "CT"} Name: ${spec.name}`);
      for (const drive of spec.drives) {
        task.log(
          spec.type === "qemu"
            ? `INFO: include disk '${drive.id}' '${volumeOf(guest, drive)}' ${drive.sizeBytes / 2 ** 30}G`
            : "INFO: including mount point rootfs ('/') in backup",
        );
      }
      task.log(`INFO: backup mode: ${running(guest) ? options.mode : "stop"}`);
      task.log("INFO: ionice priority: 7");
      const storage = options.storage === "pbs1" ? "pbs1" : "nfs1";
      const backup: Backup = {
        storage,
        vmid,
        type: spec.type,
        at: Math.floor(startedAt / 1000) * 1000,
        sizeBytes: backupSize(world, vmid, storage, startedAt),
        notes: spec.name,
        protected: options.protected === true,
      };
      task.log(archiveLine(backup));
      task.log("INFO: starting backup via QMP command");
      task.log(`INFO: started backup task '${uuidOf(`${vmid} ${startedAt}`)}'`);
      const reason = failing.get(vmid) ?? storageProblem(storage);
      // 250 MiB/s of packed data.
      const durationMs = Math.max(2000, (backupSize(world, vmid, "nfs1", startedAt) / (250 * 2 ** 20)) * 1000);
      yield durationMs / 2;
      if (reason !== undefined) {
        failing.delete(vmid);
        task.log("INFO: aborting backup job");
        return fail(reason);
      }
      task.log("INFO:  50% done");
      yield durationMs / 2;
      if (storage === "nfs1") task.log(`INFO: archive file size: ${mib(backup.sizeBytes)}MB`);
      task.log("INFO: adding notes to backup");
      backups.push(backup);
      const seconds = Math.round((now() - startedAt) / 1000);
      task.log(`INFO: Finished Backup of VM ${vmid} (${new Date(seconds * 1000).toISOString().slice(11, 19)})`);
      task.log(`INFO: Backup finished at ${logStamp(now())}`);
      return true;
    } finally {
      setLock(guest, undefined);
    }
  }

  function storageProblem(storage: string): string | undefined {
    const fault = world.storageFaults.get(storage);
    return fault !== undefined && fault.fault !== "slow" ? `storage '${storage}' is not online` : undefined;
  }

  /** `POST vzdump`; guests of other nodes are left out without a word, as PVE does. */
  function vzdump(node: string, options: VzdumpOptions, user: string): Task {
    const here = new Set(world.guestsOn(node, now()).map(({ guest }) => guest.life.spec.vmid));
    const excluded = new Set(nightlyExclude(world.spec));
    const wanted = options.vmids ?? [...here].filter((vmid) => options.all === true && !excluded.has(vmid));
    // A vmid that exists nowhere is tried, and fails.
    const vmids = wanted.filter((vmid) => here.has(vmid) || world.guest(vmid) === undefined);
    const id = options.vmids?.length === 1 ? String(options.vmids[0]) : "";
    return tasks.start({ node, type: "vzdump", id, user }, function* (task) {
      if (dumping.has(node)) {
        task.log("INFO: trying to get global lock - waiting...");
        while (dumping.has(node)) {
          try {
            yield 1000;
          } catch (error) {
            if (error instanceof InterruptedError)
              task.log("ERROR: can't acquire lock '/var/run/vzdump.lock' - interrupted by signal");
            return "unexpected status";
          }
        }
        task.log("INFO: got global lock");
      }
      dumping.set(node, task.upid);
      try {
        return yield* dumpAll(task, vmids, options);
      } finally {
        dumping.delete(node);
      }
    });
  }

  function* dumpAll(
    task: TaskHandle,
    vmids: readonly number[],
    options: VzdumpOptions,
  ): Generator<number, string | undefined, undefined> {
    const what = options.vmids === undefined ? "--all 1" : options.vmids.join(" ");
    task.log(
      `INFO: starting new backup job: vzdump ${what} --node ${task.node} --mode ${options.mode} --storage ${options.storage} --compress ${options.compress}`,
    );
    let failed = 0;
    let current = 0;
    try {
      for (const vmid of vmids) {
        current = vmid;
        if (!(yield* dumpGuest(task, vmid, options))) failed++;
      }
    } catch (error) {
      if (!(error instanceof InterruptedError)) throw error;
      task.log("ERROR: interrupted by signal");
      task.log("INFO: aborting backup job");
      task.log(`ERROR: Backup of VM ${current} failed - interrupted by signal`);
      task.log(`INFO: Failed at ${logStamp(now())}`);
      task.log("ERROR: Backup job failed - interrupted by signal");
      throw error;
    }
    task.log(failed > 0 ? "INFO: Backup job finished with errors" : "INFO: Backup job finished successfully");
    return failed > 0 ? "job errors" : undefined;
  }

  return { power, migrate, vzdump, setLock, event, move, failing, running, nodeOf, show };
}

function archiveLine(backup: Backup): string {
  if (backup.storage === "pbs1") {
    const kind = backup.type === "qemu" ? "vm" : "ct";
    return `INFO: creating Proxmox Backup Server archive '${kind}/${backup.vmid}/${new Date(backup.at).toISOString().slice(0, 19)}Z'`;
  }
  return `INFO: creating vzdump archive '/mnt/pve/nfs1/dump/vzdump-${backup.type}-${backup.vmid}-${fileStamp(backup.at)}.${formatOf(backup)}'`;
}

const numbers = (list: unknown) =>
  list === undefined
    ? undefined
    : String(list)
        .split(/[,; ]+/)
        .map(Number);

/** `POST vzdump` after its checks (pve-manager, PVE/API2/VZDump.pm). */
function postVzdump(context: OperationContext, operations: Operations, call: Call): string {
  const { params } = call;
  const storage = String(params.storage ?? "local");
  if (!call.permissions.on(call.user, `/storage/${storage}`).includes("Datastore.AllocateSpace")) {
    throw new ApiError(403, `Permission check failed (/storage/${storage}, Datastore.AllocateSpace)`);
  }
  const pool = params.pool === undefined ? undefined : poolMembers(context.world.spec, String(params.pool));
  const vmids = numbers(params.vmid) ?? pool;
  if (vmids === undefined && params.all !== 1)
    throw new ApiError(400, "Parameter verification failed.", { vmid: "property is missing" });
  if (vmids !== undefined && params.all === 1) {
    throw new ApiError(400, "Parameter verification failed.", { all: "option conflicts with option 'vmid'" });
  }
  const options: VzdumpOptions = {
    storage,
    mode: (params.mode ?? "snapshot") as VzdumpOptions["mode"],
    compress: String(params.compress ?? "0"),
    ...(vmids === undefined ? { all: true } : { vmids }),
    protected: params.protected === 1,
  };
  return operations.vzdump(call.node, options, call.user).upid;
}

/** Handlers of the write endpoints; each answers with the UPID of its task. */
export function writeHandlers(context: OperationContext, operations: Operations): Record<string, Handler> {
  const local = (call: Call, type: "qemu" | "lxc") => {
    if (!context.world.quorate(context.schedule.now())) throw new ApiError(500, "cluster not ready - no quorum?");
    return localGuest({ world: context.world, now: () => context.schedule.now() }, call, type);
  };
  const power =
    (type: "qemu" | "lxc", what: "start" | "stop" | "shutdown"): Handler =>
    (call) => {
      const timeout = call.params.timeout;
      return operations.power(local(call, type), what, call.user, {
        ...(timeout === undefined ? {} : { timeoutSec: Number(timeout) }),
        forceStop: call.params.forceStop === 1,
      }).upid;
    };
  return {
    qemuStart: power("qemu", "start"),
    qemuStop: power("qemu", "stop"),
    qemuShutdown: power("qemu", "shutdown"),
    lxcStart: power("lxc", "start"),
    lxcStop: power("lxc", "stop"),
    lxcShutdown: power("lxc", "shutdown"),
    vzdump: (call) => postVzdump(context, operations, call),
  };
}
