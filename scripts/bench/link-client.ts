import { createHmac, randomBytes } from "node:crypto";
import type { ClusterId, NodeName } from "#protocol/ids.ts";
import type { Inventory } from "#protocol/inventory.ts";
import { limits } from "#protocol/limits.ts";
import { encodeMessage, helloBytes, joinProofBytes, type MessageOf, parseMessageText } from "#protocol/messages.ts";
import { linkVersions, softwareVersion } from "#protocol/version.ts";
import { connectHub, type HubSocket } from "../../agent/hub-socket.ts";
import type { Identity } from "../../agent/identity.ts";

/** Where the hub is and how an agent gets in: what the cluster's `hub.json` and `join.key` say. */
export type HubDoor = { url: string; fingerprint: string; joinKey: Buffer };

export type ClientIdentity = {
  node: NodeName;
  clusterId: ClusterId;
  clusterName?: string;
  stream: string;
  identity: Identity;
  /** Default: the real time. */
  now?: () => number;
};

export const newStream = () => randomBytes(16).toString("hex");

/** The session ended: by the hub, or because its process is gone. */
export class LinkClosedError extends Error {}

/**
 * The agent's side of the link with nothing around it: real TLS, real hello, records as fast as the window of unacknowledged ones allows.
 * It keeps nothing, so that a bulk run measures the hub and not a spool.
 */
export class LinkClient {
  /** Highest seq the hub acknowledged, over this session. */
  acked = 0;
  /** Bytes of records handed to the socket. */
  sentBytes = 0;
  private sent = 0;
  private problem: string | undefined;
  private wake: (() => void)[] = [];
  private welcomed = false;
  private hubSeq = 0;

  private constructor(
    private readonly socket: HubSocket,
    private readonly door: HubDoor,
    private readonly self: ClientIdentity,
  ) {}

  /** Resolves after the welcome; rejects with LinkClosedError when the hub can't be reached or refuses. */
  static async connect(door: HubDoor, self: ClientIdentity): Promise<LinkClient> {
    const connected = await connectHub(door.url, [door.fingerprint], new AbortController().signal);
    if (!connected.ok) throw new LinkClosedError(connected.problem);
    const client = new LinkClient(connected.socket, door, self);
    connected.socket.start({
      text: (text) => client.hear(text),
      pong: () => undefined,
      closed: (code) => client.fail(`closed (${code})`),
    });
    await client.until(() => client.welcomed);
    return client;
  }

  /** The last record of this stream that was durable when the session began. */
  get lastSeq(): number {
    return this.hubSeq;
  }

  get unacked(): number {
    return this.sent - Math.max(this.acked, this.hubSeq);
  }

  /** As an agent does it first of all: what nobody declared is in no list and no ranking. */
  sendInventory(inventory: Inventory): void {
    this.socket.send(encodeMessage("inventory", inventory));
  }

  async send(seq: number, bytes: Uint8Array): Promise<void> {
    if (this.unacked >= limits.unackedRecords) await this.until(() => this.unacked < limits.unackedRecords);
    if (this.problem !== undefined) throw new LinkClosedError(this.problem);
    this.socket.send(bytes);
    this.sentBytes += bytes.length;
    this.sent = seq;
  }

  /** Resolves when all that was sent is durable on the hub. */
  async drained(): Promise<void> {
    await this.until(() => this.unacked <= 0);
  }

  close(): void {
    this.socket.close(1000);
  }

  /** As a node that lost its power: without a word. */
  drop(): void {
    this.socket.close(1006);
  }

  private async until(done: () => boolean): Promise<void> {
    while (!done()) {
      if (this.problem !== undefined) throw new LinkClosedError(this.problem);
      await new Promise<void>((resolve) => this.wake.push(resolve));
    }
  }

  private ring(): void {
    for (const wake of this.wake.splice(0)) wake();
  }

  private fail(problem: string): void {
    this.problem ??= problem;
    this.ring();
  }

  private hear(text: string): void {
    const parsed = parseMessageText(text, "hub", linkVersions.max);
    if (!parsed.ok) {
      this.fail(`${parsed.about}: ${parsed.problem}`);
      return;
    }
    const { type, body } = parsed.message;
    if (type === "challenge") this.hello(body);
    else if (type === "welcome") {
      this.hubSeq = body.lastSeq;
      this.sent = body.lastSeq;
      this.acked = body.lastSeq;
      this.welcomed = true;
    } else if (type === "ack") this.acked = Math.max(this.acked, body.seq);
    else if (type === "refused") this.fail(`refused: ${body.code}: ${body.problem}`);
    else if (type === "resync" || type === "problem") this.fail(`${type}: ${body.problem}`);
    this.ring();
  }

  private hello({ nonce }: MessageOf<"challenge">["body"]): void {
    const { node, clusterId, clusterName, stream, identity } = this.self;
    const { publicKey } = identity;
    const sentAt = (this.self.now ?? Date.now)();
    const signed = { nonce, fingerprint: this.socket.fingerprint, node, clusterId, stream, publicKey, sentAt };
    const proof = createHmac("sha256", this.door.joinKey)
      .update(joinProofBytes({ nonce, clusterId, publicKey }))
      .digest("base64");
    this.socket.send(
      encodeMessage("hello", {
        node,
        clusterId,
        ...(clusterName !== undefined && { clusterName }),
        publicKey,
        signature: identity.sign(helloBytes(signed)),
        ...linkVersions,
        software: softwareVersion,
        stream,
        sentAt,
        join: { proof },
      }),
    );
  }
}
