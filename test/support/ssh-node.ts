import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import ssh2, { type Connection, type ParsedKey, type ServerChannel, type SFTPWrapper } from "ssh2";

const { Server, utils } = ssh2;

/** What the node's programs do, as scripts: they leave what they were asked in the node's folder. */
const programs: Record<string, string> = {
  uname: "echo pve7.example",
  id: 'cat "$NODE/uid"',
  sudo: `case "$1" in
    -n) [ -e "$NODE/sudo-free" ] || { echo 'sudo: a password is required' >&2; exit 1; }; shift 2 ;;
    -k) read -r line; [ "$line" = 'sudo secret' ] || { echo 'sudo: 1 incorrect password attempt' >&2; exit 1; }; shift 5 ;;
  esac
  exec "$@"`,
  "dpkg-query": '[ -e "$NODE/installed" ] && cat "$NODE/installed"',
  dpkg: "echo amd64",
  "apt-get": `echo "$*" >>"$NODE/apt"
  case "$*" in *dnsmasq-base*) [ ! -e "$NODE/no-mirror" ] || { echo 'E: Unable to locate package dnsmasq-base'; exit 100; }; exit 0 ;; esac
  case "$*" in *update) rm -f "$NODE/no-lists"; echo '401  Unauthorized'; exit 100 ;; esac
  [ -e "$NODE/no-lists" ] && { echo ' proven-agent : Depends: nodejs (>= 20.19) but it is not installable'; exit 100; }
  [ -e "$NODE/apt-fails" ] && { echo 'half-configured 0.1.0' >"$NODE/installed"; echo 'E: Sub-process /usr/bin/dpkg returned an error code (1)'; exit 100; }
  echo 'installed 0.1.0' >"$NODE/installed"`,
  systemctl: 'echo "$*" >>"$NODE/systemctl"; [ "$1" != is-active ] || echo failed',
  journalctl: "echo 'the hub refused this agent: bad-join'",
  "proven-agent": `case "$1 $2" in
    'key show') echo "agent key" ;;
    *) echo "$*" >>"$NODE/joined-with"; read -r token; echo "$token" >"$NODE/token" ;;
  esac`,
};

export type KeyPair = { private: string; public: string };

/** An Ed25519 pair in OpenSSH's format, as ssh-keygen makes it. */
export const newKey = (passphrase?: string): KeyPair =>
  utils.generateKeyPairSync("ed25519", passphrase === undefined ? {} : { passphrase, cipher: "aes256-ctr", rounds: 4 });

export type SshNodeOptions = {
  /** Public keys, in OpenSSH's format, that let the user in. */
  keys?: readonly string[];
  password?: string;
  /** The user's number: 0 is root. */
  uid?: number;
};

/** A command that has ended before anybody could look. */
export const atOnce = "at once";

/** A node that a real SSH server lets in to: commands run in a shell with the programs above, files arrive by SFTP. Gone when the test ends. */
export class SshNode {
  readonly dir = mkdtempSync(join(tmpdir(), "proven-node-"));
  readonly commands: string[] = [];
  /** Ways to sign in that were tried. */
  readonly tried: string[] = [];
  private readonly connections = new Set<Connection>();
  private readonly children: Promise<unknown>[] = [];
  private server: ssh2.Server | undefined;
  port = 0;
  /** Told of each command when it was started. */
  onCommand: (command: string) => void = () => undefined;

  static async start(t: TestContext, options: SshNodeOptions = {}): Promise<SshNode> {
    const node = new SshNode(options);
    await node.listen();
    t.after(() => node.stop());
    return node;
  }

  private constructor(private readonly options: SshNodeOptions) {
    mkdirSync(join(this.dir, "bin"));
    for (const [name, script] of Object.entries(programs)) {
      writeFileSync(join(this.dir, "bin", name), `#!/bin/sh\n${script}\n`);
      chmodSync(join(this.dir, "bin", name), 0o755);
    }
    this.write("uid", String(options.uid ?? 0));
    this.write("os-release", 'ID=debian\nVERSION_ID="13"\n');
  }

  /** The same host with another key, as after it was installed anew. */
  async changeHostKey(): Promise<void> {
    await this.close();
    await this.listen();
  }

  private async listen(): Promise<void> {
    const server = new Server({ hostKeys: [newKey().private] }, (connection) => this.accept(connection));
    this.server = server;
    server.listen(this.port, "127.0.0.1");
    await once(server, "listening");
    this.port = (server.address() as AddressInfo).port; // it listens on TCP
  }

  write(name: string, text = ""): void {
    mkdirSync(join(this.dir, name, ".."), { recursive: true });
    writeFileSync(join(this.dir, name), text);
  }

  remove(name: string): void {
    rmSync(join(this.dir, name));
  }

  /** Undefined: it is not there. */
  read(name: string): string | undefined {
    const path = join(this.dir, name);
    return existsSync(path) ? readFileSync(path, "utf8").trim() : undefined;
  }

  /** As when a cable is pulled out, but at once. */
  drop(): void {
    for (const connection of this.connections) connection.end();
  }

  private async close(): Promise<void> {
    this.drop();
    await new Promise<void>((resolve) => this.server?.close(() => resolve()));
  }

  /** What was started has ended, also what nobody waits for any more. */
  async finished(): Promise<void> {
    await Promise.all(this.children);
  }

  private async stop(): Promise<void> {
    await this.close();
    await this.finished();
    rmSync(this.dir, { recursive: true, force: true });
  }

  private accept(connection: Connection): void {
    this.connections.add(connection);
    connection.on("error", () => undefined).on("close", () => this.connections.delete(connection));
    const allowed = (this.options.keys ?? []).map((text) => utils.parseKey(text) as ParsedKey); // written in the test
    connection.on("authentication", (attempt) => {
      this.tried.push(attempt.method);
      const takes: ("publickey" | "password")[] = this.options.password === undefined ? ["publickey"] : ["publickey", "password"];
      if (attempt.method === "password" && attempt.password === this.options.password) return attempt.accept();
      if (attempt.method !== "publickey") return attempt.reject(takes);
      const key = allowed.find((one) => one.getPublicSSH().equals(attempt.key.data));
      if (key === undefined) return attempt.reject(takes);
      const { signature, blob, hashAlgo } = attempt;
      if (signature === undefined || (blob !== undefined && key.verify(blob, signature, hashAlgo) === true))
        return attempt.accept();
      return attempt.reject(takes);
    });
    connection.on("session", (accept) => {
      const session = accept();
      session.on("exec", (acceptExec, _reject, { command }) => this.run(acceptExec(), command));
      session.on("sftp", (acceptSftp) => serveFiles(acceptSftp()));
    });
  }

  private run(channel: ServerChannel, command: string): void {
    this.commands.push(command);
    if (command === atOnce) {
      channel.exit(3);
      channel.end();
      return;
    }
    const inside = command
      .replaceAll("/var/lib/proven-agent/", `${this.dir}/`)
      .replaceAll("/etc/pve/proven/", `${this.dir}/pve/`)
      .replaceAll("/etc/os-release", `${this.dir}/os-release`);
    const env = { PATH: `${join(this.dir, "bin")}:/usr/bin:/bin`, NODE: this.dir };
    const child = spawn("sh", ["-c", inside], { env });
    channel.on("error", () => undefined);
    child.stdin.on("error", () => undefined);
    channel.pipe(child.stdin);
    child.stdout.pipe(channel, { end: false });
    child.stderr.pipe(channel.stderr, { end: false });
    this.children.push(once(child, "close"));
    child.on("close", (code) => {
      channel.exit(code ?? 1);
      channel.end();
    });
    this.onCommand(command);
  }
}

/** As much of SFTP (draft-ietf-secsh-filexfer-02) as writing a file needs. */
function serveFiles(sftp: SFTPWrapper): void {
  const { STATUS_CODE } = utils.sftp;
  sftp.on("OPEN", (id: number, path: string) => {
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(openSync(path, "w", 0o600));
    sftp.handle(id, handle);
  });
  sftp.on("WRITE", (id: number, handle: Buffer, offset: number, data: Buffer) => {
    writeSync(handle.readUInt32BE(), data, 0, data.length, offset);
    sftp.status(id, STATUS_CODE.OK);
  });
  sftp.on("CLOSE", (id: number, handle: Buffer) => {
    closeSync(handle.readUInt32BE());
    sftp.status(id, STATUS_CODE.OK);
  });
  for (const event of ["FSETSTAT", "SETSTAT"] as const) sftp.on(event, (id: number) => sftp.status(id, STATUS_CODE.OK));
}
