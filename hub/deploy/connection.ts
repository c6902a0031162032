import { connect, type Socket } from "node:net";
import ssh2, { type Client, type ServerHostKeyAlgorithm } from "ssh2";
import { type CredentialPorts, credentials } from "./credentials.ts";
import { type HostKey, parseHostKey } from "./known-hosts.ts";
import { DeployProblem, printable } from "./problem.ts";

/** What a command said. `code` undefined: a signal ended it. */
export type Ran = { code: number | undefined; signal: string | undefined; stdout: string; stderr: string };

/** A node at the other end of an SSH connection. */
export interface Remote {
  /** This machine's address as the node sees it. */
  readonly localAddress: string;
  /** `command` goes to the login shell. @throws DeployProblem when the line breaks. */
  run(command: string, options?: { input?: string; withinMs?: number }): Promise<Ran>;
  /** By SFTP; the file is the login user's alone. @throws DeployProblem */
  copy(bytes: Buffer, path: string): Promise<void>;
  close(): void;
}

export type ConnectOptions = {
  host: string;
  port: number;
  /** Key types to ask for first. */
  preferredTypes: readonly string[];
  /** Resolves when the key is the right one. @throws DeployProblem */
  checkHostKey(key: HostKey): Promise<void>;
  credentials: CredentialPorts;
  /** For each step of the handshake that no person has part in, ms. */
  answerWithinMs?: number;
};

const answerWithinMs = 20_000;
const commandWithinMs = 60_000;
/** A line that is silent for so long is dead: an answer is asked for three times in between. */
const aliveEveryMs = 10_000;
const outputMax = 1 << 20;

const algorithmsByType: Record<string, ServerHostKeyAlgorithm[]> = {
  "ssh-ed25519": ["ssh-ed25519"],
  "ecdsa-sha2-nistp256": ["ecdsa-sha2-nistp256"],
  "ecdsa-sha2-nistp384": ["ecdsa-sha2-nistp384"],
  "ecdsa-sha2-nistp521": ["ecdsa-sha2-nistp521"],
  "ssh-rsa": ["rsa-sha2-512", "rsa-sha2-256"],
};

/** Without SHA-1, which ssh2 would still take for RSA keys. */
function hostKeyAlgorithms(preferred: readonly string[]): ServerHostKeyAlgorithm[] {
  const types = [...preferred.filter((type) => Object.hasOwn(algorithmsByType, type)), ...Object.keys(algorithmsByType)];
  return [...new Set(types)].flatMap((type) => algorithmsByType[type] ?? []);
}

/** Signs in. Nothing of ours is sent before the host's key was found right. @throws DeployProblem */
export async function connectSsh(options: ConnectOptions): Promise<Remote> {
  const { host, port, credentials: wanted, answerWithinMs: patience = answerWithinMs } = options;
  const sock = await openTcp(host, port, patience);
  const client = new ssh2.Client();
  let takes: readonly string[] | undefined;
  const ways = credentials(wanted, () => takes);
  await new Promise<void>((resolve, reject) => {
    const fail = (error: unknown) => {
      clearTimeout(timer);
      client.end();
      sock.destroy();
      reject(error);
    };
    const late = () => fail(new DeployProblem(`${host}:${port} does not answer as an SSH server does: is it one?`));
    let timer = setTimeout(late, patience);
    /** People think as long as they like. */
    const unhurried = async <T>(work: Promise<T>): Promise<T> => {
      clearTimeout(timer);
      const result = await work;
      timer = setTimeout(late, patience);
      return result;
    };
    client.on("error", (error: Error & { level?: string }) => {
      if (error.level === "agent") return; // the next way is tried
      fail(new DeployProblem(`${host}:${port}: ${printable(error.message)}`, { cause: error }));
    });
    client.once("close", () =>
      fail(new DeployProblem(`${host}:${port} closed the connection${takes === undefined ? "" : " while signing in"}`)),
    );
    client.once("ready", () => {
      clearTimeout(timer);
      client.removeAllListeners("close");
      resolve();
    });
    client.connect({
      sock,
      username: wanted.user,
      readyTimeout: 0,
      keepaliveInterval: aliveEveryMs,
      keepaliveCountMax: 3,
      algorithms: { serverHostKey: hostKeyAlgorithms(options.preferredTypes) },
      hostVerifier: (blob: Buffer, verify: (ok: boolean) => void) => {
        const key = parseHostKey(blob);
        if (key === undefined) return fail(new DeployProblem(`${host} showed a key that is none`));
        unhurried(options.checkHostKey(key)).then(() => verify(true), fail);
      },
      authHandler: (left, _partial, next) => {
        takes = left ?? undefined;
        unhurried(ways.next()).then(({ value, done }) => {
          if (done === true) fail(noWayLeft(wanted, host, takes));
          else next(value);
        }, fail);
      },
    });
  });
  return remote(client, sock, host);
}

function noWayLeft(
  { user, terminal, identity }: CredentialPorts,
  host: string,
  takes: readonly string[] | undefined,
): DeployProblem {
  const accepted = takes === undefined ? "" : ` It takes: ${takes.map(printable).join(", ")}.`;
  const remedy = terminal.interactive
    ? "Is it the right user, key or password?"
    : `Name a key with --identity${identity === undefined ? "" : " that this user has there"}, or run this on a terminal to be asked for the password.`;
  return new DeployProblem(`${host} does not let ${user} in.${accepted} ${remedy}`);
}

function openTcp(host: string, port: number, withinMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const fail = (problem: string) => {
      socket.destroy();
      reject(new DeployProblem(`${host}:${port} can't be reached: ${problem}`));
    };
    socket.setTimeout(withinMs, () => fail("no answer"));
    socket.once("error", (error) => fail(error.message));
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.removeAllListeners("error").removeAllListeners("timeout");
      resolve(socket);
    });
  });
}

function remote(client: Client, sock: Socket, host: string): Remote {
  let lost: string | undefined;
  const broken = () =>
    new DeployProblem(`the connection to ${host} was lost${lost === undefined ? "" : ` (${printable(lost)})`}`);
  client.on("error", (error) => {
    lost = error.message;
  });
  const ended = new Promise<never>((_, reject) => client.on("close", () => reject(broken())));
  ended.catch(() => undefined); // nobody waits when we close it ourselves
  const unlessBroken = <T>(work: Promise<T>): Promise<T> => Promise.race([work, ended]);
  return {
    localAddress: (sock.localAddress ?? "").replace(/^::ffff:/, ""),
    async run(command, more = {}) {
      const ran = await unlessBroken(runCommand(client, command, more));
      if (ran.code === undefined && ran.signal === undefined) throw broken();
      return ran;
    },
    copy: (bytes, path) => unlessBroken(copyFile(client, bytes, path)),
    close: () => client.end(),
  };
}

/** The end of a short command can come in the same packet as its beginning: whoever listens must do so at once. */
function runCommand(
  client: Client,
  command: string,
  { input = "", withinMs = commandWithinMs }: { input?: string; withinMs?: number },
): Promise<Ran> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error !== undefined) return reject(new DeployProblem(printable(error.message)));
      const ran: Ran = { code: undefined, signal: undefined, stdout: "", stderr: "" };
      const collect = (to: "stdout" | "stderr") => (chunk: string) => {
        if (ran[to].length < outputMax) ran[to] += printable(chunk);
      };
      channel.setEncoding("utf8").on("data", collect("stdout"));
      channel.stderr.setEncoding("utf8").on("data", collect("stderr"));
      channel.on("exit", (code: number | null, signal?: string) => {
        ran.code = code ?? undefined;
        ran.signal = signal;
      });
      channel.on("error", () => undefined); // "close" follows
      const late = setTimeout(() => {
        channel.destroy();
        reject(new DeployProblem(`no end of a command within ${withinMs / 1000} s: ${command.slice(0, 80)}`));
      }, withinMs);
      channel.once("close", () => {
        clearTimeout(late);
        resolve(ran);
      });
      channel.end(input);
    });
  });
}

function copyFile(client: Client, bytes: Buffer, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    client.sftp((error, sftp) => {
      const fail = (problem: Error) =>
        reject(new DeployProblem(`${path} can't be written by SFTP: ${printable(problem.message)}`));
      if (error !== undefined) return fail(error);
      sftp.writeFile(path, bytes, { mode: 0o600 }, (problem) => {
        sftp.end();
        if (problem == null) resolve();
        else fail(problem);
      });
    });
  });
}
