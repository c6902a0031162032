import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** A program of a Debian package, or why it can't be had: tests skip with that reason. */
export type DebianPeer = { path: string; problem?: undefined } | { path?: undefined; problem: string };

const cache = process.env.PROVEN_PEERS ?? join(homedir(), ".cache/proven/peers");

/** Installed, else from the cache, else downloaded and unpacked into it; nothing is installed and no service of the package ever runs. */
export function debianPeer(name: string, program: string): DebianPeer {
  const places = [...(process.env.PATH ?? "").split(":"), join(cache, name, "usr/bin"), join(cache, name, "usr/sbin")];
  const found = places.map((place) => join(place, program)).find((path) => existsSync(path));
  if (found !== undefined) return { path: found };
  if (!existsSync("/usr/bin/apt-get"))
    return { problem: `no ${program}, and this is no Debian that could fetch the package ${name}` };
  const download = join(cache, `${name}.${process.pid}`);
  mkdirSync(download, { recursive: true });
  try {
    const fetched = spawnSync("apt-get", ["download", "-q", name], { cwd: download, encoding: "utf8", timeout: 120_000 });
    const file = readdirSync(download).find((entry) => entry.endsWith(".deb"));
    if (file === undefined) return { problem: `apt-get download ${name} failed: ${lastLine(fetched.stderr)}` };
    const unpacked = spawnSync("dpkg", ["-x", file, "root"], { cwd: download, encoding: "utf8" });
    if (unpacked.status !== 0) return { problem: `dpkg -x ${file} failed: ${lastLine(unpacked.stderr)}` };
    if (!existsSync(join(cache, name))) renameSync(join(download, "root"), join(cache, name));
  } finally {
    rmSync(download, { recursive: true, force: true });
  }
  const path = join(cache, name, "usr/bin", program);
  return existsSync(path) ? { path } : { problem: `the package ${name} has no ${program}` };
}

const lastLine = (text: string | null) => text?.trim().split("\n").at(-1) ?? "no message";

/** A port of 127.0.0.1 that was free just now, for programs that can't choose one themselves and say which. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  server.close();
  await once(server, "close");
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}

/** A running peer. */
export class RunningPeer {
  private constructor(private readonly child: ChildProcess) {}

  /** Resolves when a line of its log says `ready`; rejects, with the log's end, when it exits before. */
  static async start(path: string, args: readonly string[], ready: string): Promise<RunningPeer> {
    const child = spawn(path, args, { stdio: ["ignore", "ignore", "pipe"] });
    const peer = new RunningPeer(child);
    const log: string[] = [];
    await new Promise<void>((resolve, reject) => {
      child.once("error", reject);
      child.once("exit", (code) => reject(new Error(`${path} ended with ${code}: ${log.slice(-5).join("\n")}`)));
      createInterface({ input: child.stderr as NodeJS.ReadableStream }).on("line", (line) => {
        log.push(line);
        if (line.includes(ready)) resolve();
      });
    });
    return peer;
  }

  async stop(signal: NodeJS.Signals = "SIGTERM"): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    this.child.kill(signal);
    await once(this.child, "exit");
  }
}
