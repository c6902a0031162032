import { createHmac } from "node:crypto";
import type { ClusterId, NodeName } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import {
  type Duty,
  encodeMessage,
  helloBytes,
  joinProofBytes,
  type Message,
  type MessageOf,
  type MessageType,
  messages,
  parseMessageText,
  type RefusalCode,
  type TaskReport,
} from "#protocol/messages.ts";
import type { WayResult } from "#protocol/outlet.ts";
import { keyChangeBytes } from "#protocol/renewal.ts";
import { linkVersions, negotiate, softwareVersion } from "#protocol/version.ts";
import type { Facts } from "./facts.ts";
import type { HubPlace } from "./hub-place.ts";
import type { HubSocket } from "./hub-socket.ts";
import type { AgentIdentity } from "./identity.ts";
import type { BackupFeed, Clock, Log } from "./ports.ts";
import { type Pings, RecordPump } from "./record-pump.ts";
import type { SpoolStore } from "./spool-store.ts";

const sessionTiming = {
  /** A hub that said nothing since the look before is asked; one that says nothing until the next is gone. Its acknowledgements save the question. */
  lookEveryMs: 10_000,
  clockEveryMs: 60_000,
  /** From the opening to the welcome. */
  welcomeWithinMs: 2 * limits.helloWithinMs,
} as const;

/** As the message's schema says. */
const tasksPerMessage = 2000;

export type SessionPorts = {
  clock: Clock;
  log: Log;
  identity: AgentIdentity;
  self: { node: NodeName; clusterId: ClusterId; clusterName?: string };
  /** Undefined: the hub knows us. */
  proof: HubPlace["proof"];
  store: SpoolStore;
  facts: Facts;
  setDuties(duties: readonly Duty[], speakers?: readonly string[]): void;
  backups?: BackupFeed | undefined;
  hearAlerts(alerts: MessageOf<"alerts">["body"]): void;
  /** Tells by the node's own ways, as a receiver asks, and says what came of it. Never rejects. */
  tellOutlet(body: MessageOf<"outlet.tell">["body"]): Promise<WayResult[]>;
  /** What the hub asks beside samples and alerts (signing in). Undefined: not answered. */
  answerHub(message: Message): Promise<Message | undefined>;
  /** What the hub asks this node to do; absent: nothing. */
  operations?: SessionOperations;
  onWelcome(): void;
  /** Certificates that the hub may show from now on. */
  hearPins(fingerprints: readonly string[]): void;
};

export type SessionOperations = {
  /** False: the message is about something else. */
  hear(message: Message): boolean;
  /** A session began: `send` works until the function it returns was called. */
  attach(send: (message: Message) => void): () => void;
};

export type SessionEnd =
  | { why: "stopped" }
  /** The hub ended it, or the line broke (1006). */
  | { why: "closed"; code: number }
  /** No answer to a ping, or no welcome. */
  | { why: "silent" }
  /** It sent too much that can't be understood. */
  | { why: "garbled" }
  /** The hub has taken this agent's new key: the next hello is signed with it. */
  | { why: "rekeyed" }
  | { why: "refused"; code: RefusalCode; problem: string };

/** Speaks one connection from the challenge to its end; closes the socket. `signal` says goodbye. Never throws on what the hub sends. */
export async function runSession(socket: HubSocket, ports: SessionPorts, signal: AbortSignal): Promise<SessionEnd> {
  return new Session(socket, ports).run(signal);
}

class Session {
  private readonly over = new AbortController();
  private readonly pings = new SocketPings(() => this.socket.ping());
  private readonly pump: RecordPump;
  private end: SessionEnd | undefined;
  private helloSent = false;
  private welcomed = false;
  private version: number = linkVersions.min;
  private nonce = "";
  private problems = 0;
  private detachOperations: (() => void) | undefined;
  /** Since the newest look: the hub was heard, and before it, it was not. */
  private heard = false;
  private asked = false;

  constructor(
    private readonly socket: HubSocket,
    private readonly ports: SessionPorts,
  ) {
    this.pump = new RecordPump({ store: ports.store, pings: this.pings, send: (record) => socket.send(record) });
  }

  async run(signal: AbortSignal): Promise<SessionEnd> {
    const stop = () => this.finish({ why: "stopped" }, 1001, "agent stops");
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    this.socket.start({
      text: (text) => this.hear(text),
      pong: () => {
        this.pings.answered++;
        this.heard = true;
      },
      closed: (code) => this.finish({ why: "closed", code }),
    });
    await Promise.all([this.keepAlive(), this.awaitWelcome()]);
    signal.removeEventListener("abort", stop);
    this.detachOperations?.();
    this.ports.store.onRecord = () => undefined;
    this.ports.facts.onInventory = () => undefined;
    this.ports.facts.onTasks = () => undefined;
    this.ports.backups?.listen(undefined);
    return this.end ?? { why: "closed", code: 1006 };
  }

  private finish(end: SessionEnd, code?: number, reason?: string): void {
    if (this.end !== undefined) return;
    this.end = end;
    if (code !== undefined) this.socket.close(code, reason);
    this.over.abort();
  }

  private send<T extends MessageType>(type: T, body: MessageOf<T>["body"]): void {
    this.socket.send(encodeMessage(type, body));
  }

  private async keepAlive(): Promise<void> {
    for (;;) {
      await this.ports.clock.sleep(sessionTiming.lookEveryMs, this.over.signal);
      if (this.over.signal.aborted) return;
      if (!this.heard && this.asked) this.finish({ why: "silent" }, 1006);
      if (!this.heard && !this.asked) this.pings.ask();
      this.asked = !this.heard;
      this.heard = false;
    }
  }

  private async awaitWelcome(): Promise<void> {
    await this.ports.clock.sleep(sessionTiming.welcomeWithinMs, this.over.signal);
    if (!this.welcomed) this.finish({ why: "silent" }, 1006);
  }

  private hear(text: string): void {
    if (this.end !== undefined) return;
    this.heard = true;
    const parsed = parseMessageText(text, "hub", this.version);
    if (!parsed.ok) {
      this.complain(parsed.about, parsed.problem);
      return;
    }
    const { type, body } = parsed.message;
    switch (type) {
      case "challenge":
        this.answer(body);
        break;
      case "welcome":
        this.begin(body);
        break;
      case "refused":
        this.finish({ why: "refused", ...body }, 1000);
        break;
      case "ack":
        this.pump.acknowledged(body.seq);
        break;
      case "resync":
        if (this.pump.resync()) this.ports.log(4, "the hub can't read the stream, sending it anew", body);
        break;
      case "duties":
        this.ports.setDuties(body.duties, body.speakers);
        break;
      case "alerts":
        this.ports.hearAlerts(body);
        break;
      case "outlet.tell":
        void this.tellOutlet(body);
        break;
      case "hub.pins":
        this.ports.hearPins(body.fingerprints);
        break;
      case "key.renew":
        this.renewKey();
        break;
      case "key.taken":
        this.rekey(body.publicKey);
        break;
      case "problem":
        this.ports.log(4, "the hub did not understand a message", body);
        break;
      default:
        if (this.ports.operations?.hear(parsed.message) !== true) void this.answerHub(parsed.message);
    }
  }

  private async tellOutlet(body: MessageOf<"outlet.tell">["body"]): Promise<void> {
    const results = await this.ports.tellOutlet(body);
    if (this.end === undefined) this.send("outlet.told", { id: body.id, results });
  }

  private async answerHub(message: Message): Promise<void> {
    const reply = await this.ports.answerHub(message);
    if (reply !== undefined && this.end === undefined) this.socket.send(JSON.stringify(reply));
  }

  private complain(about: string, problem: string): void {
    this.problems++;
    this.ports.log(4, "a message of the hub was not understood", { about, problem });
    this.send("problem", { about, problem });
    if (this.problems >= limits.problemsPerSession) this.finish({ why: "garbled" }, 1008, "too many bad messages");
  }

  private rekey(publicKey: string): void {
    if (!this.ports.identity.adopt(publicKey)) return;
    this.ports.log(5, "the hub has taken this agent's new key");
    this.finish({ why: "rekeyed" }, 1000, "new key");
  }

  /** Until the hub has taken it: it may have been told before, and its answer lost. */
  private renewKey(): void {
    try {
      this.ports.identity.prepare();
      this.offerNextKey();
    } catch (error) {
      this.ports.log(4, "the hub asked for a new key, and none can be made", { problem: String(error) });
    }
  }

  private offerNextKey(): void {
    const { identity, self } = this.ports;
    const next = this.version >= messages["key.next"].since ? identity.next() : undefined;
    if (next === undefined) return;
    const { publicKey } = identity;
    const bytes = keyChangeBytes({ nonce: this.nonce, ...self, publicKey, nextKey: next.publicKey });
    this.send("key.next", { publicKey: next.publicKey, signature: next.sign(bytes) });
  }

  private answer(challenge: MessageOf<"challenge">["body"]): void {
    if (this.helloSent) {
      this.complain("challenge", "a second challenge");
      return;
    }
    const agreed = negotiate(challenge, linkVersions);
    if (!agreed.ok) {
      const code = agreed.tooOld === "hub" ? "hub-too-old" : "version-too-old";
      const problem = `the hub (${challenge.hub}) speaks versions ${challenge.min} to ${challenge.max}, this agent ${linkVersions.min} to ${linkVersions.max}`;
      this.finish({ why: "refused", code, problem }, 1000);
      return;
    }
    this.helloSent = true;
    const { identity, self, store, clock } = this.ports;
    const { publicKey } = identity;
    const { nonce } = challenge;
    this.nonce = nonce;
    const signed = { ...self, publicKey, stream: store.stream, sentAt: clock.now() };
    const signature = identity.sign(helloBytes({ ...signed, nonce, fingerprint: this.socket.fingerprint }));
    const join = this.joinProof(nonce);
    this.send("hello", { ...signed, signature, ...linkVersions, software: softwareVersion, ...(join && { join }) });
  }

  private joinProof(nonce: string): MessageOf<"hello">["body"]["join"] {
    const { proof, self, identity } = this.ports;
    if (proof === undefined) return undefined;
    if (proof.kind === "token") return { token: proof.token };
    const bytes = joinProofBytes({ nonce, clusterId: self.clusterId, publicKey: identity.publicKey });
    return { proof: createHmac("sha256", proof.key).update(bytes).digest("base64") };
  }

  private begin(welcome: MessageOf<"welcome">["body"]): void {
    if (!this.helloSent || this.welcomed) {
      this.complain("welcome", "not asked for");
      return;
    }
    this.welcomed = true;
    this.version = welcome.version;
    const { facts, store, setDuties, onWelcome } = this.ports;
    onWelcome();
    setDuties(welcome.duties);
    if (facts.inventory !== undefined) this.send("inventory", facts.inventory.inventory);
    facts.onInventory = (inventory) => this.send("inventory", inventory);
    this.sendTasks(facts.tasks());
    facts.onTasks = (tasks) => this.sendTasks(tasks);
    store.onRecord = () => this.pump.ring();
    if (this.version >= messages["op.result"].since) {
      this.ports.backups?.listen((part) => {
        if (this.end === undefined) this.send("backups", part);
        return this.end === undefined;
      });
      this.detachOperations = this.ports.operations?.attach((message) => this.socket.send(JSON.stringify(message)));
    }
    void this.tellTime();
    this.pump.run(welcome.lastSeq, this.over.signal).catch((error: unknown) => {
      this.ports.log(3, "sending stopped", { problem: String(error) });
      this.finish({ why: "closed", code: 1011 }, 1011);
    });
  }

  /** In one message, an empty one too: the hub takes a session's first as all of the last day. What does not fit is left out, oldest first. */
  private sendTasks(tasks: readonly TaskReport[]): void {
    let newest = tasks.slice(-tasksPerMessage);
    while (encodeMessage("tasks", { tasks: newest }).length > limits.messageMaxBytes / 2) {
      newest = newest.slice(Math.ceil(newest.length / 4));
    }
    this.send("tasks", { tasks: newest });
  }

  private async tellTime(): Promise<void> {
    while (!this.over.signal.aborted) {
      this.send("clock", { at: this.ports.clock.now() });
      this.offerNextKey();
      await this.ports.clock.sleep(sessionTiming.clockEveryMs, this.over.signal);
    }
  }
}

/** Pings of one socket. */
class SocketPings implements Pings {
  asked = 0;
  answered = 0;

  constructor(private readonly send: () => void) {}

  ask(): void {
    this.asked++;
    this.send();
  }
}
