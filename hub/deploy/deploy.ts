import { createHash } from "node:crypto";
import type { EpochMs } from "#protocol/ids.ts";
import type { Say } from "../cli/command-line.ts";
import type { ListedAgent, OfferedToken } from "../cli/join-commands.ts";
import type { Ran, Remote } from "./connection.ts";
import { becomeRoot, lastLine, lookAt, type NodeFacts, packageStatus, quoted, type RootNode } from "./node.ts";
import { DeployProblem } from "./problem.ts";
import type { Terminal } from "./terminal.ts";

/** A package file: `proven-agent_0.1.0_all.deb`. */
export type DebFile = { name: string; version: string; architecture: string; bytes: Buffer };

/** The hub's side: who may join, and who is there. */
export interface Desk {
  /** A new join token. */
  offer(): Promise<OfferedToken>;
  /** It lets nobody in from now on; one that was used stays as it is. */
  withdraw(id: string): Promise<void>;
  agents(): Promise<ListedAgent[]>;
}

export type DeployPorts = {
  remote: Remote;
  desk: Desk;
  terminal: Terminal;
  say: Say;
  now(): EpochMs;
  sleep(ms: number): Promise<void>;
};

export type DeployPlan = {
  user: string;
  /** The agent's package first, then others to install with it. */
  packages: readonly [DebFile, ...DebFile[]];
  /** Of the hub's certificate. */
  fingerprint: string;
  /** `wss://…/agent` as the node will dial it. */
  hubUrl: string;
  /** An agent that belongs to another hub is to leave it. */
  rejoin: boolean;
};

const installWithinMs = 10 * 60_000;
const seenWithinMs = 120_000;
const lookEveryMs = 2_000;
const aptOptions = "-q -y --no-install-recommends -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold";

/**
 * Installs the agent on a node and waits until the hub has heard of it. What was done stays done when a later step fails, and the problem says
 * what that is; the same command again goes on from there. @throws DeployProblem
 */
export async function deploy(plan: DeployPlan, ports: DeployPorts): Promise<ListedAgent> {
  const { remote, terminal, say } = ports;
  const node = await becomeRoot(remote, plan.user, terminal);
  const facts = await lookAt(node);
  say(`node        ${facts.name}, ${facts.os} ${facts.osVersion} ${facts.architecture}, ${node.how}`);
  refuseForeign(facts, plan);
  await installOn(node, facts, plan, ports);
  const offered = await joinBy(node, facts, plan, ports);
  const startedAt = ports.now();
  try {
    await must(node.run("systemctl restart proven-agent"), "the agent does not start");
    const agent = await seenByHub(node, startedAt, ports);
    say(
      `seen        ${agent.id}, version ${agent.software ?? "unknown"}, joined ${new Date(agent.joinedAt).toISOString().slice(0, 16)}Z`,
    );
    return agent;
  } catch (error) {
    throw await blame(error, node, offered);
  } finally {
    if (offered !== undefined) await ports.desk.withdraw(offered.id);
  }
}

/** Before anything is changed. */
function refuseForeign(facts: NodeFacts, { packages, fingerprint, rejoin }: DeployPlan): void {
  if (facts.os !== "debian")
    throw new DeployProblem(`${facts.name} runs ${facts.os || "no Debian"}: the packages are for Debian 13 and Proxmox VE 9`);
  const foreign = packages.find(({ architecture }) => architecture !== "all" && architecture !== facts.architecture);
  if (foreign !== undefined)
    throw new DeployProblem(`${foreign.name} is for ${foreign.architecture}, ${facts.name} is ${facts.architecture}`);
  const belongsTo = facts.told ?? facts.joined;
  if (belongsTo === undefined || belongsTo === fingerprint || rejoin) return;
  throw new DeployProblem(
    `${facts.name} belongs to another hub, or to this one with an earlier certificate (${belongsTo}): --rejoin makes it leave that one for this`,
  );
}

async function installOn(node: RootNode, facts: NodeFacts, plan: DeployPlan, ports: DeployPorts): Promise<void> {
  const [agent, ...more] = plan.packages;
  const { installed } = facts;
  if (installed?.status === "installed" && installed.version === agent.version && more.length === 0) {
    ports.say(`package     ${agent.version} is installed already`);
    return;
  }
  if (installed !== undefined && installed.status !== "installed")
    ports.say(`package     found ${installed.status}: installing it again`);
  const dir = (
    await must(ports.remote.run("mktemp -d /tmp/proven-deploy.XXXXXX"), "no folder could be made in /tmp")
  ).stdout.trim();
  if (!/^\/tmp\/proven-deploy\.\w{6}$/.test(dir)) throw new DeployProblem(`mktemp answered ${dir}`);
  try {
    for (const deb of plan.packages) await copyTo(ports, dir, deb);
    await runApt(node, dir, plan.packages);
    ports.say(`installed   ${plan.packages.map(({ name }) => name).join(", ")}`);
    await installTools(node, ports);
  } finally {
    await node.run(`rm -rf -- ${quoted(dir)}`).catch(() => ports.say(`left        ${dir} on the node: the connection is gone`));
  }
}

async function copyTo({ remote, say }: DeployPorts, dir: string, { name, bytes }: DebFile): Promise<void> {
  const path = `${dir}/${name}`;
  await remote.copy(bytes, path);
  const wanted = createHash("sha256").update(bytes).digest("hex");
  const there = (await remote.run(`sha256sum -- ${quoted(path)}`)).stdout.split(" ")[0];
  if (there !== wanted) throw new DeployProblem(`${path} arrived damaged: is the node's /tmp full?`);
  say(`copied      ${name} (${Math.ceil(bytes.length / 1000)} kB, SHA-256 checked)`);
}

/** Debian's packages without which no sandbox can be made, so no backup restored for a test; a node of Proxmox VE need not have them. */
const restoreTools = "dnsmasq-base nftables";
/** A mirror behind a firewall that drops packets is given up soon. */
const mirrorOptions = "-o Acquire::Retries=0 -o Acquire::http::Timeout=15 -o Acquire::https::Timeout=15";
/** What apt says where its lists of packages are missing, as on a node just installed, or name what the mirror has no more. */
const staleLists = "unmet dependencies|is not installable|404 +Not Found";

/** From the node's own mirrors, which it may not reach: the agent does without, and says what it lacks when a backup is tested. */
async function installTools(node: RootNode, { say }: DeployPorts): Promise<void> {
  const ran = await node
    .run(
      `export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8; apt-get ${aptOptions} --no-upgrade ${mirrorOptions} install ${restoreTools} </dev/null >/dev/null 2>&1`,
      { withinMs: installWithinMs },
    )
    .catch(() => undefined);
  if (ran?.code === 0) say(`tools       ${restoreTools}`);
  else say(`tools       not installed: restore tests need them (apt-get update && apt-get install ${restoreTools})`);
}

/**
 * Its output goes to a file first: a broken connection must not end apt in the middle with SIGPIPE. Where its lists of packages are at fault they are
 * fetched once; that may fail in part, as without a subscription for the enterprise repository.
 */
async function runApt(node: RootNode, dir: string, packages: readonly DebFile[]): Promise<void> {
  const files = packages.map(({ name }) => quoted(`${dir}/${name}`)).join(" ");
  const log = quoted(`${dir}/log`);
  const script = `export DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8
install() { apt-get ${aptOptions} install ${files} </dev/null >>${log} 2>&1; }
install; code=$?
if [ $code != 0 ] && grep -qE '${staleLists}' ${log}; then
  echo 'and with fresh lists of packages:' >>${log}
  apt-get -q ${mirrorOptions} update </dev/null >>${log} 2>&1
  install; code=$?
fi
tail -n 30 ${log}; exit $code`;
  const ran = await node.run(script, { withinMs: installWithinMs });
  if (ran.code === 0) return;
  const state = await node.run(packageStatus);
  const left = state.code === 0 && state.stdout.trim() !== "" ? `left there as: ${state.stdout.trim()}` : "not there";
  throw new DeployProblem(
    `apt-get could not install it (${lastLine({ ...ran, stderr: "" })}).\n${ran.stdout.trim()}\nproven-agent is ${left}; nothing was rolled back. When the cause is gone, run the same command again.`,
  );
}

/** The token that was left on the node; undefined: none was needed. */
async function joinBy(
  node: RootNode,
  facts: NodeFacts,
  plan: DeployPlan,
  { desk, say }: DeployPorts,
): Promise<OfferedToken | undefined> {
  const { fingerprint, hubUrl } = plan;
  if (facts.joined === fingerprint && (facts.told ?? facts.ofCluster) === fingerprint) {
    say("join        this hub knows it already");
    return undefined;
  }
  if (facts.ofCluster === fingerprint && facts.told === undefined) {
    say("join        by its cluster's join key");
    return undefined;
  }
  const offered = await desk.offer();
  try {
    const words = ["join", hubUrl, "--fingerprint", offered.fingerprint, "--token", "-"].map(quoted).join(" ");
    await must(node.run(`proven-agent ${words}`, { input: `${offered.token}\n` }), "the agent did not take the join token");
  } catch (error) {
    await desk.withdraw(offered.id);
    throw error;
  }
  say(`join        ${hubUrl} by token ${offered.id}, good for once`);
  return offered;
}

/** By the agent's own public key, so that a node of the same name in another cluster isn't taken for it. */
async function seenByHub(node: RootNode, since: EpochMs, { desk, now, sleep }: DeployPorts): Promise<ListedAgent> {
  const publicKey = (await must(node.run("proven-agent key show"), "the agent's key can't be read")).stdout.trim();
  for (;;) {
    const agent = (await desk.agents()).find((one) => one.publicKey === publicKey && (one.connectedAt ?? 0) >= since);
    if (agent !== undefined) return agent;
    if (now() - since > seenWithinMs) throw new DeployProblem(`the hub has not seen it within ${seenWithinMs / 1000} s`);
    await sleep(lookEveryMs);
  }
}

/** The agent's own words say more than we could guess. */
async function blame(error: unknown, node: RootNode, offered: OfferedToken | undefined): Promise<unknown> {
  if (!(error instanceof DeployProblem)) return error;
  const journal = await node
    .run("systemctl is-active proven-agent; journalctl --unit=proven-agent --lines=8 --no-pager --output=cat")
    .catch(() => undefined);
  const said = journal === undefined ? "" : `\nthe agent is ${journal.stdout.trim()}`;
  const token = offered === undefined ? "" : ", its join token is withdrawn";
  return new DeployProblem(`${error.message}; it stays installed${token}.${said}\nproven-agent doctor on the node says more.`, {
    cause: error,
  });
}

async function must(ran: Promise<Ran>, problem: string): Promise<Ran> {
  const result = await ran;
  if (result.code !== 0) throw new DeployProblem(`${problem}: ${lastLine(result)}`);
  return result;
}
