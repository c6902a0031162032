import type { MiddlewareHandler } from "hono";
import { parse as parseCookies } from "hono/utils/cookie";
import type { Scope } from "#protocol/api.ts";
import { placeOfPeer } from "../core/connections.ts";

import { isDiskFault } from "../core/error.ts";
import { type ApiKey, allows, keyProblem, parseApiKey, parseBearer } from "../core/keys.ts";
import {
  BoundedMap,
  type Bucket,
  type Failures,
  lockedForMs,
  loginLock,
  requestRate,
  stepFailures,
  takeToken,
} from "../core/limits.ts";
import { Refusal } from "../core/refusal.ts";
import { everything, type Viewer } from "../core/viewer.ts";
import { sessionsEndedAt } from "../keys.ts";
import { hashSecret, sameSecret } from "../secret-text.ts";
import { type Asking, askingOf } from "./asking.ts";
import type { Caller, HubEnv, Standing } from "./env.ts";
import { Gateways } from "./gateway.ts";
import type { HttpPorts } from "./ports.ts";
import { type PveLogins, pveCookieName } from "./pve-logins.ts";

/** With this prefix browsers take it from this very host only, so that no neighbour in its domain can put another in its place (RFC 6265bis). */
export const cookieName = "__Host-proven_session";
const csrfHeader = "X-Proven";
/** The key's last use is written at most so often. */
const useEveryMs = 3_600_000;
const rememberedMax = 10_000;
/** Compared with when the id is unknown, so that this takes as long as a wrong secret. */
const nobodysHash = "0".repeat(64);

/** POSTs that only read: their question is too long for an address. */
const readingPosts: ReadonlySet<string> = new Set(
  [
    "series/query",
    "series/top",
    "series/group",
    "session",
    "session/login",
    "session/login/answer",
    "rules/validate",
    "rules/backtest",
    "windows/preview",
    "policies/preview",
    "templates/preview",
  ].map((name) => `/api/v1/${name}`),
);

/** Which scope a request needs: reading is `read`, also by POST; keys are `admin`, what Proxmox VE hands in is `ingest`; all else that writes is `write`. */
function neededScope(method: string, path: string): Scope {
  if (/^\/api\/v1\/(keys|agents)(\/|$)/.test(path)) return "admin";
  if (path.startsWith("/api/v1/ingest/")) return "ingest";
  // How the panel is arranged changes nothing that is watched.
  if (method === "GET" || method === "HEAD" || readingPosts.has(path) || path === "/api/v1/layout") return "read";
  return "write";
}

/** The one place where a request's sender is established. */
export class Authenticator {
  private readonly failures = new BoundedMap<string, Failures>(rememberedMax);
  /** When each key's last use was written. */
  private readonly noted = new BoundedMap<string, number>(rememberedMax);
  private readonly buckets = new BoundedMap<string, Bucket>(rememberedMax);

  readonly gateways: Gateways;

  constructor(
    private readonly ports: Pick<HttpPorts, "state" | "clock" | "journal">,
    private readonly logins?: PveLogins,
  ) {
    this.gateways = new Gateways(ports);
  }

  /** Sets `caller` and `viewer`, or throws the Refusal. */
  readonly middleware: MiddlewareHandler<HubEnv> = async (c, next) => {
    const { caller, viewer } = await this.admit(askingOf(c));
    c.set("caller", caller);
    c.set("viewer", viewer);
    await next();
  };

  /** Who asks, and what he sees. What a Proxmox VE user may do is for refuseAccess() to say. @throws Refusal */
  async admit(asking: Asking): Promise<{ caller: Caller; viewer: Viewer }> {
    const caller = (await this.gateways.identify(asking)) ?? (await this.signedIn(asking)) ?? this.identify(asking);
    if (caller.by === "cookie" || caller.by === "login") checkSameOrigin(asking);
    this.takeTurn(caller);
    const scope = neededScope(asking.method, asking.path);
    if (isKey(caller) && !allows(caller.scopes, scope))
      throw new Refusal("forbidden", `this needs the scope ${scope}: use a key that has it`);
    return { caller, viewer: viewerOf(caller) };
  }

  /** Who signed in with a Proxmox VE account; undefined: nobody of these. A key that is sent counts before any cookie. */
  private async signedIn(asking: Asking): Promise<Caller | undefined> {
    const cookie = cookieOf(asking, pveCookieName);
    if (cookie === undefined || asking.header("Authorization") !== undefined) return undefined;
    return this.logins?.callerOf(cookie);
  }

  /** The stored key that fits, or the refusal; wrong ones count against the address. */
  checkKey(text: string, address: string): ApiKey {
    this.refuseLocked(address);
    const parsed = parseApiKey(text);
    const key = parsed === undefined ? undefined : this.ports.state.get("apiKey", parsed.id);
    const fits = sameSecret(Buffer.from(hashSecret(parsed?.secret ?? text)), Buffer.from(key?.secretHash ?? nobodysHash));
    if (key === undefined || !fits) {
      this.countFailure(address);
      throw new Refusal("unauthenticated", "the API key is wrong");
    }
    const problem = keyProblem(key, this.ports.clock.now());
    if (problem !== undefined) throw new Refusal("unauthenticated", `the API key is ${problem}`);
    return key;
  }

  private identify(asking: Asking): Caller {
    const bearer = parseBearer(asking.header("Authorization"));
    if (bearer !== undefined) {
      const key = this.checkKey(bearer, asking.address);
      this.noteUse(key.id);
      return this.keyCaller(key, "key");
    }
    const cookie = cookieOf(asking, cookieName);
    if (cookie === undefined) {
      throw new Refusal("unauthenticated", "send an API key as Authorization: Bearer, or sign in with POST /api/v1/session");
    }
    return this.checkCookie(cookie);
  }

  private checkCookie(cookie: string): Caller {
    const { state, clock } = this.ports;
    const session = state.get("session", hashSecret(cookie));
    const key = session === undefined ? undefined : state.get("apiKey", session.keyId);
    const ended =
      session === undefined ||
      key === undefined ||
      clock.now() >= session.expiresAt ||
      session.createdAt <= sessionsEndedAt(state) ||
      keyProblem(key, clock.now()) !== undefined;
    if (ended) throw sessionEnded();
    return this.keyCaller({ ...key, expiresAt: session.expiresAt }, "cookie");
  }

  private keyCaller({ id, name, scopes, expiresAt }: ApiKey, by: "key" | "cookie"): Caller {
    return { by, keyId: id, user: name, scopes, expiresAt, standing: () => this.keyStanding(id, expiresAt), ask: async () => {} };
  }

  /** Until the key or its session is over, or it is revoked. */
  private keyStanding(id: string, expiresAt: number): Standing | undefined {
    const now = this.ports.clock.now();
    const key = this.ports.state.get("apiKey", id);
    const good = now < expiresAt && key !== undefined && keyProblem(key, now) === undefined;
    return good ? keysStanding : undefined;
  }

  private takeTurn({ keyId }: Caller): void {
    const { bucket, waitMs } = takeToken(this.buckets.get(keyId), requestRate, this.ports.clock.monotonicMs());
    this.buckets.set(keyId, bucket);
    if (waitMs === 0) return;
    throw new Refusal("rate-limited", "too many requests with this key", { retryAfterSec: Math.ceil(waitMs / 1000) });
  }

  private refuseLocked(address: string): void {
    if (this.failures.size === 0) return;
    const waitMs = lockedForMs(this.failures.get(placeOfPeer(address)), this.ports.clock.monotonicMs());
    if (waitMs === 0) return;
    throw new Refusal("rate-limited", "too many wrong API keys from this address", { retryAfterSec: Math.ceil(waitMs / 1000) });
  }

  private countFailure(address: string): void {
    const place = placeOfPeer(address);
    const failures = stepFailures(this.failures.get(place), loginLock, this.ports.clock.monotonicMs());
    this.failures.set(place, failures);
    const type = failures.lockedUntil > 0 ? "login.locked" : "login.failed";
    this.ports.journal.emitRarely(address, type, { address });
  }

  private noteUse(id: string): void {
    const now = this.ports.clock.now();
    const last = this.noted.get(id) ?? this.ports.state.get("keyUse", id)?.at;
    if (last !== undefined) this.noted.set(id, last);
    if (last !== undefined && now - last < useEveryMs) return;
    this.noted.set(id, now);
    try {
      this.ports.state.put("keyUse", id, { at: now }, { actor: "hub", reason: "used" });
    } catch (error) {
      if (!isDiskFault(error)) throw error; // a full disk keeps nobody from looking
    }
  }
}

function cookieOf(asking: Asking, name: string): string | undefined {
  const cookies = asking.header("Cookie");
  return cookies === undefined ? undefined : parseCookies(cookies, name)[name];
}

const isKey = ({ by }: Caller) => by === "key" || by === "cookie";

/** A key was looked up just now; what a user sees may have become too old. @throws Refusal */
function viewerOf(caller: Caller): Viewer {
  const standing = isKey(caller) ? keysStanding : caller.standing();
  if (standing === undefined) throw sessionEnded();
  return standing.viewer;
}

const keysStanding: Standing = { viewer: everything, mark: "everything" };

const sessionEnded = () => new Refusal("unauthenticated", "the session has ended: sign in again");

/**
 * A browser sends cookies with whatever page asks. SameSite=Strict holds most of it; another port of this host is the same site though, so
 * the Origin must be ours, and a write must carry a header that a foreign page can't set without asking first.
 */
function checkSameOrigin(asking: Asking): void {
  checkOrigin(asking);
  const reads = asking.method === "GET" || asking.method === "HEAD";
  if (!reads && asking.header(csrfHeader) !== "1")
    throw new Refusal("forbidden", `requests by cookie that write need the header ${csrfHeader}: 1`);
}

/** Also for signing in: another page must not sign a browser in to somebody else's session. @throws Refusal */
export function checkOrigin(asking: Asking): void {
  const origin = asking.header("Origin");
  if (origin !== undefined && hostOf(origin) !== asking.host)
    throw new Refusal("forbidden", "the request comes from another origin");
  const site = asking.header("Sec-Fetch-Site");
  if (site !== undefined && site !== "same-origin" && site !== "none")
    throw new Refusal("forbidden", "the request comes from another site");
}

function hostOf(origin: string): string | undefined {
  return URL.canParse(origin) ? new URL(origin).host : undefined;
}
