import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Archive } from "./archives.ts";
import type { Schedule } from "./clock.ts";
import { isVolumeKey, netIn, parseGuestFile, propertiesOf, sizeIn, volumeIn } from "./guest-file.ts";
import { GuestLoad } from "./guest-reading.ts";
import type { GuestSpec } from "./spec.ts";
import type { Tree } from "./tree.ts";
import type { Volume } from "./volumes.ts";
import type { Guest, World } from "./world.ts";

/** A guest that a restore made, or that somebody half made. */
export type Copy = {
  readonly guest: Guest;
  /** Who made it; `nobody`: not through this lab's API. */
  readonly owner: string;
  /** Task that made it. */
  upid: string | undefined;
  archive: Archive | undefined;
  /** The call wanted it started when it is whole. */
  autostart?: boolean;
  /** Another than its owner has laid hands on it since. */
  touchedBy?: string;
};

const lockPath = (guest: Guest) =>
  guest.life.spec.type === "qemu"
    ? `/var/lock/qemu-server/lock-${guest.life.spec.vmid}.conf`
    : `/run/lock/lxc/pve-config-${guest.life.spec.vmid}.lock`;

/** PVE's words when the flock of a guest's configuration doesn't come within ten seconds. */
export const lockTimeout = (guest: Guest) => `can't lock file '${lockPath(guest)}' - got timeout`;
export const lockPatienceMs = 10_000;

/** `512`, `current=256`: MiB. */
const mebibytes = (text: string | undefined) => Number(/\d+/.exec(text ?? "512")?.[0] ?? 512);

/** What PVE's lists and statuses show of a guest with this configuration; the defaults are the recorded ones of an empty file. */
function specOf(type: "qemu" | "lxc", vmid: number, text: string, nodeCpus: number): Partial<GuestSpec> {
  const { values } = parseGuestFile(text);
  const agent = new Map(propertiesOf(values.get("agent") ?? ""));
  const withAgent =
    ["1", undefined].includes(agent.get("enabled")) && !["0", ""].includes(agent.get("") ?? "1") && values.has("agent");
  const balloon = values.get("balloon");
  return {
    name: values.get("hostname") ?? values.get("name") ?? (type === "lxc" ? `CT${vmid}` : `VM ${vmid}`),
    cores: Number(values.get("cores") ?? (type === "lxc" ? nodeCpus : 1)) * Number(values.get("sockets") ?? 1),
    memBytes: mebibytes(values.get("memory")) * 2 ** 20,
    swapBytes: type === "lxc" ? Number(values.get("swap") ?? 0) * 2 ** 20 : 0,
    ...(balloon === undefined || balloon === "0" ? {} : { balloonBytes: Number(balloon) * 2 ** 20 }),
    drives: [...values]
      .filter(([key, value]) => isVolumeKey(type, key) && !value.includes("media=cdrom") && sizeIn(value) !== undefined)
      .sort(([a], [b]) => Number(b === "rootfs") - Number(a === "rootfs"))
      .map(([id, value]) => ({ id, storage: volumeIn(value).split(":")[0] ?? "", sizeBytes: sizeIn(value) ?? 0 })),
    cdrom: [...values.values()].some((value) => value.includes("media=cdrom")),
    nics: [...values.keys()].filter((key) => /^net\d+$/.test(key)),
    tags: (values.get("tags") ?? "").split(/[;, ]+/).filter((tag) => tag !== ""),
    onboot: values.get("onboot") === "1",
    template: values.get("template") === "1",
    agent: type === "qemu" && withAgent ? "answers" : "none",
  };
}

/** Restored guests: their files, their volumes, their pools, and the flock that protects each. */
export class Copies {
  readonly all = new Map<Guest, Copy>();
  /** Task that holds the flock of a number. */
  private readonly holders = new Map<number, string>();
  /** Members that pools have beside those of the specification. */
  readonly pools = new Map<string, number[]>([["prod", []]]);

  constructor(
    readonly world: World,
    readonly tree: Tree,
    readonly schedule: Schedule,
  ) {
    world.lookAtFile = (guest) => this.look(guest);
  }

  find(vmid: number): Copy | undefined {
    const guest = this.world.guest(vmid);
    return guest === undefined ? undefined : this.all.get(guest);
  }

  create(what: { vmid: number; type: "qemu" | "lxc"; node: string; owner: string; text: string }): Copy {
    const { vmid, type, node, owner, text } = what;
    const spec: GuestSpec = {
      vmid,
      type,
      node,
      name: "",
      cores: 1,
      memBytes: 0,
      swapBytes: 0,
      drives: [],
      cdrom: false,
      nics: [],
      tags: [],
      onboot: false,
      template: false,
      habit: "stopped",
      agent: "none",
    };
    const incarnation = (this.world.newest(vmid)?.life.incarnation ?? 0) + 1;
    const guest = this.world.addLife(spec, incarnation, this.schedule.now());
    guest.file = { text: "" };
    const copy: Copy = { guest, owner, upid: undefined, archive: undefined };
    this.all.set(guest, copy);
    this.write(guest, text);
    return copy;
  }

  /** Replaces the file, as PVE does: `.vmlist` shows another version. */
  write(guest: Guest, text: string): void {
    guest.file = { text };
    this.derive(guest);
    this.world.touchGuest(guest);
    this.tree.writeGuest(guest, this.schedule.now(), text);
    this.tree.writeCluster(this.schedule.now());
  }

  /** Somebody may have written to the file itself. */
  look(guest: Guest): void {
    if (guest.file === undefined || guest.life.deletedAt !== undefined) return;
    const text = this.tree.readGuest(guest.life.spec.vmid);
    if (text === undefined || text === guest.file.text) return;
    guest.file = { text };
    this.derive(guest);
    this.world.touchGuest(guest);
  }

  private derive(guest: Guest): void {
    const { spec } = guest.life;
    const text = guest.file?.text ?? "";
    delete spec.balloonBytes;
    Object.assign(spec, specOf(spec.type, spec.vmid, text, this.world.node(guest.home).spec.cpus));
    const lock = parseGuestFile(text).values.get("lock");
    if (lock === undefined) delete guest.lock;
    else guest.lock = lock;
    guest.load = new GuestLoad(this.world.spec.seed, guest.life);
    this.world.forgetReadings();
  }

  /** The guest with its file, its firewall's and its pool membership. Volumes are another matter. */
  remove(guest: Guest): void {
    const { vmid } = guest.life.spec;
    this.world.deleteLife(guest, this.schedule.now());
    this.tree.writeGuest(guest, this.schedule.now());
    this.tree.writeCluster(this.schedule.now());
    rmSync(this.firewallPath(vmid), { force: true });
    for (const [pool, members] of this.pools) {
      if (!members.includes(vmid)) continue;
      this.pools.set(
        pool,
        members.filter((one) => one !== vmid),
      );
      this.tree.writeUsers(this.pools);
    }
  }

  joinPool(guest: Guest, pool: string): void {
    guest.life.spec.pool = pool;
    this.pools.set(pool, [...(this.pools.get(pool) ?? []), guest.life.spec.vmid]);
    this.tree.writeUsers(this.pools);
  }

  addPool(pool: string): void {
    if (!this.pools.has(pool)) this.pools.set(pool, []);
    this.tree.writeUsers(this.pools);
  }

  firewallPath(vmid: number): string {
    return join(this.tree.pmxcfs, "firewall", `${vmid}.fw`);
  }

  writeFirewall(vmid: number, text: string): void {
    writeFileSync(this.firewallPath(vmid), text);
  }

  /** Empty: there is none. */
  readFirewall(vmid: number): string {
    const path = this.firewallPath(vmid);
    return existsSync(path) ? readFileSync(path, "utf8") : "";
  }

  /** Volumes that the configuration names. */
  referenced(guest: Guest): Volume[] {
    const { spec } = guest.life;
    const node = guest.home === "" ? spec.node : guest.home;
    const { values } = parseGuestFile(guest.file?.text ?? "");
    return [...values]
      .filter(([key]) => isVolumeKey(spec.type, key) || /^unused\d+$/.test(key))
      .map(([, value]) => this.world.volumes.find(volumeIn(value), node))
      .filter((volume) => volume !== undefined && volume.vmid === spec.vmid) as Volume[];
  }

  nets(
    guest: Guest,
  ): { key: string; bridge: string | undefined; mac: string | undefined; up: boolean; name: string | undefined }[] {
    const { values } = parseGuestFile(guest.file?.text ?? "");
    return [...values].filter(([key]) => /^net\d+$/.test(key)).map(([key, value]) => ({ key, ...netIn(value) }));
  }

  /** True while a task holds the configuration's flock. */
  isHeld(vmid: number): boolean {
    return this.holders.has(vmid);
  }

  hold(vmid: number, upid: string): void {
    this.holders.set(vmid, upid);
  }

  /** The kernel frees what a dead process held. */
  releaseAll(upid: string): void {
    for (const [vmid, holder] of this.holders) if (holder === upid) this.holders.delete(vmid);
  }
}
