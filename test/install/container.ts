import { type ChildProcess, execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

export type Ended = { code: number; stdout: string; stderr: string };
export type ContainerOptions = {
  name: string;
  /** Its changes, its console. */
  dir: string;
  /** Debian, shared and not written to. */
  base: string;
  /** Name of its network namespace. */
  netns: string;
  /** Path inside → path on this machine. */
  binds: Readonly<Record<string, string>>;
};

/** What nspawn ends with when the system inside wants to start again: to be honoured by who started it. */
const rebootCode = 133;

/**
 * In mounts of its own, so that nothing is left on the machine: an overlay over Debian, and control groups of version 2, which systemd in the
 * container insists on, also where the machine still runs version 1.
 */
const bootScript = `set -e
mount -t overlay overlay -o "lowerdir=$BASE,upperdir=$DIR/upper,workdir=$DIR/work" "$DIR/root"
umount -R -l /sys/fs/cgroup
mount -t cgroup2 cgroup2 /sys/fs/cgroup
mkdir -p "/sys/fs/cgroup/$NAME"
echo $$ >"/sys/fs/cgroup/$NAME/cgroup.procs"
exec systemd-nspawn --register=no --keep-unit --boot --quiet --directory="$DIR/root" --machine="$NAME" --hostname="$HOST" \\
  --network-namespace-path="/run/netns/$NETNS" --capability=CAP_NET_ADMIN --resolv-conf=off --timezone=off --link-journal=no --console=pipe "$@"`;

/** A booted Debian: systemd, journal and all. */
export class Container {
  private nspawn: ChildProcess | undefined;
  private ended: Promise<unknown> = Promise.resolve();
  private leader = 0;

  constructor(private readonly options: ContainerOptions) {
    for (const part of ["upper", "work", "root"]) mkdirSync(join(options.dir, part), { recursive: true });
  }

  /** Resolves when systemd says that the start is over. */
  async boot(): Promise<void> {
    const { name, dir, base, netns, binds } = this.options;
    const flags = Object.entries(binds).map(([inside, path]) => `--bind=${path}:${inside}`);
    const unique = `proven-${process.pid}-${name}`;
    const env = {
      PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
      BASE: base,
      DIR: dir,
      NAME: unique,
      HOST: name,
      NETNS: netns,
      SYSTEMD_NSPAWN_UNIFIED_HIERARCHY: "1",
    };
    // A test that is killed takes its containers along.
    const command = ["--pdeathsig=TERM", "unshare", "--mount", "--propagation=private", "sh", "-c", bootScript, "sh", ...flags];
    const nspawn = spawn("setpriv", command, { env, stdio: ["ignore", "pipe", "pipe"] });
    let said = "";
    for (const stream of [nspawn.stdout, nspawn.stderr]) stream.on("data", (data) => (said += data));
    this.nspawn = nspawn;
    this.ended = once(nspawn, "exit");
    const until = Date.now() + 60_000;
    for (;;) {
      if (nspawn.exitCode !== null || Date.now() > until) throw new Error(`${name} does not boot: ${said}`);
      this.leader = firstChild(nspawn.pid as number) ?? 0;
      const state = this.leader === 0 ? "" : (await this.try("systemctl", "is-system-running")).stdout.trim();
      if (state === "running" || state === "degraded") return;
      await pause(100);
    }
  }

  /** Ended how it may: the caller looks at the code. */
  try(file: string, ...args: string[]): Promise<Ended> {
    const inside = [`--target=${this.leader}`, "--mount", "--uts", "--ipc", "--net", "--pid", "--cgroup", "--", file, ...args];
    const env = { PATH: "/usr/sbin:/usr/bin:/sbin:/bin", LC_ALL: "C.UTF-8", DEBIAN_FRONTEND: "noninteractive", HOME: "/root" };
    return new Promise((resolve) => {
      execFile("nsenter", inside, { env, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
        const code = error === null ? 0 : typeof error.code === "number" ? error.code : 255;
        resolve({ code, stdout, stderr });
      });
    });
  }

  /** Its output. @throws Error with what it said when it did not end with 0. */
  async run(file: string, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await this.try(file, ...args);
    if (code !== 0) throw new Error(`${this.options.name}: ${file} ${args.join(" ")} ended with ${code}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Through systemd, as an administrator does it. */
  async reboot(): Promise<void> {
    const { ended } = this;
    await this.try("systemctl", "reboot");
    await ended;
    if (this.nspawn?.exitCode !== rebootCode)
      throw new Error(`${this.options.name} ended with ${this.nspawn?.exitCode} instead of a reboot`);
    await this.boot();
  }

  async stop(): Promise<void> {
    if (this.nspawn === undefined || this.nspawn.exitCode !== null) return;
    if (this.leader !== 0) await this.try("systemctl", "poweroff", "--force", "--force");
    else this.nspawn.kill("SIGKILL");
    await this.ended;
  }

  /** The number on this machine of the process that systemd calls a unit's main one. */
  async hostPid(unit: string): Promise<number> {
    const inside = (await this.run("systemctl", "show", "--value", "--property=MainPID", unit)).trim();
    const found = readdirSync("/proc").find((entry) => {
      const ids = /^NSpid:\t(.*)$/m.exec(tryRead(`/proc/${entry}/status`))?.[1]?.split("\t") ?? [];
      return ids.length > 1 && ids.at(-1) === inside && isBelow(Number(entry), this.leader);
    });
    if (found === undefined) throw new Error(`${this.options.name}: no process of ${unit}`);
    return Number(found);
  }
}

function tryRead(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return "";
  }
}

const parentOf = (pid: number) => Number(/^PPid:\t(\d+)$/m.exec(tryRead(`/proc/${pid}/status`))?.[1] ?? 0);

function isBelow(pid: number, ancestor: number): boolean {
  for (let at = pid; at > 1; at = parentOf(at)) if (at === ancestor) return true;
  return false;
}

/** The container's own first process: the child that has become systemd. */
function firstChild(pid: number): number | undefined {
  const entry = readdirSync("/proc").find((name) => /^\d+$/.test(name) && parentOf(Number(name)) === pid);
  return entry !== undefined && tryRead(`/proc/${entry}/comm`) === "systemd\n" ? Number(entry) : undefined;
}

/** Has the kernel kill a process for want of memory, as it does when a control group is full. False: there are no groups for that here. */
export function starve(pid: number, bytes: number): boolean {
  const name = `proven-test-${process.pid}`;
  for (const [dir, file] of [
    [`/sys/fs/cgroup/memory/${name}`, "memory.limit_in_bytes"],
    [`/sys/fs/cgroup/${name}`, "memory.max"],
  ] as const) {
    try {
      mkdirSync(dir);
      writeFileSync(join(dir, file), String(bytes));
      writeFileSync(join(dir, "cgroup.procs"), String(pid));
      return true;
    } catch {}
  }
  return false;
}

/** Control groups that this process' containers and `starve` made: the kernel keeps the empty ones. */
export function removeGroups(): void {
  const mine = new RegExp(`^proven-(test-)?${process.pid}(-|$)`);
  for (const root of ["/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/memory"]) {
    if (!existsSync(root)) continue;
    for (const name of readdirSync(root).filter((entry) => mine.test(entry))) {
      spawnSync("find", [join(root, name), "-depth", "-type", "d", "-exec", "rmdir", "{}", "+"]);
    }
  }
}
