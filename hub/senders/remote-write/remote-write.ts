import { join } from "node:path";
import type { EntityKey, EpochMs } from "#protocol/ids.ts";
import type { ClusterPicture } from "../../core/cluster.ts";
import { errorMessage } from "../../core/error.ts";
import { factRows } from "../../core/prometheus-facts.ts";
import type { Family } from "../../core/prometheus-names.ts";
import { type ClusterNames, clusterNames, type Labelled, type Row } from "../../core/prometheus-series.ts";
import type { AgentId, LiveTable, SeriesReader } from "../../core/series.ts";
import { type ProofSight, proofSight } from "../../core/views.ts";
import type { Clock, Log } from "../../ports.ts";
import type { HttpProxy } from "../../tunnel.ts";
import { openReceiver } from "../receiver.ts";
import type { RemoteWriteConfig } from "./config.ts";
import { FactFeed, Feed, type SampleSink } from "./feed.ts";
import { DiskQueue } from "./queue.ts";
import { Sender } from "./sender.ts";
import { compressSnappy } from "./snappy.ts";
import { encodeLabels, WriteRequest } from "./write-request.ts";

export type RemoteWritePorts = {
  reader: SeriesReader;
  live: LiveTable;
  pictures(): ClusterPicture[];
  /** The hub's rows about itself (hubRows). */
  hubRows(): Row[];
  /** What tests of backups have proven; absent: the hub tests none. */
  proofs?: ProofSight | undefined;
  clock: Clock;
  log: Log;
  random(): number;
  /** The hub's state directory; the queue is its `remote-write`. */
  stateDir: string;
  proxy?: HttpProxy | undefined;
};

/** A request holds at most so many samples, and the first of them waits at most so long. */
const samplesMax = 5000;
const batchForMs = 5000;
/** States and facts are sent so often: well within the five minutes for which Prometheus shows a last value. */
const factsEveryMs = 30_000;
const namesForMs = 5000;

const counter = (name: string, help: string): Family => ({ name, type: "counter", help });
const families = {
  sent: counter("proven_remote_write_samples_total", "Samples the receiver took"),
  refused: counter("proven_remote_write_refused_samples_total", "Samples dropped because the receiver refused their request"),
  lost: counter(
    "proven_remote_write_lost_samples_total",
    "Samples dropped because the queue was full, too old, damaged or the disk refused them",
  ),
  requests: counter("proven_remote_write_requests_total", "Requests to the receiver"),
  retries: counter("proven_remote_write_retries_total", "Requests that were tried again later"),
};
const queued: Family = { name: "proven_remote_write_queue_samples", type: "gauge", help: "Samples that wait for the receiver" };
const queueBytes: Family = { name: "proven_remote_write_queue_bytes", type: "gauge", help: "Size of the queue on disk" };

/** Sends what the hub takes in on to one Prometheus-compatible receiver, under the names of `/metrics`. */
export class RemoteWrite {
  private readonly queue: DiskQueue;
  private readonly sender: Sender;
  private readonly feed: Feed;
  private readonly facts: FactFeed;
  private readonly request = new WriteRequest();
  private readonly sink: SampleSink;
  private readonly stopping = new AbortController();
  private readonly stopFrames: () => void;
  private pendingFed: Record<string, EpochMs> = {};
  private flushAtMs: number | undefined;
  private names: { at: number; names: ClusterNames[] } | undefined;
  private diskTrouble = false;

  /** @throws when the queue's directory or a file of the configuration can't be read. */
  constructor(
    config: RemoteWriteConfig,
    private readonly ports: RemoteWritePorts,
  ) {
    const { clock, log, random, reader, live, stateDir } = ports;
    const maxBytes = config.queue_max_mib * 2 ** 20;
    const maxAgeMs = config.queue_max_hours * 3_600_000;
    this.queue = DiskQueue.open(join(stateDir, "remote-write"), {
      maxBytes,
      maxAgeMs,
      segmentBytes: Math.min(4 << 20, maxBytes / 8),
    });
    this.sender = new Sender({ queue: this.queue, receiver: openReceiver(config, ports.proxy), clock, log, random });
    const fixed = Object.entries(config.labels);
    const encode = ({ family, labels }: Labelled) =>
      encodeLabels(family.name, [...labels, ...fixed.filter(([name]) => labels.every(([other]) => other !== name))]);
    const monotonicMs = () => clock.monotonicMs();
    this.feed = new Feed(
      { reader, live, names: () => this.clusterNames(), encode, monotonicMs },
      { ...this.queue.fed },
      maxAgeMs,
    );
    this.facts = new FactFeed(encode);
    this.sink = { add: (labels, value, at) => this.add(labels, value, at), end: (labels, at) => this.end(labels, at) };
    this.stopFrames = live.onFrame(({ agent, at, entities }) => this.frame(agent, at, entities));
    void this.factsLoop();
    this.sender.wake();
  }

  /** Ends at once; what was taken is on disk. */
  async stop(): Promise<void> {
    this.stopFrames();
    this.stopping.abort();
    this.flush();
    await this.sender.stop();
    this.queue.close();
  }

  rows(): Row[] {
    const { counters } = this.sender;
    const row = (family: Family, value: number): Row => ({ family, labels: [], value });
    return [
      row(families.sent, counters.sent),
      row(families.refused, counters.refused),
      row(families.lost, counters.lost),
      row(families.requests, counters.requests),
      row(families.retries, counters.retries),
      row(queued, this.queue.samples),
      row(queueBytes, this.queue.bytes),
    ];
  }

  /** Takes states and facts as they are now. Called by itself every half minute. */
  takeFacts(): void {
    const now = this.ports.clock.now();
    const { reader, live, proofs } = this.ports;
    const sight = { reader, live, now, ...proofSight(proofs, now) };
    const rows = this.clusterNames().flatMap((names) => factRows(sight, names));
    this.facts.take([...rows, ...this.ports.hubRows(), ...this.rows()], now, this.sink);
    this.feed.sweep(this.sink);
  }

  private frame(agent: AgentId, at: EpochMs, entities: readonly EntityKey[]): void {
    this.feed.frame(agent, at, entities, this.sink);
    this.pendingFed[`${agent.cluster}/${agent.node}`] = at;
    if (this.request.samples >= samplesMax) this.flush();
  }

  private async factsLoop(): Promise<void> {
    while (!this.stopping.signal.aborted) {
      await this.ports.clock.sleep(factsEveryMs, this.stopping.signal);
      if (!this.stopping.signal.aborted) this.takeFacts();
    }
  }

  private add(labels: Uint8Array, value: number, at: number): void {
    this.makeRoom();
    this.request.add(labels, value, at);
  }

  private end(labels: Uint8Array, at: number): void {
    this.makeRoom();
    this.request.addStale(labels, at + 1);
  }

  private makeRoom(): void {
    if (this.request.samples >= samplesMax) this.flush();
    if (this.flushAtMs !== undefined) return;
    const { clock } = this.ports;
    const dueMs = clock.monotonicMs() + batchForMs;
    this.flushAtMs = dueMs;
    void clock.sleep(batchForMs, this.stopping.signal).then(() => {
      if (this.flushAtMs === dueMs) this.flush();
    });
  }

  /** Puts what was collected into the queue. A disk that refuses costs the batch, which is counted; the hub's own store tells why loudly. */
  private flush(): void {
    this.flushAtMs = undefined;
    const { samples } = this.request;
    if (samples === 0) return;
    const payload = compressSnappy(this.request.take());
    try {
      this.queue.append(payload, samples, this.pendingFed, this.ports.clock.now());
      this.pendingFed = {};
      this.diskTrouble = false;
    } catch (error) {
      this.sender.counters.lost += samples;
      if (!this.diskTrouble) this.ports.log(4, `remote write can't queue: ${errorMessage(error)}`, { samples });
      this.diskTrouble = true;
    }
    this.sender.wake();
  }

  private clusterNames(): ClusterNames[] {
    const nowMs = this.ports.clock.monotonicMs();
    if (this.names === undefined || nowMs - this.names.at >= namesForMs) {
      this.names = { at: nowMs, names: clusterNames(this.ports.pictures(), this.ports.clock.now()) };
    }
    return this.names.names;
  }
}
