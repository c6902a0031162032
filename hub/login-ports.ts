import type { MessageOf } from "#protocol/messages.ts";
import type { AgentId } from "./core/series.ts";

/** Questions to an agent, and the type of the answer. */
export type LoginAnswers = {
  "login.realms": "login.realms.result";
  "login.start": "login.result";
  "login.answer": "login.result";
  "login.view": "login.view.result";
  "login.permissions": "login.permissions.result";
  "login.sight": "login.sight.result";
};
export type LoginQuestion = keyof LoginAnswers;
type Without<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;
export type QuestionBody<Q extends LoginQuestion> = Without<MessageOf<Q>["body"], "id">;
export type AnswerBody<Q extends LoginQuestion> = MessageOf<LoginAnswers[Q]>["body"];

/** What signing in with a Proxmox VE account asks of the link. */
export interface LoginPorts {
  /** Connected agents. */
  agents(): readonly { agent: AgentId; clusterName: string }[];
  /** Undefined: it can't be asked, or didn't answer in time. */
  ask<Q extends LoginQuestion>(agent: AgentId, type: Q, body: QuestionBody<Q>): Promise<AnswerBody<Q> | undefined>;
  /** Sessions that began until then are over, ms since the Unix epoch. */
  endedAt(): number;
  /** The agent may forget this session. */
  end(agent: AgentId, session: string): void;
}
