import { ApiError, type Call } from "./api.ts";
import { digestOf } from "./config-files.ts";
import { lockPatienceMs, lockTimeout } from "./copies.ts";
import { type CopyPower, mustExist, type PowerParts, waitForLock } from "./copy-power.ts";
import { isNet, isVolumeKey, parseGuestFile, printGuestFile, volumeIn } from "./guest-file.ts";
import { refuseLocked } from "./operations.ts";
import type { Params } from "./params.ts";
import { macOf } from "./random.ts";
import { localGuest } from "./read-handlers.ts";
import { isCloudInit, storedNet } from "./restore-merge.ts";
import { type Task, TaskError, type TaskHandle, type Worker } from "./tasks.ts";
import { pathOf } from "./volumes.ts";
import type { Guest } from "./world.ts";

const controls = new Set(["node", "vmid", "delete", "digest", "force", "revert", "skiplock"]);
const rootOnly = /^(args|hookscript|lock|parallel\d+|hostpci\d+|serial\d+|usb\d+|virtiofs\d+)$/;
const word = (type: "qemu" | "lxc") => (type === "qemu" ? "VM" : "CT");

/** `PUT …/config` and `DELETE …` of restored guests (PVE/API2/Qemu.pm update_vm_api, destroy_vm; PVE/API2/LXC.pm, PVE/API2/LXC/Config.pm). */
export class CopyChange {
  private macs = 0;

  constructor(private readonly parts: PowerParts & { wait(ms: number): Promise<void>; power: CopyPower }) {}

  async change(call: Call, type: "qemu" | "lxc"): Promise<null> {
    const { params, user } = call;
    const deletes = String(params.delete ?? "")
      .split(/[,; ]+/)
      .filter((key) => key !== "");
    if (type === "qemu") refuseNotRoot(user, params, deletes);
    const guest = await this.locked(call, type);
    this.parts.copies.look(guest);
    const text = guest.file?.text ?? "";
    if (params.digest !== undefined && params.digest !== digestOf(text)) {
      throw new ApiError(500, "detected modified configuration - file changed by other user? Try again.");
    }
    if (params.skiplock !== 1 && guest.lock !== undefined) throw new ApiError(500, `${word(type)} is locked (${guest.lock})`);
    const file = parseGuestFile(text);
    for (const key of deletes) this.take(guest, file.values, key);
    if (deletes.includes("description")) file.description = undefined;
    for (const [key, value] of Object.entries(params)) {
      if (controls.has(key)) continue;
      if (key === "description") file.description = String(value);
      else file.values.set(key, isNet(key) ? storedNet(type, String(value), () => this.newMac()) : String(value));
    }
    this.parts.copies.write(guest, printGuestFile(file));
    return null;
  }

  /** The guest, once its flock is free: PVE waits ten seconds. */
  private async locked(call: Call, type: "qemu" | "lxc"): Promise<Guest> {
    const { copies, wait } = this.parts;
    const find = () => localGuest({ world: this.parts.world, now: () => this.parts.schedule.now() }, call, type);
    let guest = find();
    for (let waited = 0; copies.isHeld(guest.life.spec.vmid); waited += 100) {
      if (waited >= lockPatienceMs) throw new ApiError(500, lockTimeout(guest));
      await wait(100);
      guest = find();
    }
    return guest;
  }

  /** Deleting what is not there is no error. A cloud-init drive's volume goes with it; another disk stays as unused. */
  private take(guest: Guest, values: Map<string, string>, key: string): void {
    const { type } = guest.life.spec;
    const value = values.get(key);
    if (key === "lxc") throw new ApiError(500, "unknown option 'lxc'");
    if (value === undefined) return;
    const isVolume = isVolumeKey(type, key) || /^unused\d+$/.test(key);
    if (isVolume && values.get("protection") === "1")
      throw new ApiError(500, `can't remove drive '${key}' - protection mode enabled`);
    values.delete(key);
    const volume = isVolume ? this.parts.world.volumes.find(volumeIn(value), guest.home) : undefined;
    if (volume === undefined) return;
    if (isCloudInit(value) || key.startsWith("unused")) this.parts.world.volumes.remove(volume);
    else {
      let number = 0;
      while (values.has(`unused${number}`)) number++;
      values.set(`unused${number}`, volume.volid);
    }
  }

  private newMac(): string {
    this.macs++;
    return macOf(`${this.parts.world.spec.seed} change ${this.macs}`);
  }

  destroy(call: Call, type: "qemu" | "lxc"): string {
    const { world, schedule, operations, copies } = this.parts;
    const guest = localGuest({ world, now: () => schedule.now() }, call, type);
    const { vmid } = guest.life.spec;
    const { params, user } = call;
    copies.look(guest);
    if (params.skiplock === 1 && user !== "root@pam") throw onlyRoot("skiplock");
    // Words of the container's refusal recorded, of the VM's not.
    if (parseGuestFile(guest.file?.text ?? "").values.get("protection") === "1") {
      throw new ApiError(500, `can't remove ${word(type)} ${vmid} - protection mode enabled`);
    }
    if (type === "lxc" && guest.lock !== undefined) throw new ApiError(500, `CT is locked (${guest.lock})`);
    const running = operations.running(guest);
    if (type === "qemu" && running) throw new ApiError(500, `VM ${vmid} is running - destroy failed`);
    if (type === "lxc" && running && params.force !== 1) {
      throw new ApiError(500, `unable to destroy CT ${vmid} - container is running`);
    }
    return this.destroyTask(guest, params, user).upid;
  }

  private destroyTask(guest: Guest, params: Params, user: string): Task {
    const { type, vmid } = guest.life.spec;
    const task = { node: guest.home, type: type === "qemu" ? "qmdestroy" : "vzdestroy", id: String(vmid), user };
    return this.parts.tasks.start(task, (handle) => this.destroyWork(guest, params, handle));
  }

  private *destroyWork(guest: Guest, params: Params, task: TaskHandle): ReturnType<Worker> {
    const { copies, operations, power, world } = this.parts;
    const { type, vmid } = guest.life.spec;
    const { node } = task;
    yield* waitForLock(copies, guest, task);
    mustExist(guest);
    copies.look(guest);
    if (params.skiplock !== 1) refuseLocked(guest);
    if (operations.running(guest)) {
      if (type === "qemu") throw new TaskError(`VM ${vmid} is running - destroy failed`);
      task.log(`forced to stop CT ${vmid} before destroying!`);
      yield 800;
      power.stopNow(guest);
    }
    copies.hold(vmid, task.upid);
    yield type === "qemu" ? 130 : 450;
    const volumes = params["destroy-unreferenced-disks"] === 1 ? world.volumes.of(vmid, node) : copies.referenced(guest);
    for (const volume of volumes) {
      const path = pathOf(volume);
      if (this.parts.traces.mounted(node).some(({ device }) => device === path)) this.parts.traces.loseDevice(node, vmid);
      world.volumes.remove(volume);
    }
    if (params.purge === 1) task.log(`purging ${word(type)} ${vmid} from related configurations..`);
    copies.remove(guest);
    copies.releaseAll(task.upid);
    return undefined;
  }
}

const onlyRoot = (key: string) =>
  new ApiError(400, "Parameter verification failed.", { [key]: "Only root may use this option." });

function refuseNotRoot(user: string, params: Params, deletes: readonly string[]): void {
  if (user === "root@pam") return;
  if (params.skiplock === 1) throw onlyRoot("skiplock");
  const key = [...deletes, ...Object.keys(params)].find((one) => rootOnly.test(one));
  if (key !== undefined) throw new ApiError(500, `only root can set '${key}' config`);
}
