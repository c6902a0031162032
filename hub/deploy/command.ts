import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { softwareVersion } from "#protocol/version.ts";
import { type Say, UsageError } from "../cli/command-line.ts";
import { shownAt } from "../cli/doctor.ts";
import type { ListedAgent, OfferedToken } from "../cli/join-commands.ts";
import { agentUrl, clusterAddress } from "../cli/setup.ts";
import type { HubConfig } from "../config.ts";
import { addressToAsk } from "../core/connections.ts";
import { systemClock } from "../ports.ts";
import { certificatePath, loadCertificate } from "../tls.ts";
import { connectSsh } from "./connection.ts";
import { type Desk, deploy } from "./deploy.ts";
import { knownTypes } from "./known-hosts.ts";
import { choosePackages } from "./packages.ts";
import { DeployProblem } from "./problem.ts";
import { openTerminal } from "./terminal.ts";
import { fingerprintPattern, readKnownHosts, trustHostKey } from "./trust.ts";

export type DeployWords = {
  user: string;
  host: string;
  port: number;
  identity: string | undefined;
  hostKey: string | undefined;
  hubUrl: string | undefined;
  packages: string[];
  rejoin: boolean;
};

const usage =
  "deploy [USER@]NODE [--port 22] [--identity FILE] [--host-key SHA256:…] [--hub-url wss://HOST:PORT/agent] [--package FILE …] [--rejoin]";

/** @throws UsageError */
export function parseDeploy(args: string[]): DeployWords {
  const { values, positionals } = parseArgs({
    args,
    allowPositionals: true,
    options: {
      port: { type: "string", default: "22" },
      identity: { type: "string", short: "i" },
      "host-key": { type: "string" },
      "hub-url": { type: "string" },
      package: { type: "string", multiple: true, default: [] },
      rejoin: { type: "boolean", default: false },
    },
  });
  const [target, ...more] = positionals;
  const [, user = "root", inBrackets, bare] = /^(?:([^@\s]+)@)?(?:\[([^\]\s]+)\]|([^@\s[\]]+))$/.exec(target ?? "") ?? [];
  const host = inBrackets ?? bare;
  if (host === undefined || more.length > 0 || host.startsWith("-")) throw new UsageError(`give one node\n  proven-hub ${usage}`);
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new UsageError("--port: a whole number from 1 to 65535");
  const { identity, "host-key": hostKey, "hub-url": hubUrl, package: packages, rejoin } = values;
  if (hostKey !== undefined && !fingerprintPattern.test(hostKey))
    throw new UsageError("--host-key: SHA256:… as ssh-keygen -l prints it");
  if (hubUrl !== undefined && (!URL.canParse(hubUrl) || new URL(hubUrl).protocol !== "wss:")) {
    throw new UsageError("--hub-url: wss://HOST:PORT/agent");
  }
  return { user, host, port, identity, hostKey, hubUrl, packages, rejoin };
}

/** Where the agent's package is looked for. */
const packageFolders = (state: string) => [join(state, "packages"), process.cwd()];

/**
 * `proven-hub deploy`. The SSH side is whoever runs it (his keys, his known_hosts); tokens and agents are asked of this program run again, which
 * then works as the hub's user. @throws DeployProblem
 */
export async function runDeploy(config: HubConfig, args: string[], self: readonly string[], say: Say): Promise<void> {
  const { user, host, port, identity, hostKey, hubUrl, packages: named, rejoin } = parseDeploy(args);
  const packages = choosePackages(named, packageFolders(config.state), softwareVersion);
  const fingerprint = await ownFingerprint(config);
  const terminal = openTerminal(process.stdin, process.stderr);
  const sshDir = join(homedir(), ".ssh");
  const userFile = join(sshDir, "known_hosts");
  const known = readKnownHosts([userFile, "/etc/ssh/ssh_known_hosts"]);
  const remote = await connectSsh({
    host,
    port,
    preferredTypes: knownTypes(known, host, port),
    checkHostKey: (shown) => trustHostKey(shown, { host, port, pinned: hostKey, known, userFile, terminal, say }),
    credentials: { user, identity, sshDir, agentSocket: process.env.SSH_AUTH_SOCK, terminal },
  });
  try {
    say(`signed in   ${user}@${host}`);
    const plan = { user, packages, fingerprint, hubUrl: hubUrl ?? urlFor(config, remote.localAddress), rejoin };
    const ports = { remote, desk: ownDesk(self), terminal, say, now: systemClock.now, sleep: (ms: number) => sleep(ms) };
    await deploy(plan, ports);
  } finally {
    remote.close();
  }
}

/** In a cluster its own address there; else the one by which this machine reached the node, which may not know its name. */
function urlFor({ join: place, port }: HubConfig, localAddress: string): string {
  return agentUrl(clusterAddress(place.pmxcfs) ?? localAddress, port);
}

/** Of the hub that runs here. @throws DeployProblem when none does, before the node is touched. */
async function ownFingerprint({ state, listen, port }: HubConfig): Promise<string> {
  if (!existsSync(certificatePath(state)))
    throw new DeployProblem(`${state} holds no hub: it has never run (systemctl start proven-hub)`);
  const { fingerprint } = await loadCertificate(state, systemClock.now());
  const shown = await shownAt(port, addressToAsk(listen));
  if (shown === fingerprint) return fingerprint;
  throw new DeployProblem(`the hub does not answer on port ${port}: no agent could join (systemctl start proven-hub)`);
}

/** `self`: how this program is called, with its `--config`. */
function ownDesk(self: readonly string[]): Desk {
  const ask = async <T>(...words: string[]): Promise<T> => JSON.parse(await output(self, words)) as T; // we print it ourselves
  return {
    offer: () => ask<OfferedToken>("token", "create", "--json", "--expires-minutes", "15"),
    agents: () => ask<ListedAgent[]>("agent", "list", "--json"),
    withdraw: async (id) => {
      const tokens = await ask<{ id: string; usedAt: number | null }[]>("token", "list", "--json");
      if (tokens.some((one) => one.id === id && one.usedAt === null)) await output(self, ["token", "revoke", id]);
    },
  };
}

function output([file = "", ...first]: readonly string[], words: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    execFile(file, [...first, ...words], { timeout: 30_000, maxBuffer: 16 << 20 }, (error, stdout, stderr) => {
      if (error === null) resolve(stdout);
      else
        reject(new DeployProblem(`${words.slice(0, 2).join(" ")} failed: ${stderr.trim() || error.message}`, { cause: error }));
    });
  });
}
