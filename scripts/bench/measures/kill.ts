import { join } from "node:path";
import type { EpochMs, NodeName } from "#protocol/ids.ts";
import type { Context, Measure } from "../context.ts";
import { recentEnd } from "../feed.ts";
import { HubProcess } from "../hub-process.ts";
import { newIdentity } from "../identity.ts";
import { type ClientIdentity, LinkClient, LinkClosedError, newStream } from "../link-client.ts";
import { NodeStream } from "../node-stream.ts";
import { median, type Row, valueRow } from "../row.ts";
import { benchCluster } from "../sinks.ts";
import { guestsPerNode, nodeNameOf, seriesPerGuest, vmidOf, Workload } from "../workload.ts";

const nodes = 10;
const guests = nodes * guestsPerNode;
/** Sample time between two ticks: small, so that a hundred rounds fit into the hours before now. */
const stepMs = 1000;
const beginsBeforeMs = 12 * 3_600_000;
/** Wall time between two ticks: about a million samples a second. */
const tickEveryMs = 8;
const killWithinMs = { least: 200, most: 1500 };

const sleep = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** What one node sent and what came back; `sent` holds the cpu of its first guest, scaled, for the comparison at the end. */
class SendingNode {
  readonly stream: NodeStream;
  /** Highest acknowledged seq, over all sessions. */
  acked = 0;
  sent: { seq: number; at: EpochMs; cpu: number }[] = [];
  private client: LinkClient | undefined;
  private readonly self: ClientIdentity;

  constructor(
    private readonly workload: Workload,
    readonly index: number,
  ) {
    this.stream = new NodeStream(workload, index * guestsPerNode);
    const node = nodeNameOf(index) as NodeName;
    this.self = { node, clusterId: benchCluster, stream: newStream(), identity: newIdentity() };
  }

  get firstGuest(): number {
    return this.index * guestsPerNode;
  }

  /** Returns the acknowledged records that the hub no longer has. */
  async connect(hub: HubProcess): Promise<number> {
    this.client = await LinkClient.connect(hub.door(), this.self);
    const { lastSeq } = this.client;
    this.stream.continueAfter(lastSeq);
    this.sent = this.sent.filter(({ seq }) => seq <= lastSeq);
    return Math.max(0, this.acked - lastSeq);
  }

  async send(at: EpochMs): Promise<void> {
    const cpu = this.workload.scaled[this.firstGuest * seriesPerGuest] as number;
    for (const { kind, seq, bytes } of this.stream.encode(at, guestsPerNode)) {
      if (kind !== "schema") this.sent.push({ seq, at, cpu });
      await this.client?.send(seq, bytes);
    }
    this.note();
  }

  note(): void {
    this.acked = Math.max(this.acked, this.client?.acked ?? 0);
  }

  drop(): void {
    this.note();
    this.client?.drop();
  }
}

/** Sends until the hub dies; returns the time of the next tick. */
async function sendUntilDead(sending: readonly SendingNode[], workload: Workload, from: EpochMs): Promise<EpochMs> {
  let at = from;
  try {
    for (;;) {
      workload.tick();
      at = (at + stepMs) as EpochMs;
      for (const node of sending) await node.send(at);
      await sleep(tickEveryMs);
    }
  } catch (error) {
    if (!(error instanceof LinkClosedError)) throw error;
  }
  for (const node of sending) node.drop();
  return at;
}

/** Sent and kept records whose value the hub does not answer as it was sent. */
async function missingIn(hub: HubProcess, node: SendingNode): Promise<number> {
  const first = node.sent[0];
  const last = node.sent.at(-1);
  if (first === undefined || last === undefined) return 0;
  const [series] = await hub.columns({
    series: [{ entity: `guest/${vmidOf(node.firstGuest)}`, metric: "cpu" }],
    from: first.at,
    to: last.at + 1,
    aggregates: ["last"],
  });
  const stored = new Map<number, number>();
  series?.at.forEach((at, index) => {
    stored.set(at, Math.round((series.columns.last?.[index] ?? Number.NaN) * 10_000));
  });
  return node.sent.filter(({ at, cpu }) => stored.get(at) !== cpu).length;
}

/** At a random moment, the first time not before something was acknowledged: on a busy machine there would be nothing to lose. */
async function killSoon(hub: HubProcess, sending: readonly SendingNode[]): Promise<void> {
  for (let waited = 0; waited < 3000 && sending.every(({ acked }) => acked === 0); waited++) {
    await sleep(10);
    for (const node of sending) node.note();
  }
  await sleep(killWithinMs.least + Math.random() * (killWithinMs.most - killWithinMs.least));
  await hub.kill();
}

async function run(context: Context): Promise<Row[]> {
  const { options, scratch, say, onEnd } = context;
  const hub = new HubProcess(join(scratch, "kill", "hub"));
  onEnd(() => hub.kill());
  const workload = new Workload(guests);
  const sending = Array.from({ length: nodes }, (_, index) => new SendingNode(workload, index));
  let at = (recentEnd() - beginsBeforeMs) as EpochMs;
  let lostRecords = 0;
  let opened = 0;
  const readyMs: number[] = [];
  for (let round = 0; round < options.kills; round++) {
    readyMs.push(await hub.start());
    opened++;
    for (const node of sending) lostRecords += await node.connect(hub);
    const [next] = await Promise.all([sendUntilDead(sending, workload, at), killSoon(hub, sending)]);
    at = next;
    if (round % 10 === 9) say(`kill: ${round + 1} of ${options.kills}, ${lostRecords} records lost`);
  }
  await hub.start();
  for (const node of sending) lostRecords += await node.connect(hub);
  let missing = 0;
  let compared = 0;
  for (const node of sending) {
    missing += await missingIn(hub, node);
    compared += node.sent.length;
    node.drop();
  }
  await hub.kill();
  const acked = sending.reduce((sum, node) => sum + node.acked, 0);
  const name = `${options.kills} × kill -9 under load:`;
  return [
    valueRow(`${name} acknowledged samples lost`, "samples", lostRecords * guestsPerNode * seriesPerGuest, 0),
    valueRow(`${name} stored values that differ when read back, of ${compared}`, "samples", missing, 0),
    valueRow(`${name} starts that failed`, "starts", options.kills - opened, 0),
    valueRow(`${name} acknowledged samples`, "samples", acked * guestsPerNode * seriesPerGuest),
    valueRow(`${name} ready`, "ms", median(readyMs)),
  ];
}

export const kill: Measure = {
  title: "kill -9 at random moments while ten nodes send about a million samples a second",
  minutes: ({ kills }) => (kills * 2.2) / 60 + 0.3,
  run,
};
