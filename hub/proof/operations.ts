import { randomUUID } from "node:crypto";
import type { EpochMs, NodeName } from "#protocol/ids.ts";
import type { MessageOf } from "#protocol/messages.ts";
import { type Operation, operationResultSchema } from "#protocol/operations.ts";
import { stepRecordSchema } from "#protocol/restore.ts";
import type { ClusterPicture } from "../core/cluster.ts";
import { begun, dueStep, ended, given, isOpen, type NewRun, newRun, withStep } from "../core/run.ts";
import { chooseNode } from "../core/run-node.ts";
import type { Run } from "../core/run-record.ts";
import { type AgentId, agentKey } from "../core/series.ts";
import type { Journal } from "../journal.ts";
import type { Clock } from "../ports.ts";
import type { RunBook } from "./run-book.ts";
import { tellEnd, tellStart } from "./run-events.ts";

export type OperationType = "op.start" | "op.cancel" | "op.keep" | "op.seen";
export type OperationMessage = MessageOf<"op.progress"> | MessageOf<"op.result">;

export type OperationPorts = {
  book: RunBook;
  clock: Clock;
  journal: Pick<Journal, "emit">;
  picture(cluster: string): ClusterPicture | undefined;
  /** Whether this agent has a session that takes operations. */
  takes(agent: AgentId): boolean;
  /** False: it could not be sent. */
  send<T extends OperationType>(agent: AgentId, type: T, body: MessageOf<T>["body"]): boolean;
  /** Nodes on which this backup was listed; undefined: nobody listed it. */
  holders(cluster: string, storage: string, volid: string): readonly NodeName[] | undefined;
  /** An operation for agents of this problem: counted. */
  problem(reason: string): void;
};

export type Order = Omit<NewRun, "id" | "createdAt">;

/** Between two looks at what waits. */
const lookMs = 5000;
/** An agent that said nothing in time is asked so often. */
const askAgainMs = 60_000;

/**
 * Gives operations to agents and takes what becomes of them. All that must not be lost is durable before the next step: a run is stored before
 * it is sent, the node before the message, the result before `op.seen`. A node once chosen stays, since nobody knows whether its agent began.
 */
export class Operations {
  private readonly askedAt = new Map<string, number>();
  private wake: (withinMs: number) => void = () => undefined;

  constructor(private readonly ports: OperationPorts) {}

  /** `wake` is called when a tick is due within so many ms. */
  onWork(wake: (withinMs: number) => void): void {
    this.wake = wake;
  }

  /** Durable when it returns; it begins when a node can. */
  start(order: Order): Run {
    const { book, clock } = this.ports;
    const run = newRun({ ...order, id: randomUUID(), createdAt: clock.now() });
    book.save(run, { actor: run.actor, reason: run.reason });
    this.wake(0);
    return run;
  }

  /** Ends what has not begun; else its agent is told. Undefined: there is no such run that goes on. */
  cancel(id: string, actor: string): Run | undefined {
    const { book, clock } = this.ports;
    const run = book.get(id);
    if (run === undefined || !isOpen(run)) return undefined;
    const now = clock.now();
    const by = { actor, reason: "cancelled" };
    const cancelled: Run = { ...run, cancel: { actor, at: now } };
    if (run.state === "queued") return this.end(cancelled, { outcome: "cancelled", verdict: `Cancelled by ${actor}` }, by);
    book.save(cancelled, by);
    this.send(cancelled, "op.cancel", { id, actor });
    return cancelled;
  }

  /** The test guest stays until then, at most as long as its node allows. Undefined: there is no such restore test that goes on. */
  keep(id: string, untilAt: EpochMs, actor: string): Run | undefined {
    const { book } = this.ports;
    const run = book.get(id);
    if (run === undefined || !isOpen(run) || run.kind !== "restore-test" || run.state === "queued") return undefined;
    const kept: Run = { ...run, keep: { actor, untilAt } };
    book.save(kept, { actor, reason: `kept until ${new Date(untilAt).toISOString()}` });
    this.send(kept, "op.keep", { id, untilAt, actor });
    return kept;
  }

  /** The agent is here again: whatever was meant for it may have been lost on the way. */
  welcomed(agent: AgentId): void {
    for (const run of this.ofAgent(agent)) this.repeat(run);
    this.wake(0);
  }

  heard(agent: AgentId, message: OperationMessage): void {
    if (message.type === "op.progress") this.progress(agent, message.body);
    else this.result(agent, message.body);
  }

  /** Gives what waits to agents, and ends what nobody will end. Returns in how many ms to look again. */
  tick(): number {
    const { book, clock } = this.ports;
    const now = clock.now();
    for (const run of book.open()) {
      const { node } = run;
      const agent = node === null ? undefined : { cluster: run.cluster, node };
      const isThere = agent !== undefined && this.ports.takes(agent);
      const due = dueStep(run, isThere, now);
      if (due === "expire") this.expire(run);
      else if (due === "give-up") this.giveUp(run);
      else if (due === "ask") this.askAgain(run);
      else if (run.state === "queued") this.dispatch(run, now);
      else this.tellWaiting(run, isThere ? null : `the agent of ${node} is away: nobody knows how far it is`);
    }
    return book.open().length > 0 ? lookMs : Number.POSITIVE_INFINITY;
  }

  private dispatch(run: Run, now: EpochMs): void {
    const { book, picture, takes, holders } = this.ports;
    const cluster = picture(run.cluster);
    const choice = chooseNode(run, {
      picture: cluster,
      takes: (node) => takes({ cluster: run.cluster, node }),
      busy: (node) => this.ofAgent({ cluster: run.cluster, node }).length,
      holders: (storage, volid) => holders(run.cluster, storage, volid),
      now,
    });
    if (!choice.ok) {
      this.tellWaiting(run, choice.why);
      return;
    }
    this.tellWaiting(run, null);
    const sent = given(run, choice.node, now);
    book.save(sent, { actor: "hub", reason: `given to ${choice.node}` });
    this.repeat(sent);
    tellStart(this.ports.journal, sent);
  }

  private tellWaiting(run: Run, waiting: string | null): void {
    const { book } = this.ports;
    if (book.liveOf(run).waiting !== waiting) book.tellLive(run, { waiting });
  }

  private repeat(run: Run): void {
    const { id, operation, expiresAt, actor, reason, cancel, keep } = run;
    if (run.state === "sent")
      this.send(run, "op.start", { id, operation, expiresAt, actor: cut(actor, 200), reason: cut(reason, 500) });
    if (cancel !== null) this.send(run, "op.cancel", { id, actor: cut(cancel.actor, 200) });
    else if (keep !== null) this.send(run, "op.keep", { id, untilAt: keep.untilAt, actor: cut(keep.actor, 200) });
  }

  private askAgain(run: Run): void {
    const now = this.ports.clock.monotonicMs();
    if (now - (this.askedAt.get(run.id) ?? Number.NEGATIVE_INFINITY) < askAgainMs) return;
    this.askedAt.set(run.id, now);
    this.repeat(run);
  }

  private expire(run: Run): void {
    const { waiting } = this.ports.book.liveOf(run);
    const verdict = `Not begun in time${waiting === null ? "" : `: ${waiting}`}`;
    this.end(run, { outcome: "expired", verdict }, { actor: "hub", reason: verdict });
  }

  private giveUp(run: Run): void {
    const verdict = `Nothing was heard of it from ${run.node ?? "any node"} any more: nobody knows how it ended`;
    this.end(run, { outcome: "interrupted", verdict, givenUp: true }, { actor: "hub", reason: verdict });
  }

  private end(run: Run, how: Parameters<typeof ended>[1], by: { actor: string; reason: string }): Run {
    const { book, clock, journal } = this.ports;
    const over = ended(run, how, clock.now());
    book.save(over, by);
    this.askedAt.delete(run.id);
    tellEnd(journal, over, undefined);
    return over;
  }

  private progress(agent: AgentId, body: MessageOf<"op.progress">["body"]): void {
    const { book, clock, problem } = this.ports;
    const run = this.runOf(agent, body.id);
    const step = body.step === undefined ? undefined : stepRecordSchema.safeParse(body.step);
    if (run === undefined || !isOpen(run) || step?.success === false) {
      problem("operation");
      return;
    }
    if (run.state === "sent") {
      book.save(begun(run, clock.now()), { actor: `agent ${agentKey(agent)}`, reason: "begun" });
    }
    const live = book.liveOf(run);
    book.tellLive(book.get(run.id) ?? run, {
      ...(step === undefined ? {} : { steps: withStep(live.steps, step.data) }),
      fraction: body.fraction ?? (step === undefined ? live.fraction : null),
      ...(body.testVmid === undefined ? {} : { testVmid: body.testVmid }),
      ...(body.keepUntil === undefined ? {} : { keepUntil: body.keepUntil }),
    });
  }

  /** Committed before it is acknowledged. A result that was heard before is only acknowledged again. */
  private result(agent: AgentId, { id, result }: MessageOf<"op.result">["body"]): void {
    const { book, clock, journal, problem, send } = this.ports;
    const run = this.runOf(agent, id);
    const parsed = operationResultSchema.safeParse(result);
    if (run === undefined || !parsed.success || !fits(run.operation, parsed.data.kind)) {
      problem("operation");
      // An id nobody here ever gave would be told for ever. One that is known by another agent, or can't be read, stays that agent's to tell.
      if (book.get(id) === undefined) send(agent, "op.seen", { id });
      return;
    }
    if (isOpen(run) || run.givenUp) {
      const over = book.finish(run, parsed.data, clock.now());
      this.askedAt.delete(id);
      tellEnd(journal, over, parsed.data);
    }
    send(agent, "op.seen", { id });
    this.wake(0);
  }

  private runOf({ cluster, node }: AgentId, id: string): Run | undefined {
    const run = this.ports.book.get(id);
    return run?.cluster === cluster && run.node === node ? run : undefined;
  }

  private ofAgent({ cluster, node }: AgentId): Run[] {
    return this.ports.book.open().filter((run) => run.cluster === cluster && run.node === node);
  }

  private send<T extends OperationType>(run: Run, type: T, body: MessageOf<T>["body"]): void {
    if (run.node !== null) this.ports.send({ cluster: run.cluster, node: run.node }, type, body);
  }
}

const cut = (text: string, max: number) => text.slice(0, max) || "-";
const fits = ({ kind }: Operation, told: string) => told === "refused" || told === kind;
