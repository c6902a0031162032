import { mkdirSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { mountsText } from "./proc-files.ts";
import { replaceFile, type Tree } from "./tree.ts";

/** What a restore leaves on its node outside of /etc/pve while it runs, and when it is killed: temporary files, processes, mounts. */
export class Traces {
  /** Mounts of containers' root file systems, by node. */
  private readonly mounts = new Map<string, Map<number, string>>();
  private readonly processes = new Map<string, Map<number, readonly string[]>>();
  /** Numbers that the lab ever gave a process, also of those that have ended. */
  private readonly numbers = new Set<number>();

  constructor(private readonly tree: Tree) {}

  private path(node: string, path: string): string {
    return join(this.tree.root(node), path);
  }

  /** `/var/tmp/vzdumptmp<pid>` and its fifo, a plain file in the lab: nothing reads it. */
  makeTemporary(node: string, pid: number): void {
    mkdirSync(this.path(node, `var/tmp/vzdumptmp${pid}`), { recursive: true });
    writeFileSync(this.path(node, `var/tmp/vzdumptmp${pid}.fifo`), "");
  }

  removeTemporary(node: string, pid: number): void {
    rmSync(this.path(node, `var/tmp/vzdumptmp${pid}`), { recursive: true, force: true });
    rmSync(this.path(node, `var/tmp/vzdumptmp${pid}.fifo`), { force: true });
  }

  /** `session`: pid of the worker that leads it. `startTicks`: as in its UPID. The fields of proc(5) stat that tell whose it is. */
  run(
    node: string,
    pid: number,
    argv: readonly string[],
    { session, startTicks }: { session: number; startTicks: number },
  ): void {
    const known = this.processes.get(node) ?? new Map<number, readonly string[]>();
    this.processes.set(node, known.set(pid, argv));
    this.numbers.add(pid);
    mkdirSync(this.path(node, `proc/${pid}`), { recursive: true });
    writeFileSync(this.path(node, `proc/${pid}/cmdline`), argv.map((part) => `${part}\0`).join(""));
    const fields = [
      "S",
      session === pid ? 1 : session,
      session,
      session,
      ...Array.from({ length: 15 }, () => 0),
      startTicks,
      0,
      0,
    ];
    writeFileSync(this.path(node, `proc/${pid}/stat`), `${pid} (${argv[0]?.split(" ")[0] ?? ""}) ${fields.join(" ")}\n`);
  }

  end(node: string, pid: number): void {
    this.processes.get(node)?.delete(pid);
    rmSync(this.path(node, `proc/${pid}`), { recursive: true, force: true });
  }

  isOwn(pid: number): boolean {
    return this.numbers.has(pid);
  }

  running(node: string): { pid: number; command: string }[] {
    return [...(this.processes.get(node) ?? [])].map(([pid, argv]) => ({ pid, command: argv.join(" ") }));
  }

  /** `device` is mounted at the container's root. The folder stays when it isn't any more: PVE never removes it. */
  mount(node: string, vmid: number, device: string): void {
    mkdirSync(this.path(node, `var/lib/lxc/${vmid}/rootfs`), { recursive: true });
    const known = this.mounts.get(node) ?? new Map<number, string>();
    this.mounts.set(node, known.set(vmid, device));
    this.writeMounts(node);
  }

  /** False: nothing was mounted there. */
  unmount(node: string, vmid: number): boolean {
    const was = this.mounts.get(node)?.delete(vmid) ?? false;
    if (was) this.writeMounts(node);
    return was;
  }

  mounted(node: string): { vmid: number; device: string }[] {
    return [...(this.mounts.get(node) ?? [])].map(([vmid, device]) => ({ vmid, device }));
  }

  /** The volume below the mount was deleted. */
  loseDevice(node: string, vmid: number): void {
    const known = this.mounts.get(node);
    const device = known?.get(vmid);
    if (known === undefined || device === undefined) return;
    known.set(vmid, `${device} (deleted)`);
    this.writeMounts(node);
  }

  removeContainerFolder(node: string, vmid: number): void {
    try {
      rmdirSync(this.path(node, `var/lib/lxc/${vmid}/rootfs`));
      rmdirSync(this.path(node, `var/lib/lxc/${vmid}`));
    } catch {
      // not there, or somebody's files are in it
    }
  }

  /** The node has booted: neither processes nor mounts are left. */
  reboot(node: string): void {
    for (const { pid } of this.running(node)) this.end(node, pid);
    this.mounts.delete(node);
    this.writeMounts(node);
  }

  private writeMounts(node: string): void {
    const lines = this.mounted(node).map(
      ({ vmid, device }) => `${device.replaceAll(" ", "\\040")} /var/lib/lxc/${vmid}/rootfs ext4 rw,relatime 0 0\n`,
    );
    replaceFile(this.path(node, "proc/mounts"), mountsText + lines.join(""));
  }
}
