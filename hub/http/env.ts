import type { HttpBindings } from "@hono/node-server";
import type { OpenAPIHono } from "@hono/zod-openapi";
import type { Context } from "hono";
import type { Scope } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";

/** Who asks. `by`: how it was shown, since cookies are sent by browsers unasked and keys are not. */
export type Caller = { by: "key" | "cookie"; keyId: string; user: string; scopes: readonly Scope[]; expiresAt: EpochMs };

export type HubEnv = { Variables: { caller: Caller }; Bindings: Partial<HttpBindings> };
export type HubApp = OpenAPIHono<HubEnv>;
export type HubContext = Context<HubEnv>;

/** The peer of the connection. Headers that claim another are not believed. */
export function addressOf(c: HubContext): string {
  return c.env?.incoming?.socket.remoteAddress ?? "unknown";
}
