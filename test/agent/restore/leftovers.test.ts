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
