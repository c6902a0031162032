import type { ClusterId } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import type { Duty, Message, MessageOf, MessageType, RefusalCode } from "#protocol/messages.ts";
import { encodeMessage, messages, parseMessageText, refusalCodes } from "#protocol/messages.ts";
import { linkVersions, softwareVersion } from "#protocol/version.ts";
import type { AgentId } from "../core/series.ts";
import type { LoginQuestion } from "../login-ports.ts";
import { after } from "../ports.ts";
import type { OperationType } from "../proof/operations.ts";
import { type Admission, newNonce } from "./gate.ts";
import { isLoginAnswer } from "./login-asks.ts";
import { RecordIntake } from "./record-intake.ts";
import type { LinkSocket, SessionPorts } from "./session-ports.ts";

/** One agent's connection, from the challenge to its end. Whatever goes wrong in it ends this session and no other. */
export class AgentSession {
  private readonly nonce = newNonce();
  private phase: "hello" | "at-desk" | "open" | "closed" = "hello";
  private agent: AgentId | undefined;
  /** The agent's cluster as it says it: the hub may know it by another id. Undefined before its hello. */
  named: ClusterId | undefined;
  private version: number = linkVersions.max;
  private readonly intake: RecordIntake;
  private problems = 0;
  private minute = { startedAt: 0, messages: 0 };
  private offeredKey: string | undefined;
  private sawTasks = false;
  private wasLone = false;
  private draining = false;
  private readonly stopHelloTimer: () => void;

  constructor(
    private readonly socket: LinkSocket,
    private readonly ports: SessionPorts,
  ) {
    const { min, max } = linkVersions;
    this.intake = new RecordIntake({
      clock: ports.clock,
      events: ports.events,
      ack: (seq) => this.phase === "open" && this.send("ack", { seq }),
      resync: (problem) => {
        this.send("resync", { problem: problem.slice(0, 1000) });
        this.count("record");
      },
      refuse: (code, problem) => this.refuse(code, problem),
    });
    this.send("challenge", { nonce: this.nonce, min, max, hub: `proven-hub/${softwareVersion}`, now: ports.clock.now() });
    this.stopHelloTimer = after(ports.clock, limits.helloWithinMs, () => {
      if (this.phase === "hello") this.end(1008, "no hello in time");
    });
  }

  get address(): string {
    return this.socket.address;
  }

  /** A message came in. Never throws. */
  receive(data: Uint8Array | string): void {
    if (this.phase === "closed" || this.draining) return;
    this.guarded(() => {
      if (typeof data === "string") this.receiveText(data);
      else if (!this.intake.receive(data)) this.answerProblem("record", "expected hello", "out-of-order");
    });
  }

  private guarded(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.ports.events.failed(error);
      this.end(1011, "internal error");
    }
  }

  /** The socket is gone, or went wrong. */
  lost(why: string): void {
    this.finish(why);
  }

  sendDuties(duties: readonly Duty[], speakers: readonly string[]): void {
    if (this.phase === "open") this.send("duties", { duties: [...duties], speakers: speakers.slice(0, 256) });
  }

  sendAlerts(body: MessageOf<"alerts">["body"]): void {
    if (this.phase === "open") this.send("alerts", body);
  }

  sendPins(fingerprints: readonly string[]): void {
    if (this.phase !== "open" || this.version < messages["hub.pins"].since) return;
    this.send("hub.pins", { fingerprints: [...fingerprints] });
  }

  /** Asks the agent for a new key. False: this session can't be asked. */
  renewKey(): boolean {
    if (this.phase !== "open" || this.version < messages["key.renew"].since) return false;
    this.send("key.renew", {});
    return true;
  }

  /** False: this session can't be asked. */
  sendTell(body: MessageOf<"outlet.tell">["body"]): boolean {
    if (this.phase !== "open" || this.version < messages["outlet.tell"].since) return false;
    this.send("outlet.tell", body);
    return true;
  }

  /** False: this session can't be asked. */
  sendLogin<T extends LoginQuestion | "login.end">(type: T, body: MessageOf<T>["body"]): boolean {
    if (this.phase !== "open" || this.version < messages[type].since) return false;
    this.send(type, body);
    return true;
  }

  /** Whether it may be given operations. */
  get takesOperations(): boolean {
    return this.phase === "open" && this.version >= messages["op.start"].since;
  }

  /** False: this session can't be asked. */
  sendOperation<T extends OperationType>(type: T, body: MessageOf<T>["body"]): boolean {
    if (!this.takesOperations) return false;
    this.send(type, body);
    return true;
  }

  refuse(code: RefusalCode, problem: string = refusalCodes[code].text): void {
    if (this.phase === "closed") return;
    this.send("refused", { code, problem: problem.slice(0, 1000) });
    this.end(refusalCodes[code].retry ? 1013 : 1008, code);
  }

  /** Resolves when all that was taken is durable and acknowledged; then the connection is closed with 1012 (service restart). */
  async drain(): Promise<void> {
    this.draining = true;
    if (this.phase === "open") await this.intake.settled();
    this.intake.ack();
    this.end(1012, "the hub stops");
  }

  /** Closes at once. */
  end(code: number, reason: string): void {
    if (this.phase === "closed") return;
    this.socket.close(code, reason);
    this.finish(reason);
  }

  private finish(why: string): void {
    if (this.phase === "closed") return;
    this.phase = "closed";
    this.stopHelloTimer();
    this.intake.close();
    this.ports.events.closed(this, this.agent, why);
  }

  private receiveText(text: string): void {
    if (!this.withinRate()) {
      this.ports.events.problem("rate-limited");
      this.refuse("rate-limited");
      return;
    }
    const parsed = parseMessageText(text, "agent", this.version);
    if (!parsed.ok) {
      this.answerProblem(parsed.about, parsed.problem, "malformed");
      return;
    }
    if (this.phase === "hello") this.handleHello(parsed.message);
    else if (this.phase === "open") this.handleMessage(parsed.message);
    else this.answerProblem(parsed.message.type, "wait for the welcome", "out-of-order");
  }

  private withinRate(): boolean {
    const now = this.ports.clock.monotonicMs();
    if (now - this.minute.startedAt >= 60_000) this.minute = { startedAt: now, messages: 0 };
    return ++this.minute.messages <= limits.messagesPerMinute;
  }

  private handleHello(message: Message): void {
    if (message.type !== "hello") {
      this.answerProblem(message.type, "expected hello", "out-of-order");
      return;
    }
    this.phase = "at-desk";
    this.stopHelloTimer();
    const hello = message.body;
    this.named = hello.clusterId as ClusterId;
    const skewMs = hello.sentAt - this.ports.clock.now();
    let judged: (Admission & { ok: false }) | (Admission & { ok: true; duties: readonly Duty[] }) | undefined;
    this.ports.desk.enter({
      decide: () =>
        this.guarded(() => {
          if (this.phase === "at-desk") judged = this.judge(hello, skewMs);
        }),
      tell: (problem) =>
        this.guarded(() => {
          if (this.phase !== "at-desk") return;
          if (problem !== undefined) this.notWritten(problem.cause);
          else if (judged === undefined) return;
          else if (judged.ok) this.open(hello, judged);
          else this.refuse(judged.code, judged.problem);
        }),
    });
  }

  private judge(hello: MessageOf<"hello">["body"], skewMs: number) {
    const { admit, events } = this.ports;
    const admission = admit(hello, this.nonce, this.address);
    if (!admission.ok) {
      events.problem(admission.code);
      events.refused(hello, admission.code, admission.problem);
      return admission;
    }
    const { agent, joinedBy, version } = admission;
    const { clusterName, software } = hello;
    this.agent = agent;
    return { ...admission, duties: events.opened(this, { agent, clusterName, software, version, skewMs, joinedBy }) };
  }

  /** Nothing of what was decided about its hello is stored: it comes again. */
  private notWritten(cause: unknown): void {
    this.ports.events.failed(cause);
    this.refuse("overloaded", "The hub can't store who joins now");
  }

  private open(
    hello: MessageOf<"hello">["body"],
    { agent, version, duties }: { agent: AgentId; version: number; duties: readonly Duty[] },
  ): void {
    const { sink, clock, events } = this.ports;
    this.phase = "open";
    this.version = version;
    const stream = sink.open(agent, hello.stream);
    const lastSeq = sink.lastSeq(agent, hello.stream);
    this.intake.open(stream, lastSeq);
    this.send("welcome", { version, lastSeq, now: clock.now(), duties: [...duties] });
    events.welcomed(agent);
  }

  private handleMessage(message: Message): void {
    const { events, clock } = this.ports;
    const agent = this.agent as AgentId; // set before the phase became open
    switch (message.type) {
      case "inventory":
        this.hearInventory(agent, message.body);
        return;
      case "tasks":
        events.tasks(agent, message.body.tasks, !this.sawTasks);
        this.sawTasks = true;
        return;
      case "clock":
        events.clock(agent, message.body.at - clock.now());
        return;
      case "outlet.told":
        events.told(agent, message.body);
        return;
      case "op.progress":
      case "op.result":
        events.operation(agent, message);
        return;
      case "key.next":
        this.hearNextKey(agent, message.body);
        return;
      case "backups":
        events.backups(agent, message.body);
        return;
      case "problem":
        events.problem(`agent says: ${message.body.about}`);
        return;
      default:
        if (isLoginAnswer(message) && events.loginAnswered(agent, message)) return;
        this.answerProblem(message.type, "unexpected here", "out-of-order");
        return;
    }
  }

  /** Who is no lone node any more names another cluster from now on, which it says in a hello. */
  private hearInventory(agent: AgentId, inventory: MessageOf<"inventory">["body"]): void {
    this.ports.events.inventory(agent, inventory);
    const isLone = inventory.cluster.name === undefined;
    if (this.wasLone && !isLone) this.end(1012, "it made a cluster of itself");
    this.wasLone = isLone;
  }

  /** One key in a session: each that is taken is a line in the audit log. */
  private hearNextKey(agent: AgentId, offer: MessageOf<"key.next">["body"]): void {
    this.offeredKey ??= offer.publicKey;
    const named = this.named ?? agent.cluster;
    const taken = this.offeredKey === offer.publicKey && this.ports.takeNextKey(agent, named, this.nonce, offer);
    if (taken) this.send("key.taken", { publicKey: offer.publicKey });
    else this.answerProblem("key.next", "this key is not taken", "bad-key");
  }

  private answerProblem(about: string, problem: string, reason: string): void {
    this.send("problem", { about, problem: problem.slice(0, 1000) });
    this.count(reason);
  }

  private count(reason: string): void {
    this.ports.events.problem(reason);
    if (++this.problems >= limits.problemsPerSession)
      this.refuse("malformed", `more than ${limits.problemsPerSession - 1} bad messages`);
  }

  private send<T extends MessageType>(type: T, body: MessageOf<T>["body"]): void {
    if (this.phase !== "closed") this.socket.send(encodeMessage(type, body));
  }
}
