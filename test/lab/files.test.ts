import assert from "node:assert/strict";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { startTestLab } from "../support/lab-client.ts";

type Json = Record<string, unknown>;
const recorded = (name: string) => readFileSync(new URL(`../fixtures/pve-9.2.11/${name}`, import.meta.url), "utf8");
const recordedLine = JSON.parse(recorded("run-pve_metrics.line.json")) as Record<string, { data: Json; timestamp: number }>;

/** Keys with the type of their value: `cpu:number`. */
const shape = (value: unknown) =>
  Object.entries(value as Json)
    .map(([key, one]) => `${key}:${typeof one}`)
    .sort();

test("the metrics line has the recorded sections, keys and types", async (context) => {
  const { read } = await startTestLab(context);
  const line = JSON.parse(read("pve1", "run/pve/metrics").split("\n")[0] ?? "") as typeof recordedLine;
  assert.deepEqual(Object.keys(line).sort(), Object.keys(recordedLine).sort());
  for (const section of Object.values(line)) assert.equal(section.timestamp, Date.UTC(2026, 0, 5, 12) / 1000);
  const ours = (section: string, id: string) => line[section]?.data[id] as Json;
  const theirs = (section: string, id: string) => recordedLine[section]?.data[id] as Json;
  assert.deepEqual(shape(ours("node", "cpustat")), shape(theirs("node", "cpustat")));
  assert.deepEqual(shape(ours("node", "memory")), shape(theirs("node", "memory")));
  assert.deepEqual(shape(ours("node", "blockstat")), shape(theirs("node", "blockstat")));
  assert.deepEqual(shape((ours("node", "nics") as Json).eno1), shape((theirs("node", "nics") as Json).eno1));
  assert.deepEqual(shape(ours("storage", "local")), shape(theirs("storage", "local")));
  assert.deepEqual(shape(ours("lxc", "103")), shape(theirs("lxc", "200")));
  // A running VM has what was recorded, and what the recorded node's QEMU could not say.
  const running = new Set(shape(ours("qemu", "100")));
  assert.deepEqual(
    shape(theirs("qemu", "100")).filter((key) => !running.has(key)),
    [],
  );
  for (const key of ["blockstat:object", "ballooninfo:object", "freemem:number", "diskread:number"])
    assert.ok(running.has(key), key);
});

test("a stopped VM has the recorded keys and zeros", async (context) => {
  const { read, lab } = await startTestLab(context);
  const stopped = lab.world.guestsNow().find(({ life }) => life.spec.vmid === 105);
  const line = JSON.parse(read(stopped?.home ?? "", "run/pve/metrics").split("\n")[0] ?? "") as typeof recordedLine;
  const entry = (line.qemu?.data["105"] ?? line.lxc?.data["105"]) as Json;
  assert.deepEqual([entry.status, entry.cpu, entry.mem, entry.uptime, entry.netin], ["stopped", 0, 0, 0, 0]);
});

test("newest generation first, as many as are kept", async (context) => {
  const { clock, read } = await startTestLab(context, { metricsGenerations: 3 });
  await clock.advance(60_000);
  const stamps = read("pve1", "run/pve/metrics")
    .trimEnd()
    .split("\n")
    .map((line) => (JSON.parse(line) as typeof recordedLine).node?.timestamp);
  const newest = Date.UTC(2026, 0, 5, 12, 1) / 1000;
  assert.deepEqual(stamps, [newest, newest - 10, newest - 20]);
});

test(".rrd has the recorded number of columns for each kind of object", async (context) => {
  const { read } = await startTestLab(context);
  const columns = (text: string) => {
    const found: Record<string, Set<number>> = {};
    for (const line of text.trimEnd().split("\n")) {
      const kind = line.slice(0, line.indexOf("/"));
      found[kind] = (found[kind] ?? new Set()).add(line.split(":").length);
    }
    return found;
  };
  assert.deepEqual(columns(read("pve2", "etc/pve/.rrd")), columns(recorded("etc-pve_dot-rrd")));
});

test(".version counts the recorded files, .vmlist and .members are JSON with every guest and node", async (context) => {
  const { read, lab } = await startTestLab(context);
  const version = JSON.parse(read("pve1", "etc/pve/.version")) as Json;
  assert.deepEqual(Object.keys(version), Object.keys(JSON.parse(recorded("etc-pve_dot-version")) as Json));
  const vmlist = JSON.parse(read("pve1", "etc/pve/.vmlist")) as { ids: Record<string, unknown> };
  assert.equal(Object.keys(vmlist.ids).length, 40);
  assert.deepEqual(vmlist.ids["100"], { node: "pve1", type: "qemu", version: 1 });
  const members = JSON.parse(read("pve2", "etc/pve/.members")) as {
    nodename: string;
    nodelist: Record<string, { online: number }>;
  };
  assert.equal(members.nodename, "pve2");
  assert.deepEqual(Object.keys(members.nodelist), [...lab.world.nodes.keys()]);
});

test("guest configurations have sorted keys, as PVE writes them", async (context) => {
  const { read } = await startTestLab(context);
  const keys = (text: string) =>
    text
      .trimEnd()
      .split("\n")
      .map((line) => line.split(":")[0] ?? "");
  for (const path of ["qemu-server/100.conf", "lxc/103.conf"]) {
    const found = keys(read("pve1", `etc/pve/local/${path}`));
    assert.deepEqual(found, [...found].sort());
    assert.ok(found.includes(path.startsWith("qemu") ? "smbios1" : "rootfs"));
  }
  const theirs = keys(recorded("etc-pve_lxc_200.conf"));
  const ours = new Set(keys(read("pve1", "etc/pve/local/lxc/103.conf")));
  assert.deepEqual(
    theirs.filter((key) => !ours.has(key)),
    [],
  );
});

test("what goes out of a guest its host receives", async (context) => {
  const { read, lab, clock } = await startTestLab(context);
  const line = read("pve1", "proc/net/dev")
    .split("\n")
    .find((one) => one.includes("tap100i0:"));
  const fields = (line?.split(":")[1] ?? "").trim().split(/\s+/).map(Number);
  assert.equal(fields[0], lab.truth("guest/100", "nic_out", "net0", clock.now()));
  assert.equal(fields[8], lab.truth("guest/100", "nic_in", "net0", clock.now()));
});

test("/proc/stat has one line more than the node has threads, and ten numbers a line", async (context) => {
  const { read, lab } = await startTestLab(context);
  const lines = read("pve1", "proc/stat")
    .split("\n")
    .filter((line) => line.startsWith("cpu"));
  assert.equal(lines.length, 1 + lab.world.node("pve1").spec.cpus);
  for (const line of lines) assert.match(line, /^cpu\d* +\d+( \d+){9}$/);
  assert.match(read("pve1", "proc/pressure/io"), /^some avg10=\d+\.\d\d avg60=\d+\.\d\d avg300=\d+\.\d\d total=\d+\nfull /);
});

test("a file that one node puts into the cluster's file system is on all nodes", async (context) => {
  const { lab, read } = await startTestLab(context);
  const folder = join(lab.tree.root("pve1"), "etc/pve/proven");
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "hub.json"), "{}");
  writeFileSync(join(lab.tree.root("pve2"), "etc/pve/priv/proven/join.key"), "secret");
  assert.equal(read("pve3", "etc/pve/proven/hub.json"), "{}");
  assert.equal(read("pve3", "etc/pve/priv/proven/join.key"), "secret");
});

test("a restarted lab is the same cluster", async (context) => {
  const { lab } = await startTestLab(context);
  const { secretsIn } = await import("./secrets.ts");
  assert.deepEqual(await secretsIn(lab.dir, ["pve1"]), lab.secrets);
  assert.ok(existsSync(lab.agentConfig("pve3")));
  assert.match(
    readFileSync(lab.agentConfig("pve1"), "utf8"),
    /^root = ".*\/nodes\/pve1"\nstate = ".*\/agents\/pve1"\n\n\[pve\]\napi = "http:\/\/127\.0\.0\.1:\d+"\n/,
  );
});
