import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Message } from "#protocol/messages.ts";
import { softwareVersion } from "#protocol/version.ts";
import { type AgentGateway, runAgent } from "./agent.ts";
import { checkExitCode, formatCheck } from "./check.ts";
import { type Command, parseCommand, usage } from "./cli.ts";
import { systemClock } from "./clock.ts";
import { type CollectorDeps, createCollector } from "./collector.ts";
import { type AgentConfig, ConfigError, parseConfig } from "./config.ts";
import { errorTrace } from "./core/error.ts";
import { checkHub } from "./hub-check.ts";
import { type HubFiles, storeJoin } from "./hub-place.ts";
import { type Identity, loadIdentity, makeNextKey, rawPublicKey } from "./identity.ts";
import { createLog } from "./log.ts";
import { createServiceManager } from "./notify.ts";
import { mayOwe, OperationsDoor } from "./operations-door.ts";
import { createOutlet } from "./outlet.ts";
import type { Clock, SourceReport } from "./ports.ts";
import { readIfThere } from "./private-file.ts";
import { createPveApi } from "./pve/api.ts";
import { probePmxcfs } from "./pve/pmxcfs-probe.ts";
import { createRunCommand } from "./pve/run-command.ts";
import type { LocalTest } from "./restore/local.ts";
import { SpoolFiles } from "./spool-files.ts";
import { SpoolStore } from "./spool-store.ts";

const { env } = process;
const log = createLog({
  journal: env.JOURNAL_STREAM !== undefined,
  write: (line) => process.stderr.write(line),
  now: systemClock.now,
  maxLevel: env.PROVEN_DEBUG === undefined ? 6 : 7,
});

function readConfig({ configPath, configGiven }: { configPath: string; configGiven: boolean }): AgentConfig {
  const text = readIfThere(configPath);
  if (text === undefined && configGiven) throw new ConfigError("not there");
  const config = parseConfig(text ?? "");
  return { ...config, root: env.PROVEN_ROOT ?? config.root };
}

/** Starts this very program anew. */
const self = [process.execPath, ...process.execArgv, process.argv[1] ?? ""];

/** What the catalogue of backups may do here; archives are read by this very program, at idle priority. */
function backupsOf({ state, backups }: AgentConfig): NonNullable<CollectorDeps["backups"]> {
  return {
    stateDir: state,
    log,
    enabled: backups.sha256,
    bytesPerSec: backups.read_mib_per_sec << 20,
    readArchive: async () => (await import("./integrity/reading-process.ts")).createReadArchive(self),
  };
}

/** Time that is left to what is on its way when the agent has stopped, ms. */
const exitMs = 2000;

/** What is not needed for the first samples begins so long after them. */
const startLaterMs = 500;

/** A running agent looks at its machine so long after its start: nothing of it is urgent. */
const hardwareAfterMs = 120_000;

/** The edges that a run and a check share. */
function wire(config: AgentConfig, how: Pick<CollectorDeps, "slowAfterMs" | "hardware"> = {}) {
  const run = createRunCommand({ path: config.commands.path });
  const api = createPveApi({ baseUrl: config.pve.api, root: config.root, clock: systemClock });
  const backups = backupsOf(config);
  const hardware = { self, afterMs: 0 };
  const collector = createCollector({ root: config.root, api, run, clock: systemClock, log, backups, hardware, ...how });
  const hubFiles: HubFiles = { root: config.root, stateDir: config.state, configured: config.hub };
  return { run, api, collector, hubFiles };
}

async function run(config: AgentConfig): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  const identity = loadIdentity(config.state);
  const store = new SpoolStore(SpoolFiles.open(join(config.state, "spool"), log), log);
  const edges = wire(config, { slowAfterMs: startLaterMs, hardware: { self, afterMs: hardwareAfterMs } });
  const service = createServiceManager(env, { log, monotonicMs: systemClock.monotonicMs });
  const { outlet: switches, root, state } = config;
  const outlet = createOutlet({ switches, root, stateDir: state, run: edges.run, clock: systemClock, log });
  const hubUnreachableMs = switches.hub_unreachable_sec * 1000;
  const gateway = gatewayDoor(config, edges.hubFiles, identity);
  const operations = operationsDoor(config, edges);
  const ports = {
    ...edges,
    gateway,
    operations,
    clock: systemClock,
    log,
    random: Math.random,
    identity,
    store,
    service,
    outlet,
    hubUnreachableMs,
  };
  await runAgent(ports, stop.signal);
  edges.api.close();
  // A restore test that still runs would hold the process: its journal says what it did, and the next start clears it away.
  setTimeout(() => process.exit(), exitMs).unref();
  return 0;
}

/** Restore tests and what else the hub may ask for: loaded with the first of them, or when something of one is left. */
function operationsDoor(config: AgentConfig, { api, run, collector }: ReturnType<typeof wire>): OperationsDoor {
  const { vmid_first: first, vmid_last: last } = config.restore_test;
  return new OperationsDoor({
    dir: join(config.state, "operations"),
    root: config.root,
    vmids: { first, last },
    clock: systemClock,
    log,
    load: async (send, onProblem) => {
      const [{ loadOperations }, self] = await Promise.all([import("./restore/load.ts"), collector.identify()]);
      if (self === undefined) throw new Error("this node's name can't be read yet: is pmxcfs mounted?");
      const ports = { config, node: self.node, api, run, clock: systemClock, log };
      return loadOperations(ports, send, (problems, strangers) =>
        onProblem(problems.length === 0 ? undefined : problems.join("; "), strangers),
      );
    },
  });
}

/** Loaded where it is switched on, and when it begins: most of it is of no use elsewhere. */
function gatewayDoor(config: AgentConfig, hubFiles: HubFiles, identity: Identity): AgentGateway | undefined {
  if (!config.gateway.enabled) return undefined;
  const known: Pick<AgentGateway, "self"> = { self: undefined };
  const load = async () => {
    const { createGateway } = await import("./gateway/gateway.ts");
    const { pve_port: pvePort, ...rest } = config.gateway;
    return createGateway({
      config: { ...rest, pvePort },
      root: config.root,
      apiUrl: config.pve.api,
      hubFiles,
      identity,
      clock: systemClock,
      log,
      self: () => known.self,
    });
  };
  let loading: ReturnType<typeof load> | undefined;
  const loaded = () => {
    loading ??= load();
    return loading;
  };
  return Object.assign(known, {
    async run(signal: AbortSignal, clock: Clock) {
      const { gateway, close } = await loaded();
      await gateway.run(signal, clock).finally(close);
    },
    answer: async (message: Message) => (await loaded()).logins.answer(message),
  });
}

/** Children that the agent starts read no configuration. */
const childPath = "/usr/sbin:/usr/bin:/sbin:/bin";

/** All that `--check` can say then: most sources need it, and who waits for it does not end. */
const silentPmxcfs: SourceReport = {
  source: "pmxcfs",
  found: "nothing",
  costMs: 3000,
  problem: "/etc/pve does not answer (systemctl status pve-cluster): nothing else was looked at",
};

async function check(config: AgentConfig): Promise<number> {
  const { api, collector, hubFiles, run: runCommand } = wire(config);
  const { answers } = await probePmxcfs(config.root, runCommand);
  const reports = answers ? [...(await collector.check()), await checkHub(hubFiles, systemClock)] : [silentPmxcfs];
  process.stdout.write(formatCheck(reports));
  collector.close();
  api.close();
  return checkExitCode(reports);
}

async function restoreTest(config: AgentConfig, test: LocalTest): Promise<number> {
  const stop = new AbortController();
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.once(signal, () => stop.abort());
  const { api, run: runCommand, collector } = wire(config);
  const self = await collector.identify();
  collector.close();
  if (self === undefined) return refuse("this node's name can't be read: is pmxcfs mounted?");
  const [{ restorePorts, operationsDir }, { runLocally }] = await Promise.all([
    import("./restore/load.ts"),
    import("./restore/local.ts"),
  ]);
  const restore = restorePorts({ config, node: self.node, api, run: runCommand, clock: systemClock, log });
  const write = (text: string) => process.stdout.write(text);
  const code = await runLocally(test, { restore, dir: operationsDir(config.state), write, signal: stop.signal });
  api.close();
  return code;
}

/** Where nothing is left nothing is asked either: this is part of the package's removal. */
async function clearUpNode(config: AgentConfig): Promise<number> {
  if (!mayOwe(join(config.state, "operations"))) return 0;
  const { api, run: runCommand, collector } = wire(config);
  const { answers } = await probePmxcfs(config.root, runCommand);
  const self = answers ? await collector.identify() : undefined;
  collector.close();
  if (self === undefined) return refuse("restore tests left something, and /etc/pve can't be read: systemctl status pve-cluster");
  const [{ loadOperations }, { clearUp }] = await Promise.all([import("./restore/load.ts"), import("./clear-up.ts")]);
  const ports = { config, node: self.node, api, run: runCommand, clock: systemClock, log };
  let left: readonly string[] = [];
  const going = await clearUp(
    loadOperations(
      ports,
      () => undefined,
      (problems) => {
        left = problems;
      },
    ),
  );
  api.close();
  const problems = [...left, ...going];
  for (const problem of problems) process.stderr.write(`proven-agent: ${problem}\n`);
  return problems.length === 0 ? 0 : 1;
}

async function doctor(config: AgentConfig): Promise<number> {
  const [{ examine }, { doctorExitCode, formatFindings }] = await Promise.all([
    import("./doctor.ts"),
    import("#protocol/findings.ts"),
  ]);
  const { run, api, collector, hubFiles } = wire(config);
  const findings = await examine({ config, run, api, hubFiles, clock: systemClock, uid: process.getuid?.() ?? 0 });
  process.stdout.write(formatFindings(findings));
  collector.close();
  api.close();
  return doctorExitCode(findings);
}

/** A token on a command line can be seen by every user of the node for as long as the command runs: `-` takes it from standard input. */
async function joinHub(config: AgentConfig, command: Extract<Command, { do: "join" }>): Promise<number> {
  if (config.hub !== undefined) return refuse(`[hub] in ${command.configPath} says where the hub is: take it out, then join`);
  const token = command.token === "-" ? readFileSync(process.stdin.fd, "utf8") : command.token;
  const problem = storeJoin(config.state, { ...command, token });
  if (problem !== undefined) return refuse(problem);
  process.stdout.write("Stored. The agent joins at its next start: systemctl restart proven-agent\n");
  // What is wrong on the way shows now, not in a journal that nobody looks at.
  const hub = await checkHub({ root: config.root, stateDir: config.state, configured: undefined }, systemClock);
  if (hub.problem === undefined) process.stdout.write(`The hub answers: ${hub.found}\n`);
  else process.stderr.write(`But from here, now: ${hub.problem}\n`);
  return 0;
}

function rotateKey(config: AgentConfig): number {
  const present = rawPublicKey(loadIdentity(config.state));
  const next = rawPublicKey(makeNextKey(config.state));
  process.stdout.write(`${present} stays in use until the hub has taken ${next}: the running agent sees to it within a minute\n`);
  return 0;
}

function refuse(problem: string): number {
  process.stderr.write(`proven-agent: ${problem}\n`);
  return 2;
}

async function main(command: Command): Promise<number> {
  switch (command.do) {
    case "help":
      process.stdout.write(usage);
      return 0;
    case "version":
      process.stdout.write(`proven-agent ${softwareVersion}\n`);
      return 0;
    case "refuse":
      return refuse(`${command.problem}\n\n${usage}`);
    case "run":
      return run(readConfig(command));
    case "check":
      return check(readConfig(command));
    case "clear-up":
      return clearUpNode(readConfig(command));
    case "doctor":
      return doctor(readConfig(command));
    case "sandbox-check":
      return (await import("./checks/child.ts")).checkInSandbox(systemClock, createRunCommand({ path: childPath }));
    case "archive-check":
      return (await import("./integrity/child.ts")).readArchiveAsChild(systemClock);
    case "hardware-check":
      return (await import("./hardware/child.ts")).printHardware();
    case "restore-test":
      return restoreTest(readConfig(command), command.test);
    case "key-show":
      process.stdout.write(`${rawPublicKey(loadIdentity(readConfig(command).state))}\n`);
      return 0;
    case "key-rotate":
      return rotateKey(readConfig(command));
    case "join":
      return joinHub(readConfig(command), command);
  }
}

const command = parseCommand(process.argv.slice(2));
try {
  process.exitCode = await main(command);
} catch (error) {
  const known = error instanceof ConfigError && "configPath" in command;
  if (known) for (const line of error.message.split("\n")) log(3, `${command.configPath}: ${line}`);
  else log(3, "proven-agent can't go on", { problem: errorTrace(error) });
  process.exitCode = known ? 2 : 1;
}
