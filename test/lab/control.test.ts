import assert from "node:assert/strict";
import { test } from "node:test";
import { callLab, startTestLab } from "../support/lab-client.ts";
import { faultExamples } from "./fault-examples.ts";

const members = (text: string) => {
  const json = JSON.parse(text) as { cluster: { quorate: number }; nodelist: Record<string, { online: number }> };
  return {
    quorate: json.cluster.quorate,
    online: Object.entries(json.nodelist)
      .filter(([, { online }]) => online === 1)
      .map(([node]) => node),
  };
};
const stampOf = (text: string) => (JSON.parse(text.split("\n")[0] ?? "") as { node: { timestamp: number } }).node.timestamp;

test("a dead node's files stand still and its API answers nobody; the others see it offline", async (context) => {
  const { lab, clock, read } = await startTestLab(context);
  lab.control.inject({ kind: "node", node: "pve2", action: "kill" });
  const before = { metrics: read("pve2", "run/pve/metrics"), stat: read("pve2", "proc/stat"), rrd: read("pve2", "etc/pve/.rrd") };
  await clock.advance(60_000);
  assert.deepEqual(
    { metrics: read("pve2", "run/pve/metrics"), stat: read("pve2", "proc/stat"), rrd: read("pve2", "etc/pve/.rrd") },
    before,
  );
  assert.notEqual(read("pve1", "etc/pve/.rrd"), before.rrd);
  assert.deepEqual(members(read("pve1", "etc/pve/.members")), { quorate: 1, online: ["pve1", "pve3"] });
  await assert.rejects(callLab(lab, "pve2", "GET", "/version"), { code: "ECONNRESET" });
  const resources = (await callLab(lab, "pve1", "GET", "/cluster/resources")).data as { id: string; status: string }[];
  assert.equal(resources.find(({ id }) => id === "node/pve2")?.status, "offline");
  assert.equal(resources.find(({ id }) => id === "qemu/101")?.status, "unknown");
  await clock.advance(300_000);
  assert.doesNotMatch(read("pve1", "etc/pve/.rrd"), /^pve-vm-9.0\/101:/m, "dropped after five minutes");
});

test("a node that comes back has booted, its guests count from zero, its tasks have no status", async (context) => {
  const { lab, clock, read } = await startTestLab(context);
  const { upid } = lab.vzdump.start("pve2", { storage: "nfs1", mode: "snapshot", compress: "zstd", vmids: [101] }, "root@pam");
  await clock.advance(1000);
  lab.control.inject({ kind: "node", node: "pve2", action: "kill" });
  await clock.advance(120_000);
  assert.equal(lab.tasks.find(upid)?.endedAt, undefined);
  lab.control.inject({ kind: "node", node: "pve2", action: "revive" });
  await clock.advance(30_000);
  assert.equal(lab.truth("node/pve2", "uptime", undefined, clock.now()), 30);
  assert.equal(lab.truth("guest/101", "uptime", undefined, clock.now()), 30);
  assert.equal(lab.tasks.find(upid)?.status, "unexpected status");
  assert.match(read("pve2", "etc/pve/local/qemu-server/101.conf"), /^lock: backup$/m);
  assert.equal((await callLab(lab, "pve2", "GET", "/version")).status, 200);
  assert.deepEqual(members(read("pve2", "etc/pve/.members")).online, ["pve1", "pve2", "pve3"]);
});

test("two of three nodes dead: no quorum, guests can't be started", async (context) => {
  const { lab, read } = await startTestLab(context);
  for (const node of ["pve2", "pve3"]) lab.control.inject({ kind: "node", node, action: "kill" });
  assert.deepEqual(members(read("pve1", "etc/pve/.members")), { quorate: 0, online: ["pve1"] });
  const answer = await callLab(lab, "pve1", "POST", "/nodes/pve1/qemu/100/status/stop");
  assert.deepEqual([answer.status, answer.reason], [500, "cluster not ready - no quorum?"]);
});

test("without pvestatd the metrics stand still while /proc goes on", async (context) => {
  const { lab, clock, read } = await startTestLab(context);
  lab.control.inject({ kind: "pvestatd", node: "pve1", running: false });
  const [stamp, stat] = [stampOf(read("pve1", "run/pve/metrics")), read("pve1", "proc/stat")];
  await clock.advance(30_000);
  assert.equal(stampOf(read("pve1", "run/pve/metrics")), stamp);
  assert.notEqual(read("pve1", "proc/stat"), stat);
  lab.control.inject({ kind: "pvestatd", node: "pve1", running: true });
  await clock.advance(10_000);
  assert.ok(stampOf(read("pve1", "run/pve/metrics")) > stamp);
});

test("an inactive storage has no numbers, a hanging one holds pvestatd up on every node", async (context) => {
  const { lab, clock, read } = await startTestLab(context);
  lab.control.inject({ kind: "storage", storage: "nfs1", fault: "inactive" });
  await clock.advance(10_000);
  const line = JSON.parse(read("pve1", "run/pve/metrics").split("\n")[0] ?? "") as {
    storage: { data: Record<string, { active: number; total: number }> };
  };
  assert.deepEqual([line.storage.data.nfs1?.active, line.storage.data.nfs1?.total], [0, 0]);
  assert.equal(lab.truth("storage/nfs1", "active", undefined, clock.now()), 0);
  assert.equal(lab.truth("storage/nfs1", "used", undefined, clock.now()), undefined);
  assert.doesNotMatch(read("pve1", "etc/pve/.rrd"), /pve-storage-9.0\/pve1\/nfs1/);
  lab.control.inject({ kind: "storage", storage: "nfs1", fault: "hang" });
  const stamp = stampOf(read("pve1", "run/pve/metrics"));
  await clock.advance(30_000);
  assert.equal(stampOf(read("pve1", "run/pve/metrics")), stamp);
});

test("a recreated guest is another one under the same vmid", async (context) => {
  const { lab, clock, read } = await startTestLab(context);
  const uuid = () => /uuid=(\S+)/.exec(read("pve1", "etc/pve/nodes/pve1/qemu-server/100.conf"))?.[1];
  const first = uuid();
  lab.control.inject({ kind: "guest", vmid: 100, action: "delete" });
  assert.throws(uuid, { code: "ENOENT" });
  assert.equal(lab.truth("guest/100", "status", undefined, clock.now()), undefined);
  await clock.advance(60_000);
  lab.control.inject({ kind: "guest", vmid: 100, action: "recreate" });
  await clock.advance(10_000);
  assert.notEqual(uuid(), first);
  assert.equal(lab.truth("guest/100", "uptime", undefined, clock.now()), 10);
});

test("a wrong clock shows in the node's timestamps only", async (context) => {
  const { lab, clock, read } = await startTestLab(context);
  lab.control.inject({ kind: "clock", node: "pve3", offsetMs: 60_000 });
  await clock.advance(10_000);
  assert.equal(stampOf(read("pve3", "run/pve/metrics")) - stampOf(read("pve1", "run/pve/metrics")), 60);
});

test("a set metric is in the files and in the truth alike", async (context) => {
  const { lab, clock, read } = await startTestLab(context);
  lab.control.inject({ kind: "metric", entity: "guest/100", metric: "mem_used", value: 123_456_512 });
  await clock.advance(10_000);
  const line = JSON.parse(read("pve1", "run/pve/metrics").split("\n")[0] ?? "") as {
    qemu: { data: Record<string, { mem: number }> };
  };
  assert.equal(line.qemu.data["100"]?.mem, 123_456_512);
  assert.equal(lab.truth("guest/100", "mem_used", undefined, clock.now()), 123_456_512);
});

test("the control API injects faults, tells the truth and refuses nonsense", async (context) => {
  const { lab, clock } = await startTestLab(context);
  const { control } = lab.places();
  const fault = async (body: unknown) => {
    const answer = await fetch(`${control}/fault`, {
      method: "POST",
      body: JSON.stringify(body),
      headers: { connection: "close" },
    });
    return { status: answer.status, body: (await answer.json()) as { error?: string; upid?: string } };
  };
  assert.equal((await fault({ kind: "metric", entity: "guest/100", metric: "cpu", value: 0.75 })).status, 200);
  const truth = await fetch(`${control}/truth?entity=guest/100&metric=cpu`, { headers: { connection: "close" } });
  assert.deepEqual(await truth.json(), { at: clock.now(), value: 0.75 });
  assert.match((await fault({ kind: "backup", vmid: 100 })).body.upid ?? "", /^UPID:pve1:.*:vzdump:100:root@pam:$/);
  assert.deepEqual(await fault({ kind: "node", node: "pve9", action: "kill" }), { status: 400, body: { error: "no node pve9" } });
  assert.equal((await fault({ kind: "nonsense" })).status, 400);
  const state = (await (await fetch(`${control}/state`, { headers: { connection: "close" } })).json()) as {
    guests: unknown[];
    quorate: boolean;
  };
  assert.deepEqual([state.guests.length, state.quorate], [40, true]);
});

test("the lab's address lists faults to paste, each of which the lab takes, and takes back", async (context) => {
  const { lab } = await startTestLab(context);
  const { control } = lab.places();
  const help = await (await fetch(control, { headers: { connection: "close" } })).text();
  for (const { fault, undo } of faultExamples) {
    for (const one of undo === undefined ? [fault] : [fault, undo]) {
      assert.ok(help.includes(`curl -d '${JSON.stringify(one)}' ${control}/fault\n`), help);
      lab.control.inject(one);
    }
  }
});
