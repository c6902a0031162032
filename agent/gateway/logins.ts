import { randomBytes } from "node:crypto";
import { type Realm, type SecondFactor, secondFactors } from "#protocol/login.ts";
import type { Message, MessageOf } from "#protocol/messages.ts";
import { lookAtTicket } from "../core/gateway/ticket.ts";
import { asFlag, asObject, asObjects, asText, parseJsonObject } from "../core/values.ts";
import type { ApiResult } from "../pve/answer.ts";
import type { UserApi } from "../pve/user-api.ts";
import type { Viewers } from "./viewers.ts";

type LoginResult = MessageOf<"login.result">["body"];

const renewAfterMs = 3_600_000;
/** PVE gives a challenge as long as a ticket; nobody needs so long to type a code. */
const challengeMs = 300_000;
const sessionsMax = 1000;
const challengesMax = 200;

type Session = { ticket: string; user: string; signedAt: number };
type Challenge = { ticket: string; username: string; untilMs: number };

export type LoginsPorts = { api: UserApi; viewers: Viewers; clock: { now(): number; monotonicMs(): number } };

/**
 * Signs Proxmox VE users in for the hub's own panel. Tickets stay here, in memory, under random names; a restart of the agent ends them all.
 * Passwords and codes pass through and are kept nowhere.
 */
export class Logins {
  private readonly sessions = new Map<string, Session>();
  private readonly challenges = new Map<string, Challenge>();

  constructor(private readonly ports: LoginsPorts) {}

  /** Undefined: the message is none of these, or one that isn't answered. */
  async answer(message: Message): Promise<Message | undefined> {
    switch (message.type) {
      case "login.realms":
        return { type: "login.realms.result", body: await this.realms(message.body.id) };
      case "login.start": {
        const { id, user, realm, password } = message.body;
        return { type: "login.result", body: await this.signIn(id, `${user}@${realm}`, { password }) };
      }
      case "login.answer":
        return { type: "login.result", body: await this.secondStep(message.body) };
      case "login.view":
        return { type: "login.view.result", body: await this.view(message.body) };
      case "login.permissions":
        return { type: "login.permissions.result", body: await this.permissions(message.body) };
      case "login.end":
        this.forget(message.body.session);
        return undefined;
      default:
        return undefined;
    }
  }

  private async realms(id: string): Promise<MessageOf<"login.realms.result">["body"]> {
    const result = await this.ports.api.open("GET", "/access/domains");
    if (!result.ok || !Array.isArray(result.data)) return { id, state: "unavailable", problem: problemOf(result) };
    const realms = asObjects(result.data).flatMap((item): Realm[] => {
      const [realm, type, comment] = [asText(item.realm), asText(item.type), asText(item.comment)];
      if (realm === undefined || type === undefined) return [];
      return [
        { realm, type, ...(comment === undefined ? {} : { comment: comment.slice(0, 4096) }), preselected: asFlag(item.default) },
      ];
    });
    return { id, state: "ok", realms: realms.slice(0, 64) };
  }

  private async signIn(id: string, username: string, params: Record<string, string>): Promise<LoginResult> {
    const result = await this.ports.api.open("POST", "/access/ticket", { username, ...params });
    if (!result.ok && result.error.status === 401) return { id, state: "refused" };
    const data = result.ok ? asObject(result.data) : undefined;
    const ticket = asText(data?.ticket);
    if (ticket === undefined) return { id, state: "unavailable", problem: problemOf(result) };
    if (asFlag(data?.NeedTFA)) return this.challenge(id, username, ticket);
    return this.begin(id, ticket);
  }

  private challenge(id: string, username: string, ticket: string): LoginResult {
    const now = this.ports.clock.monotonicMs();
    for (const [name, { untilMs }] of this.challenges)
      if (untilMs <= now || this.challenges.size >= challengesMax) this.challenges.delete(name);
    const challenge = randomBytes(32).toString("hex");
    this.challenges.set(challenge, { ticket, username, untilMs: now + challengeMs });
    return { id, state: "tfa-needed", challenge, kinds: factorsOf(ticket) };
  }

  private async secondStep({ id, challenge, kind, code }: MessageOf<"login.answer">["body"]): Promise<LoginResult> {
    const known = this.challenges.get(challenge);
    this.challenges.delete(challenge);
    if (known === undefined || known.untilMs <= this.ports.clock.monotonicMs()) return { id, state: "refused" };
    return this.signIn(id, known.username, { "tfa-challenge": known.ticket, password: `${kind}:${code}` });
  }

  private async begin(id: string, ticket: string): Promise<LoginResult> {
    const seen = await this.ports.viewers.see(ticket);
    if (!seen.ok) return { id, state: "unavailable", problem: seen.problem };
    const { user, view, viewAt } = seen.told;
    const session = randomBytes(32).toString("hex");
    for (const name of this.sessions.keys()) if (this.sessions.size >= sessionsMax) this.forget(name);
    this.sessions.set(session, { ticket, user, signedAt: this.ports.clock.now() });
    return { id, state: "ok", session, user, view, viewAt };
  }

  private async view({ id, session }: MessageOf<"login.view">["body"]): Promise<MessageOf<"login.view.result">["body"]> {
    const known = await this.renewed(session);
    if (known === undefined) return { id, state: "ended" };
    const seen = await this.ports.viewers.see(known.ticket);
    if (seen.ok) return { id, state: "ok", view: seen.told.view, viewAt: seen.told.viewAt };
    if (seen.why !== "refused") return { id, state: "unavailable", problem: seen.problem };
    this.forget(session);
    return { id, state: "ended" };
  }

  private async permissions({
    id,
    session,
    paths,
  }: MessageOf<"login.permissions">["body"]): Promise<MessageOf<"login.permissions.result">["body"]> {
    const known = this.sessions.get(session);
    if (known === undefined) return { id, state: "ended" };
    const held = await Promise.all(paths.map((path) => this.ports.viewers.privilegesOn(known.ticket, path)));
    const permissions = paths.flatMap((path, index) => {
      const privileges = held[index];
      return privileges === undefined ? [] : [{ path, privileges: privileges.slice(0, 128) }];
    });
    if (permissions.length < paths.length) return { id, state: "unavailable", problem: "Proxmox VE could not be asked" };
    return { id, state: "ok", permissions };
  }

  /** A ticket lasts two hours and is good for a new one; PVE logs each of those, so it isn't asked more often than needed. */
  private async renewed(name: string): Promise<Session | undefined> {
    const { api, clock } = this.ports;
    const session = this.sessions.get(name);
    if (session === undefined) return undefined;
    if (clock.now() - session.signedAt < renewAfterMs) return session;
    const { user, ticket } = session;
    const result = await api.open("POST", "/access/ticket", { username: user, password: ticket });
    const fresh = result.ok ? asText(asObject(result.data)?.ticket) : undefined;
    if (fresh !== undefined && lookAtTicket(fresh, clock.now()).ok) {
      this.ports.viewers.forget(ticket);
      Object.assign(session, { ticket: fresh, signedAt: clock.now() });
    } else if (!result.ok && result.error.status === 401) this.forget(name);
    return this.sessions.get(name);
  }

  private forget(name: string): void {
    const session = this.sessions.get(name);
    if (session !== undefined) this.ports.viewers.forget(session.ticket);
    this.sessions.delete(name);
  }
}

/**
 * Which factors the user has, of those that can be typed in. The challenge is JSON inside the half-done ticket, `PVE:!tfa!<percent-encoded
 * JSON>:…` (proxmox-tfa TfaChallenge: `totp` and `yubico` are booleans, `recovery` lists or names what is left).
 */
export function factorsOf(ticket: string): SecondFactor[] {
  const encoded = /^PVE:!tfa!([^:]*):/.exec(ticket)?.[1];
  const challenge = encoded === undefined ? undefined : parseJsonObject(decoded(encoded));
  const has = (value: unknown) =>
    value === true || (Array.isArray(value) && value.length > 0) || (typeof value === "string" && value !== "unavailable");
  return secondFactors.filter((kind) => has(challenge?.[kind]));
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}

const problemOf = (result: ApiResult) =>
  result.ok ? "Proxmox VE's answer was not understood" : `Proxmox VE's API did not answer: ${result.error.reason}`.slice(0, 500);
