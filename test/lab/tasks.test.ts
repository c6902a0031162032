import assert from "node:assert/strict";
import { test } from "node:test";
import { parseUpid } from "#protocol/ids.ts";
import { callLab, startTestLab } from "../support/lab-client.ts";

async function setUp(context: Parameters<typeof startTestLab>[0]) {
  const { lab, clock, read } = await startTestLab(context);
  const post = async (path: string, params: Record<string, string> = {}) => {
    const answer = await callLab(lab, "pve1", "POST", `/nodes/pve1/${path}`, { params });
    assert.equal(answer.status, 200, answer.reason);
    return String(answer.data);
  };
  const status = async (upid: string) =>
    (await callLab(lab, "pve1", "GET", `/nodes/pve1/tasks/${upid}/status`)).data as Record<string, unknown>;
  const log = (upid: string) => {
    const task = lab.tasks.find(upid);
    return task === undefined ? [] : lab.tasks.readLog(task);
  };
  const active = () => read("pve1", "var/log/pve/tasks/active");
  const index = () => read("pve1", "var/log/pve/tasks/index");
  return { lab, clock, read, post, status, log, active, index };
}

test("a guest of office hours that has gone home was shut down by somebody, whenever the lab starts", async (context) => {
  for (const hour of [3, 12, 21]) {
    const { lab, clock } = await startTestLab(context, { startAt: Date.UTC(2026, 0, 6, hour) });
    const newest = new Map(
      [...lab.world.nodes.keys()]
        .flatMap((node) => lab.tasks.on(node))
        .filter(({ type }) => /^(qm|vz)(start|shutdown)$/.test(type))
        .sort((a, b) => a.startedAt - b.startedAt)
        .map(({ id, type }) => [id, type.slice(2)]),
    );
    const isOpen = hour === 12;
    assert.deepEqual(new Set(newest.values()), new Set([isOpen ? "start" : "shutdown"]), `${hour} h`);
    for (const vmid of newest.keys()) {
      const guest = lab.world.guest(Number(vmid));
      assert.ok(guest);
      assert.equal(lab.world.state(guest, clock.now())?.running, isOpen, `${vmid} at ${hour} h`);
    }
  }
});

test("a stop runs, ends OK and stands in active, index, the log and the cluster's log", async (context) => {
  const { lab, clock, read, post, status, log, active, index } = await setUp(context);
  const upid = await post("qemu/100/status/stop");
  assert.deepEqual([parseUpid(upid)?.type, parseUpid(upid)?.id, parseUpid(upid)?.user], ["qmstop", "100", "root@pam"]);
  assert.ok(active().includes(`${upid} 0\n`));
  assert.ok(!index().includes(upid));
  assert.deepEqual((await status(upid)).status, "running");
  assert.ok(read("pve2", "etc/pve/.clusterlog").includes(`starting task ${upid}`));
  await clock.advance(2000);
  const end = Math.floor(clock.now() / 1000 - 1)
    .toString(16)
    .toUpperCase();
  assert.ok(active().includes(`${upid} 1 ${end} OK\n`), active());
  assert.ok(index().endsWith(`${upid} ${end} OK\n`));
  assert.deepEqual(log(upid), ["TASK OK"]);
  const { status: state, exitstatus } = await status(upid);
  assert.deepEqual([state, exitstatus], ["stopped", "OK"]);
  assert.ok(read("pve3", "etc/pve/.clusterlog").includes(`end task ${upid} OK`));
  assert.equal(lab.truth("guest/100", "status", undefined, clock.now()), 0);
});

test("starting what runs, and stopping what is locked, ends with PVE's error", async (context) => {
  const { lab, clock, post, status } = await setUp(context);
  const twice = await post("qemu/100/status/start");
  lab.control.inject({ kind: "lock", vmid: 106, lock: "backup" });
  const locked = await post("qemu/106/status/stop");
  await clock.advance(1000);
  assert.equal((await status(twice)).exitstatus, "VM 100 already running");
  assert.equal((await status(locked)).exitstatus, "VM is locked (backup)");
});

test("a backup locks its guest, takes time, and is in the storage's content afterwards", async (context) => {
  const { lab, clock, read, post, status, log } = await setUp(context);
  const upid = await post("vzdump", { vmid: "100", storage: "nfs1", mode: "snapshot", compress: "zstd" });
  await clock.advance(1000);
  assert.match(read("pve1", "etc/pve/local/qemu-server/100.conf"), /^lock: backup$/m);
  await clock.advance(10 * 60_000);
  assert.equal((await status(upid)).exitstatus, "OK");
  assert.equal(log(upid).at(-2), "INFO: Backup job finished successfully");
  assert.doesNotMatch(read("pve1", "etc/pve/local/qemu-server/100.conf"), /^lock/m);
  const answer = await callLab(lab, "pve1", "GET", "/nodes/pve1/storage/nfs1/content", {
    params: { vmid: "100", content: "backup" },
  });
  const volumes = (answer.data as { volid: string }[]).map(({ volid }) => volid);
  assert.ok(volumes.includes("nfs1:backup/vzdump-qemu-100-2026_01_05-12_00_00.vma.zst"), volumes.join());
});

test("a failed guest makes the whole job end with job errors", async (context) => {
  const { lab, clock, post, status, log } = await setUp(context);
  lab.control.inject({ kind: "fail-backup", vmid: 103, reason: "got timeout" });
  const upid = await post("vzdump", { vmid: "103,106", storage: "nfs1" });
  await clock.advance(20 * 60_000);
  assert.equal((await status(upid)).exitstatus, "job errors");
  assert.ok(log(upid).includes("ERROR: Backup of VM 103 failed - got timeout"));
  assert.ok(log(upid).some((line) => line.startsWith("INFO: Finished Backup of VM 106")));
});

test("a backup of nobody fails, of another node's guest ends OK without a word", async (context) => {
  const { clock, post, status } = await setUp(context);
  const nobody = await post("vzdump", { vmid: "777", storage: "nfs1" });
  await clock.advance(5000);
  const elsewhere = await post("vzdump", { vmid: "101", storage: "nfs1" });
  await clock.advance(5000);
  assert.deepEqual([(await status(nobody)).exitstatus, (await status(elsewhere)).exitstatus], ["job errors", "OK"]);
});

test("a second backup waits for the node's lock; a cancelled wait has no status, a cancelled backup says so", async (context) => {
  const { lab, clock, post, status, log } = await setUp(context);
  const first = await post("vzdump", { vmid: "100", storage: "nfs1" });
  const second = await post("vzdump", { vmid: "106", storage: "nfs1" });
  await clock.advance(3000);
  assert.deepEqual(log(second), ["INFO: trying to get global lock - waiting..."]);
  await callLab(lab, "pve1", "DELETE", `/nodes/pve1/tasks/${second}`);
  assert.equal((await status(second)).exitstatus, "unexpected status");
  await callLab(lab, "pve1", "DELETE", `/nodes/pve1/tasks/${first}`);
  assert.equal((await status(first)).exitstatus, "interrupted by signal");
  assert.equal(log(first).at(-1), "TASK ERROR: interrupted by signal");
  assert.equal(lab.world.guest(100)?.lock, undefined);
});

test("a killed worker leaves the lock and no last line", async (context) => {
  const { lab, clock, post, status, log } = await setUp(context);
  const upid = await post("vzdump", { vmid: "100", storage: "nfs1" });
  await clock.advance(2000);
  lab.control.inject({ kind: "kill-task", upid });
  assert.equal((await status(upid)).exitstatus, "unexpected status");
  assert.doesNotMatch(log(upid).at(-1) ?? "", /^TASK/);
  assert.equal(lab.world.guest(100)?.lock, "backup");
  const next = await post("vzdump", { vmid: "106", storage: "nfs1" });
  await clock.advance(1000);
  assert.ok(!log(next).includes("INFO: trying to get global lock - waiting..."), "the kernel freed the node's lock");
});

test("a migration moves the guest's configuration, and its process is a new one", async (context) => {
  const { lab, clock, read } = await setUp(context);
  const upid = String(lab.control.inject({ kind: "migrate", vmid: 100, target: "pve3", durationMs: 30_000 }));
  assert.match(upid, /:qmigrate:100:root@pam:$/);
  await clock.advance(1000);
  assert.match(read("pve1", "etc/pve/nodes/pve1/qemu-server/100.conf"), /^lock: migrate$/m);
  await clock.advance(40_000);
  assert.match(read("pve1", "etc/pve/nodes/pve3/qemu-server/100.conf"), /^name: web01$/m);
  assert.throws(() => read("pve1", "etc/pve/nodes/pve1/qemu-server/100.conf"), { code: "ENOENT" });
  const vmlist = JSON.parse(read("pve2", "etc/pve/.vmlist")) as { ids: Record<string, { node: string }> };
  assert.equal(vmlist.ids["100"]?.node, "pve3");
  assert.ok((lab.truth("guest/100", "uptime", undefined, clock.now()) ?? 99) < 12);
});

test("finished tasks are listed by default, newest first; filters narrow them", async (context) => {
  const { lab, clock, post } = await setUp(context);
  const done = await post("qemu/100/status/stop");
  await clock.advance(2000);
  const running = await post("vzdump", { vmid: "106", storage: "nfs1" });
  const list = async (params: Record<string, string>) =>
    ((await callLab(lab, "pve1", "GET", "/nodes/pve1/tasks", { params })).data as { upid: string }[]).map(({ upid }) => upid);
  assert.equal((await list({}))[0], done);
  assert.deepEqual(await list({ source: "active" }), [running]);
  assert.deepEqual(await list({ vmid: "100" }), [done]);
  assert.ok((await list({ errors: "1" })).every((upid) => upid !== done));
});

test("no backup failed on a node that has no guest", async (context) => {
  const { lab } = await startTestLab(context, { guests: 1 });
  const jobs = [...lab.world.nodes.keys()].flatMap((node) => lab.tasks.on(node).filter(({ type }) => type === "vzdump"));
  assert.deepEqual(
    jobs.map(({ node, status }) => [node, status]),
    [
      ["pve1", "OK"],
      ["pve2", "OK"],
      ["pve3", "OK"],
    ],
  );
});
