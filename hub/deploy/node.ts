import type { Ran, Remote } from "./connection.ts";
import { DeployProblem } from "./problem.ts";
import type { Terminal } from "./terminal.ts";

/** One word of a shell command, whatever is in it. */
export const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** What a node is, before anything is done to it. */
export type NodeFacts = {
  /** Its host name, which is also its name in a cluster. */
  name: string;
  /** `ID` of os-release(5). */
  os: string;
  osVersion: string;
  architecture: string;
  /** The agent's package: dpkg's status and version; undefined: not there. */
  installed: { status: string; version: string } | undefined;
  /** Fingerprint of the hub that the agent is welcome at. */
  joined: string | undefined;
  /** Fingerprint that `proven-agent join` stored. */
  told: string | undefined;
  /** Fingerprint in the cluster's hub.json. */
  ofCluster: string | undefined;
};

/** A node on which commands can be run as root. */
export type RootNode = { run(script: string, options?: { input?: string; withinMs?: number }): Promise<Ran>; how: string };

/**
 * As root itself, or by sudo: without a password where it asks for none. With one, `-k` makes sudo ask in any case, so that the line that holds it
 * can't end up in what the command reads. @throws DeployProblem when neither works.
 */
export async function becomeRoot(remote: Remote, user: string, terminal: Terminal): Promise<RootNode> {
  const id = await remote.run("id -u");
  if (id.stdout.trim() === "0") {
    return { how: "as root", run: (script, options) => remote.run(`sh -c ${quoted(script)}`, options) };
  }
  const sudo = (flags: string, script: string) => `sudo ${flags} -- sh -c ${quoted(script)}`;
  const free = await remote.run(sudo("-n", ":"));
  if (free.code === 0) return { how: "by sudo", run: (script, options) => remote.run(sudo("-n", script), options) };
  if (free.code === 127) throw new DeployProblem(`${user} is not root there, and there is no sudo: sign in as root`);
  if (!terminal.interactive) {
    throw new DeployProblem(
      `sudo asks ${user} for a password, and nobody can be asked for it: sign in as root, or run this on a terminal (${lastLine(free)})`,
    );
  }
  const password = await terminal.askSecret(`${user}'s password for sudo: `);
  const asked = "-k -S -p ''";
  const tried = await remote.run(sudo(asked, ":"), { input: `${password}\n` });
  if (tried.code !== 0) throw new DeployProblem(`sudo does not let ${user} do this: ${lastLine(tried)}`);
  return {
    how: "by sudo, with a password",
    run: (script, { input = "", ...more } = {}) => remote.run(sudo(asked, script), { ...more, input: `${password}\n${input}` }),
  };
}

/** `installed 0.1.0`; nothing and another exit code where dpkg doesn't know it. */
export const packageStatus = `dpkg-query -W -f '\${db:Status-Status} \${Version}' proven-agent`;

const factsScript = `
printf 'name=%s\\n' "$(uname -n)"
( . /etc/os-release && printf 'os=%s\\nosVersion=%s\\n' "$ID" "$VERSION_ID" )
printf 'architecture=%s\\n' "$(dpkg --print-architecture)"
printf 'installed=%s\\n' "$(${packageStatus} 2>/dev/null)"
printf 'joined=%s\\n' "$(cat /var/lib/proven-agent/joined 2>/dev/null)"
pin() { sed -n 's/.*"fingerprint":"\\([0-9A-Fa-f:]*\\)".*/\\1/p' "$1" 2>/dev/null; }
printf 'told=%s\\n' "$(pin /var/lib/proven-agent/join.json)"
printf 'ofCluster=%s\\n' "$(pin /etc/pve/proven/hub.json)"
`;

/** Only reads. @throws DeployProblem where the answer makes no sense. */
export async function lookAt(node: RootNode): Promise<NodeFacts> {
  const ran = await node.run(factsScript);
  const facts = parseFacts(ran.stdout);
  if (facts === undefined) throw new DeployProblem(`this is no Debian system that could be asked: ${lastLine(ran)}`);
  return facts;
}

/** Lines `key=value`; undefined when it has no name or no dpkg. */
export function parseFacts(text: string): NodeFacts | undefined {
  const values = new Map(
    text.split("\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1).trim()]),
  );
  const [name, architecture] = [values.get("name"), values.get("architecture")];
  if (name === undefined || name === "" || architecture === undefined || architecture === "") return undefined;
  const pin = (key: string) => values.get(key)?.toUpperCase() || undefined;
  const [status, version] = (values.get("installed") ?? "").split(" ");
  const there =
    status !== undefined && version !== undefined && version !== "" && status !== "not-installed" && status !== "config-files";
  return {
    name: name.split(".")[0] ?? name,
    os: values.get("os") ?? "",
    osVersion: values.get("osVersion") ?? "",
    architecture,
    installed: there ? { status, version } : undefined,
    joined: pin("joined"),
    told: pin("told"),
    ofCluster: pin("ofCluster"),
  };
}

/** What a command said last, for a message. */
export function lastLine({ stdout, stderr, code, signal }: Ran): string {
  const said = `${stdout}\n${stderr}`.trim().split("\n").at(-1)?.trim() ?? "";
  return said === "" ? (signal ?? `exit code ${code}`) : said;
}
