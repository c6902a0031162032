import type { ClusterId, EpochMs, NodeName } from "#protocol/ids.ts";
import { newIdentity } from "./identity.ts";
import { inventoryOf } from "./inventory.ts";
import { type HubDoor, LinkClient, newStream } from "./link-client.ts";
import { NodeStream } from "./node-stream.ts";
import type { PeerProcess } from "./peer-process.ts";
import { WriteRequest } from "./remote-write.ts";
import { snappyCompress } from "./snappy.ts";
import { guestsPerNode, nodeNameOf, seriesPerGuest, type Workload } from "./workload.ts";

/** Who takes the workload. All get the same values at the same times. */
export interface Sink {
  /** Time between two nodes' values of one tick; 0: all at once. */
  spreadMs: number;
  /** The present values of the first `guests` guests. Resolves when the next tick may come. */
  write(at: EpochMs, guests: number): Promise<void>;
  /** Resolves when all that was written is durable, as far as this system says so. */
  drained(): Promise<void>;
  close(): void;
}

export const benchCluster = "be9c0be9c0be9c00" as ClusterId;

const pause = (ms: number) => (ms > 0 ? new Promise<void>((resolve) => setTimeout(resolve, ms)) : undefined);

/** Guests of one node among the first `guests`. */
const guestsOn = (node: number, guests: number) => Math.min(guestsPerNode, Math.max(0, guests - node * guestsPerNode));

/** One agent's connection per node, through TLS and WebSocket into the hub. */
export class HubSink implements Sink {
  spreadMs = 0;

  private constructor(private readonly nodes: { client: LinkClient; stream: NodeStream }[]) {}

  static async connect(door: HubDoor, workload: Workload): Promise<HubSink> {
    const nodes = Array.from({ length: Math.ceil(workload.guests / guestsPerNode) }, async (_, index) => {
      const self = { node: nodeNameOf(index) as NodeName, clusterId: benchCluster, stream: newStream(), identity: newIdentity() };
      const client = await LinkClient.connect(door, self);
      client.sendInventory(inventoryOf(index, index * guestsPerNode, guestsOn(index, workload.guests)));
      return { client, stream: new NodeStream(workload, index * guestsPerNode) };
    });
    return new HubSink(await Promise.all(nodes));
  }

  get sentBytes(): number {
    return this.nodes.reduce((sum, { client }) => sum + client.sentBytes, 0);
  }

  async write(at: EpochMs, guests: number): Promise<void> {
    for (const [index, { client, stream }] of this.nodes.entries()) {
      const here = guestsOn(index, guests);
      if (here === 0) continue;
      for (const { seq, bytes } of stream.encode(at, here)) await client.send(seq, bytes);
      await pause(this.spreadMs);
    }
  }

  async drained(): Promise<void> {
    await Promise.all(this.nodes.map(({ client }) => client.drained()));
  }

  close(): void {
    for (const { client } of this.nodes) client.close();
  }
}

/** One remote-write request per node, of `depth` ticks each: 1 is the steady state, more is only for loading long histories. */
export class PeerSink implements Sink {
  spreadMs = 0;
  private requests: WriteRequest[] = [];
  private guests = 0;
  private filled = 0;

  constructor(
    private readonly peers: readonly PeerProcess[],
    private readonly workload: Workload,
    private readonly depth = 1,
  ) {}

  async write(at: EpochMs, guests: number): Promise<void> {
    if (guests !== this.guests) await this.shape(guests);
    for (const [node, request] of this.requests.entries()) {
      const first = node * guestsPerNode * seriesPerGuest;
      for (let series = 0; series < request.series; series++) {
        request.set(series, this.filled, at, this.workload.value(first + series));
      }
    }
    this.filled++;
    if (this.filled === this.depth) await this.send();
  }

  async drained(): Promise<void> {
    if (this.filled > 0) throw new Error(`ticks are written ${this.depth} at a time`);
  }

  close(): void {
    // Nothing is kept open: HTTP connections belong to the shared agent.
  }

  private async shape(guests: number): Promise<void> {
    await this.drained();
    this.guests = guests;
    const nodes = Math.ceil(guests / guestsPerNode);
    this.requests = Array.from(
      { length: nodes },
      (_, node) => new WriteRequest(node * guestsPerNode, guestsOn(node, guests), this.depth),
    );
  }

  private async send(): Promise<void> {
    this.filled = 0;
    const writes: Promise<void>[] = [];
    for (const { bytes } of this.requests) {
      const body = snappyCompress(bytes);
      writes.push(...this.peers.map((peer) => peer.write(body)));
      await pause(this.spreadMs);
    }
    await Promise.all(writes);
  }
}
