import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { removeTraces } from "../../../agent/restore/leftovers.ts";
import { FakeClock } from "../../support/fake-clock.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

const intent = { operation: "op", vmid: 990_001, type: "lxc", at: 0, wasFree: true } as const;
const nothingRuns = () => Promise.reject(new Error("no program is needed for it"));

test("of a container that is gone PVE leaves its folder and what its DHCP client wrote: both go, and nothing that somebody else put there", async (t) => {
  const root = temporaryDir(t);
  const folder = join(root, "var/lib/lxc/990001");
  mkdirSync(join(folder, "rootfs"), { recursive: true });
  mkdirSync(join(folder, "hook"));
  for (const name of ["dhclient4-eth0.pid", "dhclient4-eth0.leases"]) writeFileSync(join(folder, "hook", name), "");
  const ports = { root, run: nothingRuns, clock: new FakeClock() };

  writeFileSync(join(folder, "hook", "notes"), "");
  assert.deepEqual(await removeTraces(ports, intent, "gone"), []);
  assert.deepEqual(readdirSync(join(folder, "hook")), ["notes"]);

  mkdirSync(join(root, "var/lib/lxc/990002/hook"), { recursive: true });
  assert.deepEqual(await removeTraces(ports, { ...intent, vmid: 990_002 }, "gone"), []);
  assert.equal(existsSync(join(root, "var/lib/lxc/990002")), false);
});

test("the DHCP client that PVE ran for a container outlives a killed monitor: it is ended with the container, and no other one", async (t) => {
  const root = temporaryDir(t);
  const client = (pid: number, vmid: number, program = "/sbin/dhclient", name = "dhclient") => {
    mkdirSync(join(root, "proc", String(pid)), { recursive: true });
    const files = `/var/lib/lxc/${vmid}/hook/dhclient4-eth0`;
    const command = [program, "-1", "-4", "-pf", `${files}.pid`, "-lf", `${files}.leases`, "eth0", ""];
    writeFileSync(join(root, "proc", String(pid), "cmdline"), command.join("\0"));
    writeFileSync(join(root, "proc", String(pid), "comm"), `${name}\n`);
  };
  client(411, 990_001);
  client(412, 9_900_011);
  client(413, 101);
  client(414, 990_001, "/usr/bin/less");
  client(415, 990_001, "/sbin/dhclient", "kvm"); // whose memory may hang: its command line is not read
  const ran: string[] = [];
  const run = async (file: string, args: readonly string[]) => {
    ran.push([file, ...args].join(" "));
    return { ok: true, code: 0, stdout: "", stderr: "" } as const;
  };
  const ports = { root, run, clock: new FakeClock() };
  assert.deepEqual(await removeTraces(ports, intent, "ours"), []);
  assert.deepEqual(ran, []);
  assert.deepEqual(await removeTraces(ports, intent, "gone"), []);
  assert.deepEqual(ran, ["kill -KILL 411"]);
});
