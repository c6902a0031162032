import { createHmac, createPublicKey, randomBytes, verify } from "node:crypto";
import { limits } from "#protocol/limits.ts";
import {
  encodeMessage,
  helloBytes,
  joinProofBytes,
  type Message,
  type MessageOf,
  type MessageType,
  parseMessageText,
  type RefusalCode,
} from "#protocol/messages.ts";
import { decodeFrame, decodeSchema, type FrameState, parseRecordHead, stateFor } from "#protocol/records.ts";
import type { AgentMessage } from "./link-pair.ts";

type Hello = MessageOf<"hello">["body"];
type Stream = { lastSeq: number; frames: { at: number; values: (number | undefined)[] }[] };
type End = { send(text: string): void; close(code: number): void };

/** The hub's side of the link for the agent's tests: checks signatures and proofs for real, decodes every record, keeps what it acknowledged. */
export class LinkHub {
  readonly streams = new Map<string, Stream>();
  readonly hellos: Hello[] = [];
  readonly messages: Message[] = [];
  readonly knownKeys = new Set<string>();
  duplicates = 0;
  /** Records that could not be decoded; each was answered with a resync. */
  unreadable = 0;
  /** Most records that were on the way at once. */
  mostOnTheWay = 0;
  joinKey: Buffer | undefined;
  token: string | undefined;
  versions = { min: 1, max: 1 };
  refuseWith: RefusalCode | undefined;
  /** False: records are stored, but the agent isn't told until `acknowledge()`. */
  acks = true;
  connections = 0;
  /** Called after each record and control message. */
  onChange: () => void = () => undefined;
  private end: End | undefined;
  private current: { stream: Stream; state: FrameState | undefined; acked: number } | undefined;

  constructor(readonly fingerprint: string) {}

  /** A connection came in: gives the ear for its messages. */
  accept(end: End): (message: AgentMessage) => void {
    const nonce = randomBytes(32).toString("base64");
    this.connections++;
    this.end = end;
    this.current = undefined;
    this.say("challenge", { nonce, ...this.versions, hub: "link-hub", now: 0 });
    return (message) => {
      if (this.end !== end) return;
      if ("binary" in message) this.hearRecord(message.binary);
      else this.hearText(message.text, nonce);
      this.onChange();
    };
  }

  say<T extends MessageType>(type: T, body: MessageOf<T>["body"]): void {
    this.sayText(encodeMessage(type, body));
  }

  sayText(text: string): void {
    this.end?.send(text);
  }

  close(code: number): void {
    this.end?.close(code);
  }

  acknowledge(): void {
    if (this.current === undefined) return;
    this.current.acked = this.current.stream.lastSeq;
    this.say("ack", { seq: this.current.acked });
  }

  /** The decoder's state is gone, by a bug or a restart of that part. */
  loseThread(): void {
    if (this.current !== undefined) this.current.state = undefined;
  }

  /** Times of all frames of all streams, as stored. */
  times(): number[] {
    return [...this.streams.values()].flatMap((stream) => stream.frames.map(({ at }) => at));
  }

  private hearText(text: string, nonce: string): void {
    const parsed = parseMessageText(text, "agent", this.versions.max);
    if (!parsed.ok) throw new Error(`the agent sent what the protocol doesn't know: ${parsed.about}: ${parsed.problem}`);
    this.messages.push(parsed.message);
    if (parsed.message.type === "hello") this.hearHello(parsed.message.body, nonce);
  }

  private hearHello(hello: Hello, nonce: string): void {
    this.hellos.push(hello);
    const key = createPublicKey({ key: Buffer.from(hello.publicKey, "base64"), format: "der", type: "spki" });
    const signed = helloBytes({ ...hello, nonce, fingerprint: this.fingerprint });
    const signatureFits = verify(null, signed, key, Buffer.from(hello.signature, "base64"));
    const code = signatureFits ? (this.refuseWith ?? this.judgeJoin(hello, nonce)) : "bad-signature";
    if (code !== undefined) {
      this.say("refused", { code, problem: `told to: ${code}` });
      this.close(1008);
      return;
    }
    const stream = this.streams.get(hello.stream) ?? { lastSeq: 0, frames: [] };
    this.streams.set(hello.stream, stream);
    this.current = { stream, state: undefined, acked: stream.lastSeq };
    this.say("welcome", { version: this.versions.max, lastSeq: stream.lastSeq, now: 0, duties: ["cluster"] });
  }

  private judgeJoin({ join, clusterId, publicKey }: Hello, nonce: string): RefusalCode | undefined {
    if (this.knownKeys.has(publicKey)) return undefined;
    if (join === undefined) return "not-joined";
    const bytes = joinProofBytes({ nonce, clusterId, publicKey });
    const expected = this.joinKey && createHmac("sha256", this.joinKey).update(bytes).digest("base64");
    const fits = "token" in join ? join.token === this.token : join.proof === expected;
    if (!fits) return "bad-join";
    this.knownKeys.add(publicKey);
    return undefined;
  }

  private hearRecord(record: Uint8Array): void {
    if (this.current === undefined) throw new Error("a record before the welcome");
    const { stream } = this.current;
    const head = parseRecordHead(record);
    if (!head.ok) throw new Error(head.problem);
    const { kind, seq } = head.value;
    const isNew = seq > stream.lastSeq;
    if (kind === "schema") {
      const decoded = decodeSchema(record, limits.seriesPerAgent);
      if (!decoded.ok) throw new Error(decoded.problem);
      this.current.state = stateFor(decoded.value.schema);
    } else if (!this.hearFrame(record, stream, isNew)) return;
    if (isNew) stream.lastSeq = seq;
    else this.duplicates++;
    this.mostOnTheWay = Math.max(this.mostOnTheWay, seq - this.current.acked);
    if (this.acks) this.acknowledge();
  }

  private hearFrame(record: Uint8Array, stream: Stream, isNew: boolean): boolean {
    const state = this.current?.state;
    const decoded = state === undefined ? undefined : decodeFrame(record, state);
    if (state === undefined || decoded === undefined || !decoded.ok) {
      this.unreadable++;
      this.say("resync", { problem: "no schema" });
      return false;
    }
    const values = [...state.values].map((value, index) => (state.present[index] === 1 ? value : undefined));
    if (isNew) stream.frames.push({ at: decoded.value.at, values });
    return true;
  }
}
