import assert from "node:assert/strict";
import { chmodSync, chownSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { type TestContext, test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { commands } from "../../../hub/cli/commands.ts";
import { parseDeploy } from "../../../hub/deploy/command.ts";
import { connectSsh } from "../../../hub/deploy/connection.ts";
import { type DeployPlan, type Desk, deploy } from "../../../hub/deploy/deploy.ts";
import { knownTypes } from "../../../hub/deploy/known-hosts.ts";
import { parseFacts } from "../../../hub/deploy/node.ts";
import { choosePackages } from "../../../hub/deploy/packages.ts";
import { openTerminal, type Terminal } from "../../../hub/deploy/terminal.ts";
import { readKnownHosts, trustHostKey } from "../../../hub/deploy/trust.ts";
import { systemClock } from "../../../hub/ports.ts";
import { atOnce, newKey, SshNode, type SshNodeOptions } from "../../support/ssh-node.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";
import { agentOf, testHub } from "../../support/test-hub.ts";

const fingerprint = Array(32).fill("AB").join(":");
const userKey = newKey();

/** Someone at the terminal who gives these answers; nobody without them. */
function person(...answers: string[]): Terminal & { asked: string[] } {
  const asked: string[] = [];
  const answer = async (question: string) => {
    asked.push(question);
    return answers.shift() ?? assert.fail(`nobody answers ${question}`);
  };
  return { interactive: answers.length > 0, asked, ask: answer, askSecret: answer };
}

/** A hub whose agent is seen as soon as the node's service was started with a token, or was known before. */
function deskOf(t: TestContext, node: SshNode, knows: { agent: boolean }): Desk & { open(): Promise<string[]> } {
  const hub = testHub(t);
  const command = async (line: string, ...args: string[]): Promise<string> => {
    const said: string[] = [];
    const ports = { state: hub.state, now: systemClock.now(), user: "root", fingerprint: async () => fingerprint };
    await commands[line]?.run(args, { ...ports, agentUrls: () => [], say: (text) => said.push(text) });
    return said.join("\n");
  };
  const by = { actor: "test", reason: "test" };
  const { cluster, node: name } = agentOf("pve7");
  return {
    offer: async () => JSON.parse(await command("token create", "--json")),
    withdraw: async (id) => {
      if (hub.state.get("joinToken", id)?.usedAt === null) await command("token revoke", id);
    },
    async agents() {
      const id = node.read("token")?.split("_")[1];
      const now = systemClock.now();
      const token = id === undefined ? undefined : hub.state.get("joinToken", id);
      if (token !== undefined) hub.state.put("joinToken", token.id, { ...token, usedAt: now, usedBy: `${cluster}/${name}` }, by);
      if ((token === undefined && !knows.agent) || node.read("systemctl") === undefined) return [];
      const document = {
        cluster,
        node: name,
        clusterName: null,
        publicKey: "agent key",
        revokedKeys: [],
        joinedAt: now,
        revokedAt: null,
      };
      hub.state.put("agent", `${cluster}/${name}`, document, by);
      const seen = { software: "proven-agent/0.1.0", connectedAt: now, lastSeenAt: now, clockSkewMs: 0 };
      hub.state.put("agentSeen", `${cluster}/${name}`, seen, by);
      return JSON.parse(await command("agent list", "--json"));
    },
    open: async () => (await command("token list")).split("\n").filter((line) => / open until /.test(line)),
  };
}

/** One node, one hub, one person's `~/.ssh`; `run` is the command. */
async function setUp(t: TestContext, options: SshNodeOptions & { identity?: string; hubKnows?: boolean } = {}) {
  const node = await SshNode.start(t, { keys: [userKey.public], ...options });
  const sshDir = join(temporaryDir(t), ".ssh");
  mkdirSync(sshDir);
  writeFileSync(join(sshDir, "id_ed25519"), options.identity ?? userKey.private, { mode: 0o600 });
  const userFile = join(sshDir, "known_hosts");
  const desk = deskOf(t, node, { agent: options.hubKnows ?? false });
  const plan: DeployPlan = {
    user: "root",
    packages: [
      { name: "proven-agent_0.1.0_all.deb", version: "0.1.0", architecture: "all", bytes: Buffer.alloc(100_000, "deb") },
    ],
    fingerprint,
    hubUrl: "wss://192.0.2.1:8420/agent",
    rejoin: false,
  };
  const run = async (terminal: Terminal, { pinned, ...changes }: Partial<DeployPlan> & { pinned?: string } = {}) => {
    const said: string[] = [];
    const say = (line: string) => void said.push(line);
    const [host, port] = ["127.0.0.1", node.port];
    const known = readKnownHosts([userFile]);
    const remote = await connectSsh({
      host,
      port,
      preferredTypes: knownTypes(known, host, port),
      checkHostKey: (shown) => trustHostKey(shown, { host, port, pinned, known, userFile, terminal, say }),
      credentials: { user: "root", identity: undefined, sshDir, agentSocket: undefined, terminal },
    });
    let sleptMs = 0;
    const sleep = async (ms: number) => {
      sleptMs += ms;
    };
    const now = () => (systemClock.now() + sleptMs) as EpochMs;
    try {
      await deploy({ ...plan, ...changes }, { remote, desk, terminal, say, now, sleep });
    } finally {
      remote.close();
    }
    return said;
  };
  return { node, desk, run, userFile, sshDir };
}

const steps = (said: readonly string[]) => said.map((line) => line.split(/ {2,}/)[0]);

test("a node whose key was confirmed is installed, joined by a token that no command line shows, and seen", async (t) => {
  const { node, desk, run, userFile } = await setUp(t);
  const said = await run(person("yes"));
  assert.deepEqual(steps(said).slice(2), ["host key", "node", "copied", "installed", "tools", "join", "seen"]);
  assert.match(
    node.read("apt") ?? "",
    /--no-install-recommends .* install \/tmp\/proven-deploy\.\w{6}\/proven-agent_0\.1\.0_all\.deb\n.* install dnsmasq-base nftables$/,
  );
  assert.equal(node.read("joined-with"), `join wss://192.0.2.1:8420/agent --fingerprint ${fingerprint} --token -`);
  const token = node.read("token") ?? "";
  assert.match(token, /^pvj_/);
  assert.ok(!node.commands.some((command) => command.includes(token)) && !said.some((line) => line.includes(token)));
  assert.deepEqual(await desk.open(), []);
  const dir = /\/tmp\/proven-deploy\.\w{6}/.exec(node.read("apt") ?? "")?.[0] ?? "";
  assert.equal(existsSync(dir), false);
  assert.match(readFileSync(userFile, "utf8"), /^\|1\|\S+\|\S+ ssh-ed25519 \S+\n$/);
  assert.equal(statSync(userFile).mode & 0o777, 0o600);
});

test("run again it asks nobody, finds the package there, and makes no token for an agent that the hub knows", async (t) => {
  const { node, run } = await setUp(t, { hubKnows: true });
  await run(person("yes"));
  node.write("joined", `${fingerprint}\n`);
  node.write("join.json", `{"url":"wss://192.0.2.1:8420/agent","fingerprint":"${fingerprint}"}\n`);
  for (const file of ["token", "apt"]) node.remove(file);
  const said = await run(person());
  assert.match(said.join("\n"), /0\.1\.0 is installed already\njoin {8}this hub knows it already\nseen /);
  assert.deepEqual([node.read("apt"), node.read("token")], [undefined, undefined]);
});

test("a node of the hub's own cluster needs no token", async (t) => {
  const { node, run } = await setUp(t, { hubKnows: true });
  node.write("pve/hub.json", `{"url":"wss://192.0.2.1:8420/agent","fingerprint":"${fingerprint}"}\n`);
  assert.match((await run(person("yes"))).join("\n"), /join {8}by its cluster's join key/);
  assert.equal(node.read("token"), undefined);
});

test("an agent of another hub stays there, unless it is told to leave", async (t) => {
  const { node, run } = await setUp(t);
  node.write("join.json", `{"url":"wss://other:8420/agent","fingerprint":"${fingerprint.replaceAll("AB", "CD")}"}\n`);
  await assert.rejects(run(person("yes")), /pve7 belongs to another hub.*--rejoin/s);
  assert.equal(node.read("apt"), undefined);
  await run(person(), { rejoin: true });
  assert.match(node.read("token") ?? "", /^pvj_/);
});

test("a host key that nobody knows is refused where nobody can be asked, and the answer names its fingerprint", async (t) => {
  const { node, run } = await setUp(t);
  const problem = await run(person()).catch((error: Error) => error.message);
  const shown = /SHA256:\S{43}/.exec(String(problem))?.[0] ?? "";
  assert.match(String(problem), new RegExp(`Then --host-key ${shown.replaceAll("+", "\\+")}$`));
  assert.deepEqual(node.tried, []);
  await assert.rejects(run(person(), { pinned: `SHA256:${"A".repeat(43)}` }), /not SHA256:A{43} as --host-key says/);
  assert.deepEqual(node.tried, []);
  await run(person(), { pinned: shown });
});

test("a host key that was not confirmed ends it before anything is sent", async (t) => {
  const { node, run, userFile } = await setUp(t);
  await assert.rejects(run(person("no")), /was not confirmed: nothing was sent to it/);
  assert.deepEqual([node.tried, existsSync(userFile)], [[], false]);
});

test("a changed host key is refused, whatever --host-key and the person say, and the line of the old one is named", async (t) => {
  const { node, run, userFile } = await setUp(t);
  await run(person("yes"));
  const before = node.tried.length;
  await node.changeHostKey();
  await assert.rejects(run(person("yes")), (error: Error) => {
    assert.match(error.message, /has changed: it shows ssh-ed25519 SHA256:/);
    assert.ok(error.message.includes(`${userFile}:1`) && error.message.includes("ssh-keygen"));
    return true;
  });
  assert.equal(node.tried.length, before);
});

test("a wrong key is refused with what the host takes", async (t) => {
  const { run } = await setUp(t, { identity: newKey().private, password: "secret" });
  const shown = /SHA256:\S{43}/.exec(String(await run(person()).catch((error: Error) => error.message)))?.[0] ?? "";
  await assert.rejects(run(person(), { pinned: shown }), /does not let root in\. It takes: publickey, password\. Name a key/);
});

test("a password is asked for three times, and no more", async (t) => {
  const { node, run } = await setUp(t, { identity: newKey().private, password: "secret" });
  await assert.rejects(
    run(person("yes", "one", "two", "three")),
    /does not let root in.*Is it the right user, key or password\?/,
  );
  const terminal = person("wrong", "secret");
  await run(terminal);
  assert.deepEqual(terminal.asked, ["root's password: ", "root's password: "]);
  assert.ok(!node.commands.some((command) => command.includes("secret")));
});

test("a key's passphrase is asked for, and where nobody can be asked that is said", async (t) => {
  const locked = newKey("pass phrase");
  const { run } = await setUp(t, { keys: [locked.public], identity: locked.private });
  await run(person("yes", "wrong", "pass phrase"));
  await assert.rejects(run(person()), /has a passphrase, and nobody can be asked for it/);
});

test("a user who is not root works by sudo, and its password is on no command line", async (t) => {
  const { node, run } = await setUp(t, { uid: 1000 });
  await assert.rejects(run(person("yes", "wrong secret")), /sudo does not let root do this: sudo: 1 incorrect password attempt/);
  assert.equal(node.read("apt"), undefined);
  assert.match((await run(person("sudo secret"))).join("\n"), /by sudo, with a password/);
  assert.match(node.read("token") ?? "", /^pvj_/);
  assert.ok(!node.commands.some((command) => command.includes("sudo secret")));
  await assert.rejects(run(person()), /sudo asks root for a password, and nobody can be asked/);
  node.write("sudo-free");
  node.remove("token");
  assert.match((await run(person())).join("\n"), /by sudo$/m);
});

test("without sudo a user who is not root is told to sign in as root", async (t) => {
  const { node, run } = await setUp(t, { uid: 1000 });
  node.write("bin/sudo", "#!/bin/sh\necho 'sh: sudo: not found' >&2\nexit 127\n");
  await assert.rejects(run(person("yes")), /not root there, and there is no sudo/);
});

test("a node that reaches no mirror gets its agent all the same, and what restore tests lack is said", async (t) => {
  const { node, run } = await setUp(t);
  node.write("no-mirror");
  const said = await run(person("yes"));
  assert.deepEqual(steps(said).slice(-3), ["tools", "join", "seen"]);
  assert.match(said.join("\n"), /^tools +not installed: restore tests need them \(.*apt-get install dnsmasq-base nftables\)$/m);
});

test("a node that was just installed has no lists of packages yet: they are fetched, also where the enterprise repository wants a subscription", async (t) => {
  const { node, run } = await setUp(t);
  node.write("no-lists");
  assert.deepEqual(steps(await run(person("yes"))).slice(-4), ["installed", "tools", "join", "seen"]);
  const words = (node.read("apt") ?? "").split("\n").map((line) => /\b(install|update)\b/.exec(line)?.[0]);
  assert.deepEqual(words.slice(0, 3), ["install", "update", "install"]);
});

test("apt that fails half-way: what is left is named, no token is made, and the same command goes on", async (t) => {
  const { node, desk, run } = await setUp(t);
  node.write("apt-fails");
  await assert.rejects(
    run(person("yes")),
    /E: Sub-process \S+ returned an error code \(1\)[\s\S]*left there as: half-configured 0\.1\.0; nothing was rolled back/,
  );
  assert.deepEqual([await desk.open(), node.read("joined-with")], [[], undefined]);
  node.remove("apt-fails");
  assert.match((await run(person())).join("\n"), /found half-configured: installing it again/);
});

test("a connection that breaks while apt runs is named, apt runs to its end, and the same command goes on", async (t) => {
  const { node, run } = await setUp(t);
  node.onCommand = (command) => {
    if (command.includes("apt-get")) node.drop();
  };
  await assert.rejects(run(person("yes")), /the connection to 127\.0\.0\.1 was lost/);
  await node.finished();
  assert.equal(node.read("installed"), "installed 0.1.0");
  node.onCommand = () => undefined;
  assert.match((await run(person())).join("\n"), /0\.1\.0 is installed already/);
});

test("the end of a command is heard also when it comes with its beginning", async (t) => {
  const { node, sshDir } = await setUp(t);
  const remote = await connectSsh({
    host: "127.0.0.1",
    port: node.port,
    preferredTypes: [],
    checkHostKey: async () => undefined,
    credentials: { user: "root", identity: undefined, sshDir, agentSocket: undefined, terminal: person() },
  });
  for (let round = 0; round < 20; round++) assert.equal((await remote.run(atOnce)).code, 3);
  remote.close();
});

test("an agent that the hub does not see: its words are shown, and its token is withdrawn", async (t) => {
  const { node, desk, run } = await setUp(t);
  node.write("bin/systemctl", '#!/bin/sh\n[ "$1" != is-active ] || echo activating\n');
  await assert.rejects(
    run(person("yes")),
    /not seen it within 120 s; it stays installed, its join token is withdrawn\.\nthe agent is activating\nthe hub refused this agent: bad-join/,
  );
  assert.deepEqual(await desk.open(), []);
});

test("a node that is no Debian, or of another architecture, is left as it is", async (t) => {
  const { node, run } = await setUp(t);
  const deb = { name: "proven-agent_0.1.0_arm64.deb", version: "0.1.0", architecture: "arm64", bytes: Buffer.alloc(1) };
  await assert.rejects(run(person("yes"), { packages: [deb] }), /is for arm64, pve7 is amd64/);
  node.write("os-release", "ID=alpine\nVERSION_ID=3\n");
  await assert.rejects(run(person()), /pve7 runs alpine/);
  assert.equal(node.read("apt"), undefined);
  assert.equal(parseFacts("sh: not a shell"), undefined);
});

test("the package is the one of the hub's version, unless another is named", (t) => {
  const dir = temporaryDir(t);
  const write = (name: string, text = "!<arch>\n") => writeFileSync(join(dir, name), text);
  assert.throws(() => choosePackages([], [dir], "0.1.0"), /proven-agent_0\.1\.0_all\.deb is not in/);
  write("proven-agent_0.0.9_all.deb");
  assert.throws(() => choosePackages([], [dir], "0.1.0"), /there is proven-agent_0\.0\.9_all\.deb/);
  assert.equal(choosePackages([join(dir, "proven-agent_0.0.9_all.deb")], [dir], "0.1.0")[0].version, "0.0.9");
  write("proven-agent_0.1.0_all.deb");
  write("proven-pve-ui_0.1.0_all.deb");
  const chosen = choosePackages([join(dir, "proven-pve-ui_0.1.0_all.deb")], [dir], "0.1.0").map(({ name }) => name);
  assert.deepEqual(chosen, ["proven-agent_0.1.0_all.deb", "proven-pve-ui_0.1.0_all.deb"]);
  write("x.deb");
  assert.throws(() => choosePackages([join(dir, "x.deb")], [], "0.1.0"), /not named like a package/);
  write("proven-agent_0.2.0_all.deb", "text");
  assert.throws(() => choosePackages([join(dir, "proven-agent_0.2.0_all.deb")], [], "0.1.0"), /is no Debian package/);
});

test("a package that the hub's user or anybody could have made is not installed unseen", (t) => {
  const dir = temporaryDir(t);
  const path = join(dir, "proven-agent_0.1.0_all.deb");
  writeFileSync(path, "!<arch>\n");
  assert.equal(choosePackages([], [dir], "0.1.0")[0].version, "0.1.0");
  chmodSync(path, 0o666);
  assert.throws(() => choosePackages([], [dir], "0.1.0"), /could have been made by somebody else/);
  chmodSync(path, 0o644);
  if (process.getuid?.() === 0) {
    chownSync(path, 4242, 4242);
    assert.throws(() => choosePackages([], [dir], "0.1.0"), /could have been made by somebody else/);
  }
  assert.equal(choosePackages([path], [dir], "0.1.0")[0].version, "0.1.0");
});

test("the command line names user, node and port, and what can't be followed is refused", () => {
  const words = (line: string) => parseDeploy(line.split(" "));
  assert.deepEqual([words("pve1").user, words("pve1").host, words("pve1").port], ["root", "pve1", 22]);
  assert.deepEqual([words("admin@[fd00::1] --port 2222").user, words("admin@[fd00::1] --port 2222").host], ["admin", "fd00::1"]);
  for (const wrong of [
    "",
    "a b",
    "a@b@c",
    "root@-oProxyCommand=x",
    "pve1 --port 0",
    "pve1 --host-key MD5:ab",
    "pve1 --hub-url https://x",
  ]) {
    assert.throws(() => words(wrong), /give one node|--port|--host-key|--hub-url/, wrong);
  }
});

test("what is typed at a question for a secret is not shown, and Ctrl-C ends it", async () => {
  const raw: boolean[] = [];
  const keyboard = Object.assign(new PassThrough(), { isTTY: true, setRawMode: (on: boolean) => raw.push(on) });
  let shown = "";
  const terminal = openTerminal(keyboard as never, { write: (text) => (shown += text) });
  const secret = terminal.askSecret("Password: ");
  keyboard.write("wrong\u0015secrex\u007ft\r");
  assert.equal(await secret, "secret");
  const answer = terminal.ask("Yes? ");
  keyboard.write("yes\r");
  assert.equal(await answer, "yes");
  assert.equal(shown, "Password: \nYes? yes\n");
  const stopped = terminal.askSecret("Password: ");
  keyboard.write("\u0003");
  await assert.rejects(stopped, /interrupted/);
  assert.deepEqual(raw, [true, false, true, false, true, false]);
});
