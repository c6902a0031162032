import assert from "node:assert/strict";
import { test } from "node:test";
import type * as z from "zod";
import { writes, writtenHub } from "../../support/api-writes.ts";

type Documented = Record<string, { content?: Record<string, { schema?: z.ZodType }> }>;

/** Reads whose address or question takes more than the document says: what they ask for. */
const asked: Record<string, string> = {
  "/api/v1/nodes/{node}": "nodes/pve1",
  "/api/v1/nodes/{node}/metrics": "nodes/pve1/metrics",
  "/api/v1/nodes/{node}/hardware": "nodes/pve1/hardware",
  "/api/v1/nodes/{node}/recovery": "nodes/pve1/recovery",
  "/api/v1/guests/{vmid}": "guests/100",
  "/api/v1/guests/{vmid}/metrics": "guests/100/metrics",
  "/api/v1/entities": "entities?values=1",
  "/api/v1/entities/outlook": "entities/outlook?entity=node/pve1",
  "/api/v1/alerts/{id}/why": "alerts/{alert}/why",
  "/api/v1/rules/{id}": "rules/hot",
  "/api/v1/receivers/{id}": "receivers/mail",
  "/api/v1/deliveries/{id}": "deliveries/n1",
  "/api/v1/restore-tests/{id}": "restore-tests/{run}",
  "/api/v1/restore-tests/{id}/evidence.json": "restore-tests/{run}/evidence.json",
  "/api/v1/reports/restore": "reports/restore?from=0&to=1000",
  "/api/v1/policies/{id}/plan": "policies/{policy}/plan",
  "/api/v1/policies/{id}/nights": "policies/{policy}/nights",
};
/** Nothing on this hub fills these: only the page is held. */
const empty = new Set(
  ["tasks", "alerts/history", "backups", "entities/outlook", "policies/{id}/nights"].map((path) => `/api/v1/${path}`),
);

test("every answer is what the API's document says of it, with nothing beside it", async (t) => {
  const { hub, app, send, named, agent } = await writtenHub(t);
  const routes = new Map<string, Documented>();
  for (const definition of app.openAPIRegistry.definitions) {
    if (definition.type !== "route") continue;
    const { method, path, responses } = definition.route;
    routes.set(`${method.toUpperCase()} ${path}`, responses as Documented);
  }
  const hold = (operation: string, status: number, text: string) => {
    const documented = routes.get(operation)?.[status];
    assert.ok(documented, `${operation} answers ${status}, of which the document says nothing`);
    const schema = documented.content?.["application/json"]?.schema;
    if (schema === undefined) return;
    const answer: unknown = JSON.parse(text);
    const parsed = schema.safeParse(answer);
    assert.ok(parsed.success, `${operation} ${status}: ${parsed.error?.message}\n${text.slice(0, 2000)}`);
    assert.deepEqual(answer, parsed.data, `${operation} ${status} tells more than the document says`);
  };
  const reads = [...routes].flatMap(([operation, responses]) => {
    const [method, path = ""] = operation.split(" ");
    const isJson = responses[200]?.content?.["application/json"] !== undefined;
    return method === "GET" && isJson ? [path] : [];
  });
  const headers = { Authorization: `Bearer ${named.get("secret")}` };
  const names = () => {
    const [alert] = hub.alerting.views();
    const [policy] = hub.state.list("policy");
    return new Map([...named, ["alert", encodeURIComponent(alert?.id ?? "none")], ["policy", policy?.id ?? "none"]]);
  };
  const unanswered = new Set(reads);
  const read = async () => {
    const known = names();
    for (const path of unanswered) {
      const fitting = (asked[path] ?? path.slice("/api/v1/".length)).replace(
        /\{([a-z]+)\}/g,
        (all, name) => known.get(name) ?? all,
      );
      const response = await app.request(`https://hub.lan/api/v1/${fitting}`, { headers });
      const text = await response.text();
      hold(`GET ${path}`, response.status, text);
      const { items } = JSON.parse(text) as { items?: unknown[] };
      if (response.status === 200 && (items?.length !== 0 || empty.has(path))) unanswered.delete(path);
    }
  };
  await read();
  for (const write of writes) {
    const { status, text } = await send(write);
    hold(write.operation, status, text);
    // Between the order of a test and its end, which the next rows bring.
    if (write.operation !== "POST /api/v1/restore-tests") continue;
    await read();
    const run = hub.restore.book.get(named.get("run") ?? "");
    assert.ok(run);
    const sent = { ...run, state: "sent" as const, node: agent.node, sentAt: hub.clock.now() };
    hub.restore.book.save(sent, { actor: "hub", reason: "given to pve1" });
  }
  assert.deepEqual([...unanswered], []);
});
