import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import * as config from "./config-files.ts";
import { changingSysFiles, fixedSysFiles, haManagerStatus, sysLinks } from "./hardware.ts";
import { guestDevices, metricsLine } from "./metrics-line.ts";
import * as pmxcfs from "./pmxcfs-files.ts";
import * as proc from "./proc-files.ts";
import type { Secrets } from "./secrets.ts";
import type { Guest, LabNode, World } from "./world.ts";

/** Replaces a file in one step, as pmxcfs, the kernel's files and pvestatd look to a reader. */
export function replaceFile(path: string, text: string): void {
  const temporary = `${path}.tmp.${process.pid}`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

const generated = [".version", ".vmlist", ".clusterlog", ".rrd"] as const;
const sharedEntries = [
  "storage.cfg",
  "jobs.cfg",
  "user.cfg",
  "datacenter.cfg",
  "corosync.conf",
  "replication.cfg",
  "ceph.conf",
  "pve-root-ca.pem",
  "pve-www.key",
  "authkey.pub",
  "vzdump.cron",
  "nodes",
  "priv",
  "ha",
  "proven",
  "firewall",
] as const;

export type TreeOptions = {
  dir: string;
  secrets: Secrets;
  startedAt: number;
  pbsPort: number;
  /** Generations kept in /run/pve/metrics; pvestatd keeps 181. */
  metricsGenerations: number;
};

/**
 * The files of the cluster: `<dir>/pmxcfs` is what pmxcfs replicates, `<dir>/nodes/<node>` the root of one node. A node's etc/pve links to
 * the former entry by entry; `.members` and `local` are its own.
 */
export class Tree {
  readonly pmxcfs: string;
  private readonly generations = new Map<string, string[]>();
  private readonly rrd = new Map<string, { at: number; lines: string[] }>();
  private readonly written = new Map<string, string>();
  private clusterLog: pmxcfs.ClusterLogEntry[] = [];
  private logUid = 0;

  constructor(
    private readonly world: World,
    private readonly options: TreeOptions,
  ) {
    this.pmxcfs = join(options.dir, "pmxcfs");
  }

  root(node: string): string {
    return join(this.options.dir, "nodes", node);
  }

  /** Makes everything that stays; `at` is the lab's time. */
  create(at: number): void {
    this.clearGuests();
    for (const node of this.world.nodes.keys())
      rmSync(join(this.root(node), "var/log/pve/tasks"), { recursive: true, force: true });
    this.createCluster();
    for (const node of this.world.nodes.values()) this.createNode(node);
    for (const guest of this.world.guestsNow()) this.writeGuest(guest, at);
    this.logEvent(at, [...this.world.nodes.keys()][0] ?? "pve1", "cluster", 6, "root", "starting cluster log");
  }

  private createCluster(): void {
    const { secrets, pbsPort } = this.options;
    const { spec } = this.world;
    const shared: Record<string, string> = {
      "storage.cfg": config.storageCfg(secrets.pbsFingerprint, pbsPort),
      "jobs.cfg": config.jobsCfg(spec),
      "user.cfg": config.userCfg(spec),
      "datacenter.cfg": config.datacenterCfg,
      "corosync.conf": config.corosyncConf(spec),
      "replication.cfg": config.replicationCfg(spec),
      "pve-root-ca.pem": secrets.caPem,
      "pve-www.key": secrets.wwwKey,
      "authkey.pub": secrets.authPublicPem,
      "vzdump.cron":
        '# cluster wide vzdump cron schedule\n# Automatically generated file - do not edit\n\nPATH="/usr/sbin:/usr/bin:/sbin:/bin"\n\n',
      "ha/resources.cfg": config.haResourcesCfg(spec),
      "priv/authkey.key": secrets.authKeyPem,
      "priv/storage/pbs1.pw": secrets.pbsSecret,
    };
    for (const path of ["priv/proven", "priv/storage", "proven", "firewall", "ha", "nodes"])
      mkdirSync(join(this.pmxcfs, path), { recursive: true });
    for (const [path, text] of Object.entries(shared)) replaceFile(join(this.pmxcfs, path), text);
    chmodSync(join(this.pmxcfs, "priv"), 0o700);
  }

  private createNode(node: LabNode): void {
    const { name } = node.spec;
    const root = this.root(name);
    for (const path of [
      "etc/pve",
      "run/pve",
      "proc/net",
      "proc/pressure",
      "proc/spl/kstat/zfs",
      "proc/spl/kstat/zfs/tank",
      "sys/fs/cgroup",
      "var/log/pve/tasks",
    ]) {
      mkdirSync(join(root, path), { recursive: true });
    }
    for (const digit of "0123456789ABCDEF") mkdirSync(join(root, "var/log/pve/tasks", digit), { recursive: true });
    for (const type of ["qemu-server", "lxc"]) mkdirSync(join(this.pmxcfs, "nodes", name, type), { recursive: true });
    replaceFile(join(this.pmxcfs, "nodes", name, "pve-ssl.pem"), this.options.secrets.nodeCertPem);
    replaceFile(join(this.pmxcfs, "nodes", name, "pve-ssl.key"), this.options.secrets.nodeKeyPem);
    for (const entry of sharedEntries) this.link(name, entry);
    this.attach(name);
    rmSync(join(root, "etc/pve/local"), { force: true });
    symlinkSync(`nodes/${name}`, join(root, "etc/pve/local"));
    const fixed: Record<string, string> = {
      "etc/hostname": `${name}\n`,
      "etc/hosts": config.hostsText(this.world.spec.nodes),
      "proc/cpuinfo": proc.cpuinfoText(node.spec),
      "proc/version": proc.versionText,
      "proc/mounts": proc.mountsText,
    };
    for (const [path, text] of Object.entries({ ...fixed, ...fixedSysFiles(node) })) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      replaceFile(join(root, path), text);
    }
    for (const [path, target] of Object.entries(sysLinks(node))) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      rmSync(join(root, path), { force: true });
      symlinkSync(target, join(root, path));
    }
  }

  private link(node: string, entry: string): void {
    const path = join(this.root(node), "etc/pve", entry);
    rmSync(path, { force: true });
    symlinkSync(`../../../../pmxcfs/${entry}`, path);
  }

  /** The node sees the generated files of the cluster. */
  attach(node: string): void {
    for (const entry of generated) this.link(node, entry);
  }

  /** A dead node's files stay as they were. */
  detach(node: string): void {
    for (const entry of generated) {
      const path = join(this.root(node), "etc/pve", entry);
      const text = existsSync(path) ? readFileSync(path, "utf8") : "";
      rmSync(path, { force: true });
      writeFileSync(path, text);
    }
  }

  private guestPath(node: string, guest: Guest): string {
    const { vmid, type } = guest.life.spec;
    return join(this.pmxcfs, "nodes", node, type === "qemu" ? "qemu-server" : "lxc", `${vmid}.conf`);
  }

  /** The file of a guest as it lies there; undefined: there is none. */
  readGuest(vmid: number): string | undefined {
    const path = this.written.get(String(vmid));
    return path !== undefined && existsSync(path) ? readFileSync(path, "utf8") : undefined;
  }

  /** Pools and their members have changed. */
  writeUsers(extra: ReadonlyMap<string, readonly number[]>): void {
    replaceFile(join(this.pmxcfs, "user.cfg"), config.userCfg(this.world.spec, extra));
    this.world.changed("user.cfg");
  }

  /**
   * Writes the guest's configuration where it lives now, and removes it elsewhere. A restored guest's file is its own truth: it is carried along,
   * and only an explicit `text` replaces it.
   */
  writeGuest(guest: Guest, at: number, text?: string): void {
    const { vmid } = guest.life.spec;
    const key = String(vmid);
    const old = this.written.get(key);
    const state = guest.life.deletedAt === undefined ? this.world.state(guest, at) : undefined;
    const path = state === undefined ? undefined : this.guestPath(state.node, guest);
    if (guest.file !== undefined) guest.file.text = text ?? this.readGuest(vmid) ?? guest.file.text;
    if (old !== undefined && old !== path) rmSync(old, { force: true });
    if (path === undefined) this.written.delete(key);
    else {
      replaceFile(path, config.guestConfigText(this.world, guest));
      this.written.set(key, path);
    }
  }

  /** One more line of the cluster's log, and its file. */
  logEvent(at: number, node: string, tag: string, pri: number, user: string, msg: string, pid = 1201): void {
    this.logUid++;
    this.clusterLog = [
      { uid: this.logUid, time: Math.floor(at / 1000), pri, tag, pid, node, user, msg },
      ...this.clusterLog,
    ].slice(0, 50);
    replaceFile(join(this.pmxcfs, ".clusterlog"), pmxcfs.clusterLogText(this.clusterLog));
  }

  /** `.version`, `.vmlist` and every living node's `.members`. */
  writeCluster(at: number): void {
    this.writeManagers(at);
    replaceFile(join(this.pmxcfs, ".version"), pmxcfs.versionText(this.world, this.options.startedAt));
    replaceFile(join(this.pmxcfs, ".vmlist"), pmxcfs.vmlistText(this.world, at));
    for (const node of this.world.nodes.values()) {
      if (this.world.isDown(node, at)) continue;
      replaceFile(join(this.root(node.spec.name), "etc/pve/.members"), pmxcfs.membersText(this.world, node, at));
    }
  }

  /** The HA manager's state, and the configuration of Ceph where there is one. */
  private writeManagers(at: number): void {
    const count = (file: string) => this.world.versions.set(file, (this.world.versions.get(file) ?? 1) + 1);
    const status = `${JSON.stringify(haManagerStatus(this.world, at))}\n`;
    const path = join(this.pmxcfs, "ha/manager_status");
    if (!existsSync(path) || readFileSync(path, "utf8") !== status) {
      replaceFile(path, status);
      count("ha/manager_status");
    }
    const ceph = join(this.pmxcfs, "ceph.conf");
    if (this.world.ceph === undefined || existsSync(ceph)) return;
    replaceFile(ceph, "[global]\n\tauth_client_required = cephx\n");
    count("ceph.conf");
  }

  /** What the kernel of a living node shows, and what pvestatd last wrote where it runs. */
  writeNode(node: LabNode, at: number): void {
    if (this.world.isDown(node, at)) return;
    const root = this.root(node.spec.name);
    const reading = this.world.nodeReading(node, at);
    const devices = guestDevices(this.world, node.spec.name, at);
    const changing = {
      ...proc.procFiles(node.spec, reading, this.world.bootedAt(node, at), devices),
      ...changingSysFiles(this.world, node, at),
    };
    for (const [path, text] of Object.entries(changing)) {
      replaceFile(join(root, path), text);
    }
    if (node.statsStoppedAt !== undefined || this.hangs(at)) return;
    this.rrd.set(node.spec.name, { at, lines: pmxcfs.rrdLines(this.world, node, at) });
    const kept = [metricsLine(this.world, node, at), ...(this.generations.get(node.spec.name) ?? [])];
    kept.length = Math.min(kept.length, this.options.metricsGenerations);
    this.generations.set(node.spec.name, kept);
    replaceFile(join(root, "run/pve/metrics"), kept.join(""));
  }

  /** A storage that hangs holds pvestatd up before it writes its file (pve-manager, PVE/Service/pvestatd.pm: one after the other). */
  private hangs(at: number): boolean {
    return [...this.world.storageFaults.values()].some(({ fault, from }) => fault === "hang" && from <= at);
  }

  /** The broadcast of all nodes; entries older than 5 minutes are dropped (status.c, rrd_entry_is_old). */
  writeRrd(at: number): void {
    const fresh = [...this.rrd.values()].filter((entry) => at - entry.at < 300_000);
    replaceFile(join(this.pmxcfs, ".rrd"), fresh.flatMap(({ lines }) => lines.map((line) => `${line}\n`)).join(""));
  }

  /** Whether the owner may write /etc/pve/local tells quorum to PVE's own tools (check_cfs_quorum). */
  showQuorum(quorate: boolean): void {
    for (const node of this.world.nodes.keys()) chmodSync(join(this.pmxcfs, "nodes", node), quorate ? 0o755 : 0o555);
  }

  /** Removes the configurations that a former run left: the guests may be elsewhere now. */
  clearGuests(): void {
    for (const node of this.world.nodes.keys()) {
      for (const type of ["qemu-server", "lxc"]) rmSync(join(this.pmxcfs, "nodes", node, type), { recursive: true, force: true });
    }
  }
}
