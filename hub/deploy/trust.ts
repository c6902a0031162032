import { appendFileSync, existsSync, mkdirSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { Say } from "../cli/command-line.ts";
import { type HostKey, judgeHostKey, type KnownHost, knownHostLine, knownName, parseKnownHosts } from "./known-hosts.ts";
import { DeployProblem } from "./problem.ts";
import type { Terminal } from "./terminal.ts";

export type TrustPorts = {
  host: string;
  port: number;
  /** The fingerprint it must have, `SHA256:…`; undefined: known_hosts or a person says. */
  pinned: string | undefined;
  known: readonly KnownHost[];
  /** Where a key that a person confirmed is remembered. */
  userFile: string;
  terminal: Terminal;
  say: Say;
};

export const fingerprintPattern = /^SHA256:[A-Za-z0-9+/]{43}$/;

/** Every line of those of the files that are there and may be read. */
export function readKnownHosts(files: readonly string[]): KnownHost[] {
  return files.flatMap((file) => (existsSync(file) ? parseKnownHosts(readFileSync(file, "utf8"), file) : []));
}

/** Resolves when the key is the host's. @throws DeployProblem when it is another, or nobody could say so. */
export async function trustHostKey(shown: HostKey, ports: TrustPorts): Promise<void> {
  const { host, port, pinned, known, say } = ports;
  const verdict = judgeHostKey(known, host, port, shown);
  const name = knownName(host, port);
  const key = `${shown.type} ${shown.fingerprint}`;
  if (verdict.is === "revoked") throw new DeployProblem(`${name} shows a key that ${at(verdict.by)} revokes: ${key}`);
  if (verdict.is === "changed") {
    throw new DeployProblem(
      `the host key of ${name} has changed: it shows ${key}, which is not the one in ${at(verdict.by)}. Somebody may be in between. If it was installed anew: ssh-keygen -f ${verdict.by.file} -R '${name}'`,
    );
  }
  if (pinned !== undefined && pinned !== shown.fingerprint) {
    throw new DeployProblem(`${name} shows the host key ${key}, not ${pinned} as --host-key says`);
  }
  if (verdict.is === "known") return say(`host key    ${key}, as in ${at(verdict.by)}`);
  if (pinned !== undefined) return say(`host key    ${key}, as --host-key says`);
  await confirm(shown, name, ports);
}

const at = ({ file, line }: KnownHost) => `${file}:${line}`;

async function confirm(shown: HostKey, name: string, { host, port, terminal, userFile, say }: TrustPorts): Promise<void> {
  const { type, fingerprint } = shown;
  if (!terminal.interactive) {
    throw new DeployProblem(
      `the host key of ${name} is not known, and nobody can be asked: is it ${type} ${fingerprint}? Then --host-key ${fingerprint}`,
    );
  }
  say(`The host key of ${name} is not known: ${type} ${fingerprint}`);
  say("On the node: ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub");
  const answer = (await terminal.ask("Is it the right one (yes, no, or the fingerprint)? ")).trim();
  if (answer !== "yes" && answer !== fingerprint)
    throw new DeployProblem(`the host key of ${name} was not confirmed: nothing was sent to it`);
  mkdirSync(dirname(userFile), { recursive: true, mode: 0o700 });
  const before = existsSync(userFile) ? readFileSync(userFile, "utf8") : "";
  const newline = before === "" || before.endsWith("\n") ? "" : "\n";
  appendFileSync(userFile, `${newline}${knownHostLine(host, port, shown)}\n`, { mode: 0o600 });
  say(`host key    confirmed, and remembered in ${userFile}`);
}
