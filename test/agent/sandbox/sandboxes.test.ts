import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { createRunCheck } from "../../../agent/checks/run-check.ts";
import { systemClock } from "../../../agent/clock.ts";
import type { RunCommand } from "../../../agent/ports.ts";
import { createPveApi } from "../../../agent/pve/api.ts";
import { createRunCommand } from "../../../agent/pve/run-command.ts";
import type { SandboxHandle } from "../../../agent/restore/ports.ts";
import { layoutOf } from "../../../agent/sandbox/layout.ts";
import { createSandboxes } from "../../../agent/sandbox/sandboxes.ts";
import { settle } from "../../support/fake-clock.ts";
import { hostAddress, SandboxGuest, sandboxSkip } from "../../support/sandbox-guest.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

const skip = sandboxSkip();
const stateDir = mkdtempSync(join(tmpdir(), "proven-sandbox-"));
const run = createRunCommand({ path: "/usr/sbin:/usr/bin:/sbin:/bin" });
const sandboxesWith = (command: RunCommand) =>
  createSandboxes({ run: command, clock: systemClock, log: () => undefined, stateDir });
const sandboxes = sandboxesWith(run);
const never = new AbortController().signal;
const mine = (word: string) => `${word}${process.pid}`;

after(async () => {
  if (skip === false) await sandboxes.reap(new Set());
  rmSync(stateDir, { recursive: true, force: true });
});

async function opened(name: string, operation: string): Promise<SandboxHandle> {
  const result = await sandboxes.open(name, operation);
  assert.ok(result.ok, result.ok ? "" : result.problem);
  return result.sandbox;
}

const devices = () => execFileSync("ip", ["-o", "link"], { encoding: "utf8" });
const namespaces = () => execFileSync("ip", ["netns", "list"], { encoding: "utf8" });
const rules = () => execFileSync("nft", ["list", "ruleset"], { encoding: "utf8" });
const inside = (sandbox: SandboxHandle, ...words: string[]) =>
  execFileSync("ip", ["netns", "exec", sandbox.netns, ...words], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "ignore"],
    timeout: 20_000,
  });

function commandOf(pid: string): string {
  try {
    const command = readFileSync(`/proc/${pid}/cmdline`, "utf8");
    return /^(dnsmasq|perl)\0/.test(command) ? command : "";
  } catch {
    return ""; // ended meanwhile
  }
}

const sandboxOf = ({ name, bridge, netns }: ReturnType<typeof layoutOf>): SandboxHandle => ({ name, bridge, netns });

/** What this file's sandboxes left on the machine. */
function traces(sandbox: SandboxHandle): string[] {
  const layout = layoutOf(join(stateDir, "sandboxes"), sandbox.name);
  return [
    ...[layout.bridge, layout.port].filter((name) => devices().includes(` ${name}`)),
    ...(namespaces().includes(layout.netns) ? [layout.netns] : []),
    ...(rules().includes(layout.bridge) ? ["rules"] : []),
    ...(existsSync(layout.folder) ? ["record"] : []),
  ];
}

test("a guest gets an address by DHCP, every name leads to the sandbox, and checks reach it", { skip }, async (t) => {
  const sandbox = await opened(mine("a"), "op-1");
  const guest = new SandboxGuest(1, sandbox.bridge);
  t.after(() => guest.remove());
  const waiting = sandboxes.addressOf(sandbox, [guest.mac], 15_000, never);
  const { address, router, dns } = guest.boot();
  assert.equal(await waiting, address);
  assert.match(address, /^198\.18\./);
  assert.deepEqual({ router, dns }, { router: "198.18.0.1", dns: "198.18.0.1" });
  assert.match(inside(sandbox, "ping", "-c", "1", "-W", "2", address), /1 received/);
  const lookup =
    "import('node:dns').then(({Resolver})=>{const r=new Resolver();r.setServers(['198.18.0.1']);r.resolve4('mirror.example.org',(e,a)=>console.log(e?e.code:a.join()))})";
  assert.equal(guest.exec(process.execPath, "-e", lookup).trim(), "198.18.0.1");
  assert.equal(await sandboxes.close(sandbox.name, "op-1"), undefined);
  assert.deepEqual(traces(sandbox), []);
});

test("firmware that looks for a system on the network gets no address: it would look like a system that has booted", {
  skip,
}, async (t) => {
  const sandbox = await opened(mine("pxe"), "op-1");
  const guest = new SandboxGuest(9, sandbox.bridge);
  t.after(() => guest.remove());
  assert.equal(guest.asksAs("PXEClient:Arch:00000:UNDI:002001"), "nobody answered");
  assert.equal(guest.asksAs("HTTPClient:Arch:00016:UNDI:003001"), "nobody answered");
  assert.match(guest.asksAs("udhcp 1.36.1"), /^198\.18\./);
  assert.equal(await sandboxes.close(sandbox.name, "op-1"), undefined);
});

test("checks are made from inside the sandbox: they reach the guest, and nothing of this host", { skip }, async (t) => {
  const sandbox = await opened(mine("q"), "op-1");
  const guest = new SandboxGuest(8, sandbox.bridge);
  t.after(() => guest.remove());
  const { address } = guest.boot();
  const serve = "require('http').createServer((q,r)=>r.end('from the guest')).listen(8080,'0.0.0.0',()=>console.log('up'))";
  const server = spawn("ip", ["netns", "exec", guest.netns, process.execPath, "-e", serve], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  t.after(() => server.kill());
  await once(server.stdout, "data");
  const self = [process.execPath, "--import", "tsx", fileURLToPath(new URL("../../../agent/main.ts", import.meta.url))];
  const noApi = createPveApi({ baseUrl: "http://127.0.0.1:1", root: stateDir, clock: systemClock });
  const check = createRunCheck({ api: noApi, run, node: "pve1", clock: systemClock, root: stateDir, self });
  const target = { vmid: 9100, type: "qemu", sandbox, address, inside: false } as const;
  const web = {
    name: "web",
    timeoutSec: 5,
    kind: "http",
    scheme: "http",
    port: 8080,
    path: "/",
    text: "from the guest",
  } as const;
  assert.equal((await check(web, target, never)).reason, "status 200, with the wanted text");
  assert.match((await check({ name: "ping", kind: "icmp", timeoutSec: 5 }, target, never)).reason, /^answers ping in /);
  const host = { ...target, address: hostAddress() ?? "127.0.0.1" };
  assert.deepEqual(
    (await check({ name: "host", kind: "tcp", port: 22, timeoutSec: 1 }, host, never)).reason,
    "no route to the guest",
  );
  assert.equal(await sandboxes.close(sandbox.name, "op-1"), undefined);
});

test("a guest with its own address is found by what it says and reached through an address beside it", { skip }, async (t) => {
  const sandbox = await opened(mine("b"), "op-1");
  const guest = new SandboxGuest(2, sandbox.bridge);
  t.after(() => guest.remove());
  guest.ip("address", "add", "10.77.3.20/24", "dev", "eth0");
  guest.ip("route", "add", "default", "via", "10.77.3.1");
  guest.can("ping", "-c", "1", "-W", "0.4", "10.77.3.1"); // asks for its gateway, which isn't there
  assert.equal(await sandboxes.addressOf(sandbox, ["02:FF:FF:FF:FF:FF", guest.mac], 10_000, never), "10.77.3.20");
  assert.match(inside(sandbox, "ping", "-c", "1", "-W", "2", "10.77.3.20"), /1 received/);
  assert.equal(await sandboxes.close(sandbox.name, "op-1"), undefined);
});

test("a guest whose address stands in its configuration is asked for, also when it says nothing of itself", {
  skip,
}, async (t) => {
  const sandbox = await opened(mine("k"), "op-1");
  const guest = new SandboxGuest(5, sandbox.bridge);
  t.after(() => guest.remove());
  guest.ip("address", "add", "10.77.4.20/24", "dev", "eth0");
  const asked = ["10.77.9.9", "10.77.4.20", "10.77.4.21"];
  assert.equal(await sandboxes.addressOf(sandbox, [guest.mac], 15_000, never, asked), "10.77.4.20");
  assert.doesNotMatch(
    inside(sandbox, "ip", "-4", "address", "show"),
    /10\.77\.4\.2[01]\//,
    "the sandbox takes none of the guest's own",
  );
  assert.match(inside(sandbox, "ping", "-c", "1", "-W", "2", "10.77.4.20"), /1 received/);
  assert.equal(await sandboxes.close(sandbox.name, "op-1"), undefined);
});

test("of a guest that only speaks IPv6 the link-local address is given, and only when the time is over", { skip }, async (t) => {
  const sandbox = await opened(mine("c"), "op-1");
  const guest = new SandboxGuest(3, sandbox.bridge);
  t.after(() => guest.remove());
  const address = await sandboxes.addressOf(sandbox, [guest.mac], 2500, never);
  assert.match(address ?? "nothing", /^fe80:.*%eth0$/);
  assert.match(inside(sandbox, "ping", "-c", "1", "-W", "2", address as string), /1 received/);
  assert.equal(await sandboxes.close(sandbox.name, "op-1"), undefined);
});

test("a guest that says nothing has no address when the time is over", { skip }, async () => {
  const sandbox = await opened(mine("d"), "op-1");
  assert.equal(await sandboxes.addressOf(sandbox, ["02:FF:FF:FF:FF:FF"], 300, never), undefined);
  assert.equal(await sandboxes.close(sandbox.name, "op-1"), undefined);
});

test("a guest reaches neither this host, by IPv4, IPv6 link-local or ARP for its LAN address, nor anything outside", {
  skip,
}, async (t) => {
  const sandbox = await opened(mine("e"), "op-1");
  const guest = new SandboxGuest(4, sandbox.bridge);
  t.after(() => guest.remove());
  guest.boot();
  const lan = hostAddress();
  assert.ok(lan !== undefined, "this machine has an address of its own");
  const server = createServer((socket) => socket.end("host\n")).listen(0, "::");
  t.after(() => server.close());
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const bridgeMac = execFileSync("cat", [`/sys/class/net/${sandbox.bridge}/address`], { encoding: "utf8" }).trim();
  const connects = (host: string) => guest.connects(host, port);
  assert.equal(connects(lan), false, "through the sandbox as gateway");
  assert.equal(guest.can("ping", "-c", "1", "-W", "0.4", "1.1.1.1"), false, "outside");
  // On the same wire the guest asks for the host's address itself, as one with the LAN's own network would.
  guest.ip("route", "add", `${lan}/32`, "dev", "eth0");
  assert.equal(connects(lan), false, "ARP for the LAN address");
  assert.match(guest.ip("neigh", "show", lan), /FAILED|INCOMPLETE|^$/);
  // And one that knows the bridge's MAC and needs no ARP.
  guest.ip("neigh", "replace", lan, "lladdr", bridgeMac, "dev", "eth0");
  assert.equal(connects(lan), false, "straight to the bridge's MAC");
  const [a, b, c, d, e, f] = bridgeMac.split(":") as [string, string, string, string, string, string];
  const linkLocal = `fe80::${(Number.parseInt(a, 16) ^ 2).toString(16)}${b}:${c}ff:fe${d}:${e}${f}`;
  assert.equal(connects(`${linkLocal}%eth0`), false, "the bridge's link-local address");
  assert.equal(guest.can("ping", "-c", "1", "-W", "0.4", `${linkLocal}%eth0`), false);
  assert.equal(
    execFileSync("ip", ["-o", "address", "show", "dev", sandbox.bridge], { encoding: "utf8" }),
    "",
    "the bridge has no address",
  );
  assert.equal(await sandboxes.close(sandbox.name, "op-1"), undefined);
});

test("two sandboxes don't see each other, two guests of one do", { skip }, async (t) => {
  const [one, two] = [await opened(mine("f"), "op-1"), await opened(mine("g"), "op-2")];
  const guests = [new SandboxGuest(5, one.bridge), new SandboxGuest(6, one.bridge), new SandboxGuest(7, two.bridge)];
  t.after(() => {
    for (const guest of guests) guest.remove();
  });
  const [a, b, c] = guests as [SandboxGuest, SandboxGuest, SandboxGuest];
  a.ip("address", "add", "10.9.0.1/24", "dev", "eth0");
  b.ip("address", "add", "10.9.0.2/24", "dev", "eth0");
  c.ip("address", "add", "10.9.0.3/24", "dev", "eth0");
  assert.equal(a.can("ping", "-c", "1", "-W", "0.4", "10.9.0.2"), true);
  assert.equal(a.can("ping", "-c", "1", "-W", "0.4", "10.9.0.3"), false);
  assert.equal(await sandboxes.close(one.name, "op-1"), undefined);
  assert.equal(await sandboxes.close(two.name, "op-2"), undefined);
});

test("who opens a sandbox by the same name joins it; the last one to close removes it, also after a restart", {
  skip,
}, async () => {
  const first = await opened(mine("h"), "op-1");
  const again = await sandboxesWith(run).open(mine("h"), "op-2");
  assert.deepEqual(again, { ok: true, sandbox: first, how: "joined" });
  assert.equal(await sandboxes.close(first.name, "op-1"), undefined);
  assert.equal(traces(first).length, 5, "op-2 still has it");
  assert.equal(await sandboxes.close(first.name, "op-2"), undefined);
  assert.deepEqual(traces(first), []);
});

test("an agent killed at any moment of the making leaves nothing behind the next reaping", { skip }, async () => {
  const layout = layoutOf(join(stateDir, "sandboxes"), mine("k"));
  const sandbox = sandboxOf(layout);
  let commands = Number.POSITIVE_INFINITY;
  for (let survived = 0; survived < commands; survived++) {
    let count = 0;
    // After that many commands the agent is dead: nothing more of it happens, not even clearing up.
    const dying = sandboxesWith((file, args, options) =>
      count++ < survived ? run(file, args, options) : new Promise(() => undefined),
    );
    const outcome = dying.open(layout.name, "op-1").then(() => "made");
    while (count <= survived && (await Promise.race([outcome, settle(5)])) !== "made");
    if (count <= survived) commands = survived;
    assert.deepEqual(await sandboxes.reap(new Set()), [], `after ${survived} commands`);
    assert.deepEqual(traces(sandbox), [], `after ${survived} commands`);
  }
  assert.ok(commands > 15 && commands < 40, `${commands} commands make a sandbox`);
});

test("under systemd only the bridge outlives the agent: a guest stays plugged in, and the rest is made anew around it", {
  skip,
}, async (t) => {
  const name = mine("r");
  const layout = layoutOf(join(stateDir, "sandboxes"), name);
  const program = `const { createSandboxes } = await import(${JSON.stringify(new URL("../../../agent/sandbox/sandboxes.ts", import.meta.url).href)});
    const { createRunCommand } = await import(${JSON.stringify(new URL("../../../agent/pve/run-command.ts", import.meta.url).href)});
    const { systemClock } = await import(${JSON.stringify(new URL("../../../agent/clock.ts", import.meta.url).href)});
    const run = createRunCommand({ path: "/usr/sbin:/usr/bin:/sbin:/bin" });
    const sandboxes = createSandboxes({ run, clock: systemClock, log: () => undefined, stateDir: ${JSON.stringify(stateDir)} });
    const opened = await sandboxes.open(${JSON.stringify(name)}, "op-1");
    if (!opened.ok) throw new Error(opened.problem);`;
  const words = ["-m", process.execPath, "--import", "tsx", "--input-type=module", "-e", program];
  execFileSync("unshare", words, { stdio: ["ignore", "inherit", "inherit"] });
  const services = () => readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && commandOf(pid).includes(`${layout.folder}/`));
  assert.equal(services().length, 2, "DNS and listener still run, in a namespace without a name");
  const guest = new SandboxGuest(9, layout.bridge);
  t.after(() => guest.remove());
  const { address } = guest.boot();
  for (const pid of services()) process.kill(Number(pid), "SIGKILL"); // KillMode=control-group
  const anew = await sandboxes.open(name, "op-1");
  assert.deepEqual(anew, { ok: true, sandbox: { name, bridge: layout.bridge, netns: layout.netns }, how: "rebuilt" });
  assert.equal(services().length, 2);
  guest.ip("address", "flush", "dev", "eth0");
  assert.equal(guest.boot().address, address, "the lease it had");
  assert.match(inside(sandboxOf(layout), "ping", "-c", "1", "-W", "2", address), /1 received/);
  for (const pid of services()) process.kill(Number(pid), "SIGKILL");
  assert.equal((await sandboxes.open(name, "op-1")).ok, true);
  assert.equal(services().length, 2, "a namespace whose services were killed is not whole");
  assert.deepEqual(await sandboxes.reap(new Set()), []);
  assert.deepEqual(services(), []);
  assert.deepEqual(traces(sandboxOf(layout)), []);
});

test("two agents of one machine have sandboxes of the same name apart, and reap their own only", { skip }, async (t) => {
  const otherDir = temporaryDir(t);
  const other = createSandboxes({ run, clock: systemClock, log: () => undefined, stateDir: otherDir });
  const [own, theirs] = [await opened(mine("s"), "op-1"), await other.open(mine("s"), "op-1")];
  assert.ok(theirs.ok);
  assert.equal(new Set([own.bridge, theirs.sandbox.bridge, own.netns, theirs.sandbox.netns]).size, 4);
  assert.deepEqual(await other.reap(new Set()), []);
  assert.equal(traces(own).length, 5);
  assert.ok(!devices().includes(theirs.sandbox.bridge) && !rules().includes(theirs.sandbox.bridge));
  assert.equal(await sandboxes.close(own.name, "op-1"), undefined);
});

test("reaping keeps what is in use and touches nothing that isn't ours", { skip }, async (t) => {
  const used = await opened(mine("l"), "op-1");
  const left = await opened(mine("m"), "op-2");
  const [bridge, netns] = [`pvt${process.pid}`.slice(0, 11), `proven-strange${process.pid}`];
  execFileSync("ip", ["link", "add", bridge, "type", "bridge"]);
  execFileSync("ip", ["netns", "add", netns]);
  t.after(() => {
    execFileSync("ip", ["link", "delete", bridge]);
    execFileSync("ip", ["netns", "delete", netns]);
  });
  assert.deepEqual(await sandboxesWith(run).reap(new Set(["op-1"])), []);
  assert.deepEqual(traces(left), []);
  assert.equal(traces(used).length, 5);
  assert.match(devices(), new RegExp(` ${bridge}:`));
  assert.match(namespaces(), new RegExp(netns));
  assert.equal(await sandboxes.close(used.name, "op-1"), undefined);
});

test("a device of that name that somebody else made is left alone, and the sandbox is not made", { skip }, async (t) => {
  const { bridge } = layoutOf(join(stateDir, "sandboxes"), mine("n"));
  execFileSync("ip", ["link", "add", bridge, "alias", "mine", "type", "bridge"]);
  execFileSync("ip", ["link", "set", bridge, "alias", "mine"]);
  t.after(() => execFileSync("ip", ["link", "delete", bridge]));
  const result = await sandboxes.open(mine("n"), "op-1");
  assert.deepEqual(result, { ok: false, problem: `sandbox ${mine("n")}: ${bridge}: not made by Proven, left alone` });
  assert.match(devices(), new RegExp(` ${bridge}:`));
});

test("a process of somebody else in the namespace is named, not killed", { skip }, async (t) => {
  const sandbox = await opened(mine("o"), "op-1");
  const stranger = spawn("ip", ["netns", "exec", sandbox.netns, "tail", "-f", "/dev/null"]);
  t.after(() => stranger.kill());
  await once(stranger, "spawn");
  while (!execFileSync("ip", ["netns", "pids", sandbox.netns], { encoding: "utf8" }).includes(String(stranger.pid)));
  const left = await sandboxes.close(sandbox.name, "op-1");
  assert.match(left ?? "", new RegExp(`process ${stranger.pid} still runs in the former namespace`));
  assert.equal(stranger.exitCode, null);
});

test("a missing program is named with the package that has it, and nothing stays", { skip }, async () => {
  const without =
    (missing: string): RunCommand =>
    async (file, args, options) => {
      if (file === missing) return { ok: false, problem: `${file}: not installed` };
      if (args.includes(missing))
        return { ok: true, code: 255, stdout: "", stderr: `exec of "${missing}" failed: No such file or directory\n` };
      return run(file, args, options);
    };
  const name = mine("p");
  const sandbox = sandboxOf(layoutOf(join(stateDir, "sandboxes"), name));
  for (const [program, apt] of [
    ["nft", "nftables"],
    ["dnsmasq", "dnsmasq-base"],
  ] as const) {
    const result = await sandboxesWith(without(program)).open(name, "op-1");
    assert.equal(result.ok, false);
    assert.match(
      result.ok ? "" : result.problem,
      new RegExp(`^sandbox ${name}: ${program} is not installed: apt install ${apt}`),
    );
    await sandboxes.reap(new Set());
    assert.deepEqual(traces(sandbox), []);
    assert.equal(await sandboxesWith(without(program)).missing(), `${program} is not installed: apt install ${apt}`);
  }
  assert.equal(await sandboxes.missing(), undefined);
});
