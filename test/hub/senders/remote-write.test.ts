import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { remoteWriteConfig } from "../../../hub/senders/remote-write/config.ts";
import { settle } from "../../support/fake-clock.ts";
import { RemoteWriteBench } from "../../support/remote-write.ts";
import { TestStore, temporaryDir } from "../../support/series-store.ts";
import { agentOf, TestAgent } from "../../support/test-cluster.ts";
import { WriteReceiver } from "../../support/write-receiver.ts";

const setup = { name: "prod", nodes: { pve1: [{ vmid: 100, name: "web01" }], pve2: [] } };
const cpuAndNet = [
  { entity: "guest/100", metric: "cpu" },
  { entity: "guest/100", metric: "net_in" },
];

test("remote write: samples arrive under the exposition's names, at the agent's times, five seconds later at most", async (t) => {
  const receiver = await WriteReceiver.start(t);
  const bench = new RemoteWriteBench(t, receiver.url, setup, { labels: { site: "milan" } });
  const agent = new TestAgent(bench.series, agentOf("pve1"), cpuAndNet);
  agent.frame(bench.epoch, [0.25, 1000]);
  await bench.clock.advance(4999);
  assert.equal(receiver.requests.length, 0);
  await bench.clock.advance(1);
  await bench.until(() => receiver.requests.length === 1, "the batch is sent");
  const [request] = receiver.requests;
  assert.deepEqual(
    request?.series.map(({ labels }) => labels),
    [
      { __name__: "pve_cpu_usage_ratio", id: "qemu/100", site: "milan" },
      { __name__: "pve_network_receive_bytes", id: "qemu/100", site: "milan" },
      { __name__: "pve_network_receive_bytes_total", id: "qemu/100", site: "milan" },
    ],
  );
  assert.deepEqual(receiver.samplesOf("pve_cpu_usage_ratio", bench.epoch), [["qemu/100", 0, 0.25]]);
  const { headers } = request;
  assert.deepEqual(
    [headers["content-type"], headers["content-encoding"], headers["x-prometheus-remote-write-version"]],
    ["application/x-protobuf", "snappy", "0.1.0"],
  );
});

test("remote write: a request holds at most 5,000 samples", async (t) => {
  const receiver = await WriteReceiver.start(t);
  const bench = new RemoteWriteBench(t, receiver.url, setup);
  const wanted = Array.from({ length: 4000 }, (_, index) => ({ entity: "node/pve1", metric: "nic_in", instance: `tap${index}` }));
  const agent = new TestAgent(bench.series, agentOf("pve1"), wanted);
  for (let tick = 0; tick < 3; tick++)
    agent.frame(
      bench.epoch + tick * 10_000,
      wanted.map((_, index) => index),
    );
  await bench.delivered();
  const sizes = receiver.requests.map(({ series }) => series.length);
  assert.equal(Math.max(...sizes), 5000);
  assert.equal(
    sizes.reduce((sum, size) => sum + size),
    12_000,
  );
});

test("remote write: a value that goes absent ends the series right behind its last sample", async (t) => {
  const receiver = await WriteReceiver.start(t);
  const bench = new RemoteWriteBench(t, receiver.url, setup);
  const agent = new TestAgent(bench.series, agentOf("pve1"), cpuAndNet);
  agent.frame(bench.epoch, [0.25, 1000]);
  agent.frame(bench.epoch + 10_000, [undefined, 2000]);
  agent.frame(bench.epoch + 20_000, [undefined, 3000]);
  agent.frame(bench.epoch + 30_000, [0.5, 4000]);
  await bench.delivered();
  assert.deepEqual(receiver.samplesOf("pve_cpu_usage_ratio", bench.epoch), [
    ["qemu/100", 0, 0.25],
    ["qemu/100", 1, "ended"],
    ["qemu/100", 30_000, 0.5],
  ]);
});

test("remote write: a silent agent's series end, and what it spooled meanwhile still fits behind that mark", async (t) => {
  const receiver = await WriteReceiver.start(t);
  const bench = new RemoteWriteBench(t, receiver.url, setup);
  const agent = new TestAgent(bench.series, agentOf("pve1"), [{ entity: "guest/100", metric: "cpu" }]);
  agent.frame(bench.epoch, [0.25]);
  await bench.clock.advance(120_000);
  await bench.delivered();
  for (const at of [10_000, 20_000]) agent.frame(bench.epoch + at, [0.5]);
  await bench.delivered();
  assert.deepEqual(receiver.samplesOf("pve_cpu_usage_ratio", bench.epoch), [
    ["qemu/100", 0, 0.25],
    ["qemu/100", 1, "ended"],
    ["qemu/100", 10_000, 0.5],
    ["qemu/100", 20_000, 0.5],
  ]);
});

test("remote write: after a migration to a node whose clock is behind nothing is sent that is not newer", async (t) => {
  const receiver = await WriteReceiver.start(t);
  const bench = new RemoteWriteBench(t, receiver.url, setup);
  const wanted = [{ entity: "guest/100", metric: "cpu" }];
  new TestAgent(bench.series, agentOf("pve1"), wanted).frame(bench.epoch + 10_000, [0.1]);
  const target = new TestAgent(bench.series, agentOf("pve2"), wanted);
  target.frame(bench.epoch + 8000, [0.2]);
  target.frame(bench.epoch + 18_000, [0.3]);
  await bench.delivered();
  assert.deepEqual(receiver.samplesOf("pve_cpu_usage_ratio", bench.epoch), [
    ["qemu/100", 10_000, 0.1],
    ["qemu/100", 18_000, 0.3],
  ]);
});

test("remote write: states and facts come every half minute and end when they are gone", async (t) => {
  const receiver = await WriteReceiver.start(t);
  const bench = new RemoteWriteBench(t, receiver.url, {
    ...setup,
    nodes: { pve1: [{ vmid: 100, name: "web01", lock: "backup" }] },
  });
  const agent = new TestAgent(bench.series, agentOf("pve1"), [{ entity: "guest/100", metric: "status" }]);
  await bench.clock.advance(25_000);
  agent.frame(bench.clock.now(), [1]);
  await bench.clock.advance(35_000);
  await bench.clock.advance(90_000);
  await bench.delivered();
  const ups = receiver.samplesOf("pve_up", bench.epoch).filter(([id]) => id === "qemu/100");
  assert.deepEqual(ups, [
    ["qemu/100", 30_000, 1],
    ["qemu/100", 60_000, 1],
    ["qemu/100", 60_001, "ended"],
  ]);
  assert.deepEqual(receiver.samplesOf("pve_lock_state", bench.epoch)[0], ["qemu/100", 30_000, 1]);
});

test("remote write: 429 and 5xx are tried again after the time they ask for, and told once", async (t) => {
  const receiver = await WriteReceiver.start(t);
  receiver.answers.push(
    { status: 429, headers: { "retry-after": "30" } },
    { status: 503, body: "busy" },
    { status: 503, body: "busy" },
  );
  const bench = new RemoteWriteBench(t, receiver.url, setup);
  new TestAgent(bench.series, agentOf("pve1"), cpuAndNet).frame(bench.epoch, [0.25, 1]);
  await bench.clock.advance(5000);
  await bench.until(() => bench.figure("retries_total") === 1, "it waits");
  await bench.clock.advance(29_000);
  assert.equal(receiver.requests.length, 1);
  await bench.advanceUntil(() => bench.figure("queue_samples") === 0, "it is delivered");
  assert.equal(bench.figure("retries_total"), 3);
  assert.deepEqual(receiver.samplesOf("pve_cpu_usage_ratio", bench.epoch), [["qemu/100", 0, 0.25]]);
  assert.deepEqual(bench.log, [
    "remote write is delayed: HTTP 429",
    "remote write is delayed: HTTP 503 busy",
    "remote write delivers again",
  ]);
});

test("remote write: a request the receiver refuses is dropped, counted and told; the next goes through", async (t) => {
  const receiver = await WriteReceiver.start(t);
  receiver.answers.push({ status: 400, body: "out of order sample" });
  const bench = new RemoteWriteBench(t, receiver.url, setup);
  const agent = new TestAgent(bench.series, agentOf("pve1"), cpuAndNet);
  agent.frame(bench.epoch, [0.25, 1]);
  await bench.delivered();
  agent.frame(bench.epoch + 10_000, [0.5, 2]);
  await bench.delivered();
  assert.deepEqual([bench.figure("refused_samples_total"), bench.figure("samples_total")], [3, 3]);
  assert.deepEqual(bench.log, [
    "remote write: the receiver refused samples, they are dropped: HTTP 400 out of order sample",
    "remote write delivers again",
  ]);
});

test("remote write: after a crash the store fills what the queue had no time for, and nothing is sent twice", async (t) => {
  const receiver = await WriteReceiver.start(t);
  const { dir, remove } = temporaryDir();
  const store = new TestStore(dir);
  t.after(async () => {
    await store.hub.close();
    remove();
  });
  const bench = new RemoteWriteBench(t, receiver.url, setup, {}, store.hub);
  store.clock = bench.epoch;
  const agent = new TestAgent(store.hub, agentOf("pve1"), cpuAndNet);
  agent.frame(bench.epoch, [0.1, 1000]);
  await bench.delivered();
  // Taken by the store, not yet by the queue when the hub dies.
  agent.frame(bench.epoch + 10_000, [0.2, 2000]);
  agent.frame(bench.epoch + 20_000, [0.3, 3000]);
  store.commit();
  bench.open();
  agent.frame(bench.epoch + 30_000, [0.4, 4000]);
  await bench.delivered();
  assert.deepEqual(receiver.samplesOf("pve_cpu_usage_ratio", bench.epoch), [
    ["qemu/100", 0, 0.1],
    ["qemu/100", 10_000, 0.2],
    ["qemu/100", 20_000, 0.3],
    ["qemu/100", 30_000, 0.4],
  ]);
  assert.deepEqual(receiver.samplesOf("pve_network_receive_bytes_total", bench.epoch), [
    ["qemu/100", 0, 1000],
    ["qemu/100", 10_000, 2000],
    ["qemu/100", 20_000, 3000],
    ["qemu/100", 30_000, 4000],
  ]);
});

test("remote write: records an agent sends again after a crash of the hub are not queued again", async (t) => {
  const receiver = await WriteReceiver.start(t);
  const bench = new RemoteWriteBench(t, receiver.url, setup);
  const wanted = [{ entity: "guest/100", metric: "cpu" }];
  new TestAgent(bench.series, agentOf("pve1"), wanted).frame(bench.epoch, [0.1]);
  await bench.delivered();
  bench.open();
  const again = new TestAgent(bench.series, agentOf("pve1"), wanted);
  again.frame(bench.epoch, [0.1]);
  again.frame(bench.epoch + 10_000, [0.2]);
  await bench.delivered();
  assert.deepEqual(receiver.samplesOf("pve_cpu_usage_ratio", bench.epoch), [
    ["qemu/100", 0, 0.1],
    ["qemu/100", 10_000, 0.2],
  ]);
});

test("remote write: what waits when the hub is stopped is sent when it is back", async (t) => {
  const receiver = await WriteReceiver.start(t);
  receiver.answers.push({ status: 500 });
  const bench = new RemoteWriteBench(t, receiver.url, setup);
  new TestAgent(bench.series, agentOf("pve1"), cpuAndNet).frame(bench.epoch, [0.25, 1]);
  await bench.clock.advance(5000);
  await bench.until(() => bench.figure("retries_total") === 1, "it waits");
  await bench.remoteWrite.stop();
  bench.open();
  await bench.until(() => bench.figure("samples_total") === 3, "it is delivered");
});

test("remote write: the secret comes from its file", async (t) => {
  const receiver = await WriteReceiver.start(t);
  const probe = new RemoteWriteBench(t, receiver.url, setup);
  const file = join(probe.stateDir, "password");
  writeFileSync(file, "s3cret\n");
  const bench = new RemoteWriteBench(t, receiver.url, setup, { username: "hub", password_file: file });
  new TestAgent(bench.series, agentOf("pve1"), cpuAndNet).frame(bench.epoch, [0.25, 1]);
  await bench.delivered();
  assert.equal(receiver.requests[0]?.headers.authorization, `Basic ${Buffer.from("hub:s3cret").toString("base64")}`);
});

test("remote write: this machine is closed to it unless it is opened by name; samples wait, nothing is dropped", async (t) => {
  const receiver = await WriteReceiver.start(t);
  const bench = new RemoteWriteBench(t, receiver.url, setup, { allow_loopback: false });
  new TestAgent(bench.series, agentOf("pve1"), cpuAndNet).frame(bench.epoch, [0.25, 1]);
  await bench.clock.advance(5000);
  await settle();
  assert.equal(receiver.requests.length, 0);
  assert.equal(bench.figure("queue_samples"), 3);
  assert.deepEqual(bench.log, ["remote write is delayed: 127.0.0.1 is this machine: set allow_loopback = true if that is meant"]);
});

const url = "https://vm.example.org/api/v1/write";
const wrong: [name: string, config: object, problem: RegExp][] = [
  ["an unknown key", { url, passwrod_file: "/x" }, /passwrod_file/],
  ["a password without a user", { url, password_file: "/x" }, /username with password_file/],
  ["two kinds of credentials", { url, username: "a", password_file: "/x", bearer_token_file: "/y" }, /or bearer_token_file/],
  ["a secret in a header", { url, headers: { Authorization: "Bearer x" } }, /credentials have their own settings/],
  ["another protocol", { url: "ftp://vm.example.org/" }, /url/i],
];
for (const [name, config, problem] of wrong) {
  test(`remote write's settings: ${name} is an error`, () => {
    const parsed = remoteWriteConfig.safeParse(config);
    assert.match(parsed.error?.message ?? "accepted", problem);
  });
}
