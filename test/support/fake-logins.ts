import type { View } from "#protocol/viewer.ts";
import type { AgentId } from "../../hub/core/series.ts";
import type { AnswerBody, LoginPorts, LoginQuestion, QuestionBody } from "../../hub/login-ports.ts";
import { labPermissions, labView } from "./pve-users.ts";
import { agentOf } from "./test-hub.ts";

const id = "0".repeat(32);
const handleOf = (user: string) => Buffer.from(user).toString("hex").padEnd(64, "0");
const userOf = (handle: string) => Buffer.from(handle, "hex").toString("utf8").replaceAll("\0", "");

/**
 * Agents that ask the lab's PVE. Passwords are `right`; root@pam wants a second factor, whose code is 123456 (totp) or `key` (recovery);
 * dora@pve is disabled.
 */
export class FakeLogins implements LoginPorts {
  connected: AgentId[] = [agentOf("pve1")];
  /** Nobody answers. */
  away = false;
  /** Tickets that PVE takes no longer. */
  readonly over = new Set<string>();
  readonly asked: string[] = [];
  readonly ended: string[] = [];
  /** Sessions that began until then are over. */
  endedAtMs = 0;
  viewOf: (user: string) => View = (user) => labView(user);
  /** How old the view is that an agent tells, ms. */
  viewAgeMs = 0;
  /** Set: answers wait for it. */
  gate: Promise<void> | undefined;

  constructor(private readonly now: () => number) {}

  agents() {
    return this.connected.map((agent) => ({ agent, clusterName: "lab" }));
  }

  async ask<Q extends LoginQuestion>(_: AgentId, type: Q, body: QuestionBody<Q>): Promise<AnswerBody<Q> | undefined> {
    this.asked.push(type);
    await this.gate;
    if (this.away) return undefined;
    return this.answer(type, body as Record<string, never>) as AnswerBody<Q> | undefined; // by the question's type
  }

  endedAt(): number {
    return this.endedAtMs;
  }

  end(_: AgentId, session: string): void {
    this.ended.push(userOf(session));
  }

  private answer(type: LoginQuestion, body: Record<string, string> & { paths?: string[] }): AnswerBody<LoginQuestion> {
    const { user = "", realm = "", password = "", challenge = "", kind = "", code = "", session = "", paths = [] } = body;
    const name = type === "login.start" ? `${user}@${realm}` : userOf(session === "" ? challenge : session);
    if (type === "login.realms") {
      return { id, state: "ok", realms: [{ realm: "pam", type: "pam", comment: "Linux PAM", preselected: true }] };
    }
    if (this.over.has(name)) return { id, state: "ended" };
    if (type === "login.permissions") {
      return { id, state: "ok", permissions: paths.map((path) => ({ path, privileges: [...labPermissions.on(name, path)] })) };
    }
    if (type === "login.view") return { id, state: "ok", view: this.viewOf(name), viewAt: this.now() - this.viewAgeMs };
    if (type === "login.answer" && ![`totp 123456`, "recovery key"].includes(`${kind} ${code}`)) return { id, state: "refused" };
    if (type === "login.start" && (password !== "right" || !labPermissions.has(name))) return { id, state: "refused" };
    if (type === "login.start" && name === "root@pam") {
      return { id, state: "tfa-needed", challenge: handleOf(name), kinds: ["totp", "recovery"] };
    }
    return { id, state: "ok", session: handleOf(name), user: name, view: this.viewOf(name), viewAt: this.now() - this.viewAgeMs };
  }
}
