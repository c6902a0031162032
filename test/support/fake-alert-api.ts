import type { Hono } from "hono";
import type { AlertView, Rule } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { exampleNotification } from "../../hub/core/example-notification.ts";
import { messageOf, plainText } from "../../hub/core/message.ts";
import { checkRule } from "../../hub/core/rule.ts";
import { signalList } from "../../hub/core/signal-list.ts";
import { alertPlaceholders, messagePlaceholders, parseTemplate } from "../../hub/core/template.ts";
import {
  fakeAlerts,
  fakeBacktest,
  fakeDeliveries,
  fakeHistoryOfAlerts,
  fakeNext,
  fakeReceivers,
  fakeRoutes,
  fakeRules,
  fakeSilences,
  fakeWhy,
  fakeWindows,
} from "./fake-alerts.ts";

const page = <T>(items: T[]) => ({ items, next: null });

/** The alerting part of the API on a fake hub. `changed`: alerts to tell on the live streams. Returns the alerts as they are. */
export function fakeAlertApi(
  app: Hono,
  writes: { method: string; path: string; body: unknown }[],
  changed: (alerts: AlertView[]) => void,
) {
  const startedAt = Date.now();
  let alerts = fakeAlerts(startedAt);
  const rules = new Map(fakeRules().map((rule) => [rule.id, rule]));
  app.use("/api/v1/*", async (c, next) => {
    if (c.req.method !== "GET")
      writes.push({ method: c.req.method, path: c.req.path, body: await c.req.json().catch(() => undefined) });
    await next();
  });
  app.get("/api/v1/alerts", (c) => c.json(page(alerts)));
  app.get("/api/v1/alerts/history", (c) => c.json(page(fakeHistoryOfAlerts(startedAt))));
  app.get("/api/v1/alerts/:id/why", (c) => c.json(fakeWhy(c.req.param("id"), startedAt)));
  app.post("/api/v1/alerts/:id/ack", (c) => {
    const acknowledged = { by: "key:fake", at: Date.now(), until: null, note: null };
    alerts = alerts.map((alert) =>
      alert.id === c.req.param("id") ? { ...alert, acknowledged, disposition: "acknowledged" } : alert,
    );
    const mine = alerts.filter(({ id }) => id === c.req.param("id"));
    changed(mine);
    return c.json(mine[0]);
  });
  app.post("/api/v1/alerts/:id/snooze", (c) => c.json({}, 201));
  app.get("/api/v1/rules", (c) => c.json(page([...rules.values()])));
  app.get("/api/v1/rules/signals", (c) => c.json(page(signalList())));
  app.post("/api/v1/rules/validate", async (c) => c.json({ problems: checkRule((await c.req.json()) as Rule) }));
  app.post("/api/v1/rules/backtest", async (c) => {
    const { from, to } = (await c.req.json()) as { from: number; to: number };
    return c.json(fakeBacktest(from, to));
  });
  app.get("/api/v1/rules/:id", (c) => {
    const rule = rules.get(c.req.param("id"));
    return rule === undefined ? c.json({ error: { code: "not-found", message: "there is no such rule" } }, 404) : c.json(rule);
  });
  app.put("/api/v1/rules/:id", async (c) => {
    const rule = (await c.req.json()) as Rule;
    rules.set(rule.id, rule);
    return c.json(rule);
  });
  app.get("/api/v1/silences", (c) => c.json(page(fakeSilences(startedAt))));
  app.post("/api/v1/silences", (c) => c.json(fakeSilences(startedAt)[0], 201));
  app.get("/api/v1/windows", (c) => c.json(page(fakeWindows(startedAt))));
  app.put("/api/v1/windows/:id", (c) => c.json(fakeWindows(startedAt)[1]));
  app.post("/api/v1/windows/:id/extend", (c) => c.json(fakeWindows(startedAt)[1]));
  app.post("/api/v1/windows/:id/end", (c) => c.json(fakeWindows(startedAt)[1]));
  app.post("/api/v1/windows/preview", async (c) => {
    const { recurrence } = (await c.req.json()) as { recurrence: { calendar: string } | null };
    const wrong = recurrence?.calendar.includes("25:00") ?? false;
    const problem = {
      field: "recurrence.calendar",
      problem: "'25:00' is no time",
      remedy: "A Proxmox calendar event: sat 02:00",
    };
    return c.json(wrong ? { problems: [problem], next: [] } : { problems: [], next: fakeNext(startedAt) });
  });
  app.get("/api/v1/routes", (c) => c.json(page(fakeRoutes())));
  app.get("/api/v1/receivers", (c) => c.json(page(fakeReceivers(startedAt))));
  app.post("/api/v1/receivers/:id/test", (c) =>
    c.json({ ok: false, answer: "HTTP 503: try again later", tookMs: 210, delivery: "test-1" }),
  );
  app.get("/api/v1/deliveries", (c) => {
    const { receiver = "", state = "" } = c.req.query();
    const fits = fakeDeliveries(startedAt).filter(
      (one) => (receiver === "" || one.receiver === receiver) && (state === "" || one.state === state),
    );
    return c.json(page(fits));
  });
  app.post("/api/v1/deliveries/:id/replay", (c) => c.json(fakeDeliveries(startedAt).find(({ id }) => id === c.req.param("id"))));
  app.post("/api/v1/templates/preview", async (c) => {
    const { template } = (await c.req.json()) as { template: string };
    const parsed = parseTemplate(template);
    const placeholders = { message: [...messagePlaceholders], alert: [...alertPlaceholders] };
    if (!parsed.ok) return c.json({ text: null, problem: parsed.problem, remedy: parsed.remedy, placeholders });
    const text = plainText(messageOf(exampleNotification(startedAt as EpochMs), "https://hub.lan", template));
    return c.json({ text, problem: null, remedy: null, placeholders });
  });
  return () => alerts;
}
