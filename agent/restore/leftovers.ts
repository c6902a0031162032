import { readdirSync, readFileSync, rmdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseUpid } from "#protocol/ids.ts";
import { mountsBelow, orphansOf, parseProcessStat } from "../core/restore/orphans.ts";
import type { Intent } from "../core/restore/ours.ts";
import type { RestorePorts } from "./ports.ts";

const orphanWaitMs = 20_000;
const lookEveryMs = 1000;

type Traces = Pick<RestorePorts, "root" | "run" | "clock">;

/**
 * What a killed restore leaves beside the guest: programs that run on, a mounted root, `vzdumptmp` files. All of it is named by the UPID or the
 * number of our own journalled restore. `guest`: whether the number is still the
 * test's: what is mounted under somebody else's is not touched. Gives what could not be removed.
 */
export async function removeTraces(
  ports: Traces,
  intent: Intent & { type: "qemu" | "lxc" },
  guest: "ours" | "gone" | "not-ours",
): Promise<string[]> {
  const worker = parseUpid(intent.upid);
  const problems: string[] = [];
  if (worker !== undefined) {
    const orphan = await endOrphans(ports, worker);
    if (orphan !== undefined) return [orphan];
  }
  if (intent.type === "lxc" && guest !== "not-ours") {
    const mount = await unmount(ports, intent.vmid);
    if (mount !== undefined) return [mount];
    if (guest === "gone") {
      await endClients(ports, `/var/lib/lxc/${intent.vmid}/hook/`);
      removeFolder(join(ports.root, `/var/lib/lxc/${intent.vmid}`));
    }
  }
  if (worker !== undefined && intent.type === "qemu") problems.push(...(await removeTemporary(ports, worker.pid)));
  return problems;
}

/** zstd and vma of a killed worker end by themselves within seconds; what doesn't is ended. Undefined: none is left. */
async function endOrphans({ root, run, clock }: Traces, worker: { pid: number; pstart: number }): Promise<string | undefined> {
  const untilMs = clock.monotonicMs() + orphanWaitMs;
  for (let told = false; ; told = true) {
    const orphans = orphansOf(worker, processes(root));
    if (orphans.length === 0) return undefined;
    const signal = told ? "-KILL" : "-TERM";
    await run("kill", [signal, ...orphans.map(String)], { timeoutMs: 5000 });
    if (clock.monotonicMs() > untilMs) return `Programs of a killed restore still run: ${orphans.join(", ")}`;
    await clock.sleep(lookEveryMs);
  }
}

function processes(root: string): NonNullable<ReturnType<typeof parseProcessStat>>[] {
  return list(join(root, "/proc"))
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const stat = parseProcessStat(readFileSync(join(root, "/proc", pid, "stat"), "utf8"));
        return stat === undefined ? [] : [stat];
      } catch {
        return []; // it has ended meanwhile
      }
    });
}

/** In the wrong order PVE deletes the volume under the mount, and mount and loop device stay for ever. */
async function unmount({ root, run }: Traces, vmid: number): Promise<string | undefined> {
  const folder = `/var/lib/lxc/${vmid}/rootfs`;
  for (const path of mountsBelow(readMounts(root), folder)) {
    const result = await run("umount", [path], { timeoutMs: 30_000 });
    if (!result.ok) return `${path} could not be unmounted: ${result.problem}`;
    if (result.code !== 0) return `${path} could not be unmounted: ${result.stderr.trim().slice(0, 200)}`;
  }
  return undefined;
}

function readMounts(root: string): string {
  try {
    return readFileSync(join(root, "/proc/mounts"), "utf8");
  } catch {
    return "";
  }
}

/** `/var/tmp/vzdumptmp<pid>` and its fifo, the pid being our restore's. Whether they are there can't be seen from here: our own /var/tmp is another. */
async function removeTemporary({ root, run }: Traces, pid: number): Promise<string[]> {
  const names = [`vzdumptmp${pid}`, `vzdumptmp${pid}.fifo`];
  const paths = names.map((name) => join(root, "/var/tmp", name));
  const result = await run("rm", ["-rf", "--", ...paths], { timeoutMs: 30_000 });
  if (result.ok && result.code === 0) return [];
  const problem = result.ok ? result.stderr.trim().slice(0, 200) || `exit code ${result.code}` : result.problem;
  return [`/var/tmp/${names.join(" and ")} could not be removed: ${problem}`];
}

/**
 * PVE's own DHCP client for a container, which PVE ends when that stops, but not where its monitor was killed: it would keep the container's network,
 * and with it the name of the card that the next one under that number needs. Known by its files, which are of that number alone. Nobody else's command
 * line is read: it lies in that program's memory, and who waits for one that hangs in its disk hangs with it.
 */
async function endClients({ root, run }: Traces, folder: string): Promise<void> {
  const clients = list(join(root, "/proc")).filter((pid) => {
    const [program, ...args] =
      /^\d+$/.test(pid) && told(root, pid, "comm") === "dhclient\n" ? told(root, pid, "cmdline").split("\0") : [];
    return program === "/sbin/dhclient" && args.some((arg) => arg.startsWith(`${folder}dhclient`));
  });
  if (clients.length > 0) await run("kill", ["-KILL", ...clients], { timeoutMs: 5000 });
}

function told(root: string, pid: string, file: "comm" | "cmdline"): string {
  try {
    return readFileSync(join(root, "/proc", pid, file), "utf8");
  } catch {
    return ""; // it has ended meanwhile
  }
}

/**
 * Of a container that is gone. Only what is empty, which `rmdir` sees to, and what PVE's own DHCP client wrote for a network that the node manages
 * (pve-container `PVE/LXC.pm` manage_dhclient): PVE leaves both.
 */
function removeFolder(folder: string): void {
  const hook = join(folder, "hook");
  for (const name of list(hook)) if (/^dhclient[46]-[-\w.]+\.(leases|pid)$/.test(name)) rmSync(join(hook, name), { force: true });
  for (const path of [hook, join(folder, "rootfs"), folder]) {
    try {
      rmdirSync(path);
    } catch {
      // not there, or not empty: then the folder itself isn't either
    }
  }
}

function list(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}
