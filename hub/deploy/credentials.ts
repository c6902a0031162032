import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ssh2, { type AnyAuthMethod, type ParsedKey } from "ssh2";
import { errorMessage } from "../core/error.ts";
import { DeployProblem, printable } from "./problem.ts";
import type { Terminal } from "./terminal.ts";

/** Tries with a passphrase or a password before it is given up, as ssh(1) has it. */
const triesMax = 3;
/** Keys that ssh(1) tries by itself, newest kind first. */
const usualKeys = ["id_ed25519", "id_ecdsa", "id_rsa"];

export type CredentialPorts = {
  user: string;
  /** A key file that was named: then no other and no ssh-agent is tried. */
  identity: string | undefined;
  /** `~/.ssh` of whoever runs the command. */
  sshDir: string;
  /** `SSH_AUTH_SOCK`. */
  agentSocket: string | undefined;
  terminal: Terminal;
};

/**
 * Ways to sign in, in the order in which they are tried: the named key, or the ssh-agent and the usual keys; then a password, asked for while the
 * host takes one. `takes`: what the host said last that it takes; undefined: nothing so far.
 */
export async function* credentials(
  ports: CredentialPorts,
  takes: () => readonly string[] | undefined,
): AsyncGenerator<AnyAuthMethod> {
  const { user: username, identity, sshDir, agentSocket } = ports;
  if (identity === undefined && agentSocket !== undefined) yield { type: "agent", username, agent: agentSocket };
  const files =
    identity === undefined ? usualKeys.map((name) => join(sshDir, name)).filter((path) => existsSync(path)) : [identity];
  for (const path of files) {
    const takesKeys = takes()?.includes("publickey") ?? true;
    if (takesKeys) yield { type: "publickey", username, key: await openKey(path, ports.terminal) };
  }
  if (takes() === undefined) yield { type: "none", username };
  for (let tries = 0; tries < triesMax && ports.terminal.interactive; tries++) {
    const secret = () => ports.terminal.askSecret(`${username}'s password: `);
    if (takes()?.includes("password")) yield { type: "password", username, password: await secret() };
    else if (takes()?.includes("keyboard-interactive")) yield byQuestions(username, ports.terminal);
    else return;
  }
}

function byQuestions(username: string, terminal: Terminal): AnyAuthMethod {
  return {
    type: "keyboard-interactive",
    username,
    prompt(_name, _instructions, _language, prompts, finish) {
      const answer = async () => {
        const answers: string[] = [];
        for (const { prompt, echo } of prompts) {
          const question = printable(prompt);
          answers.push(await (echo === true ? terminal.ask(question) : terminal.askSecret(question)));
        }
        return answers;
      };
      answer().then(finish, () => finish([]));
    },
  };
}

/** @throws DeployProblem when it is no private key, or its passphrase isn't given. */
async function openKey(path: string, terminal: Terminal): Promise<ParsedKey> {
  const text = readKey(path);
  let key = ssh2.utils.parseKey(text);
  for (let tries = 0; key instanceof Error && /passphrase|encrypted/i.test(key.message) && tries < triesMax; tries++) {
    if (!terminal.interactive) {
      throw new DeployProblem(
        `${path} has a passphrase, and nobody can be asked for it: put it into an ssh-agent, or run this on a terminal`,
      );
    }
    key = ssh2.utils.parseKey(text, await terminal.askSecret(`Passphrase of ${path}: `));
  }
  if (key instanceof Error) throw new DeployProblem(`${path} can't be opened: ${key.message}`);
  if (!key.isPrivateKey()) throw new DeployProblem(`${path} holds no private key: name the file without .pub`);
  return key;
}

function readKey(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new DeployProblem(`${path} can't be read: ${errorMessage(error)}`, { cause: error });
  }
}
