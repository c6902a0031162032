import type { Backups } from "#protocol/backups.ts";
import type { ClusterId } from "#protocol/ids.ts";
import type { Inventory } from "#protocol/inventory.ts";
import type { Duty, MessageOf, RefusalCode, TaskReport } from "#protocol/messages.ts";
import type { AgentId, RecordSink } from "../core/series.ts";
import type { Clock } from "../ports.ts";
import type { FrontDesk } from "./front-desk.ts";
import type { Admission, JoinWay } from "./gate.ts";
import type { LoginAnswer } from "./login-asks.ts";
import type { AgentSession } from "./session.ts";

/** The socket as a session sees it. */
export interface LinkSocket {
  send(text: string): void;
  close(code: number, reason: string): void;
  /** The other side's address, for the log. */
  readonly address: string;
}

export type SessionInfo = {
  agent: AgentId;
  clusterName: string | undefined;
  software: string;
  /** Of the link; absent: not known. */
  version?: number;
  skewMs: number;
  joinedBy: JoinWay | undefined;
};

/** What a session tells the rest of the hub. Called in order; nothing after `closed`. */
export interface SessionEvents {
  /** A newer session of the same agent replaces the older. Returns the agent's duties. What it writes is durable before `welcomed`. */
  opened(session: AgentSession, info: SessionInfo): readonly Duty[];
  /** The agent has its welcome: what it should know may be sent. */
  welcomed(agent: AgentId): void;
  inventory(agent: AgentId, inventory: Inventory): void;
  /** `first`: of this session, all of the last day. */
  tasks(agent: AgentId, tasks: readonly TaskReport[], first: boolean): void;
  clock(agent: AgentId, skewMs: number): void;
  closed(session: AgentSession, agent: AgentId | undefined, why: string): void;
  /** A newer session put an end to one whose other end was alive, as two machines do that are the same agent. Addresses of both. */
  doubled(agent: AgentId, addresses: readonly string[]): void;
  refused(hello: { node: string; clusterId: string }, code: RefusalCode, problem: string): void;
  /** What came of something this agent was asked to tell on its node. */
  told(agent: AgentId, body: MessageOf<"outlet.told">["body"]): void;
  /** An answer about somebody's login; false: nobody asked for it. */
  loginAnswered(agent: AgentId, message: LoginAnswer): boolean;
  /** How an operation goes, or what came of it. */
  operation(agent: AgentId, message: MessageOf<"op.progress"> | MessageOf<"op.result">): void;
  /** Part of the catalogue of one storage's backups. */
  backups(agent: AgentId, backups: Backups): void;
  /** Something not understood, by reason: counted for `health`. */
  problem(reason: string): void;
  /** The store takes nothing: the disk is full or fails. */
  ingestRefused(problem: string): void;
  /** A record became durable. */
  ingestAccepted(): void;
  failed(error: unknown): void;
}

export type SessionPorts = {
  clock: Clock;
  sink: RecordSink;
  admit: (hello: MessageOf<"hello">["body"], nonce: string, address: string) => Admission;
  /** Judges hellos that come together in one write. */
  desk: Pick<FrontDesk, "enter">;
  /** False: the key that it offers is not taken. */
  takeNextKey: (agent: AgentId, named: ClusterId, nonce: string, offer: MessageOf<"key.next">["body"]) => boolean;
  events: SessionEvents;
};
