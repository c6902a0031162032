import type { Message, MessageOf } from "#protocol/messages.ts";
import { seesAll } from "./core/whole-sight.ts";
import type { PveApi } from "./pve/api.ts";

export type SightPorts = { api: Pick<PveApi, "get">; clock: { now(): number } };

/** Answers whether Proxmox VE hides anything from a user who has not signed in here. Undefined: the message asks something else. */
export async function answerSight(message: Message, { api, clock }: SightPorts): Promise<Message | undefined> {
  if (message.type !== "login.sight") return undefined;
  return { type: "login.sight.result", body: await look(message.body, api, clock.now() / 1000) };
}

async function look(
  { id, user }: MessageOf<"login.sight">["body"],
  api: Pick<PveApi, "get">,
  nowSec: number,
): Promise<MessageOf<"login.sight.result">["body"]> {
  const answers = await Promise.all([
    api.get("/access/users"),
    api.get("/access/permissions", { userid: user }),
    api.get("/access/acl"),
  ]);
  const [users, permissions, acl] = answers.map((answer) => (answer.ok ? answer.data : undefined));
  const whole = seesAll(user, { users, permissions, acl }, nowSec);
  if (whole !== undefined) return { id, state: "ok", whole };
  const failed = answers.find((answer) => !answer.ok);
  const problem = failed?.ok === false ? failed.error.reason : "an answer was not understood";
  return { id, state: "unavailable", problem: `Proxmox VE: ${problem}`.slice(0, 500) };
}
