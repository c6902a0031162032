import * as z from "zod";
import type { NodeApi } from "./api.ts";
import type { Schedule } from "./clock.ts";
import { FaultError } from "./fault-error.ts";
import type { Operations } from "./operations.ts";
import { canOverride } from "./override.ts";
import { injectRestoreFault, restoreFaultSchema } from "./restore-faults.ts";
import type { RestoreLab } from "./restore-lab.ts";
import type { Tasks } from "./tasks.ts";
import type { Tree } from "./tree.ts";
import type { Vzdump } from "./vzdump.ts";
import type { Guest, World } from "./world.ts";

const vmid = z.int().min(100);
const name = z.string().min(1);

/** Body of `POST /fault`. */
export const faultSchema = z.discriminatedUnion("kind", [
  /** `kill`: as by power loss. `revive`: it boots, its guests start anew. */
  z.strictObject({ kind: z.literal("node"), node: name, action: z.enum(["kill", "revive"]) }),
  z.strictObject({ kind: z.literal("pvestatd"), node: name, running: z.boolean() }),
  z.strictObject({ kind: z.literal("clock"), node: name, offsetMs: z.number() }),
  z.strictObject({ kind: z.literal("quorum"), quorate: z.boolean() }),
  /** Null: it works again. */
  z.strictObject({ kind: z.literal("storage"), storage: name, fault: z.enum(["inactive", "slow", "hang"]).nullable() }),
  z.strictObject({ kind: z.literal("zpool"), node: name, health: z.enum(["ONLINE", "DEGRADED", "FAULTED", "SUSPENDED"]) }),
  /** Without a task: what the guest or its process did by itself. */
  z.strictObject({
    kind: z.literal("guest"),
    vmid,
    action: z.enum(["start", "stop", "restart", "pause", "resume", "delete", "recreate"]),
  }),
  z.strictObject({ kind: z.literal("migrate"), vmid, target: name, durationMs: z.number().positive().optional() }),
  /** Null: unlocked. */
  z.strictObject({ kind: z.literal("lock"), vmid, lock: name.nullable() }),
  /** A gauge: the value. A counter: its growth per second. Null: the model's again. */
  z.strictObject({
    kind: z.literal("metric"),
    entity: name,
    metric: name,
    instance: z.string().optional(),
    value: z.number().nullable(),
  }),
  z.strictObject({ kind: z.literal("backup"), vmid, storage: z.enum(["nfs1", "pbs1"]).optional() }),
  /** The next backup of this guest fails. */
  z.strictObject({ kind: z.literal("fail-backup"), vmid, reason: z.string().optional() }),
  /** kill -9 of a worker. */
  z.strictObject({ kind: z.literal("kill-task"), upid: name }),
  restoreFaultSchema,
]);
export type Fault = z.infer<typeof faultSchema>;

type Parts = {
  world: World;
  schedule: Schedule;
  tree: Tree;
  tasks: Tasks;
  operations: Operations;
  vzdump: Vzdump;
  restores: RestoreLab;
  apis: ReadonlyMap<string, NodeApi>;
};

/** Every way to hurt the lab. What it does is in the files when `inject` returns; the answer is a UPID where a task was started. */
export class Control {
  constructor(private readonly parts: Parts) {}

  inject(fault: Fault): string | undefined {
    const { world, schedule, tree } = this.parts;
    const upid = this.dispatch(fault);
    world.forgetReadings();
    tree.writeCluster(schedule.now());
    return upid;
  }

  private dispatch(fault: Fault): string | undefined {
    const { world, tasks, operations, vzdump } = this.parts;
    switch (fault.kind) {
      case "node":
        return fault.action === "kill" ? this.kill(fault.node) : this.revive(fault.node);
      case "pvestatd":
        return this.stats(fault.node, fault.running);
      case "clock":
        this.node(fault.node).clockOffsetMs = fault.offsetMs;
        return undefined;
      case "quorum":
        return this.quorum(fault.quorate);
      case "storage":
        return this.storage(fault.storage, fault.fault);
      case "zpool":
        world.zpoolHealth.set(this.node(fault.node).spec.name, fault.health);
        return undefined;
      case "guest":
        return this.guest(fault.vmid, fault.action);
      case "migrate":
        this.node(fault.target);
        return operations.migrate(this.existing(fault.vmid), fault.target, "root@pam", fault.durationMs).upid;
      case "lock":
        operations.setLock(this.existing(fault.vmid), fault.lock ?? undefined);
        return undefined;
      case "metric":
        return this.metric(fault);
      case "backup": {
        const options = { storage: fault.storage ?? "nfs1", mode: "snapshot", compress: "zstd", vmids: [fault.vmid] } as const;
        return vzdump.start(this.existing(fault.vmid).home, options, "root@pam").upid;
      }
      case "fail-backup":
        vzdump.failing.set(fault.vmid, fault.reason ?? `VM ${fault.vmid} qmp command 'backup' failed - got timeout`);
        return undefined;
      case "kill-task":
        tasks.kill(fault.upid);
        return undefined;
      case "restore":
        return injectRestoreFault(this.parts, fault);
    }
  }

  private node(name: string) {
    const node = this.parts.world.nodes.get(name);
    if (node === undefined) throw new FaultError(`no node ${name}`);
    return node;
  }

  private existing(id: number): Guest {
    const guest = this.parts.world.guest(id);
    if (guest === undefined) throw new FaultError(`no guest ${id}`);
    return guest;
  }

  private kill(name: string): undefined {
    const { world, schedule, tree, tasks, apis } = this.parts;
    const node = this.node(name);
    if (world.isDown(node, schedule.now())) return;
    tree.detach(name);
    node.timeline.outages.push({ from: schedule.now() });
    tasks.freezeOn(name);
    apis.get(name)?.refuse(true);
    this.membersChanged();
  }

  private revive(name: string): undefined {
    const { world, schedule, tree, tasks, apis } = this.parts;
    const node = this.node(name);
    const outage = node.timeline.outages.at(-1);
    if (outage === undefined || outage.until !== undefined) return;
    outage.until = schedule.now();
    world.forgetReadings();
    tree.attach(name);
    tasks.killAllOn(name);
    this.parts.restores.rebooted(name);
    apis.get(name)?.refuse(false);
    this.membersChanged();
    tree.writeNode(node, schedule.now());
  }

  private membersChanged(): void {
    const { world, schedule, tree } = this.parts;
    world.membersVersion++;
    world.changed("clinfo");
    tree.showQuorum(world.quorate(schedule.now()));
  }

  private stats(name: string, running: boolean): undefined {
    const node = this.node(name);
    if (running) delete node.statsStoppedAt;
    else node.statsStoppedAt = this.parts.schedule.now();
  }

  private quorum(quorate: boolean): undefined {
    const { world, schedule } = this.parts;
    world.quorumLostAt = quorate ? undefined : schedule.now();
    this.membersChanged();
  }

  private storage(id: string, fault: "inactive" | "slow" | "hang" | null): undefined {
    const { world, schedule } = this.parts;
    if (world.storage(id) === undefined) throw new FaultError(`no storage ${id}`);
    if (fault === null) world.storageFaults.delete(id);
    else world.storageFaults.set(id, { fault, from: schedule.now() });
  }

  private guest(id: number, action: Extract<Fault, { kind: "guest" }>["action"]): undefined {
    const { operations } = this.parts;
    if (action === "recreate") {
      if (this.parts.world.newest(id) === undefined) throw new FaultError(`there never was a guest ${id}`);
      operations.recreate(id);
      return;
    }
    const guest = this.existing(id);
    if (action === "delete") operations.delete(guest);
    else operations.apply(guest, action === "restart" ? "start" : action);
  }

  private metric({ entity, metric, instance, value }: Extract<Fault, { kind: "metric" }>): undefined {
    const kind = entity.split("/")[0] ?? "";
    if (!canOverride(kind, metric, instance)) throw new FaultError(`${metric} of ${entity} can't be set`);
    this.parts.world.override(entity, { metric, instance, from: this.parts.schedule.now(), value });
  }
}
