import { createHmac, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { once } from "node:events";
import { WebSocket } from "ws";
import type { ClusterId } from "#protocol/ids.ts";
import {
  encodeMessage,
  helloBytes,
  joinProofBytes,
  type Message,
  type MessageOf,
  type MessageType,
  parseMessageText,
} from "#protocol/messages.ts";

import { linkSubprotocol, linkVersions } from "#protocol/version.ts";
import { clusterA } from "./test-hub.ts";

export type ClientKey = { publicKey: string; privateKey: KeyObject };

export function newClientKey(): ClientKey {
  const pair = generateKeyPairSync("ed25519");
  return { publicKey: pair.publicKey.export({ type: "spki", format: "der" }).toString("base64"), privateKey: pair.privateKey };
}

export type HelloOptions = {
  key: ClientKey;
  fingerprint: string;
  now: number;
  node?: string;
  clusterId?: ClusterId;
  joinKey?: Uint8Array;
  token?: string;
  min?: number;
  max?: number;
  /** Signs another nonce than the hub's, as one who replays an older hello does. */
  nonce?: string;
  /** Says this instead of what it signed. */
  claimed?: { node?: string; sentAt?: number };
};

const stream = "0123456789abcdef0123456789abcdef";

/** The smallest agent: a real WebSocket, whatever message the test wants. */
export class AgentClient {
  private readonly inbox: Message[] = [];
  private readonly waiting: (() => void)[] = [];
  readonly closed: Promise<number>;
  /** Version of the link that it understands: anything newer from the hub ends the test. */
  private speaks: number = linkVersions.max;
  /** How often the hub asked whether this agent lives. */
  pings = 0;

  private constructor(private readonly socket: WebSocket) {
    socket.on("message", (data) => {
      const parsed = parseMessageText(String(data), "hub", this.speaks);
      if (!parsed.ok) throw new Error(`the hub sent ${parsed.about}: ${parsed.problem}`);
      this.inbox.push(parsed.message);
      for (const wake of this.waiting.splice(0)) wake();
    });
    this.closed = new Promise((resolve) =>
      socket.on("close", (code) => {
        resolve(code);
        for (const wake of this.waiting.splice(0)) wake();
      }),
    );
    socket.on("ping", () => this.pings++);
    socket.on("error", () => undefined);
  }

  static async connect(port: number, { answersPings = true } = {}): Promise<AgentClient> {
    const options = { rejectUnauthorized: false, autoPong: answersPings };
    const socket = new WebSocket(`wss://127.0.0.1:${port}/agent`, linkSubprotocol, options);
    const client = new AgentClient(socket);
    await once(socket, "open");
    return client;
  }

  async pinged(): Promise<void> {
    await once(this.socket, "ping");
  }

  /** The next message of this type; others that come before it are passed over. */
  async next<T extends MessageType>(type: T): Promise<MessageOf<T>["body"]> {
    for (;;) {
      const message = this.inbox.shift();
      if (message?.type === type) return message.body as MessageOf<T>["body"]; // its type was just compared
      if (message !== undefined) continue;
      if (this.socket.readyState === WebSocket.CLOSED) throw new Error(`closed before ${type}`);
      await new Promise<void>((resolve) => this.waiting.push(resolve));
    }
  }

  async hello(options: HelloOptions): Promise<void> {
    const { key, fingerprint, now, node = "pve1", clusterId = clusterA, min = 1, max = 1 } = options;
    this.speaks = Math.min(Math.max(max, linkVersions.min), linkVersions.max);
    const challenge = await this.next("challenge");
    const nonce = options.nonce ?? challenge.nonce;
    const self = { node, clusterId, stream, publicKey: key.publicKey, sentAt: now };
    const signature = sign(null, helloBytes({ ...self, nonce, fingerprint }), key.privateKey).toString("base64");
    const proofBytes = joinProofBytes({ nonce, clusterId, publicKey: key.publicKey });
    const join =
      options.joinKey === undefined
        ? options.token === undefined
          ? undefined
          : { token: options.token }
        : { proof: createHmac("sha256", options.joinKey).update(proofBytes).digest("base64") };
    const body = { ...self, ...options.claimed, signature, min, max, software: "test-agent/1", clusterName: "lab" };
    this.send("hello", join === undefined ? body : { ...body, join });
  }

  send<T extends MessageType>(type: T, body: MessageOf<T>["body"]): void {
    this.socket.send(encodeMessage(type, body));
  }

  sendRaw(data: string | Uint8Array): void {
    this.socket.send(data);
  }

  /** Its machine is cut off: the hub hears nothing from this end any more. */
  vanish(): void {
    this.socket.pause();
  }

  close(): void {
    this.socket.terminate();
  }
}
