import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import { startTestLab } from "../support/lab-client.ts";
import { startLabCollector } from "../support/lab-collector.ts";
import { of } from "../support/started-collector.ts";

/** A task that runs until it is interrupted. */
function* endless(): Generator<number, undefined, undefined> {
  for (;;) yield 60_000;
}

/** How often; what else it is asked then, it is asked right after this. */
const asked = (calls: readonly string[], vmid: number) =>
  calls.filter((path) => path.endsWith(`/qemu/${vmid}/agent/get-fsinfo`)).length;

test("a guest with a lock is never asked, nor one that a backup task names; the others are, every five minutes", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 20 });
  const vms = lab.world.guestsNow().filter(({ life }) => life.spec.type === "qemu" && life.spec.agent === "answers");
  const locked = vms.find(({ lock }) => lock === "backup");
  const running = vms.filter((guest) => guest.lock === undefined && lab.world.reading(guest, clock.now()) !== undefined);
  const [inBackup, free] = running.map(({ life }) => life.spec.vmid);
  assert.ok(locked !== undefined && inBackup !== undefined && free !== undefined);
  const { pass, calls } = startLabCollector(context, lab, clock, "pve1");
  const task = lab.tasks.start({ node: "pve1", type: "vzdump", id: String(inBackup), user: "root@pam" }, endless);
  await pass(12);
  assert.deepEqual([asked(calls, locked.life.spec.vmid), asked(calls, inBackup), asked(calls, free)], [0, 0, 1]);
  const left = [locked.life.spec.vmid, inBackup].map((vmid) => `/qemu/${vmid}/agent/`);
  assert.ok(!calls.some((path) => left.some((part) => path.includes(part))), "for nothing at all");
  await pass(30);
  assert.equal(asked(calls, free), 2);
  lab.tasks.interrupt(task.upid);
  // The end of a task is heard through inotify, which is as fast as the machine, not as the lab's clock.
  for (let passes = 0; passes < 50 && asked(calls, inBackup) === 0; passes++) await pass(1);
  assert.equal(asked(calls, inBackup), 1);
});

test("while a backup job over several guests runs nobody's agent is asked, as it may freeze any of them next", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 20 });
  const task = lab.tasks.start({ node: "pve1", type: "vzdump", id: "", user: "root@pam" }, endless);
  const { pass, calls } = startLabCollector(context, lab, clock, "pve1");
  await pass(12);
  assert.deepEqual(
    calls.filter((path) => path.includes("/agent/")),
    [],
  );
  lab.tasks.interrupt(task.upid);
  for (let passes = 0; passes < 50 && asked(calls, 100) === 0; passes++) await pass(1);
  assert.equal(asked(calls, 100), 1);
});

test("an agent that does not answer is left alone for 5, then 10, then 20 minutes, and said to be silent", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 30 });
  const dead = lab.world.guestsNow().find(({ life }) => life.spec.agent === "dead")?.life.spec.vmid ?? 0;
  const { pass, calls, collector, tick } = startLabCollector(context, lab, clock, "pve1");
  const times: number[] = [];
  const begun = clock.now();
  for (let minutes = 0; minutes < 42; minutes++) {
    const before = asked(calls, dead);
    await pass(6);
    if (asked(calls, dead) > before) times.push(Math.round((clock.now() - begun) / 60_000));
  }
  const gaps = times.slice(1).map((minute, index) => minute - (times[index] ?? 0));
  // A round comes up every ten seconds, and the question itself takes three.
  assert.deepEqual(
    gaps.map((minutes) => Math.round(minutes / 5) * 5),
    [5, 10, 20],
  );
  assert.equal(of(await tick(), `guest/${dead}`).agent_up, 0);
  const { inventory } = await collector.inventory(clock.now());
  const states = new Set(inventory.guests.filter(({ type }) => type === "qemu").map(({ agent }) => agent));
  assert.equal(inventory.guests.find(({ vmid }) => vmid === dead)?.agent, "silent");
  assert.ok(states.has("answers"));
});

test("a guest that has just got the vmid of another one is not given that one's file systems", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 5 });
  const { pass, tick } = startLabCollector(context, lab, clock, "pve1");
  await pass(2);
  assert.ok("fs_used:/" in of(await tick(), "guest/100"));
  const path = "nodes/pve1/qemu-server/100.conf";
  const file = `${lab.tree.pmxcfs}/${path}`;
  const text = readFileSync(file, "utf8");
  writeFileSync(
    file,
    text
      .replace(/uuid=[0-9a-f-]+/, "uuid=00000000-0000-4000-8000-000000000001")
      .replaceAll(/virtio=[0-9A-F:]+/g, "virtio=02:00:00:00:00:01"),
  );
  const guest = lab.world.guest(100);
  if (guest !== undefined) lab.world.touchGuest(guest);
  lab.tree.writeCluster(clock.now());
  assert.ok(!("fs_used:/" in of(await tick(), "guest/100")));
});
