import type { Archive } from "./archives.ts";
import { headerLines } from "./archives.ts";
import type { CommandResult } from "./control-server.ts";
import { lockPatienceMs } from "./copies.ts";
import { withLock } from "./guest-file.ts";
import { runInGuest } from "./guest-shell.ts";
import type { RestoreLab } from "./restore-lab.ts";
import { headerProblems, plainEndOf, zstdEndOf } from "./vm-restore.ts";
import { pathOf } from "./volumes.ts";
import type { Guest, LabNode } from "./world.ts";

/** Commands around restores. `node`: where they run. Texts as recorded where they were. */
export type RestoreCommand = (lab: RestoreLab, node: LabNode, argv: readonly string[]) => CommandResult | Promise<CommandResult>;

const out = (stdout: string): CommandResult => ({ code: 0, stdout, stderr: "" });
const failed = (code: number, stderr: string): CommandResult => ({ code, stdout: "", stderr });

const missing = (name: string, path: string) =>
  failed(1, `${name}: can't stat ${path} : No such file or directory -- ignored \n`);

/** Of the archives that the lab knows by their file's name, wherever the caller's root lies. */
function archiveAt(lab: RestoreLab, argv: readonly string[]): Archive | undefined {
  const path = argv.findLast((word) => word.includes("/"));
  return path === undefined ? undefined : lab.archives.byPath(path);
}

/** `vma list|config|verify|extract`: dies with SIGTRAP on every error, a shell's 133. */
const vma: RestoreCommand = (lab, _node, argv) => {
  const [verb = "", ...rest] = argv;
  const archive = archiveAt(lab, rest);
  if (!["list", "config", "verify", "extract"].includes(verb)) return failed(1, "usage: vma command [command options]\n");
  if (archive === undefined) return failed(133, "vma: can't open backup file: No such file or directory\n");
  if (archive.format !== "vma") return failed(133, "vma: not a vma file - wrong magic number\n");
  const { damage } = archive;
  const header = damage === undefined ? undefined : headerProblems[damage];
  if (header !== undefined) return failed(133, `vma: ${header}\n`);
  if (verb === "list")
    return out(
      headerLines(archive)
        .map((line) => `${line}\n`)
        .join(""),
    );
  if (verb === "config") {
    const file = rest[rest.indexOf("-c") + 1];
    return out(rest.includes("-c") && file === "qemu-server.fw" ? (archive.firewall ?? "") : archive.config);
  }
  const problem = plainEndOf(damage)?.vma;
  // What is cut at the border of an extent is noticed by an extraction only.
  if (problem === undefined || (verb === "verify" && damage === "cut-at-extent")) return out("");
  return failed(133, `vma: ${verb === "verify" ? "verify" : "restore"} failed - ${problem}\n`);
};

/** `zstd -t`: reads it to its end and holds it against its content checksum. */
const zstd: RestoreCommand = (lab, _node, argv) => {
  const path = argv.findLast((word) => !word.startsWith("-")) ?? "";
  const archive = lab.archives.byPath(path);
  if (archive === undefined) return missing("zstd", path);
  if (!archive.format.endsWith(".zst")) return failed(1, `zstd: ${path}: unsupported format \n`);
  const problem = zstdEndOf(archive.damage)?.zstd;
  if (problem !== undefined) return failed(1, `${path} : ${problem}\n`);
  const bytes = archive.disks.reduce((sum, { dataBytes }) => sum + dataBytes, 0);
  return { code: 0, stdout: "", stderr: argv.includes("-q") ? "" : `${path}: ${bytes} bytes \n` };
};

/** `gzip -t`, `lzop -t`: the messages are those of the programs, not recorded here. */
const tester =
  (name: string, suffix: string, problem: string): RestoreCommand =>
  (lab, _node, argv) => {
    const path = argv.findLast((word) => !word.startsWith("-")) ?? "";
    const archive = lab.archives.byPath(path);
    if (archive === undefined) return failed(1, `${name}: ${path}: No such file or directory\n`);
    if (!archive.format.endsWith(suffix)) return failed(1, `${name}: ${path}: not in ${name} format\n`);
    return archive.damage === undefined ? out("") : failed(1, `\n${name}: ${path}: ${problem}\n`);
  };

function guestOn(lab: RestoreLab, node: LabNode, id: string | undefined, type: "qemu" | "lxc"): Guest | CommandResult {
  const guest = lab.world.guest(Number(id));
  const folder = type === "qemu" ? "qemu-server" : "lxc";
  if (guest === undefined || guest.life.spec.type !== type || guest.home !== node.spec.name) {
    return failed(255, `Configuration file 'nodes/${node.spec.name}/${folder}/${id}.conf' does not exist\n`);
  }
  lab.copies.look(guest);
  return guest;
}

function unlock(lab: RestoreLab, guest: Guest): CommandResult {
  lab.safety.touches("root@pam", guest, "unlock of");
  if (guest.file !== undefined) lab.copies.write(guest, withLock(guest.file.text, undefined));
  return out("");
}

const status = (lab: RestoreLab, guest: Guest): CommandResult =>
  out(`status: ${lab.world.reading(guest, lab.schedule.now()) === undefined ? "stopped" : "running"}\n`);

function tool(type: "qemu" | "lxc"): RestoreCommand {
  return (lab, node, argv) => {
    const [verb = "", id, ...rest] = argv;
    const guest = guestOn(lab, node, id, type);
    if ("code" in guest) return guest;
    if (verb === "unlock") return unlock(lab, guest);
    if (verb === "status") return status(lab, guest);
    if (verb === "config") return out(guest.file?.text ?? "");
    if (verb === "exec" && type === "lxc") return containerExec(lab, guest, rest);
    return failed(255, `ERROR: unknown command '${type === "qemu" ? "qm" : "pct"} ${verb}'\n`);
  };
}

function containerExec(lab: RestoreLab, guest: Guest, rest: readonly string[]): CommandResult {
  const { vmid } = guest.life.spec;
  if (lab.world.reading(guest, lab.schedule.now()) === undefined) return failed(255, `container '${vmid}' not running!\n`);
  // A container whose init has not come up yet: never recorded.
  if (!lab.runtime.isUp(guest, lab.schedule.now()))
    return failed(255, `lxc-attach: ${vmid}: No such file or directory - Failed to attach\n`);
  return runInGuest(lab.runtime, guest, rest[0] === "--" ? rest.slice(1) : rest);
}

/** `umount PATH` of a container's root; the path may carry the lab's folder before it. */
const umount: RestoreCommand = (lab, node, argv) => {
  const path = argv.findLast((word) => !word.startsWith("-")) ?? "";
  const vmid = Number(/\/var\/lib\/lxc\/(\d+)\/rootfs$/.exec(path)?.[1]);
  return lab.traces.unmount(node.spec.name, vmid) ? out("") : failed(32, `umount: ${path}: not mounted.\n`);
};

/**
 * Ends processes that a killed restore left. Prints the numbers that never were the lab's: those may be true processes of an agent with true
 * sandboxes, and the script around this gives them to the true `kill`.
 */
const kill: RestoreCommand = (lab, node, argv) => {
  const pids = argv.filter((word) => /^\d+$/.test(word)).map(Number);
  const running = new Set(lab.traces.running(node.spec.name).map(({ pid }) => pid));
  const ended = pids.filter((pid) => lab.traces.isOwn(pid) && !running.has(pid));
  for (const pid of pids) if (running.has(pid)) lab.traces.end(node.spec.name, pid);
  if (ended.length > 0) return failed(1, ended.map((pid) => `kill: (${pid}): No such process\n`).join(""));
  return out(pids.filter((pid) => !running.has(pid)).join(" "));
};

/**
 * Whether a real `flock` on a container's lock file would get it: waits as long as a restore of the lab holds it. What it then runs is the true
 * program, on the lab's files.
 */
const flock: RestoreCommand = async (lab, _node, argv) => {
  const vmid = Number(/pve-config-(\d+)\.lock$/.exec(argv.find((word) => word.endsWith(".lock")) ?? "")?.[1]);
  const given = argv.indexOf("-w");
  const patienceMs = given < 0 ? lockPatienceMs : Number(argv[given + 1]) * 1000;
  for (let waited = 0; lab.copies.isHeld(vmid); waited += 100) {
    if (waited >= patienceMs) return failed(1, "");
    await lab.wait(100);
  }
  return out("");
};

const pvesm: RestoreCommand = (lab, node, argv) => {
  const [verb, volid = ""] = argv;
  const archive = lab.archives.find(volid);
  if (verb !== "path") return failed(255, `ERROR: unknown command 'pvesm ${verb ?? ""}'\n`);
  const volume = lab.world.volumes.find(volid, node.spec.name);
  if (volume !== undefined) return out(`${pathOf(volume)}\n`);
  if (archive === undefined) return failed(255, `volume '${volid}' does not exist\n`);
  return out(`/mnt/pve/nfs1/dump/${volid.slice(volid.lastIndexOf("/") + 1)}\n`);
};

/** `dd` and Python's reader on the node: of volumes that restores made, 256 MiB in a second, and so many random reads a second. */
const reader: (name: "dd" | "python3") => RestoreCommand = (name) => (lab, node, argv) => {
  const given = argv.find((word) => word.startsWith("if="))?.slice("if=".length) ?? argv.at(-1) ?? "";
  const volume = lab.world.volumes.list().find((one) => (one.node ?? node.spec.name) === node.spec.name && pathOf(one) === given);
  if (volume === undefined) return failed(1, `${name}: failed to open '${given}': No such file or directory\n`);
  if (name === "python3") return out("9800\n");
  const said = "256+0 records in\n256+0 records out\n268435456 bytes (268 MB, 256 MiB) copied, 1.02 s, 263 MB/s\n";
  return { code: 0, stdout: "", stderr: said };
};

export const restoreCommands: Readonly<Record<string, RestoreCommand>> = {
  vma,
  zstd,
  gzip: tester("gzip", ".gz", "unexpected end of file"),
  lzop: tester("lzop", ".lzo", "Checksum error"),
  pct: tool("lxc"),
  qm: tool("qemu"),
  pvesm,
  dd: reader("dd"),
  python3: reader("python3"),
  umount,
  kill,
  flock,
};

/** What an agent with true sandboxes runs: on this machine's own network, in namespaces and bridges that it makes itself. */
export const sandboxPrograms: Readonly<Record<string, string>> = {
  ip: "/usr/sbin/ip",
  nft: "/usr/sbin/nft",
  sysctl: "/usr/sbin/sysctl",
  dnsmasq: "/usr/sbin/dnsmasq",
  ping: "/usr/bin/ping",
};

/** Programs that the true ones of this machine stand for. `flock` runs only after the lab has said that the lock is free. */
export const realPrograms: Readonly<Record<string, string>> = {
  perl: "/usr/bin/perl",
  rm: "/usr/bin/rm",
  sha256sum: "/usr/bin/sha256sum",
  tar: "/usr/bin/tar",
};
