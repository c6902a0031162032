import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runQmp } from "../../agent/restore/qmp.ts";
import { nastyVm, setUpRestores } from "../support/lab-restores.ts";

const vmConfig = `agent: enabled=1
boot: order=scsi0
cores: 1
memory: 512
name: plain
net0: virtio=BC:24:11:00:00:01,bridge=vmbr0
scsi0: local-zfs:vm-100-disk-0,size=1G
`;
const containerConfig = `arch: amd64
hostname: plain
memory: 256
net0: name=eth0,bridge=vmbr0,hwaddr=BC:24:11:0D:1F:BF,ip=dhcp,type=veth
ostype: debian
rootfs: local-lvm:vm-103-disk-0,size=1G
`;

/** A restored and started VM 9412 and container 9230, their links down on sandbox0. */
async function started(context: Parameters<typeof setUpRestores>[0]) {
  const set = await setUpRestores(context);
  const { lab, restoreVm, restoreContainer, call, done } = set;
  const vm = lab.restores.plantBackup({ ...nastyVm, config: vmConfig });
  const container = lab.restores.plantBackup({ vmid: 103, type: "lxc", at: nastyVm.at, config: containerConfig });
  await done(await restoreVm(vm, { net0: "virtio,bridge=sandbox0,link_down=1" }));
  await done(await restoreContainer(container, { net0: "name=eth0,bridge=sandbox0,link_down=1,ip=dhcp" }));
  await call("PUT", "/qemu/9412/config", { delete: "lock", skiplock: "1" });
  const unlocked = await run(set.lab.tree.root("pve1"), "pct", ["unlock", "9230"]);
  assert.equal(unlocked.code, 0, unlocked.stderr);
  const start = async () => {
    assert.equal(await done((await call("POST", "/qemu/9412/status/start")).data), "OK");
    assert.equal(await done((await call("POST", "/lxc/9230/status/start")).data), "OK");
  };
  const ping = () => call("POST", "/qemu/9412/agent/ping");
  return { ...set, start, ping, pct: (...argv: string[]) => run(lab.tree.root("pve1"), "pct", argv) };
}

function run(root: string, name: string, argv: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(join(root, "bin", name), argv, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test("a guest agent answers once its system is up, after three seconds of silence before", async (context) => {
  const { lab, clock, start, ping, call } = await started(context);
  assert.equal((await ping()).reason, "VM 9412 is not running");
  await start();
  const early = ping();
  await clock.advance(3000);
  assert.equal((await early).reason, "QEMU guest agent is not running");
  await clock.advance(20_000);
  assert.equal((await ping()).status, 200);
  const begun = (await call("POST", "/qemu/9412/agent/exec", { command: "hostname" })).data as { pid: number };
  assert.deepEqual((await call("GET", "/qemu/9412/agent/exec-status", { pid: String(begun.pid) })).data, { exited: 0 });
  await clock.advance(1000);
  assert.deepEqual((await call("GET", "/qemu/9412/agent/exec-status", { pid: String(begun.pid) })).data, {
    exited: 1,
    exitcode: 0,
    "out-data": "plain\n",
  });
  assert.equal((await call("GET", "/qemu/9412/agent/exec-status", { pid: String(begun.pid) })).status, 500, "given away once");
  const systems = (await call("GET", "/qemu/9412/agent/get-fsinfo")).data as { result: { mountpoint: string }[] };
  assert.equal(systems.result[0]?.mountpoint, "/");
  assert.deepEqual(lab.restores.safety.violations, []);
});

test("a boot that hangs, an agent that was never installed and one that never answers are three different things", async (context) => {
  const { lab, clock, start, ping } = await started(context);
  await start();
  await clock.advance(20_000);
  const answer = async () => {
    const asked = ping();
    await clock.advance(3100);
    const { status, reason } = await asked;
    return status === 200 ? "answers" : reason;
  };
  assert.equal(await answer(), "answers");
  lab.control.inject({ kind: "restore", fault: "guest", vmid: 9412, agent: "dead" });
  assert.equal(await answer(), "QEMU guest agent is not running");
  lab.control.inject({ kind: "restore", fault: "guest", vmid: 9412, agent: "answers", bootMs: null });
  assert.equal(await answer(), "QEMU guest agent is not running");
  lab.control.inject({ kind: "restore", fault: "guest", vmid: 9412, bootMs: 1 });
  assert.equal(await answer(), "answers");
});

test("pct exec runs in a container that is up; a stopped one says so", async (context) => {
  const { lab, clock, start, pct, call } = await started(context);
  assert.deepEqual(await pct("exec", "9230", "--", "true"), { code: 255, stdout: "", stderr: "container '9230' not running!\n" });
  await start();
  await clock.advance(3000);
  assert.deepEqual(await pct("exec", "9230", "--", "systemctl", "is-active", "nginx"), {
    code: 0,
    stdout: "active\n",
    stderr: "",
  });
  lab.control.inject({ kind: "restore", fault: "guest", vmid: 9230, down: ["nginx"] });
  assert.equal((await pct("exec", "9230", "--", "systemctl", "is-active", "nginx")).stdout, "inactive\n");
  assert.equal((await pct("exec", "9230", "--", "nosuchthing")).code, 127);
  const cards = (await call("GET", "/lxc/9230/interfaces")).data as { name: string; inet?: string }[];
  assert.deepEqual(
    cards.map(({ name, inet }) => [name, inet]),
    [
      ["lo", "127.0.0.1/8"],
      ["eth0", undefined],
    ],
  );
});

test("a guest is heard on its bridge only when its link is up and its system too; its ports answer as the test wants", async (context) => {
  const { lab, clock, start, call, config } = await started(context);
  const { runtime } = lab.restores;
  await start();
  await clock.advance(20_000);
  const mac = String((await config("qemu")).net0).slice("virtio=".length, "virtio=".length + 17);
  const heard = (bridge = "sandbox0") => runtime.addressOf(bridge, [mac], clock.now());
  assert.equal(heard(), undefined);
  await call("PUT", "/qemu/9412/config", { net0: `virtio=${mac},bridge=sandbox0,link_down=0` });
  const address = heard() ?? "";
  assert.match(address, /^10\.99\.0\.\d+$/);
  assert.equal(heard("sandbox1"), undefined);
  const reach = (port: number) => runtime.connect("sandbox0", address, port, clock.now());
  assert.deepEqual([reach(80)?.status, reach(5432)], [200, undefined]);
  const service = { kind: "http" as const, status: 503, text: "down for maintenance" };
  const services = [
    { port: 80, service },
    { port: 22, service: null },
  ];
  lab.control.inject({ kind: "restore", fault: "guest", services });
  assert.deepEqual([reach(80), reach(22)], [service, undefined]);
  lab.control.inject({ kind: "restore", fault: "guest", network: false });
  assert.deepEqual([heard(), reach(80)], [undefined, undefined]);
  assert.deepEqual(lab.restores.safety.violations, []);
});

test("QMP dumps the screen as a PNG where it is told, and not where a test forbids it", async (context) => {
  const { lab, start, call } = await started(context);
  await start();
  const root = lab.tree.root("pve1");
  mkdirSync(join(root, "run/proven-agent"), { recursive: true });
  const socket = join(root, "run/qemu-server/9412.qmp");
  const dump = (filename: string) =>
    runQmp(socket, { execute: "screendump", arguments: { filename, format: "png" } }, new AbortController().signal);
  const file = join(root, "run/proven-agent/9412.png");
  assert.equal(await dump(file), undefined);
  assert.equal(readFileSync(file).toString("hex", 0, 8), "89504e470d0a1a0a");
  assert.equal(
    await dump("/no/such/folder/x.png"),
    "QEMU refused: failed to open file '/no/such/folder/x.png': No such file or directory",
  );
  lab.control.inject({ kind: "restore", fault: "guest", screenshot: false });
  assert.equal(await dump(file), "QEMU refused: no surface");
  await call("POST", "/qemu/9412/status/stop");
});

test("an agent that rewrites a container's file under flock is believed, and waits while a restore holds the lock", async (context) => {
  const { lab, clock, read, call } = await started(context);
  const root = lab.tree.root("pve1");
  const path = join(root, "etc/pve/nodes/pve1/lxc/9230.conf");
  const lock = join(root, "run/lock/lxc/pve-config-9230.lock");
  mkdirSync(join(root, "run/lock/lxc"), { recursive: true });
  const rewrite = () => run(root, "flock", ["-w", "10", lock, "perl", "-i", "-pe", "s/^memory: .*/memory: 333/", path]);
  const done = await rewrite();
  assert.equal(done.code, 0, done.stderr);
  assert.match(read("pve1", "etc/pve/nodes/pve1/lxc/9230.conf"), /^memory: 333$/m);
  assert.equal(((await call("GET", "/lxc/9230/config")).data as { memory: number }).memory, 333);
  const { maxmem } = (await call("GET", "/lxc/9230/status/current")).data as { maxmem: number };
  assert.equal(maxmem, 333 * 2 ** 20);
  lab.restores.copies.hold(9230, "somebody");
  const waiting = rewrite();
  const seen = await Promise.race([waiting.then(() => "written"), clockUntil(() => clock.sleeping > 1)]);
  assert.equal(seen, "waits");
  lab.restores.copies.releaseAll("somebody");
  await clock.advance(200);
  assert.equal((await waiting).code, 0);
});

async function clockUntil(isTrue: () => boolean): Promise<string> {
  while (!isTrue()) await new Promise((resolve) => setImmediate(resolve));
  return "waits";
}
