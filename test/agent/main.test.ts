import assert from "node:assert/strict";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { createInterface } from "node:readline";
import { type TestContext, test } from "node:test";
import { generate } from "selfsigned";
import { storeJoin } from "../../agent/hub-place.ts";
import { connectHub } from "../../agent/hub-socket.ts";
import type { LinkHub } from "../support/link-hub.ts";
import { RecordedNode } from "../support/recorded-node.ts";
import { temporaryDir } from "../support/temporary-dir.ts";
import { startTlsHub } from "../support/tls-hub.ts";

const project = join(import.meta.dirname, "../..");
const joinKey = Buffer.from("32 bytes of the cluster's joinkey");

/** The recorded node's files, with a hub in /etc/pve, and a configuration for the real process. */
async function prepare(t: TestContext, at: { url: string; fingerprint: string } | undefined) {
  const { root } = new RecordedNode(t);
  const state = temporaryDir(t);
  const write = (path: string, text: string) => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  };
  write(join(root, "etc/pve/pve-root-ca.pem"), (await generate([{ name: "commonName", value: "CA" }], { keyType: "ec" })).cert);
  if (at !== undefined) write(join(root, "etc/pve/proven/hub.json"), JSON.stringify(at));
  write(join(root, "etc/pve/priv/proven/join.key"), `${joinKey.toString("base64")}\n`);
  const config = join(state, "agent.toml");
  write(config, `root = "${root}"\nstate = "${state}/agent"\n[pve]\napi = "http://127.0.0.1:9"\n`);
  return { root, state, config };
}

function start(t: TestContext, args: string[]): { agent: ChildProcess; line(pattern: RegExp): Promise<string> } {
  const env = { PATH: process.env.PATH ?? "" };
  const agent = spawn(process.execPath, ["--import", "tsx", "agent/main.ts", ...args], { cwd: project, env });
  t.after(() => agent.kill("SIGKILL"));
  const seen: string[] = [];
  const waiting: { pattern: RegExp; found: (line: string) => void }[] = [];
  createInterface({ input: agent.stderr }).on("line", (line) => {
    seen.push(line);
    for (const { pattern, found } of waiting) if (pattern.test(line)) found(line);
  });
  const line = (pattern: RegExp) =>
    new Promise<string>((found) => {
      const before = seen.find((one) => pattern.test(one));
      if (before !== undefined) found(before);
      else waiting.push({ pattern, found });
    });
  return { agent, line };
}

const frames = (hub: LinkHub, count: number) =>
  new Promise<void>((resolve) => {
    const look = () => {
      if (hub.times().length >= count) resolve();
    };
    hub.onChange = look;
    look();
  });

test("the agent joins, samples, and on SIGTERM leaves nothing behind that the hub hasn't got", async (t) => {
  const { hub, url, fingerprint } = await startTlsHub(t);
  hub.joinKey = joinKey;
  const { state, config } = await prepare(t, { url, fingerprint });
  const { agent, line } = start(t, ["--config", config]);
  await line(/joined the hub/);
  await frames(hub, 1);
  agent.kill("SIGTERM");
  const [code] = await once(agent, "exit");
  assert.equal(code, 0);
  assert.match(await line(/agent stopped/), /waiting=0/);
  const stream = [...hub.streams.keys()][0] as string;
  assert.deepEqual(readdirSync(join(state, "agent/spool", stream)), ["next"]);
  assert.equal(readFileSync(join(state, "agent/joined"), "utf8").trim(), fingerprint);
  assert.equal(statSync(join(state, "agent/agent.key")).mode & 0o777, 0o600);
});

test("what the hub did not acknowledge before SIGTERM is sent by the next start, under the same stream", async (t) => {
  const { hub, url, fingerprint } = await startTlsHub(t);
  const { root, config } = await prepare(t, undefined);
  const first = start(t, ["--config", config]);
  await first.line(/no hub yet/);
  await first.line(/agent started/);
  first.agent.kill("SIGTERM");
  await once(first.agent, "exit");
  const stopped = await first.line(/agent stopped/);
  assert.match(stopped, /waiting=[2-9]/);
  hub.joinKey = joinKey;
  mkdirSync(join(root, "etc/pve/proven"), { recursive: true });
  writeFileSync(join(root, "etc/pve/proven/hub.json"), JSON.stringify({ url, fingerprint }));
  const second = start(t, ["--config", config]);
  await frames(hub, 2);
  assert.equal(hub.streams.size, 1);
  second.agent.kill("SIGTERM");
  assert.equal((await once(second.agent, "exit"))[0], 0);
});

test("a hub with another certificate is sent nothing, and the line names both fingerprints and the remedy", async (t) => {
  const { hub, url, fingerprint, requests } = await startTlsHub(t);
  const other = Array(32).fill("00").join(":");
  const connected = await connectHub(url, [other], new AbortController().signal);
  assert.ok(!connected.ok);
  assert.match(
    connected.problem,
    new RegExp(`${fingerprint}, expected ${other}: if the hub was set up anew, update hub.json or join again`),
  );
  assert.equal(requests(), 0);
  assert.equal(hub.connections, 0);
});

test("a hub that isn't there is a problem, not an error", async () => {
  const connected = await connectHub("wss://127.0.0.1:9/agent", [Array(32).fill("00").join(":")], new AbortController().signal);
  assert.deepEqual(connected, { ok: false, problem: "127.0.0.1:9: connect ECONNREFUSED 127.0.0.1:9" });
});

test("--check asks the hub without ending the running agent's session", async (t) => {
  const { hub, url, fingerprint } = await startTlsHub(t);
  const { config } = await prepare(t, { url, fingerprint });
  const { agent } = start(t, ["--config", config, "--check"]);
  let out = "";
  agent.stdout?.on("data", (data) => {
    out += data;
  });
  await once(agent, "close");
  assert.match(out, /ok {2}hub .* wss:\/\/127\.0\.0\.1:\d+\/agent, link-hub, fingerprint fits, not joined yet/);
  assert.equal(hub.hellos.length, 0);
});

test("--check says that /etc/pve does not answer and ends: whoever reads there himself would not", async (t) => {
  const { root, state, config } = await prepare(t, undefined);
  // Given up while it reads; and whoever opens the file himself waits for somebody who writes.
  writeFileSync(join(state, "cat"), "#!/bin/sh\nkill -KILL $$\n", { mode: 0o755 });
  writeFileSync(config, `root = "${root}"\nstate = "${state}/agent"\n[commands]\npath = "${state}:/usr/bin:/bin"\n`);
  rmSync(join(root, "etc/pve/.members"), { force: true });
  execFileSync("mkfifo", [join(root, "etc/pve/.members")]);
  const { agent } = start(t, ["--check", "--config", config]);
  let said = "";
  agent.stdout?.on("data", (data: Buffer) => {
    said += data.toString();
  });
  assert.deepEqual(await once(agent, "close"), [1, null]);
  assert.match(said, /^!! {2}pmxcfs .*\n +\/etc\/pve does not answer .*\n\n1 of 1 sources have a problem\.\n$/);
});

test("a wrong configuration is told whole, with the keys that were meant", async (t) => {
  const state = temporaryDir(t);
  writeFileSync(join(state, "agent.toml"), 'stat = "x"\n[pve]\nappi = "http://127.0.0.1:85"\n');
  const { agent, line } = start(t, ["--config", join(state, "agent.toml")]);
  const [first, second, [code]] = await Promise.all([
    line(/stat: unknown key, did you mean "state"\?/),
    line(/pve\.appi: unknown key, did you mean "api"\?/),
    once(agent, "exit"),
  ]);
  assert.ok(first !== second);
  assert.equal(code, 2);
});

test("join stores the hub for root alone, the token is used once, and a wrong address is refused", async (t) => {
  const { hub, url, fingerprint } = await startTlsHub(t);
  hub.token = "single-use";
  const { state, config } = await prepare(t, undefined);
  const run = async (...args: string[]) => (await once(start(t, [...args, "--config", config]).agent, "exit"))[0];
  assert.equal(await run("join", "http://hub", "--token", "x", "--fingerprint", fingerprint), 2);
  assert.equal(await run("join", url, "--token", "single-use"), 2);
  assert.equal(await run("join", url, "--token", "single-use", "--fingerprint", fingerprint), 0);
  const stored = join(state, "agent/join.json");
  assert.equal(statSync(stored).mode & 0o777, 0o600);
  const { agent, line } = start(t, ["--config", config]);
  await line(/joined the hub/);
  agent.kill("SIGTERM");
  await once(agent, "exit");
  assert.deepEqual(hub.hellos[0]?.join, { token: "single-use" });
  assert.deepEqual(JSON.parse(readFileSync(stored, "utf8")), { url, fingerprint });
});

test("what is pasted with blanks, broken lines or as OpenSSL prints it joins, too; where agent.toml names a hub, nothing is stored", async (t) => {
  const { state, config } = await prepare(t, undefined);
  const at = { url: " wss://h:8420/agent\n", fingerprint: `sha256 Fingerprint=${"ab:".repeat(31)}ab`, token: " pvj_01\n23 " };
  const stored = () => JSON.parse(readFileSync(join(state, "agent/join.json"), "utf8"));
  assert.equal(storeJoin(join(state, "agent"), at), undefined);
  assert.deepEqual(stored(), { url: "wss://h:8420/agent", fingerprint: `${"ab:".repeat(31)}ab`, token: "pvj_0123" });
  assert.equal(storeJoin(join(state, "agent"), { ...at, fingerprint: "AB".repeat(32) }), undefined);
  assert.equal(stored().fingerprint, `${"AB:".repeat(31)}AB`);
  assert.match(storeJoin(join(state, "agent"), { ...at, fingerprint: "AB".repeat(31) }) ?? "", /32 pairs/);
  writeFileSync(config, `state = "${state}/agent"\n[hub]\nurl = "wss://h:1/agent"\nfingerprint = "${"AB:".repeat(31)}AB"\n`);
  const { agent, line } = start(t, ["join", "wss://h:2", "--token", "x", "--fingerprint", "AB".repeat(32), "--config", config]);
  const [, [code]] = await Promise.all([
    line(/\[hub\] in .*agent\.toml says where the hub is: take it out/),
    once(agent, "exit"),
  ]);
  assert.deepEqual([code, stored().url], [2, "wss://h:8420/agent"]);
});

test("a join token comes by standard input, so that no list of processes shows it", async (t) => {
  const { state, config } = await prepare(t, undefined);
  const fingerprint = Array(32).fill("AB").join(":");
  const args = ["join", "wss://127.0.0.1:9/agent", "--token", "-", "--fingerprint", fingerprint, "--config", config];
  const { agent, line } = start(t, args);
  agent.stdin?.end("pvj_0123\n");
  const [, ended] = await Promise.all([line(/^But from here, now: 127\.0\.0\.1:9: connect ECONNREFUSED/), once(agent, "exit")]);
  assert.deepEqual(ended, [0, null]);
  const stored = JSON.parse(readFileSync(join(state, "agent/join.json"), "utf8"));
  assert.deepEqual(stored, { url: "wss://127.0.0.1:9/agent", fingerprint, token: "pvj_0123" });
});

test("clear-up asks nothing where no restore test left anything; where one did and /etc/pve can't be read it says so", async (t) => {
  const { root, state, config } = await prepare(t, undefined);
  rmSync(join(root, "etc/pve"), { recursive: true });
  const first = start(t, ["clear-up", "--config", config]);
  assert.deepEqual(await once(first.agent, "close"), [0, null]);
  for (const left of ["operations/00000000-0000-4000-8000-000000000001.jsonl", "sandboxes/1a2b3c4d/record.json"]) {
    const path = join(state, "agent", left);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, "");
    const { agent, line } = start(t, ["clear-up", "--config", config]);
    assert.match(await line(/./), /^proven-agent: restore tests left something, and \/etc\/pve can't be read/);
    assert.deepEqual(await once(agent, "close"), [2, null]);
    rmSync(path);
  }
});
