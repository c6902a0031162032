import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { slugSchema } from "#protocol/alerting.ts";
import { page } from "#protocol/api.ts";
import { epochMs } from "#protocol/api-parts.ts";
import { reportLanguages, reportSchema, restoreReportViewSchema } from "#protocol/report.ts";
import { checkRange } from "../core/asked.ts";
import { recurrenceProblem } from "../core/calendar.ts";
import { Refusal } from "../core/refusal.ts";
import { coverageOf, restoreSummary, summarySheet } from "../core/restore-summary.ts";
import { runEntity } from "../core/run-view.ts";
import { pdfOf } from "../proof/pdf.ts";
import { endedPeriod } from "../proof/report-mail.ts";
import type { RestorePorts } from "../proof/restore.ts";
import { actorOf, body, checkSameId, found, json } from "./documents.ts";
import type { HubApp, HubContext } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { seenBy } from "./seen.ts";

const tags = ["reports"];
const params = z.object({ id: slugSchema });
const time = z.coerce.number().pipe(epochMs);
const period = z.object({ from: time, to: time, lang: z.enum(reportLanguages).default("en") });
type Period = z.output<typeof period>;

const routes = {
  list: createRoute({
    method: "get",
    path: "/api/v1/reports",
    tags,
    summary: "Reports that are mailed",
    responses: { 200: json(page(reportSchema), "Reports"), ...commonErrors },
  }),
  save: createRoute({
    method: "put",
    path: "/api/v1/reports/{id}",
    tags,
    summary: "Creates or changes a report by mail",
    request: { params, body: body(reportSchema) },
    responses: { 200: json(reportSchema, "The report"), ...commonErrors },
  }),
  remove: createRoute({
    method: "delete",
    path: "/api/v1/reports/{id}",
    tags,
    summary: "Removes a report by mail",
    request: { params },
    responses: { 204: { description: "Removed" }, ...commonErrors },
  }),
  restore: createRoute({
    method: "get",
    path: "/api/v1/reports/restore",
    tags,
    summary: "What restore tests of a period showed: the same period always has the same numbers, coverage aside",
    request: { query: period },
    responses: { 200: json(restoreReportViewSchema, "The report, of guests that are seen"), ...commonErrors },
  }),
  pdf: createRoute({
    method: "get",
    path: "/api/v1/reports/restore.pdf",
    tags,
    summary: "The same as PDF",
    request: { query: period },
    responses: {
      200: { description: "PDF", content: { "application/pdf": { schema: z.string().meta({ format: "binary" }) } } },
      ...commonErrors,
    },
  }),
};

/** Reports about restore tests. */
export function reportRoutes(app: HubApp, ports: HttpPorts, restore: RestorePorts): void {
  const { state, clock } = ports;
  const { book } = restore;
  const summary = (c: HubContext, { from, to, lang }: Period) => {
    checkRange({ from, to });
    const seen = seenBy(c, ports);
    const runs = book.newest().filter((run) => seen.entity(run.cluster, runEntity(run)));
    const proofs = seen.pictures().flatMap((picture) => restore.proofs(picture, clock.now()));
    return restoreSummary(runs, { from, to }, lang, coverageOf(proofs));
  };
  app.openapi(routes.restore, (c) => c.json(summary(c, c.req.valid("query")), 200));
  app.openapi(routes.pdf, async (c) => {
    const asked = c.req.valid("query");
    const pdf = await pdfOf(summarySheet(summary(c, asked), asked.lang));
    const headers = { "Content-Type": "application/pdf", "Content-Disposition": 'attachment; filename="restore-proof.pdf"' };
    return c.body(new Uint8Array(pdf), 200, headers);
  });
  app.openapi(routes.list, (c) => c.json({ items: state.list("report").map(({ document }) => document), next: null }, 200));
  app.openapi(routes.save, (c) => {
    const { id } = c.req.valid("param");
    const report = c.req.valid("json");
    checkSameId(id, report.id);
    const problem = recurrenceProblem(report.calendar, report.timezone);
    if (problem !== undefined) throw new Refusal("invalid", problem.problem, { field: problem.field });
    const { receiver } = report;
    if (receiver === null && report.enabled) {
      throw new Refusal("invalid", "It is mailed to nobody: choose a receiver of type email", { field: "receiver" });
    }
    if (receiver !== null && state.get("receiver", receiver)?.type !== "email") {
      throw new Refusal("invalid", `${receiver} is no receiver of type email`, { field: "receiver" });
    }
    const by = actorOf(c, "changed by the API");
    const before = state.get("report", id);
    state.put("report", id, report, by);
    const last = endedPeriod(report, clock.now());
    // One that is new, or was off, begins with its first whole period.
    if (last !== undefined && before?.enabled !== true) state.put("reportSent", id, { until: last.to }, by);
    return c.json(report, 200);
  });
  app.openapi(routes.remove, (c) => {
    const { id } = c.req.valid("param");
    found(state.get("report", id), `report ${id}`);
    state.remove("report", id, actorOf(c, "removed by the API"));
    state.remove("reportSent", id, actorOf(c, "removed by the API"));
    return c.body(null, 204);
  });
}
