import { spawn, spawnSync } from "node:child_process";
import { appendFileSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { scaledClock } from "../test/lab/clock.ts";
import { type Lab, startLab } from "../test/lab/lab.ts";
import { plantTest } from "../test/support/restore-node.ts";

/**
 * `npm run bruteforce:process -- [--every N] [--from N] [--type qemu|lxc]`: real agents, really killed (-9) after every N-th durable write of a test
 * that somebody starts at the node; the service that starts next must leave the lab, its own network namespace and its folder as they were. Needs root:
 * it runs in a network and mount namespace of its own, so that its sandboxes meet nobody else's.
 */
const { values } = parseArgs({
  options: { every: { type: "string", default: "5" }, from: { type: "string", default: "1" }, type: { type: "string" } },
});
const project = fileURLToPath(new URL("..", import.meta.url));
const inside = "PROVEN_BRUTEFORCE_INSIDE";
/** The lab's time passes so much faster than the agent's. */
const factor = 4;
/** Of one lab, ms of real time: when its clock and an agent's are two hours apart, the agent's tickets are too old. */
const labMs = 20 * 60_000;

function enterNamespaces(): never {
  const argv = [
    "--net",
    "--mount",
    "--pid",
    "--mount-proc",
    "--fork",
    process.execPath,
    "--import",
    "tsx",
    ...process.argv.slice(1),
  ];
  const { status, error } = spawnSync("unshare", argv, {
    cwd: project,
    stdio: "inherit",
    env: { ...process.env, [inside]: "1" },
  });
  if (error !== undefined) process.stderr.write(`unshare: ${error.message}\n`);
  process.exit(status ?? 1);
}

function run(file: string, ...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(file, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${file} ${args.join(" ")}: ${stderr}`);
  return stdout;
}

type Ended = { code: number | null; signal: string | null; output: string };

/** A real agent until it ends, or until `until` says so. */
function agent(args: string[], env: Record<string, string>, until?: () => boolean): Promise<Ended> {
  return new Promise((resolve) => {
    const path = { PATH: process.env.PATH ?? "", ...env };
    const preload = ["--import", "tsx", "--import", join(project, "test/support/kill-at.mjs")];
    const child = spawn(process.execPath, [...preload, join(project, "agent/main.ts"), ...args], { cwd: project, env: path });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => (output += String(chunk)));
    let told = false;
    const look = setInterval(() => {
      if (!told && until?.() === true) told = child.kill("SIGTERM");
    }, 200);
    child.on("exit", (code, signal) => {
      clearInterval(look);
      resolve({ code, signal, output });
    });
  });
}

const devices = () =>
  run("ip", "-o", "link")
    .split("\n")
    .map((line) => line.split(":")[1]?.trim() ?? "")
    .sort()
    .join(" ");

function isSettled(folder: string): boolean {
  const texts = readdirSync(folder).map((name) => readFileSync(join(folder, name), "utf8"));
  return texts.every((text) => text === "" || text.includes('"entry":"result"'));
}

/** Undefined when the test came to its end before it could be killed. */
async function killAt(lab: Lab, config: string, state: string, guest: number, at: number): Promise<string[] | undefined> {
  const folder = join(state, "operations");
  rmSync(folder, { recursive: true, force: true });
  const before = { lab: JSON.stringify(lab.restores.inventory()), devices: devices() };
  const first = await agent(["restore-test", "--guest", String(guest), "--config", config], { PROVEN_TEST_KILL_AT: String(at) });
  if (first.signal !== "SIGKILL") {
    process.stdout.write(first.output);
    if (first.code !== 0) throw new Error("the test itself did not pass");
    return undefined;
  }
  const second = await agent(["--config", config], {}, () => isSettled(folder));
  const { restores, misuses } = lab;
  return [
    ...restores.safety.violations.splice(0),
    ...misuses,
    // It may have had nothing to do, and have been told to stop before it listened.
    ...(second.code === 0 || second.signal === "SIGTERM"
      ? []
      : [`the service ended with ${second.code ?? second.signal}: ${second.output.slice(-3000)}`]),
    ...(JSON.stringify(restores.inventory()) === before.lab ? [] : ["the lab is not as before"]),
    ...(devices() === before.devices ? [] : [`devices are left: ${devices()}`]),
  ];
}

/** Programs of sandboxes are real, those of restores the lab's: whoever ends one tells both. Only our own can be met in this process namespace. */
function tellBoth(bin: string): void {
  renameSync(join(bin, "kill"), join(bin, "lab-kill"));
  writeFileSync(join(bin, "kill"), `#!/bin/sh\n'${bin}/lab-kill' "$@" || exec /bin/kill "$@"\n`, { mode: 0o755 });
}

/** From `from` on, until the lab is too old; the next one to kill at, or undefined: the test came to its end. */
async function killIn(type: "qemu" | "lxc", from: number, sum: Sum): Promise<number | undefined> {
  const dir = mkdtempSync(join(tmpdir(), "proven-bruteforce-"));
  const lab = await startLab({ dir, nodes: 1, guests: 4, activity: false, clock: scaledClock(factor) });
  const config = lab.agentConfig("pve1");
  const bin = join(dir, "nodes/pve1/bin");
  const text = readFileSync(config, "utf8").replace(/^path = .*$/m, `path = "${bin}:/usr/sbin:/usr/bin:/sbin:/bin"`);
  rmSync(config);
  appendFileSync(config, `${text}\n[outlet]\njournal = false\nhooks = false\nmail = false\n`);
  tellBoth(bin);
  const isolated = lab.restores.safety.isolated;
  isolated.has = (bridge) => bridge.startsWith("pvt"); // the agent's own, whatever their numbers
  const storage = type === "qemu" ? "pbs1" : "nfs1";
  const { vmid } = plantTest({ lab, clock: lab.clock }, type, {}, { storage });
  const startedMs = performance.now();
  let at = from;
  try {
    for (; performance.now() - startedMs < labMs; at += Number(values.every)) {
      const problems = await killAt(lab, config, join(dir, "agents/pve1"), vmid, at);
      if (problems === undefined) return undefined;
      sum.kills++;
      sum.problems += problems.length;
      process.stdout.write(`${type}, killed at ${at}: ${problems.length === 0 ? "as before" : problems.join("; ")}\n`);
    }
    return at;
  } finally {
    await lab.stop();
    rmSync(dir, { recursive: true, force: true });
  }
}

type Sum = { kills: number; problems: number };

async function bruteforce(): Promise<number> {
  run("ip", "link", "set", "lo", "up");
  run("mount", "--make-rprivate", "/");
  run("mkdir", "-p", "/run/netns");
  run("mount", "-t", "tmpfs", "tmpfs", "/run/netns");
  const sum: Sum = { kills: 0, problems: 0 };
  const types = (["qemu", "lxc"] as const).filter((type) => values.type === undefined || values.type === type);
  for (const type of types) {
    for (let from: number | undefined = Number(values.from); from !== undefined; ) from = await killIn(type, from, sum);
  }
  process.stdout.write(`${sum.kills} kills, ${sum.problems} problems\n`);
  return sum.problems === 0 && sum.kills > 0 ? 0 : 1;
}

if (process.env[inside] === undefined) enterNamespaces();
process.exitCode = await bruteforce();
