import { existsSync, mkdirSync, readFileSync, statSync } from "node:fs";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { doctorExitCode, formatFindings } from "#protocol/findings.ts";
import { softwareVersion } from "#protocol/version.ts";
import { renewCertificate, settleCertificate, showCertificate } from "./cli/certificate-commands.ts";
import { UsageError } from "./cli/command-line.ts";
import { commands } from "./cli/commands.ts";
import { agentUrl, defaultUrl, keptUrl, outerAddresses, readTold, rotateJoinKey, setup } from "./cli/setup.ts";
import { type HandedOver, handOverFolder } from "./cli/store-backup.ts";
import { checkSeriesStore, storeCommands } from "./cli/store-commands.ts";
import { ConfigError, type HubConfig, parseConfig } from "./config.ts";
import { DeployProblem } from "./deploy/problem.ts";
import { startHub } from "./hub.ts";
import { lockInstance } from "./instance-lock.ts";
import { describeError, openLog } from "./log.ts";
import { openServiceManager } from "./notify.ts";
import { giveToOwnerOf } from "./owned-file.ts";
import { systemClock } from "./ports.ts";
import { programName } from "./program.ts";
import { openSeries } from "./store/series.ts";
import { StateStore } from "./store/state.ts";
import { StoreError } from "./store/store-error.ts";
import { certificatePath, loadCertificate, readCertificate, readNextCertificate } from "./tls.ts";

const defaultConfigPath = "/etc/proven/hub.toml";
const program = programName(import.meta.url);

const usage = `proven-hub ${softwareVersion}
  proven-hub [--config FILE]                    run the hub
  proven-hub --check [--config FILE]            check configuration and stores, and exit
  proven-hub doctor                             look for the usual troubles and say what to do about them
  proven-hub certificate show|renew [--overlap-hours 24 | --now]  the certificate that agents know the hub by
  proven-hub certificate settle                 after a renewal: hub.json names the new certificate only; the system runs it
  proven-hub setup [--url wss://HOST:PORT/agent] [--keep]  let this cluster's agents join by themselves; with --keep an address
                                                given before stays, and so does another hub of theirs
  proven-hub deploy [USER@]NODE [OPTION …]      install the agent on a node over SSH, and let it join
  proven-hub join-key rotate                    a new join key for this cluster; agents that have joined stay
${[...Object.values(commands), ...Object.values(storeCommands)].map((command) => `  proven-hub ${command.usage}`).join("\n")}
Every command takes --config FILE (default ${defaultConfigPath}).`;

const say = (line: string) => process.stdout.write(`${line}\n`);

/** The default file may be missing, one that was named may not. */
function readConfig(path: string | undefined): HubConfig {
  const file = path ?? defaultConfigPath;
  if (path === undefined && !existsSync(file)) return parseConfig("", file);
  try {
    return parseConfig(readFileSync(file, "utf8"), file);
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    throw new UsageError(`${file} can't be read: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Root's commands work as the hub's user, so that no file in the state directory becomes root's: then they are run again by setpriv(1), and this
 * call does not return. `handOver`: other words for it, and a folder that it gets as its
 * descriptor 3. Node's own setuid() refuses where its libuv may use io_uring, as in Debian 13 (CVE-2024-22017).
 */
async function becomeOwnerOf(dir: string, handOver?: () => HandedOver): Promise<void> {
  if (process.getuid?.() !== 0 || !existsSync(dir)) return;
  const { uid, gid } = statSync(dir);
  if (uid === 0) return;
  const rights = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups"];
  const handed = handOver?.();
  const words = handed?.words ?? process.argv.slice(2);
  const again = [process.execPath, ...process.execArgv, process.argv[1] ?? "", ...words];
  const env = { ...process.env, PROVEN_ACTOR: userInfo().username };
  const { spawnSync } = await import("node:child_process");
  const folders = handed === undefined ? [] : [handed.folder];
  const { status, error } = spawnSync("setpriv", [...rights, ...again], {
    stdio: ["inherit", "inherit", "inherit", ...folders],
    env,
  });
  if (error !== undefined) throw new UsageError(`setpriv can't be run: ${error.message}`, { cause: error });
  process.exit(status ?? 1);
}

function splitConfig(args: readonly string[]): { config: string | undefined; rest: string[] } {
  const at = args.indexOf("--config");
  if (at < 0) return { config: undefined, rest: [...args] };
  const config = args[at + 1];
  if (config === undefined) throw new UsageError("--config: name a file");
  return { config, rest: [...args.slice(0, at), ...args.slice(at + 2)] };
}

async function run(args: readonly string[]): Promise<void> {
  const { config: path, rest } = splitConfig(args);
  if (rest.includes("--help") || rest[0] === "help") return void say(usage);
  const config = readConfig(path);
  if (rest.length === 0) return serve(config);
  if (rest[0] === "--check") return check(config);
  if (rest[0] === "doctor") return doctor(config);
  if (rest[0] === "setup") return runSetup(config, rest.slice(1));
  if (rest[0] === "deploy") return runDeployment(config, rest.slice(1), path);
  if (rest[0] === "join-key") return joinKey(config, rest.slice(1));
  if (rest[0] === "certificate") return certificate(config, rest.slice(1));
  const verb = rest.slice(0, 2).join(" ");
  const ofStore = storeCommands[verb];
  if (ofStore !== undefined) {
    const withConfig = path === undefined ? [] : ["--config", path];
    const backup = () => handOverFolder(rest.slice(2), config.state, withConfig);
    await becomeOwnerOf(config.state, verb === "store backup" ? backup : undefined);
    return ofStore.run(rest.slice(2), { stateDir: config.state, dir: join(config.state, "series"), say });
  }
  const command = commands[verb];
  if (command === undefined) throw new UsageError(`unknown command ${rest.join(" ")}\n${usage}`);
  await becomeOwnerOf(config.state);
  const user = process.env.PROVEN_ACTOR ?? userInfo().username;
  const state = StateStore.open({ dir: config.state, now: systemClock.now, program });
  const fingerprint = async () => (await loadCertificate(config.state, systemClock.now())).fingerprint;
  const agentUrls = () => agentUrlsOf(config);
  try {
    await command.run(rest.slice(2), { state, now: systemClock.now(), user, fingerprint, agentUrls, say });
  } finally {
    await state.close();
  }
}

/** First the one that an administrator gave this cluster's agents. */
function agentUrlsOf({ listen, port, join: { pmxcfs }, state }: HubConfig): string[] {
  const told = readTold(pmxcfs);
  const isOurs = told !== undefined && told.fingerprint === readCertificate(state).fingerprint;
  const addresses = listen === "::" || listen === "0.0.0.0" ? outerAddresses(pmxcfs) : [listen];
  return [...new Set([isOurs ? told.url : [], addresses.map((address) => agentUrl(address, port))].flat())];
}

async function runSetup(config: HubConfig, args: string[]): Promise<void> {
  const { values } = parseArgs({ args, options: { url: { type: "string" }, keep: { type: "boolean", default: false } } });
  const { pmxcfs } = config.join;
  const wanted = values.url ?? defaultUrl(pmxcfs, config.port);
  if (!URL.canParse(wanted) || new URL(wanted).protocol !== "wss:") throw new UsageError("--url: wss://HOST:PORT/agent");
  mkdirSync(config.state, { recursive: true, mode: 0o700 });
  const { fingerprint } = await loadCertificate(config.state, systemClock.now());
  giveToOwnerOf(config.state, certificatePath(config.state));
  const told = readTold(pmxcfs);
  const byName = agentUrl(hostname(), config.port);
  const url = values.keep ? keptUrl(told, { fingerprint, url: wanted, byName }) : wanted;
  if (url === undefined) {
    say(
      `This cluster's agents go to another hub, ${told?.url}, and that is left so. If they shall come to this one: proven-hub setup`,
    );
    return;
  }
  const next = readNextCertificate(config.state)?.fingerprint;
  for (const line of setup({ pmxcfs, stateDir: config.state, url, fingerprint, next })) say(line);
}

/** As whoever calls, for his SSH keys; what is asked of the hub is asked of this program again, as the hub's user. */
async function runDeployment(config: HubConfig, args: string[], path: string | undefined): Promise<void> {
  const { runDeploy } = await import("./deploy/command.ts");
  const self = [process.execPath, ...process.execArgv, process.argv[1] ?? "", ...(path === undefined ? [] : ["--config", path])];
  await runDeploy(config, args, self, say);
  process.exit(0); // a dead ssh-agent's socket would keep the process
}

/** As root: /etc/pve/priv is root's alone. */
function joinKey(config: HubConfig, [verb, ...more]: string[]): void {
  if (verb !== "rotate" || more.length > 0) throw new UsageError("join-key rotate");
  for (const line of rotateJoinKey({ pmxcfs: config.join.pmxcfs, stateDir: config.state })) say(line);
}

/** As root: it looks at what the cluster's agents are told, which only root may read. */
async function doctor(config: HubConfig): Promise<void> {
  const { examine } = await import("./cli/doctor.ts");
  const findings = await examine(config, systemClock.now());
  process.stdout.write(formatFindings(findings));
  process.exitCode = doctorExitCode(findings);
}

async function certificate(config: HubConfig, [verb, ...more]: string[]): Promise<void> {
  const ports = { config, now: systemClock.now(), say };
  if (verb === "renew") return renewCertificate(ports, more);
  if (more.length > 0 || (verb !== "show" && verb !== "settle"))
    throw new UsageError("certificate show, certificate settle, or certificate renew [--overlap-hours 24 | --now]");
  if (verb === "settle") settleCertificate(ports);
  else await showCertificate(ports);
}

async function check(config: HubConfig): Promise<void> {
  await becomeOwnerOf(config.state);
  say(`listen  ${config.listen}:${config.port}`);
  say(`panel   ${config.panel}${existsSync(join(config.panel, "index.html")) ? "" : " (not built: npm run build)"}`);
  const state = StateStore.open({ dir: config.state, now: systemClock.now });
  const audit = state.verifyAudit();
  await state.close();
  if (!audit.ok) throw new StoreError(`audit log: entry ${audit.seq}: ${audit.problem}`);
  say(`state   ${config.state}: ok, ${audit.entries} audited changes`);
  await checkSeries(config);
  say(`cert    ${(await loadCertificate(config.state, systemClock.now())).fingerprint}`);
}

/** Opening replays the ring, and brings an earlier version to this one: only where no hub is at it. */
async function checkSeries(config: HubConfig): Promise<void> {
  const dir = join(config.state, "series");
  const lock = lockInstance(config.state);
  if (lock !== undefined) {
    try {
      await openSeries({ dir, now: systemClock.now }).close();
    } finally {
      lock.release();
    }
  }
  await checkSeriesStore({ dir, say: (line) => say(`series  ${line}`) });
}

async function serve(config: HubConfig): Promise<void> {
  const log = openLog((line) => process.stderr.write(line), { journal: process.env.JOURNAL_STREAM !== undefined });
  const clock = systemClock;
  if (lockInstance(config.state) === undefined) {
    throw new UsageError(`another proven-hub runs on ${config.state}: stop it, or set another \`state\` in the configuration`);
  }
  const state = StateStore.open({ dir: config.state, now: clock.now, upgrade: { log }, program });
  const series = openSeries({ dir: join(config.state, "series"), now: clock.now, log });
  const certificate = await loadCertificate(config.state, clock.now());
  const hub = await startHub({ config, clock, log, state, series, certificate });
  const service = openServiceManager(process.env, { log });
  service.ready();
  say(`proven-hub ${softwareVersion} ready: ${hub.url} fingerprint ${certificate.fingerprint}`);
  const stop = (signal: string) => {
    log(5, `${signal}: stopping`);
    service.stopping();
    hub.stop().then(
      () => process.exit(0),
      (error: unknown) => {
        log(3, `stopping failed: ${describeError(error)}`);
        process.exit(1);
      },
    );
  };
  process.once("SIGTERM", () => stop("SIGTERM"));
  process.once("SIGINT", () => stop("SIGINT"));
}

/** One clear line for what the operator can set right, the whole story for what only we can. */
function explain(error: unknown, args: readonly string[]): string {
  if (
    error instanceof UsageError ||
    error instanceof DeployProblem ||
    error instanceof ConfigError ||
    error instanceof StoreError
  )
    return error.message;
  const { code, port, address } = error as NodeJS.ErrnoException & { port?: number; address?: string };
  const file = splitConfig(args).config ?? defaultConfigPath;
  if (code === "EADDRINUSE")
    return `port ${port} on ${address} is in use: stop what listens there, or set another \`port\` in ${file}`;
  if (code === "EACCES" && port !== undefined)
    return `port ${port} may not be opened by this user: set another \`port\` in ${file}`;
  if (code === "EADDRNOTAVAIL") return `this machine has no address ${address}: set \`listen\` in ${file}`;
  if (code?.startsWith("ERR_PARSE_ARGS") || code === "EACCES" || code === "ENOENT") return (error as Error).message;
  return error instanceof Error && code === undefined && error.cause === undefined ? error.message : describeError(error);
}

const args = process.argv.slice(2);
run(args).catch((error: unknown) => {
  process.stderr.write(`proven-hub: ${explain(error, args)}\n`);
  process.exit(1);
});
