import { randomBytes } from "node:crypto";
import type { ClusterId } from "#protocol/ids.ts";
import type { Message, MessageOf } from "#protocol/messages.ts";
import { type AgentId, agentKey } from "../core/series.ts";
import type { AnswerBody, LoginAnswers, LoginQuestion, QuestionBody } from "../login-ports.ts";
import { after, type Clock } from "../ports.ts";

/** A refused password costs Proxmox VE 3 s, a busy node more. */
const answerMs = 15_000;

export type LoginAnswer = { [Q in LoginQuestion]: MessageOf<LoginAnswers[Q]> }[LoginQuestion];
type Pending = { agent: string; type: string; settle(body: LoginAnswer["body"] | undefined): void };

const answerTypes: LoginAnswers = {
  "login.realms": "login.realms.result",
  "login.start": "login.result",
  "login.answer": "login.result",
  "login.view": "login.view.result",
  "login.permissions": "login.permissions.result",
  "login.sight": "login.sight.result",
};

export type SendLogin = <T extends LoginQuestion | "login.end">(agent: AgentId, type: T, body: MessageOf<T>["body"]) => boolean;

/** Questions on their way to agents. Bodies hold passwords: nothing here is logged. */
export class LoginAsks {
  private readonly pending = new Map<string, Pending>();

  /** `known`: the cluster as the hub knows it, of the one that an agent names; default: the same. */
  constructor(private readonly ports: { clock: Clock; send: SendLogin; known?: (named: ClusterId) => ClusterId }) {}

  ask<Q extends LoginQuestion>(agent: AgentId, type: Q, body: QuestionBody<Q>): Promise<AnswerBody<Q> | undefined> {
    const id = randomBytes(16).toString("hex");
    const answer = new Promise<LoginAnswer["body"] | undefined>((resolve) => {
      const settle = (body: LoginAnswer["body"] | undefined) => {
        this.pending.delete(id);
        stop();
        resolve(body);
      };
      const stop = after(this.ports.clock, answerMs, () => settle(undefined));
      this.pending.set(id, { agent: agentKey(agent), type: answerTypes[type], settle });
      if (!this.ports.send(agent, type, { ...body, id } as MessageOf<Q>["body"])) settle(undefined);
    });
    return answer as Promise<AnswerBody<Q> | undefined>; // its type was compared with the question's when it came
  }

  /** False: nobody asked this agent, or not this. */
  answered(agent: AgentId, message: LoginAnswer): boolean {
    const pending = this.pending.get(message.body.id);
    if (pending === undefined || pending.agent !== agentKey(agent) || pending.type !== message.type) return false;
    pending.settle(this.asKnown(message.body));
    return true;
  }

  private asKnown(body: LoginAnswer["body"]): LoginAnswer["body"] {
    if (!("view" in body)) return body;
    const cluster = this.ports.known?.(body.view.cluster as ClusterId) ?? body.view.cluster; // its schema is a cluster id's
    return { ...body, view: { ...body.view, cluster } };
  }

  /** Its connection is gone: no answer will come. */
  lost(agent: AgentId): void {
    for (const pending of [...this.pending.values()]) if (pending.agent === agentKey(agent)) pending.settle(undefined);
  }
}

/** Whether a message of an agent answers a question about a login. */
export function isLoginAnswer(message: Message): message is LoginAnswer {
  return Object.values<string>(answerTypes).includes(message.type);
}
