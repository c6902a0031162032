import type { Copies } from "./copies.ts";
import { isVolumeKey, parseGuestFile } from "./guest-file.ts";
import type { Guest } from "./world.ts";

/** Keys of a configuration through which a started copy reaches the host or production. */
const reaching =
  /^(args|hookscript|hostpci\d+|usb\d+|parallel\d+|rng0|virtiofs\d+|ivshmem|cicustom|vmstatestorage|affinity|startup|dev\d+)$/;

/** Raw lines that only say how a container's own first process runs. */
const ownProcess = /^lxc\.(environment\.runtime|idmap|init\.(cmd|cwd|gid|groups|uid)|signal\.(halt|reboot|stop))$/;

/**
 * What nobody that restores for a test may ever do, held against every call. One sentence each: whoever caused it has a bug that would have hurt
 * a production guest.
 */
export class RestoreSafety {
  readonly violations: string[] = [];
  /** Bridges that a test's sandbox has made. */
  readonly isolated = new Set<string>();

  constructor(
    private readonly copies: Copies,
    private readonly isProduction: (bridge: string) => boolean,
    private readonly isRealIsolated: (bridge: string) => boolean,
  ) {}

  private say(problem: string): void {
    this.violations.push(problem);
  }

  /** A call that starts, changes or deletes a guest. */
  touches(user: string, guest: Guest, what: string): void {
    const { vmid, name } = guest.life.spec;
    const copy = this.copies.all.get(guest);
    if (copy === undefined) this.say(`${what} ${vmid} (${name}): a production guest`);
    else if (copy.owner !== user) this.say(`${what} ${vmid}: ${copy.owner} made it, not ${user}`);
    else if (copy.touchedBy !== undefined) this.say(`${what} ${vmid}: ${copy.touchedBy} has laid hands on it since`);
  }

  /** A call that ends a task: only that of the caller's own restore. */
  endsTask(user: string, upid: string): void {
    const copy = [...this.copies.all.values()].find((one) => one.upid === upid);
    if (copy === undefined) this.say(`end of the task ${upid}: it is no restore`);
    else if (copy.owner !== user) this.say(`end of the task ${upid}: it is ${copy.owner}'s, not ${user}'s`);
  }

  /** The parameters of a call that restores. */
  creates(type: "qemu" | "lxc", params: Readonly<Record<string, unknown>>): void {
    const vmid = String(params.vmid);
    for (const key of ["force", "start", "live-restore", "ha-managed"]) {
      if (params[key] === 1) this.say(`restore to ${vmid} with ${key}=1`);
    }
    if (type === "lxc" && params.unique === 1)
      this.say(`restore of a container to ${vmid} with unique=1: its networks would be production's`);
    if (params.lock !== "create") this.say(`restore to ${vmid} without lock=create: anybody can start the unjudged copy`);
    for (const key of ["onboot", "protection"]) if (params[key] !== 0) this.say(`restore to ${vmid} without ${key}=0`);
  }

  /** The very moment in which a copy starts. */
  starts(guest: Guest): void {
    const { vmid, type } = guest.life.spec;
    const { values, raw } = parseGuestFile(guest.file?.text ?? "");
    const start = `${vmid} was started`;
    for (const { key, bridge, up } of this.copies.nets(guest)) {
      if (bridge === undefined) this.say(`${start} with ${key} on no bridge: QEMU's own NAT leads out`);
      else if (this.isProduction(bridge)) this.say(`${start} with ${key} on the production bridge ${bridge}`);
      else if (up && !this.isolated.has(bridge) && !this.isRealIsolated(bridge))
        this.say(`${start} with ${key} up on ${bridge}, which is not isolated`);
    }
    for (const [key, value] of values) {
      if (reaching.test(key) || (/^serial\d+$/.test(key) && value !== "socket")) this.say(`${start} with ${key}: ${value}`);
      if (isVolumeKey(type, key) && value.startsWith("/")) this.say(`${start} with ${key}: a path of the host`);
    }
    for (const [key] of raw) if (!ownProcess.test(key)) this.say(`${start} with ${key}`);
    if (values.size === 0 || (type === "qemu" && values.size === 1 && values.get("memory") === "128"))
      this.say(`${start} half made`);
  }
}
