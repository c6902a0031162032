import { OpenAPIHono } from "@hono/zod-openapi";
import { etag } from "hono/etag";
import { softwareVersion } from "#protocol/version.ts";
import { Refusal } from "../core/refusal.ts";
import { accessControl } from "./access.ts";
import { actionRoutes } from "./action-routes.ts";
import { agentRoutes } from "./agent-routes.ts";
import { alertRoutes } from "./alert-routes.ts";
import { auditRoutes } from "./audit-routes.ts";
import { Authenticator, cookieName } from "./auth.ts";
import { backupRoutes } from "./backup-routes.ts";
import { limitBody } from "./body-limit.ts";
import { classQuestions, classSeriesRoutes } from "./class-series-routes.ts";
import { deliveryRoutes } from "./delivery-routes.ts";
import { entityRoutes } from "./entity-routes.ts";
import type { HubApp, HubEnv } from "./env.ts";
import { answerRefusal, errorHandler, validationHook } from "./errors.ts";
import { gatewayRoutes } from "./gateway-routes.ts";
import { healthRoutes } from "./health-routes.ts";
import { historyRoutes } from "./history-routes.ts";
import { ingestRoutes } from "./ingest-routes.ts";
import { inventoryRoutes } from "./inventory-routes.ts";
import { keyRoutes } from "./key-routes.ts";
import { loginRoutes } from "./login-routes.ts";
import { metricsRoute } from "./metrics.ts";
import { overviewRoutes } from "./overview-routes.ts";
import { panelRoutes } from "./panel.ts";
import { policyRoutes } from "./policy-routes.ts";
import type { HttpPorts } from "./ports.ts";
import { PveLogins, pveCookieName } from "./pve-logins.ts";
import { QuestionDoor } from "./question-door.ts";
import { receiverRoutes } from "./receiver-routes.ts";
import { recoveryRoutes } from "./recovery-routes.ts";
import { reportRoutes } from "./report-routes.ts";
import { restoreRoutes } from "./restore-routes.ts";
import { routeRoutes } from "./route-routes.ts";
import { ruleRoutes } from "./rule-routes.ts";
import { securityHeaders } from "./security.ts";
import { seriesQuestion, seriesRoutes } from "./series-routes.ts";
import { openSessionRoute, sessionRoutes } from "./session-routes.ts";
import { silenceRoutes } from "./silence-routes.ts";
import { streamRoutes } from "./stream.ts";
import { verificationRoutes } from "./verification-routes.ts";
import { windowRoutes } from "./window-routes.ts";

const bodyMax = 1 << 20;
const lists = ["nodes", "guests", "storages", "tasks", "events", "keys"];
const alertLists = ["alerts", "alerts/history", "rules", "rules/signals", "silences", "windows", "routes", "receivers"];
const listPaths = [...lists, ...alertLists].map((name) => `/api/v1/${name}`);

export const createApp = (ports: HttpPorts): HubApp => openHttp(ports).app;

/** The hub's HTTP side. Everything under /api/v1 but the sign-in stands behind the one authenticator; `door` is to be asked before `app`. */
export function openHttp(ports: HttpPorts): { app: HubApp; door: QuestionDoor } {
  const app: HubApp = new OpenAPIHono<HubEnv>({ defaultHook: validationHook });
  const logins = ports.logins === undefined ? undefined : new PveLogins(ports.logins, ports.clock);
  const authenticator = new Authenticator(ports, logins);
  app.onError(errorHandler(ports.log));
  app.notFound((c) => answerRefusal(c, new Refusal("not-found", `there is nothing at ${c.req.path}`)));
  app.use(securityHeaders);
  app.use("/api/*", limitBody(bodyMax));
  openSessionRoute(app, ports, authenticator);
  if (logins !== undefined) loginRoutes(app, ports, logins);
  gatewayRoutes(app, authenticator.gateways);
  app.use("/api/*", authenticator.middleware);
  const access = accessControl(ports);
  app.use("/api/*", access);
  for (const path of listPaths) app.get(path, etag());
  healthRoutes(app, ports);
  inventoryRoutes(app, ports);
  entityRoutes(app, ports);
  seriesRoutes(app, ports);
  classSeriesRoutes(app, ports);
  historyRoutes(app, ports);
  overviewRoutes(app, ports, ports.backups);
  if (ports.ingest !== undefined) ingestRoutes(app, ports.ingest);
  streamRoutes(app, ports);
  alertingRoutes(app, ports);
  if (ports.delivery !== undefined) {
    receiverRoutes(app, ports, ports.delivery);
    deliveryRoutes(app, ports, ports.delivery);
  }
  if (ports.restore !== undefined) {
    restoreRoutes(app, ports, ports.restore);
    verificationRoutes(app, ports, ports.restore);
    backupRoutes(app, ports, ports.restore);
    recoveryRoutes(app, ports, ports.restore);
    policyRoutes(app, ports, ports.restore);
    reportRoutes(app, ports, ports.restore);
  }
  if (ports.audit !== undefined) auditRoutes(app, ports, ports.audit);
  keyRoutes(app, ports);
  agentRoutes(app, ports);
  sessionRoutes(app, ports, logins);
  describeApi(app);
  metricsRoute(app, ports, { middleware: (c, next) => authenticator.middleware(c, async () => void (await access(c, next))) });
  if (ports.delivery !== undefined && ports.alerting !== undefined) {
    actionRoutes(app, { ...ports, delivery: ports.delivery, alerting: ports.alerting });
  }
  app.all("/api/*", (c) => c.notFound());
  panelRoutes(app, ports.panelDir);
  return { app, door: new QuestionDoor(ports, authenticator, [seriesQuestion, ...classQuestions], bodyMax) };
}

/** Where the hub judges rules. */
function alertingRoutes(app: HubApp, ports: HttpPorts): void {
  const { alerting } = ports;
  if (alerting === undefined) return;
  for (const routes of [alertRoutes, ruleRoutes, silenceRoutes, windowRoutes, routeRoutes]) routes(app, ports, alerting);
}

function describeApi(app: HubApp): void {
  app.openAPIRegistry.registerComponent("securitySchemes", "key", {
    type: "http",
    scheme: "bearer",
    description: "An API key, `pvn_<id>_<secret>`",
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "session", { type: "apiKey", in: "cookie", name: cookieName });
  app.openAPIRegistry.registerComponent("securitySchemes", "login", { type: "apiKey", in: "cookie", name: pveCookieName });
  app.doc31("/api/v1/openapi.json", {
    openapi: "3.1.0",
    info: {
      title: "Proven",
      version: softwareVersion,
      description:
        "Times are ms since the Unix epoch, UTC; sizes are bytes; cpu is a fraction. Requests by cookie that write need the header `X-Proven: 1`. What can't be written because the hub's disk is full is answered with 507 and the code `disk-full`: nothing was changed.",
    },
    security: [{ key: [] }, { session: [] }, { login: [] }],
  });
}
