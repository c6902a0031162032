import { createHash, randomBytes } from "node:crypto";
import type { EpochMs } from "#protocol/ids.ts";
import type { Realm, SecondFactor } from "#protocol/login.ts";
import { assertionTimes, type Permission, type View, viewJson } from "#protocol/viewer.ts";
import { BoundedMap } from "../core/limits.ts";
import { Refusal } from "../core/refusal.ts";
import type { AgentId } from "../core/series.ts";
import { type ClusterSight, compileView, withGranted } from "../core/viewer.ts";
import type { AnswerBody, LoginPorts } from "../login-ports.ts";
import type { Clock } from "../ports.ts";
import { hashSecret } from "../secret-text.ts";
import type { Caller, Standing } from "./env.ts";
import { LoginGuard } from "./login-guard.ts";
import { checkHeld, notHeld, pveScopes } from "./pve-user.ts";

export const pveCookieName = "__Host-proven_login";
/** Whoever goes on working stays signed in for a working day; Proxmox VE's own panel renews its ticket without an end. */
const sessionMs = 12 * 3_600_000;
/** A ticket nobody renewed is over (`$ticket_lifetime` in pve-access-control `PVE/AccessControl.pm`). */
const idleMs = 2 * 3_600_000;
/** Old enough to be asked again, so that no answer is made of a view older than viewMs. */
const refreshMs = assertionTimes.viewMs - 15_000;
const challengeMs = 5 * 60_000;
const realmsMs = 60_000;
/** After nobody answered. */
const noRealmsMs = 5_000;
const sessionsMax = 2000;
const challengesMax = 1000;

/** Times are monotonic ms. */
type Session = {
  agent: AgentId;
  handle: string;
  user: string;
  startedAt: number;
  usedAt: number;
  endsAt: EpochMs;
  toldAt: number;
  sight: ClusterSight;
  mark: string;
  granted: Map<string, { at: number; privileges: ReadonlySet<string> }>;
  refreshing: Promise<"ok" | "ended" | "unavailable"> | undefined;
};
type Challenge = { agent: AgentId; challenge: string; user: string; address: string; at: number };

export type Entered =
  | { state: "ok"; cookie: string; caller: Caller }
  | { state: "tfa-needed"; challenge: string; kinds: readonly SecondFactor[] };
export type Attempt = { cluster: string | undefined; user: string; realm: string; password: string; address: string };

/** Sessions of people with a Proxmox VE account. In memory only: after a restart of the hub everybody signs in again. */
export class PveLogins {
  private readonly sessions = new BoundedMap<string, Session>(sessionsMax);
  private readonly challenges = new BoundedMap<string, Challenge>(challengesMax);
  private readonly realmLists = new BoundedMap<string, { until: number; realms: Promise<readonly Realm[]> }>(100);
  private readonly guard: LoginGuard;

  constructor(
    private readonly ports: LoginPorts,
    private readonly clock: Clock,
  ) {
    this.guard = new LoginGuard(clock);
  }

  /** Where one can sign in; a cluster none of whose agents answers has no realms. */
  async realms(): Promise<{ cluster: string; name: string; realms: readonly Realm[] }[]> {
    const clusters = new Map<string, string>();
    for (const { agent, clusterName } of this.ports.agents()) clusters.set(agent.cluster, clusterName);
    return Promise.all([...clusters].map(async ([cluster, name]) => ({ cluster, name, realms: await this.realmsOf(cluster) })));
  }

  /** First step. @throws Refusal */
  async start({ cluster, user, realm, password, address }: Attempt): Promise<Entered> {
    const name = `${user}@${realm}`;
    return this.guard.attempt(address, name, async () => {
      for (const agent of this.agentsOf(cluster)) {
        const answer = await this.ports.ask(agent, "login.start", { user, realm, password });
        if (answer === undefined || answer.state === "unavailable") continue;
        return this.entered(answer, agent, name, address);
      }
      throw new Refusal("agent-offline", "no agent can ask Proxmox VE now: try again, or sign in with an API key");
    });
  }

  /** Second step. A challenge is good for one answer. @throws Refusal */
  async answer(challenge: string, kind: SecondFactor, code: string, address: string): Promise<Entered> {
    const key = hashSecret(challenge);
    const known = this.challenges.get(key);
    this.challenges.delete(key);
    const fits = known !== undefined && known.address === address && this.clock.monotonicMs() - known.at < challengeMs;
    if (!fits) throw new Refusal("unauthenticated", "the second step took too long: sign in again");
    return this.guard.attempt(address, known.user, async () => {
      const answer = await this.ports.ask(known.agent, "login.answer", { challenge: known.challenge, kind, code });
      if (answer === undefined || answer.state === "unavailable")
        throw new Refusal("agent-offline", "the agent doesn't answer any more: sign in again");
      return this.entered(answer, known.agent, known.user, address);
    });
  }

  /** @throws Refusal when the session is over, or nobody can tell what the user may see. */
  async callerOf(cookie: string): Promise<Caller> {
    const key = hashSecret(cookie);
    const session = this.live(key);
    if (session === undefined) throw ended();
    const now = this.clock.monotonicMs();
    session.usedAt = now;
    if (now - session.toldAt > refreshMs) {
      const state = await this.refresh(key, session);
      if (state === "ended") throw ended();
      if (this.clock.monotonicMs() - session.toldAt > assertionTimes.viewMs)
        throw new Refusal("agent-offline", "no agent can ask Proxmox VE what you may see: try again in a moment");
    }
    return this.caller(key, session);
  }

  end(cookie: string): void {
    const key = hashSecret(cookie);
    const session = this.sessions.get(key);
    if (session !== undefined) this.close(key, session);
  }

  /** Anybody may ask: the agents are asked once in a while, however many do. */
  private realmsOf(cluster: string): Promise<readonly Realm[]> {
    const now = this.clock.monotonicMs();
    const known = this.realmLists.get(cluster);
    if (known !== undefined && now < known.until) return known.realms;
    const asked = { until: now + realmsMs, realms: this.askRealms(cluster) };
    this.realmLists.set(cluster, asked);
    void asked.realms.then((realms) => {
      if (realms.length === 0) asked.until = this.clock.monotonicMs() + noRealmsMs;
    });
    return asked.realms;
  }

  private async askRealms(cluster: string): Promise<readonly Realm[]> {
    for (const agent of this.agentsOf(cluster)) {
      const answer = await this.ports.ask(agent, "login.realms", {});
      if (answer?.state === "ok") return answer.realms;
    }
    return [];
  }

  /** Agents to ask, two at most. @throws Refusal when several clusters could be meant. */
  private agentsOf(cluster: string | undefined): AgentId[] {
    const agents = this.ports.agents().map(({ agent }) => agent);
    const clusters = new Set(agents.map((agent) => agent.cluster as string));
    if (cluster === undefined && clusters.size > 1)
      throw new Refusal("invalid", "this hub serves several clusters: name the one to sign in to", { field: "cluster" });
    return agents.filter((agent) => cluster === undefined || agent.cluster === cluster).slice(0, 2);
  }

  private entered(answer: AnswerBody<"login.start">, agent: AgentId, user: string, address: string): Entered {
    if (answer.state === "ok") return this.open(answer, agent);
    if (answer.state !== "tfa-needed") throw new Refusal("unauthenticated", "Proxmox VE refused the user, password or code");
    if (answer.kinds.length === 0)
      throw new Refusal("unauthenticated", "this user's second factor works in Proxmox VE's own page only: open Proven there");
    const challenge = randomBytes(32).toString("hex");
    const at = this.clock.monotonicMs();
    this.challenges.set(hashSecret(challenge), { agent, challenge: answer.challenge, user, address, at });
    return { state: "tfa-needed", challenge, kinds: answer.kinds };
  }

  private open({ session, user, view, viewAt }: Extract<AnswerBody<"login.start">, { state: "ok" }>, agent: AgentId): Entered {
    if (view.cluster !== agent.cluster || view.user !== user)
      throw new Refusal("agent-offline", "the agent answered for another cluster or user");
    const cookie = randomBytes(32).toString("hex");
    const key = hashSecret(cookie);
    const now = this.clock.monotonicMs();
    const opened: Session = {
      agent,
      handle: session,
      user,
      startedAt: now,
      usedAt: now,
      endsAt: (this.clock.now() + sessionMs) as EpochMs,
      toldAt: now - this.ageOf(viewAt),
      ...seen(view),
      granted: new Map(),
      refreshing: undefined,
    };
    this.sessions.set(key, opened);
    return { state: "ok", cookie, caller: this.caller(key, opened) };
  }

  /** Undefined: there is none, or it is over; then the agent forgets it too. */
  private live(key: string): Session | undefined {
    const session = this.sessions.get(key);
    if (session === undefined) return undefined;
    const now = this.clock.monotonicMs();
    const ended = session.endsAt - sessionMs <= this.ports.endedAt();
    if (!ended && now - session.startedAt < sessionMs && now - session.usedAt < idleMs) return session;
    this.close(key, session);
    return undefined;
  }

  private close(key: string, session: Session): void {
    this.sessions.delete(key);
    this.ports.end(session.agent, session.handle);
  }

  /** One question at a time for each session, however many requests wait for it. */
  private refresh(key: string, session: Session): Promise<"ok" | "ended" | "unavailable"> {
    session.refreshing ??= this.askView(key, session).finally(() => {
      session.refreshing = undefined;
    });
    return session.refreshing;
  }

  private async askView(key: string, session: Session): Promise<"ok" | "ended" | "unavailable"> {
    const answer = await this.ports.ask(session.agent, "login.view", { session: session.handle });
    if (answer === undefined || answer.state === "unavailable") return "unavailable";
    const fits = answer.state === "ok" && answer.view.cluster === session.agent.cluster && answer.view.user === session.user;
    if (!fits) {
      this.sessions.delete(key);
      return "ended";
    }
    Object.assign(session, seen(answer.view), { toldAt: this.clock.monotonicMs() - this.ageOf(answer.viewAt) });
    return "ok";
  }

  /** How old what an agent told is already: it keeps answers, too. Its clock may be wrong: then it is asked more often, and no more. */
  private ageOf(viewAt: number): number {
    return Math.min(Math.max(0, this.clock.now() - viewAt), refreshMs);
  }

  private caller(key: string, session: Session): Caller {
    return {
      by: "login",
      keyId: `login ${key}`,
      user: session.user,
      scopes: pveScopes(session.sight),
      expiresAt: session.endsAt,
      standing: () => this.standing(key, session),
      ask: (cluster, needs) => this.ask(key, session, cluster, needs),
    };
  }

  /** A stream asks every few seconds: what is old is asked anew meanwhile. */
  private standing(key: string, session: Session): Standing | undefined {
    if (this.live(key) !== session) return undefined;
    const now = this.clock.monotonicMs();
    session.usedAt = now;
    const age = now - session.toldAt;
    if (age > refreshMs) void this.refresh(key, session);
    if (age > assertionTimes.viewMs + assertionTimes.skewMs) return undefined;
    const { user, agent, sight, mark } = session;
    return { viewer: { kind: "pve", user, sights: new Map([[agent.cluster, sight]]) }, mark };
  }

  private async ask(key: string, session: Session, cluster: string, needs: readonly Permission[]): Promise<void> {
    const sight = cluster === session.agent.cluster ? withGranted(session.sight, this.recent(session, needs)) : undefined;
    await checkHeld(sight, needs, async (unknown) => {
      const paths = [...new Set(unknown.map(({ path }) => path))];
      const answer = await this.ports.ask(session.agent, "login.permissions", { session: session.handle, paths });
      if (answer === undefined || answer.state === "unavailable")
        throw new Refusal("agent-offline", "no agent can ask Proxmox VE what you may do: try again in a moment");
      if (answer.state === "ended") {
        this.sessions.delete(key);
        throw ended();
      }
      const at = this.clock.monotonicMs();
      for (const { path, privileges } of answer.permissions) session.granted.set(path, { at, privileges: new Set(privileges) });
      const missing = unknown.find((need) => !this.isRecent(session, need));
      if (missing !== undefined) throw notHeld(missing);
    });
  }

  private recent(session: Session, needs: readonly Permission[]): Permission[] {
    return needs.filter((need) => this.isRecent(session, need));
  }

  private isRecent({ granted }: Session, { path, privilege }: Permission): boolean {
    const known = granted.get(path);
    return known !== undefined && this.clock.monotonicMs() - known.at < assertionTimes.viewMs && known.privileges.has(privilege);
  }
}

const seen = (view: View) => ({
  sight: compileView(view),
  mark: createHash("sha256").update(viewJson(view)).digest("hex"),
});

const ended = () => new Refusal("unauthenticated", "the session has ended: sign in again");
