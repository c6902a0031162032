import { createRoute } from "@hono/zod-openapi";
import { setCookie } from "hono/cookie";
import {
  type LoginState,
  loginAnswerRequestSchema,
  loginRequestSchema,
  loginStateSchema,
  signInRealmsSchema,
} from "#protocol/api.ts";
import { Refusal } from "../core/refusal.ts";
import { askingOf } from "./asking.ts";
import { checkOrigin } from "./auth.ts";
import { body, json, noteIfPossible } from "./documents.ts";
import { addressOf, type HubApp, type HubContext } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { type Entered, type PveLogins, pveCookieName } from "./pve-logins.ts";
import { sessionView } from "./session-view.ts";

const tags = ["session"];
const routes = {
  realms: createRoute({
    method: "get",
    path: "/api/v1/session/realms",
    tags,
    summary: "Where one can sign in with a Proxmox VE account",
    security: [],
    responses: { 200: json(signInRealmsSchema, "Clusters and their realms"), ...commonErrors },
  }),
  login: createRoute({
    method: "post",
    path: "/api/v1/session/login",
    tags,
    summary: "Signs in with a Proxmox VE account, which an agent asks its node about: sets the cookie __Host-proven_login",
    security: [],
    request: { body: body(loginRequestSchema) },
    responses: { 200: json(loginStateSchema, "Signed in, or a second factor is wanted"), ...commonErrors },
  }),
  answer: createRoute({
    method: "post",
    path: "/api/v1/session/login/answer",
    tags,
    summary: "The second factor",
    security: [],
    request: { body: body(loginAnswerRequestSchema) },
    responses: { 200: json(loginStateSchema, "Signed in"), ...commonErrors },
  }),
};

/** Before the authenticator: nobody is signed in yet. Nothing of these requests is logged. */
export function loginRoutes(app: HubApp, ports: HttpPorts, logins: PveLogins): void {
  app.openapi(routes.realms, async (c) => {
    const clusters = (await logins.realms()).map(({ realms, ...cluster }) => ({
      ...cluster,
      realms: realms.map(({ comment = null, ...realm }) => ({ ...realm, comment })),
    }));
    return c.json({ clusters }, 200);
  });
  app.openapi(routes.login, async (c) => {
    checkOrigin(askingOf(c));
    const { cluster, user, realm, password } = c.req.valid("json");
    const address = addressOf(c);
    const step = logins.start({ cluster, user, realm, password, address });
    return c.json(welcome(c, ports, await told(ports, address, `${user}@${realm}`, step)), 200);
  });
  app.openapi(routes.answer, async (c) => {
    checkOrigin(askingOf(c));
    const { challenge, kind, code } = c.req.valid("json");
    const address = addressOf(c);
    const step = logins.answer(challenge, kind, code, address);
    return c.json(welcome(c, ports, await told(ports, address, "somebody", step)), 200);
  });
}

/** Writes down who came in, and, once a minute for an address, who was refused. */
async function told(ports: HttpPorts, address: string, user: string, step: Promise<Entered>): Promise<Entered> {
  const { journal } = ports;
  try {
    const entered = await step;
    if (entered.state === "ok") {
      const actor = entered.caller.user;
      journal.emit("login.opened", { user: actor, address }, { actor });
      noteIfPossible(ports, "create", "session", `${actor} from ${address}`, { actor, reason: "signed in with Proxmox VE" });
    }
    return entered;
  } catch (error) {
    const isRefused = error instanceof Refusal && error.code === "unauthenticated";
    if (isRefused) journal.emitRarely(address, "login.refused", { user, address });
    throw error;
  }
}

function welcome(c: HubContext, ports: HttpPorts, entered: Entered): LoginState {
  c.header("Cache-Control", "no-store");
  if (entered.state !== "ok") return { ...entered, kinds: [...entered.kinds] };
  const { user, scopes, expiresAt } = entered.caller;
  const now = ports.clock.now();
  setCookie(c, pveCookieName, entered.cookie, {
    httpOnly: true,
    secure: true,
    sameSite: "Strict",
    path: "/",
    maxAge: Math.floor((expiresAt - now) / 1000),
  });
  const viewer = entered.caller.standing()?.viewer;
  return {
    state: "ok",
    session: viewer === undefined ? { user, scopes: [...scopes], expiresAt } : sessionView(ports, entered.caller, viewer),
  };
}
