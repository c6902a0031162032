import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { type ApiKeyView, apiKeySchema, createdApiKeySchema, newApiKeySchema, page } from "#protocol/api.ts";
import type { ApiKey } from "../core/keys.ts";
import { Refusal } from "../core/refusal.ts";
import { createKey, listKeys, revokeKey } from "../keys.ts";
import type { HubApp } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";

const tags = ["keys"];
const routes = {
  list: createRoute({
    method: "get",
    path: "/api/v1/keys",
    tags,
    summary: "API keys, without their secrets",
    responses: {
      200: { description: "Keys, oldest first", content: { "application/json": { schema: page(apiKeySchema) } } },
      ...commonErrors,
    },
  }),
  create: createRoute({
    method: "post",
    path: "/api/v1/keys",
    tags,
    summary: "Makes a key; this answer is the only one that shows it",
    request: { body: { required: true, content: { "application/json": { schema: newApiKeySchema } } } },
    responses: {
      201: { description: "The key", content: { "application/json": { schema: createdApiKeySchema } } },
      ...commonErrors,
    },
  }),
  revoke: createRoute({
    method: "delete",
    path: "/api/v1/keys/{id}",
    tags,
    summary: "Revokes a key at once, with the sessions made from it",
    request: { params: z.object({ id: z.string().max(64) }) },
    responses: { 204: { description: "Revoked" }, ...commonErrors },
  }),
};

const viewOf = ({ id, name, scopes, createdAt, expiresAt }: ApiKey, lastUsedAt: number | null): ApiKeyView => ({
  id,
  name,
  scopes: [...scopes],
  createdAt,
  expiresAt,
  lastUsedAt,
});

export function keyRoutes(app: HubApp, { state, clock, journal }: HttpPorts): void {
  app.openapi(routes.list, (c) => c.json({ items: listKeys(state).map((key) => viewOf(key, key.lastUsedAt)), next: null }, 200));
  app.openapi(routes.create, (c) => {
    const { user } = c.get("caller");
    const wanted = c.req.valid("json");
    const { stored, key } = createKey(state, wanted, { actor: user, reason: "created by the API" }, clock.now());
    journal.emit("key.created", { name: stored.name, scopes: stored.scopes.join(", ") }, { actor: user });
    c.header("Cache-Control", "no-store");
    return c.json({ ...viewOf(stored, null), key }, 201);
  });
  app.openapi(routes.revoke, (c) => {
    const { id } = c.req.valid("param");
    const { user } = c.get("caller");
    const key = state.get("apiKey", id);
    if (key === undefined || !revokeKey(state, id, { actor: user, reason: "revoked by the API" }, clock.now())) {
      throw new Refusal("not-found", `there is no key ${id}`);
    }
    journal.emit("key.revoked", { name: key.name }, { actor: user });
    return c.body(null, 204);
  });
}
