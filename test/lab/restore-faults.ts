import * as z from "zod";
import type { NodeApi } from "./api.ts";
import { damages } from "./archives.ts";
import { FaultError } from "./fault-error.ts";
import { parseGuestFile, printGuestFile, withLock } from "./guest-file.ts";
import type { Service } from "./guest-runtime.ts";
import type { Operations } from "./operations.ts";
import type { RestoreLab } from "./restore-lab.ts";
import { TaskError } from "./tasks.ts";
import { damagesOf } from "./vm-restore.ts";
import type { Guest } from "./world.ts";

const vmid = z.int().min(100);
const anyVmid = vmid.optional();
const port = z.int().min(1).max(65_535);
const kind = z.literal("restore");
const type = z.enum(["qemu", "lxc"]);
const of = <F extends string, S extends z.core.$ZodLooseShape>(fault: F, shape: S) =>
  z.strictObject({ kind, fault: z.literal(fault), ...shape });

/** Everything that can go wrong around a restore. `vmid` absent: of any restored guest. */
export const restoreFaultSchema = z.discriminatedUnion("fault", [
  /** The file is broken in this way; null: whole again. Only forms that were seen in an archive of its format are taken. */
  of("archive", { volid: z.string(), damage: z.enum(damages).nullable() }),
  /** The next restore runs out of space when this share of its data is written. */
  of("storage-full", { at: z.number().min(0).max(0.99) }),
  /** The next restore (of this number) stands still half-way. */
  of("hang", { vmid: anyVmid }),
  /** Somebody else has made a guest of that number: now, or in the moment in which a create call for it comes in. */
  of("vmid-taken", { vmid, type: type.optional(), when: z.enum(["now", "create"]).optional() }),
  /** Somebody else's restore has left this behind, with or without a task of this user to be seen. */
  of("half-made", {
    vmid,
    type,
    text: z.enum(["", "lock: create\n", "memory: 128\n"]),
    user: z.string().optional(),
  }),
  /** How restored guests behave from now on. `bootMs` null: they never come up. A service null: nothing listens there. */
  of("guest", {
    vmid: anyVmid,
    bootMs: z.number().positive().nullable().optional(),
    agent: z.enum(["none", "dead", "answers"]).optional(),
    network: z.boolean().optional(),
    screenshot: z.boolean().optional(),
    down: z.array(z.string()).optional(),
    services: z
      .array(
        z.strictObject({
          port,
          service: z
            .strictObject({ kind: z.enum(["http", "https", "tcp"]), status: z.int().optional(), text: z.string().optional() })
            .nullable(),
        }),
      )
      .optional(),
  }),
  /** kill -9 of the restore's worker; answers with its UPID. */
  of("kill-worker", { vmid }),
  /** kill -9 of `vma` alone. */
  of("kill-vma", { vmid }),
  /** `systemctl restart|reload pvedaemon`: a restart takes 3.1 s and ends every worker, a reload harms nobody. */
  of("pvedaemon", { node: z.string(), action: z.enum(["restart", "reload"]) }),
  /**
   * Somebody does something with the test guest. `takeover`: it has another name and neither tag nor description; `edit`: more memory; `rewire`: its
   * first card is on production; `unlock`; `start`, past its lock; `destroy`; `recreate`: destroyed, and another guest under the number.
   */
  of("operator", {
    vmid,
    does: z.enum(["takeover", "edit", "rewire", "unlock", "start", "destroy", "recreate"]),
    user: z.string().optional(),
  }),
  /** It lives on another node now. */
  of("migrated", { vmid, target: z.string() }),
]);
export type RestoreFault = z.infer<typeof restoreFaultSchema>;

type Parts = { restores: RestoreLab; operations: Operations; apis: ReadonlyMap<string, NodeApi> };

const foreignConfig = (type: "qemu" | "lxc", vmid: number) =>
  type === "qemu"
    ? `boot: order=scsi0\ncores: 2\nmemory: 2048\nname: somebody-elses\nnet0: virtio=BC:24:11:77:00:01,bridge=vmbr0\nscsi0: local-zfs:vm-${vmid}-disk-0,size=8G\n`
    : `arch: amd64\nhostname: somebody-elses\nmemory: 512\nnet0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:77:00:02,ip=dhcp,type=veth\nostype: debian\nrootfs: local-lvm:vm-${vmid}-disk-0,size=8G\n`;

/** Does it; the answer is a UPID where a task is meant. */
export function injectRestoreFault(parts: Parts, fault: RestoreFault): string | undefined {
  const { restores } = parts;
  switch (fault.fault) {
    case "archive":
      return damageArchive(restores, fault.volid, fault.damage ?? undefined);
    case "storage-full":
      restores.plans.fullAt = fault.at;
      return undefined;
    case "hang":
      restores.plans.hanging.add(fault.vmid ?? 0);
      return undefined;
    case "vmid-taken":
      return takeNumber(restores, fault.vmid, fault.type ?? "qemu", fault.when ?? "now");
    case "half-made":
      return leaveHalfMade(restores, fault);
    case "guest":
      return behave(restores, fault);
    case "kill-worker":
      return killWorker(restores, fault.vmid);
    case "kill-vma": {
      const upid = runningRestore(restores, fault.vmid);
      restores.tasks.fail(upid, new TaskError("exit code 137"));
      return upid;
    }
    case "pvedaemon":
      return restartDaemon(parts, fault.node, fault.action);
    case "operator":
      return operate(parts, fault);
    case "migrated":
      return migrate(parts, fault.vmid, fault.target);
  }
}

function damageArchive(
  { archives }: RestoreLab,
  volid: string,
  damage: Parameters<RestoreLab["archives"]["damage"]>[1],
): undefined {
  const archive = archives.find(volid);
  if (archive === undefined) throw new FaultError(`no backup ${volid}`);
  if (damage !== undefined && !damagesOf(archive.format).includes(damage)) {
    throw new FaultError(`${damage} was never seen in a ${archive.format}; ${damagesOf(archive.format).join(", ")} were`);
  }
  archives.damage(volid, damage);
}

function takeNumber(restores: RestoreLab, id: number, kindOf: "qemu" | "lxc", when: "now" | "create"): undefined {
  const take = () => {
    if (restores.world.guest(id) !== undefined) return;
    const [node = ""] = restores.world.nodes.keys();
    restores.copies.create({ vmid: id, type: kindOf, node, owner: "somebody else", text: foreignConfig(kindOf, id) });
  };
  if (when === "now") take();
  else restores.plans.beforeCreate.set(id, take);
}

function leaveHalfMade(restores: RestoreLab, fault: Extract<RestoreFault, { fault: "half-made" }>): string | undefined {
  const { vmid: id, type: kindOf, text, user } = fault;
  if (restores.world.guest(id) !== undefined) throw new FaultError(`${id} is taken`);
  const [node = ""] = restores.world.nodes.keys();
  const copy = restores.copies.create({ vmid: id, type: kindOf, node, owner: user ?? "somebody else", text });
  // The same user's guest too is not that of the test's journal: nobody may touch it.
  copy.touchedBy = "somebody else";
  if (user === undefined) return undefined;
  const at = restores.schedule.now();
  const what = { node, type: kindOf === "qemu" ? "qmrestore" : "vzrestore", id: String(id), user };
  return restores.tasks.addPast(what, at - 5000, at, "unexpected status", ["restore vma archive: vma extract -v -r ..."]).upid;
}

function behave({ runtime }: RestoreLab, fault: Extract<RestoreFault, { fault: "guest" }>): undefined {
  const { vmid: id = 0, bootMs, agent, network, screenshot, down, services } = fault;
  const changed = new Map<number, Service>(runtime.of(id).services);
  for (const { port: number, service } of services ?? []) {
    if (service === null) changed.delete(number);
    else {
      const { kind: protocol, status, text } = service;
      changed.set(number, {
        kind: protocol,
        ...(status === undefined ? {} : { status }),
        ...(text === undefined ? {} : { text }),
      });
    }
  }
  runtime.behave(id, {
    ...(bootMs === undefined ? {} : { bootMs: bootMs ?? undefined }),
    ...(agent === undefined ? {} : { agent }),
    ...(network === undefined ? {} : { network }),
    ...(screenshot === undefined ? {} : { screenshot }),
    ...(down === undefined ? {} : { down: new Set(down) }),
    ...(services === undefined ? {} : { services: changed }),
  });
}

function runningRestore({ copies, tasks }: RestoreLab, id: number): string {
  const upid = copies.find(id)?.upid;
  if (upid === undefined || !tasks.isRunning(upid)) throw new FaultError(`no restore of ${id} runs`);
  return upid;
}

function killWorker(restores: RestoreLab, id: number): string {
  const upid = runningRestore(restores, id);
  restores.tasks.kill(upid);
  return upid;
}

function restartDaemon({ restores, apis }: Parts, node: string, action: "restart" | "reload"): undefined {
  const api = apis.get(node);
  if (api === undefined) throw new FaultError(`no node ${node}`);
  if (action === "reload") return;
  for (const { upid } of restores.tasks.on(node)) restores.tasks.interrupt(upid);
  api.refuse(true);
  restores.schedule.at(restores.schedule.now() + 3100, () => api.refuse(false));
}

function guestOf({ copies }: RestoreLab, id: number): Guest {
  const guest = copies.find(id)?.guest;
  if (guest === undefined) throw new FaultError(`${id} is no restored guest`);
  copies.look(guest);
  return guest;
}

function operate({ restores, operations }: Parts, fault: Extract<RestoreFault, { fault: "operator" }>): undefined {
  const { copies } = restores;
  const guest = guestOf(restores, fault.vmid);
  const copy = copies.find(fault.vmid);
  const by = fault.user ?? "alice@pve";
  const file = parseGuestFile(guest.file?.text ?? "");
  const set = (key: string, value: string) => {
    file.values.set(key, value);
    copies.write(guest, printGuestFile(file));
  };
  switch (fault.does) {
    case "takeover":
      file.values.delete("tags");
      file.description = "I need this one";
      if (copy !== undefined) copy.touchedBy = by;
      set(guest.life.spec.type === "qemu" ? "name" : "hostname", "mine-now");
      return;
    case "edit":
      set("memory", "4096");
      return;
    case "rewire":
      set("net0", (file.values.get("net0") ?? "").replace(/bridge=[^,]+/, "bridge=vmbr0"));
      return;
    case "unlock":
      copies.write(guest, withLock(guest.file?.text ?? "", undefined));
      return;
    case "start":
      operations.apply(guest, "start");
      restores.runtime.started(guest);
      return;
    case "destroy":
    case "recreate":
      for (const volume of restores.world.volumes.of(fault.vmid, guest.home)) restores.world.volumes.remove(volume);
      copies.remove(guest);
      if (fault.does === "recreate") takeNumber(restores, fault.vmid, guest.life.spec.type, "now");
      return undefined;
  }
}

function migrate({ restores, operations }: Parts, id: number, target: string): undefined {
  if (!restores.world.nodes.has(target)) throw new FaultError(`no node ${target}`);
  const guest = guestOf(restores, id);
  operations.moveTo(guest, target);
  restores.tree.writeCluster(restores.schedule.now());
}
