import { createHash } from "node:crypto";
import type { Hono } from "hono";
import webpush from "web-push";
import type { PushSubscriptionJson } from "#protocol/notifications.ts";
import type { Subscription, VapidKeys } from "../../hub/senders/web-push.ts";

export type FakePush = {
  vapid: VapidKeys;
  /** Browsers that asked for messages. */
  subscriptions(): Subscription[];
  /** Tokens of links in messages whose button was pressed. */
  acted: string[];
};

/** The hub's part of web push, and what the links in its messages lead to. The latter stand outside the API: nobody has to be signed in. */
export function addPushApi(app: Hono): FakePush {
  const kept = new Map<string, Subscription>();
  const vapid = webpush.generateVAPIDKeys();
  const acted: string[] = [];
  app.get("/api/v1/push/key", (c) => c.json({ publicKey: vapid.publicKey }));
  app.post("/api/v1/push/subscriptions", async (c) => {
    const subscription = (await c.req.json()) as PushSubscriptionJson;
    const id = createHash("sha256").update(subscription.endpoint).digest("hex");
    kept.set(id, { id, subscription });
    return c.json({ id }, 201);
  });
  app.delete("/api/v1/push/subscriptions/:id", (c) => c.body(null, kept.delete(c.req.param("id")) ? 204 : 404));
  app.post("/act/:token", (c) => {
    acted.push(c.req.param("token"));
    return c.json({ heading: "Acknowledged", lines: [] });
  });
  return { vapid, subscriptions: () => [...kept.values()], acted };
}
