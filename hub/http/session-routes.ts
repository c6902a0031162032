import { randomBytes } from "node:crypto";
import { createRoute } from "@hono/zod-openapi";
import { deleteCookie, getCookie, setCookie } from "hono/cookie";
import * as z from "zod";
import { sessionSchema } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { everything } from "../core/viewer.ts";
import { hashSecret } from "../secret-text.ts";
import { askingOf } from "./asking.ts";
import { type Authenticator, checkOrigin, cookieName } from "./auth.ts";
import { noteIfPossible } from "./documents.ts";
import { addressOf, type HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { type PveLogins, pveCookieName } from "./pve-logins.ts";
import { sessionView } from "./session-view.ts";

const sessionMs = 12 * 3_600_000;

const tags = ["session"];
const answered = { description: "The session", content: { "application/json": { schema: sessionSchema } } };
const routes = {
  open: createRoute({
    method: "post",
    path: "/api/v1/session",
    tags,
    summary: "Signs a browser in with an API key: sets the cookie __Host-proven_session",
    security: [],
    request: {
      body: { required: true, content: { "application/json": { schema: z.strictObject({ key: z.string().max(200) }) } } },
    },
    responses: { 200: answered, ...commonErrors },
  }),
  show: createRoute({
    method: "get",
    path: "/api/v1/session",
    tags,
    summary: "Who is signed in",
    responses: { 200: answered, ...commonErrors },
  }),
  close: createRoute({
    method: "delete",
    path: "/api/v1/session",
    tags,
    summary: "Signs out",
    responses: { 204: { description: "Signed out" }, ...commonErrors },
  }),
};

/** The one route without a key: it takes one. To be registered before the authenticator. */
export function openSessionRoute(app: HubApp, ports: HttpPorts, authenticator: Authenticator): void {
  const { state, clock } = ports;
  app.openapi(routes.open, (c) => {
    checkOrigin(askingOf(c));
    const key = authenticator.checkKey(c.req.valid("json").key, addressOf(c));
    const now = clock.now();
    const expiresAt = Math.min(now + sessionMs, key.expiresAt) as EpochMs;
    const cookie = randomBytes(32).toString("hex");
    state.put(
      "session",
      hashSecret(cookie),
      { keyId: key.id, createdAt: now, expiresAt },
      { actor: key.name, reason: "signed in" },
    );
    state.note("create", "session", `${key.name} from ${addressOf(c)}`, { actor: key.name, reason: "signed in with an API key" });
    setCookie(c, cookieName, cookie, {
      httpOnly: true,
      secure: true,
      sameSite: "Strict",
      path: "/",
      maxAge: Math.floor((expiresAt - now) / 1000),
    });
    c.header("Cache-Control", "no-store");
    return c.json(sessionView(ports, { user: key.name, scopes: key.scopes, expiresAt }, everything), 200);
  });
}

export function sessionRoutes(app: HubApp, ports: HttpPorts, logins: PveLogins | undefined): void {
  app.openapi(routes.show, (c) => {
    c.header("Cache-Control", "no-store");
    return c.json(sessionView(ports, c.get("caller"), c.get("viewer")), 200);
  });
  app.openapi(routes.close, (c) => {
    const cookie = getCookie(c, cookieName);
    const { user } = c.get("caller");
    noteIfPossible(ports, "delete", "session", `${user} from ${addressOf(c)}`, { actor: user, reason: "signed out" });
    if (cookie !== undefined) ports.state.remove("session", hashSecret(cookie), { actor: user, reason: "signed out" });
    deleteCookie(c, cookieName, { path: "/", secure: true });
    const login = getCookie(c, pveCookieName);
    if (login !== undefined) logins?.end(login);
    deleteCookie(c, pveCookieName, { path: "/", secure: true });
    return c.body(null, 204);
  });
}
