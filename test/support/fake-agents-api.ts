import type { Context, Hono } from "hono";

/** What the page of agents asks for: noted. */
export function addAgentsApi(app: Hono, writes: { method: string; path: string; body: unknown }[]): void {
  const note = (c: Context) => writes.push({ method: c.req.method, path: c.req.path, body: undefined });
  app.delete("/api/v1/agents/:cluster/:node", (c) => {
    note(c);
    return c.body(null, 204);
  });
  app.post("/api/v1/agents/:cluster/:node/renew-key", (c) => {
    note(c);
    return c.body(null, 202);
  });
}
