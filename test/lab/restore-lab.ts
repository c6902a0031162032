import { readdirSync } from "node:fs";
import { join } from "node:path";
import { Archives, type PlantedBackup } from "./archives.ts";
import type { Backup } from "./backups.ts";
import type { Schedule } from "./clock.ts";
import { digestOf, guestConfigText } from "./config-files.ts";
import { Copies, type Copy } from "./copies.ts";
import { CopyChange } from "./copy-change.ts";
import { CopyPower } from "./copy-power.ts";
import { GuestRuntime } from "./guest-runtime.ts";
import type { Operations } from "./operations.ts";
import { QmpSockets } from "./qmp-sockets.ts";
import { isRealBridge, isRealIsolated } from "./real-bridges.ts";
import { orphan, type RestoreParts, type RestorePlans } from "./restore-job.ts";
import { RestoreSafety } from "./restore-safety.ts";
import { Traces } from "./restore-traces.ts";
import { isSuccess, type Task, type Tasks } from "./tasks.ts";
import type { Tree } from "./tree.ts";
import type { Guest, World } from "./world.ts";

export type RestoreLabParts = {
  world: World;
  tree: Tree;
  schedule: Schedule;
  tasks: Tasks;
  operations: Operations;
  backups: Backup[];
  wait(ms: number): Promise<void>;
};

/** What tar or vma and their helpers are called in `/proc/<pid>/cmdline`. */
function orphansOf({ guest, archive }: Copy): string[] {
  const { type, vmid } = guest.life.spec;
  if (type === "qemu") return ["zstd -q -d -c -", "vma extract -v -r /var/tmp/vzdumptmp.fifo - /var/tmp/vzdumptmp"];
  const packer = archive?.format === "tar.gz" ? "gzip -d" : "zstd -d";
  return [`tar xpf - --zstd --totals -C /var/lib/lxc/${vmid}/rootfs`, packer];
}

const isProduction = (bridge: string) => /^vmbr\d+$/.test(bridge);

/** Everything about restores in the lab: what is in the backups, the guests made of them, how these behave, and whether anybody did harm. */
export class RestoreLab implements RestoreParts {
  readonly world: World;
  readonly tree: Tree;
  readonly schedule: Schedule;
  readonly tasks: Tasks;
  readonly copies: Copies;
  readonly archives: Archives;
  readonly traces: Traces;
  readonly plans: RestorePlans = { hanging: new Set(), fullAt: undefined, beforeCreate: new Map() };
  readonly safety: RestoreSafety;
  readonly runtime: GuestRuntime;
  readonly power: CopyPower;
  readonly change: CopyChange;
  readonly qmp: QmpSockets;
  readonly wait: (ms: number) => Promise<void>;

  constructor(parts: RestoreLabParts) {
    const { world, tree, schedule, tasks, operations, backups } = parts;
    this.world = world;
    this.tree = tree;
    this.schedule = schedule;
    this.tasks = tasks;
    this.wait = parts.wait;
    this.copies = new Copies(world, tree, schedule);
    this.archives = new Archives(world, backups);
    this.traces = new Traces(tree);
    this.safety = new RestoreSafety(this.copies, isProduction, isRealIsolated);
    this.runtime = new GuestRuntime(world, schedule, this.copies);
    const { copies, traces, safety, runtime } = this;
    const hasBridge = (name: string) => name === "vmbr0" || safety.isolated.has(name) || isRealBridge(name);
    const power = { world, schedule, tasks, operations, copies, traces, safety, runtime, hasBridge };
    this.power = new CopyPower(power);
    this.change = new CopyChange({ ...power, wait: parts.wait, power: this.power });
    this.qmp = new QmpSockets(tree, runtime);
    runtime.onPower((guest, running) => (running ? this.qmp.open(guest) : this.qmp.close(guest.life.spec.vmid)));
    tasks.onEnd((task) => this.restoreEnded(task));
  }

  /** The worker is gone: so is its flock. What it leaves depends on how it went. */
  private restoreEnded(task: Task): void {
    this.copies.releaseAll(task.upid);
    if (!/^(qmrestore|vzrestore)$/.test(task.type)) return;
    this.traces.end(task.node, task.pid);
    const copy = [...this.copies.all.values()].find(({ upid }) => upid === task.upid);
    if (copy === undefined || copy.guest.life.deletedAt !== undefined) return;
    if (task.status === "unexpected status")
      orphan(this, task, orphansOf(copy), copy.guest.life.spec.type === "qemu" ? 10_000 : 20_000);
    else if (copy.autostart === true && isSuccess(task.status ?? "") && copy.guest.lock === undefined) this.power.autostart(copy);
  }

  /** The node is up again: mounts and processes are gone, and whoever has `onboot` starts, judged or not. */
  rebooted(node: string): void {
    this.traces.reboot(node);
    for (const copy of this.copies.all.values()) {
      const { guest } = copy;
      if (guest.home !== node || guest.life.deletedAt !== undefined) continue;
      this.copies.look(guest);
      this.runtime.stopped(guest);
      this.world.record(guest, { at: this.schedule.now(), what: "stop" });
      if (guest.life.spec.onboot && guest.lock === undefined) this.power.autostart(copy);
    }
  }

  stop(): void {
    this.qmp.closeAll();
  }

  /** A bridge without ports that a sandbox has made: the only place where a link may be up. */
  addIsolatedBridge(name: string): void {
    this.safety.isolated.add(name);
  }

  removeIsolatedBridge(name: string): void {
    this.safety.isolated.delete(name);
  }

  /**
   * Everything that a restore test must leave as it found it: guests, their configurations, volumes, mounts, temporary files' processes, firewall
   * files and pool members, as one digest. Equal before and after: nothing is left.
   */
  inventoryDigest(): string {
    return digestOf(JSON.stringify(this.inventory()));
  }

  /** Numbers of the restored guests that are there now. */
  guestsLeft(): number[] {
    return this.world
      .guestsNow()
      .filter((guest) => this.copies.all.has(guest))
      .map(({ life }) => life.spec.vmid);
  }

  /** As it lies in /etc/pve: whoever writes there past PVE is seen too. */
  private textOf(guest: Guest): string {
    return this.tree.readGuest(guest.life.spec.vmid) ?? guestConfigText(this.world, guest);
  }

  inventory() {
    const nodes = [...this.world.nodes.keys()];
    return {
      guests: this.world
        .guestsNow()
        .map((guest) => `${guest.life.spec.vmid} ${guest.home} ${guest.life.incarnation} ${digestOf(this.textOf(guest))}`)
        .sort(),
      volumes: this.world.volumes
        .list()
        .map(({ node, volid }) => `${node ?? ""} ${volid}`)
        .sort(),
      mounts: nodes.flatMap((node) => this.traces.mounted(node).map(({ vmid }) => `${node} ${vmid}`)),
      processes: nodes.flatMap((node) => this.traces.running(node).map(({ command }) => `${node} ${command}`)),
      firewall: readdirSync(join(this.tree.pmxcfs, "firewall")).sort(),
      pools: [...this.copies.pools],
    };
  }

  /** Lays down a backup with any configuration; returns its volume id. */
  plantBackup(backup: PlantedBackup): string {
    return this.archives.plant(backup);
  }
}
