import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { systemClock } from "../../../agent/clock.ts";
import { furtherDevices } from "../../../agent/core/restore/link-up.ts";
import { createRunCommand } from "../../../agent/pve/run-command.ts";
import { createSandboxes } from "../../../agent/sandbox/sandboxes.ts";
import { SandboxGuest, sandboxSkip } from "../../support/sandbox-guest.ts";

const skip = sandboxSkip();
const stateDir = mkdtempSync(join(tmpdir(), "proven-sandbox-"));
const run = createRunCommand({ path: "/usr/sbin:/usr/bin:/sbin:/bin" });
const sandboxes = createSandboxes({ run, clock: systemClock, log: () => undefined, stateDir });
const never = new AbortController().signal;
const command = (file: string, ...args: string[]) => execFileSync(file, args, { encoding: "utf8", timeout: 20_000 });
const received = (device: string) => Number(readFileSync(`/sys/class/net/${device}/statistics/rx_packets`, "utf8"));
const tables = () =>
  command("nft", "list", "tables", "bridge")
    .split("\n")
    .filter((line) => line.includes("proven_sandbox_"));

after(async () => {
  if (skip === false) await sandboxes.reap(new Set());
  rmSync(stateDir, { recursive: true, force: true });
});

/** A firewall: both its cards are ports of a bridge of its own, which has its address. The cards' devices are named as PVE names them. */
function bridging(t: { after(work: () => void): void }, bridge: string, devices: readonly string[], address: string) {
  const netns = `provenbridging${devices[0]}`;
  t.after(() => command("ip", "netns", "delete", netns));
  command("ip", "netns", "add", netns);
  const inside = (...words: string[]) => command("ip", "-n", netns, ...words);
  inside("link", "add", "br0", "type", "bridge", "forward_delay", "0");
  for (const [index, device] of devices.entries()) {
    command("ip", "link", "add", device, "type", "veth", "peer", "name", `eth${index}`, "netns", netns);
    inside("link", "set", `eth${index}`, "master", "br0", "up");
    command("ip", "link", "set", device, "master", bridge, "up");
  }
  inside("address", "add", address, "dev", "br0");
  inside("link", "set", "br0", "up");
  return { netns, mac: /link\/ether (\S+)/.exec(inside("link", "show", "br0"))?.[1]?.toUpperCase() ?? "" };
}

test("guests that bridge their own cards make no loop, alone or together, and are reached by checks and by each other", {
  skip,
}, async (t) => {
  const opened = await sandboxes.open(`loop${process.pid}`, "op-1");
  assert.ok(opened.ok && (await sandboxes.open(`loop${process.pid}`, "op-2")).ok);
  const { sandbox } = opened;
  const vmid = 100_000 + (process.pid % 100_000);
  for (const [operation, id] of [
    ["op-1", vmid],
    ["op-2", vmid + 100_000],
  ] as const)
    assert.equal(await sandboxes.part(sandbox, operation, furtherDevices("lxc", id, ["net1", "net0"])), undefined);
  const names = (id: number) => [`veth${id}i0`, `veth${id}i1`];
  const one = bridging(t, sandbox.bridge, names(vmid), "10.77.7.20/24");
  bridging(t, sandbox.bridge, names(vmid + 100_000), "10.77.7.30/24");
  const plain = new SandboxGuest(9, sandbox.bridge);
  t.after(() => plain.remove());
  plain.ip("address", "add", "10.77.7.40/24", "dev", "eth0");
  assert.equal(await sandboxes.addressOf(sandbox, [one.mac], 15_000, never, ["10.77.7.20"]), "10.77.7.20");
  assert.match(
    command("ip", "netns", "exec", sandbox.netns, "ping", "-c", "3", "-i", "0.1", "-W", "2", "10.77.7.20"),
    /3 received/,
  );
  assert.equal(plain.can("ping", "-c", "1", "-W", "1", "10.77.7.30"), true);
  assert.equal(plain.can("ping", "-c", "1", "-W", "0.4", "10.77.7.99"), false); // nobody's: asked for by broadcasts
  const [device] = names(vmid) as [string];
  assert.ok(received(device) < 500, `${received(device)} frames`);
  assert.equal(tables().length, 2);
  assert.equal(await sandboxes.close(sandbox.name, "op-2"), undefined);
  assert.equal(tables().length, 1, "what was about the cards of one is gone with it");
  assert.equal(await sandboxes.close(sandbox.name, "op-1"), undefined);
  assert.deepEqual(tables(), []);
});
