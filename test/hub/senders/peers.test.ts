import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import { clusterNames } from "../../../hub/core/prometheus-series.ts";
import { RemoteRead, remoteReadConfig } from "../../../hub/senders/remote-read.ts";
import {
  type MetricPeer,
  prometheus,
  skipWithout,
  startPrometheus,
  startVictoriaMetrics,
  victoriaMetrics,
} from "../../support/metric-peers.ts";
import { RemoteWriteBench } from "../../support/remote-write.ts";
import { agentOf, cluster, TestAgent, testPicture } from "../../support/test-cluster.ts";

const setup = { name: "prod", nodes: { pve1: [{ vmid: 100, name: 'web "01"\\' }], pve2: [] } };
const wanted = [
  { entity: "guest/100", metric: "cpu" },
  { entity: "guest/100", metric: "net_in" },
  { entity: "guest/100", metric: "drive_read_ns", instance: "scsi0" },
  { entity: "node/pve1", metric: "psi_io_some" },
];
const tick = 10_000;
const cpuAt = (index: number) => Math.round(2500 + 2000 * Math.sin(index / 7)) / 10_000;
const netAt = (index: number) => 5_000_000_000 + index * 123_457;
const valuesAt = (index: number) => [cpuAt(index), netAt(index), index * 2_000_000, index / 10];

const peers: [name: string, problem: string | false, start: typeof startPrometheus][] = [
  ["Prometheus", skipWithout(prometheus), startPrometheus],
  ["VictoriaMetrics", skipWithout(victoriaMetrics), startVictoriaMetrics],
];

const selectors: [selector: string, value: (index: number) => number][] = [
  ['pve_cpu_usage_ratio{id="qemu/100"}', cpuAt],
  ['pve_network_receive_bytes{id="qemu/100"}', netAt],
  ['pve_network_receive_bytes_total{id="qemu/100"}', netAt],
  ['proven_guest_drive_read_seconds_total{id="qemu/100",drive="scsi0"}', (index) => (index * 2) / 1000],
  ['proven_node_psi_io_some_ratio{id="node/pve1"}', (index) => index / 1000],
];

async function assertEqualValues(peer: MetricPeer, epoch: number, ticks: number): Promise<void> {
  for (const [selector, expectedAt] of selectors) {
    const found = await peer.samples(selector, epoch + ticks * tick, (ticks + 1) * tick);
    const expected = Array.from({ length: ticks }, (_, index) => [epoch + index * tick, expectedAt(index)] as const);
    assert.equal(found.length, 1, selector);
    assert.deepEqual(found[0]?.points, expected, selector);
  }
}

for (const [name, skip, start] of peers) {
  test(`remote write into a real ${name}: every value is there, equal, at its time`, { skip }, async (t) => {
    const peer = await start(t);
    const bench = new RemoteWriteBench(t, peer.writeUrl, setup);
    const agent = new TestAgent(bench.series, agentOf("pve1"), wanted);
    for (let index = 0; index < 40; index++) {
      agent.frame(bench.epoch + index * tick, valuesAt(index));
      await bench.clock.advance(tick);
    }
    await bench.delivered();
    assert.deepEqual([bench.figure("refused_samples_total"), bench.figure("lost_samples_total"), bench.log], [0, 0, []]);
    await assertEqualValues(peer, bench.epoch, 40);
    const [info] = await peer.samples("pve_guest_info", bench.epoch + 40 * tick, 60_000);
    assert.deepEqual(info?.labels, {
      __name__: "pve_guest_info",
      id: "qemu/100",
      name: 'web "01"\\',
      node: "pve1",
      template: "0",
      type: "qemu",
    });
  });

  test(`remote write into a real ${name}: what is absent has no value there, what comes back has one`, { skip }, async (t) => {
    const peer = await start(t);
    const bench = new RemoteWriteBench(t, peer.writeUrl, setup);
    const agent = new TestAgent(bench.series, agentOf("pve1"), wanted);
    agent.frame(bench.epoch, valuesAt(1));
    agent.frame(bench.epoch + tick, [undefined, ...valuesAt(2).slice(1)]);
    agent.frame(bench.epoch + 4 * tick, valuesAt(5));
    await bench.delivered();
    const cpu = 'pve_cpu_usage_ratio{id="qemu/100"}';
    assert.deepEqual(await peer.valueAt(cpu, bench.epoch), [cpuAt(1)]);
    assert.deepEqual(await peer.valueAt(cpu, bench.epoch + tick), []);
    assert.deepEqual(await peer.valueAt('pve_network_receive_bytes_total{id="qemu/100"}', bench.epoch + tick), [netAt(2)]);
    assert.deepEqual(await peer.valueAt(cpu, bench.epoch + 4 * tick), [cpuAt(5)]);
  });

  test(`remote write into a real ${name}: two minutes without it lose nothing`, { skip }, async (t) => {
    const peer = await start(t);
    const bench = new RemoteWriteBench(t, peer.writeUrl, setup);
    const agent = new TestAgent(bench.series, agentOf("pve1"), wanted);
    let index = 0;
    const run = async (ticks: number) => {
      for (const end = index + ticks; index < end; index++) {
        agent.frame(bench.epoch + index * tick, valuesAt(index));
        await bench.clock.advance(tick);
      }
    };
    await run(6);
    await bench.delivered();
    await peer.stop();
    await run(12);
    await bench.until(() => bench.figure("retries_total") > 0, "it noticed");
    assert.ok(bench.figure("queue_samples") > 0);
    // The hub is killed meanwhile, too.
    bench.open();
    await run(2);
    await peer.start();
    await bench.advanceUntil(() => bench.figure("queue_samples") === 0, "the queue is empty");
    await run(5);
    await bench.delivered();
    assert.deepEqual([bench.figure("refused_samples_total"), bench.figure("lost_samples_total")], [0, 0]);
    await assertEqualValues(peer, bench.epoch, 25);
  });

  test(`long ranges read back from a real ${name} are the hub's own columns`, { skip }, async (t) => {
    const peer = await start(t);
    const bench = new RemoteWriteBench(t, peer.writeUrl, setup);
    const agent = new TestAgent(bench.series, agentOf("pve1"), wanted);
    const gap = { from: 24, to: 36 };
    for (let index = 0; index < 60; index++) {
      if (index < gap.from || index >= gap.to) agent.frame(bench.epoch + index * tick, valuesAt(index));
    }
    await bench.delivered();
    const names = () => clusterNames([testPicture({ ...setup, at: bench.epoch })], bench.epoch);
    const remote = new RemoteRead(remoteReadConfig.parse({ url: peer.url, allow_loopback: true }), names);
    t.after(() => remote.close());
    const series = bench.series.reader.seriesOf(cluster, "guest/100" as never).slice(0, 1);
    const counter = bench.series.reader.seriesOf(cluster, "guest/100" as never).slice(1, 3);
    const range = { from: bench.epoch, to: (bench.epoch + 60 * tick) as EpochMs, stepMs: 12 * tick };
    await peer.valueAt("pve_cpu_usage_ratio", bench.epoch);

    const [cpu] = await remote.read(series, { ...range, aggregates: ["avg", "min", "max", "last"] });
    const steps = [0, 12, 24, 36, 48].map((first) =>
      first === gap.from ? [Number.NaN] : Array.from({ length: 12 }, (_, index) => cpuAt(first + index)),
    );
    const rounded = (values: Iterable<number> | undefined) => [...(values ?? [])].map((value) => Math.round(value * 1e9) / 1e9);
    assert.deepEqual(
      [...(cpu?.at ?? [])],
      [0, 12, 24, 36, 48].map((first) => bench.epoch + first * tick),
    );
    assert.deepEqual(rounded(cpu?.columns.avg), rounded(steps.map((step) => step.reduce((a, b) => a + b) / step.length)));
    assert.deepEqual(rounded(cpu?.columns.min), rounded(steps.map((step) => Math.min(...step))));
    assert.deepEqual(rounded(cpu?.columns.max), rounded(steps.map((step) => Math.max(...step))));
    assert.deepEqual(rounded(cpu?.columns.last), rounded(steps.map((step) => step.at(-1) ?? Number.NaN)));

    const [net, drive] = await remote.read(counter, { ...range, aggregates: ["rate"] });
    const near = (value: number | undefined, expected: number) => Math.abs((value ?? 0) / expected - 1) < 0.1;
    assert.ok(near(net?.columns.rate?.[1], 12_345.7), `bytes a second: ${net?.columns.rate}`);
    assert.ok(near(drive?.columns.rate?.[4], 200_000), `ns a second: ${drive?.columns.rate}`);
    assert.ok(Number.isNaN(net?.columns.rate?.[2]));

    const [raw] = await remote.read(series, {
      ...range,
      to: (bench.epoch + 5 * tick) as EpochMs,
      stepMs: undefined,
      aggregates: ["last"],
    });
    assert.deepEqual(
      [...(raw?.at ?? [])],
      [0, 1, 2, 3, 4].map((index) => bench.epoch + index * tick),
    );
    assert.deepEqual([...(raw?.columns.last ?? [])], [0, 1, 2, 3, 4].map(cpuAt));
  });
}
