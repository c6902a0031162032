import { isDeepStrictEqual } from "node:util";
import { createRoute } from "@hono/zod-openapi";
import * as z from "zod";
import { page } from "#protocol/api.ts";
import type { EpochMs, NodeName } from "#protocol/ids.ts";
import { type Operation, operationSchema } from "#protocol/operations.ts";
import {
  keepRunSchema,
  runDetailSchema,
  runKindSchema,
  runOutcomes,
  runStates,
  runViewSchema,
  type StartRun,
  startRunSchema,
} from "#protocol/proof.ts";
import type { RestoreCheck } from "#protocol/restore.ts";
import type { Permission } from "#protocol/viewer.ts";
import { askedNode } from "../core/asked.ts";
import { evidenceSheet, type Screenshot } from "../core/evidence-sheet.ts";
import { guestName, type OwnedGuest, ownedGuest } from "../core/inventory.ts";
import { Refusal } from "../core/refusal.ts";
import { backupOf } from "../core/run.ts";
import { refuseManyRuns } from "../core/run-limit.ts";
import type { Run } from "../core/run-record.ts";
import { runEntity } from "../core/run-view.ts";
import { volidGuest } from "../core/volid.ts";
import { pdfOf } from "../proof/pdf.ts";
import { pngProblem } from "../proof/png.ts";
import type { RestorePorts } from "../proof/restore.ts";
import { pictureWith } from "./clusters.ts";
import { body, found, json } from "./documents.ts";
import type { HubApp, HubContext } from "./env.ts";
import { commonErrors } from "./errors.ts";
import type { HttpPorts } from "./ports.ts";
import { seenBy } from "./seen.ts";

const tags = ["restore tests"];
const params = z.object({ id: z.uuid() });
const binary = (type: string, description: string) => ({
  description,
  content: { [type]: { schema: z.string().meta({ format: "binary" }) } },
});

const routes = {
  list: createRoute({
    method: "get",
    path: "/api/v1/restore-tests",
    tags,
    summary: "Restore tests and other operations on backups, the newest first",
    request: {
      query: z.object({
        cluster: z.string().optional(),
        guest: z.coerce.number().int().optional().describe("About this vmid"),
        kind: runKindSchema.optional(),
        state: z.enum(runStates).optional(),
        outcome: z.enum(runOutcomes).optional(),
        policy: z.string().optional(),
        since: z.coerce.number().int().nonnegative().optional().describe("None ordered before, ms since the Unix epoch"),
        limit: z.coerce.number().int().min(1).max(1000).default(100),
        cursor: z.coerce.number().int().nonnegative().optional().describe("`next` of the page before"),
      }),
    },
    responses: { 200: json(page(runViewSchema), "One page; `next` null: the last"), ...commonErrors },
  }),
  start: createRoute({
    method: "post",
    path: "/api/v1/restore-tests",
    tags,
    summary: "Tests a backup, checks its bytes, or plans a test without making it",
    description:
      "Takes what Proxmox VE asks for a restore into an existing guest: VM.Backup on the guest and Datastore.AllocateSpace on the storages. VM.Allocate is not asked: the test guest gets a number that the node's administrator set aside, and is gone afterwards. Checks of the kinds ssh and script, others than policies define for the guest, and a shared sandbox take Sys.Modify on /.",
    request: { body: body(startRunSchema) },
    responses: { 201: json(runDetailSchema, "Ordered: it begins when a node can"), ...commonErrors },
  }),
  one: createRoute({
    method: "get",
    path: "/api/v1/restore-tests/{id}",
    tags,
    summary: "One run with its steps, checks and figures",
    request: { params },
    responses: { 200: json(runDetailSchema, "The run"), ...commonErrors },
  }),
  cancel: createRoute({
    method: "delete",
    path: "/api/v1/restore-tests/{id}",
    tags,
    summary: "Cancels a run; the node clears away what it made. The record stays",
    request: { params },
    responses: { 200: json(runDetailSchema, "The run; it may take a while to end"), ...commonErrors },
  }),
  keep: createRoute({
    method: "post",
    path: "/api/v1/restore-tests/{id}/keep",
    tags,
    summary: "Keeps the test guest for so long from now, as far as its node allows",
    request: { params, body: body(keepRunSchema) },
    responses: { 200: json(runDetailSchema, "The run"), ...commonErrors },
  }),
  evidence: createRoute({
    method: "get",
    path: "/api/v1/restore-tests/{id}/evidence.json",
    tags,
    summary: "Everything that is stored about a run, with its entries in the audit log",
    request: { params },
    responses: { 200: json(z.record(z.string(), z.unknown()), "Run, evidence, audit entries"), ...commonErrors },
  }),
  pdf: createRoute({
    method: "get",
    path: "/api/v1/restore-tests/{id}/evidence.pdf",
    tags,
    summary: "A run as a document to file; with a screenshot it takes VM.Console on the guest",
    request: { params },
    responses: { 200: binary("application/pdf", "PDF"), ...commonErrors },
  }),
  screenshot: createRoute({
    method: "get",
    path: "/api/v1/restore-tests/{id}/screenshot",
    tags,
    summary: "The test guest's screen; takes VM.Console on the guest, as its console in Proxmox VE",
    request: { params },
    responses: { 200: binary("image/png", "PNG"), ...commonErrors },
  }),
};

/** Restore tests: order, watch, cancel, and what they proved. */
export function restoreRoutes(app: HubApp, ports: HttpPorts, restore: RestorePorts): void {
  const { book, operations } = restore;
  const seenRun = (c: HubContext, id: string): Run => {
    const run = book.get(id);
    const seen = seenBy(c, ports);
    return found(run !== undefined && seen.entity(run.cluster, runEntity(run)) ? run : undefined, `run ${id}`);
  };
  const detailOf = (run: Run) => {
    const warning = restore.backupsMet(run);
    return { ...book.detail(run), ...(warning !== undefined && { warning }) };
  };

  app.openapi(routes.list, (c) => {
    const { limit, cursor, ...filter } = c.req.valid("query");
    const seen = seenBy(c, ports);
    const fitting = book
      .newest()
      .filter(
        (run) =>
          (cursor === undefined || run.createdAt < cursor) && matches(run, filter) && seen.entity(run.cluster, runEntity(run)),
      );
    const items = fitting.slice(0, limit);
    // Those of one millisecond stay together.
    const last = items.at(-1);
    const more = fitting.slice(limit);
    const also = more.filter(({ createdAt }) => createdAt === last?.createdAt);
    const next = more.length > also.length ? (last?.createdAt ?? null) : null;
    return c.json({ items: [...items, ...also].map((run) => book.view(run)), next }, 200);
  });
  app.openapi(routes.start, async (c) => {
    const asked = c.req.valid("json");
    const { picture, owned, operation, backupAt, usual } = orderFrom(c, ports, restore, asked);
    const { cluster } = picture;
    const { facts } = owned;
    const permissions = [...restorePermissions(facts.vmid, backupOf(operation).storage), ...diskPermission(asked)];
    await c.get("caller").ask(cluster, [...permissions, ...sharedPermissions(operation, usual)]);
    refuseManyRuns(book.newest(), { cluster, vmid: facts.vmid }, ports.clock.now());
    const run = operations.start({
      cluster,
      guest: { vmid: facts.vmid, type: facts.type, name: guestName(facts), identity: [...facts.identity] },
      backupAt,
      operation,
      actor: c.get("caller").user,
      reason: asked.reason,
      policy: null,
      expiresAt: (ports.clock.now() + asked.expiresInSec * 1000) as EpochMs,
      nodes: nodesOf(asked),
    });
    return c.json(detailOf(run), 201);
  });
  app.openapi(routes.one, (c) => c.json(detailOf(seenRun(c, c.req.valid("param").id)), 200));
  app.openapi(routes.cancel, async (c) => {
    const run = seenRun(c, c.req.valid("param").id);
    await c.get("caller").ask(run.cluster, actPermissions(run));
    const cancelled = operations.cancel(run.id, c.get("caller").user);
    if (cancelled === undefined) throw new Refusal("conflict", `run ${run.id} has ended: there is nothing to cancel`);
    return c.json(book.detail(cancelled), 200);
  });
  app.openapi(routes.keep, async (c) => {
    const run = seenRun(c, c.req.valid("param").id);
    await c.get("caller").ask(run.cluster, actPermissions(run));
    const untilAt = (ports.clock.now() + c.req.valid("json").sec * 1000) as EpochMs;
    const kept = operations.keep(run.id, untilAt, c.get("caller").user);
    if (kept === undefined)
      throw new Refusal("conflict", `run ${run.id} is no restore test that runs: there is no guest to keep`);
    return c.json(book.detail(kept), 200);
  });
  evidenceRoutes(app, ports, restore, seenRun);
}

function evidenceRoutes(
  app: HubApp,
  { state }: HttpPorts,
  { book }: RestorePorts,
  seenRun: (c: HubContext, id: string) => Run,
): void {
  app.openapi(routes.evidence, (c) => {
    const run = seenRun(c, c.req.valid("param").id);
    const { operation, ...rest } = run;
    const json = {
      run: { ...rest, operation: { ...operation } },
      evidence: { ...book.result(run) },
      audit: state.auditOf("run", run.id),
    };
    return c.json(json, 200, { "Content-Disposition": `attachment; filename="restore-test-${run.id}.json"` });
  });
  app.openapi(routes.pdf, async (c) => {
    const run = seenRun(c, c.req.valid("param").id);
    if (run.screenshotDigest !== null) await c.get("caller").ask(run.cluster, consolePermissions(run));
    const screenshot = run.screenshotDigest === null ? undefined : shownOf(book.screenshot(run));
    const pdf = await pdfOf(evidenceSheet(book.detail(run), state.auditOf("run", run.id), screenshot));
    const headers = {
      "Content-Type": "application/pdf",
      "Content-Disposition": `attachment; filename="restore-test-${run.id}.pdf"`,
    };
    return c.body(new Uint8Array(pdf), 200, headers);
  });
  app.openapi(routes.screenshot, async (c) => {
    const run = seenRun(c, c.req.valid("param").id);
    await c.get("caller").ask(run.cluster, consolePermissions(run));
    const png = found(book.screenshot(run), `screenshot of run ${run.id}`);
    return c.body(new Uint8Array(png), 200, { "Content-Type": "image/png", "Cache-Control": "private, max-age=3600" });
  });
}

/** What of a screenshot goes into a document. `png` undefined: what is stored isn't what was taken. */
function shownOf(png: Buffer | undefined): Screenshot {
  if (png === undefined) return { problem: "it was changed since it was taken" };
  const problem = pngProblem(png);
  return problem === undefined ? { png: png.toString("base64") } : { problem };
}

type Filter = { [K in "cluster" | "kind" | "state" | "outcome" | "policy"]?: string | undefined } & {
  guest?: number | undefined;
  since?: number | undefined;
};

function matches(run: Run, { guest, since, ...words }: Filter): boolean {
  if (guest !== undefined && run.guest?.vmid !== guest) return false;
  if (since !== undefined && run.createdAt < since) return false;
  return Object.entries(words).every(([name, wanted]) => wanted === undefined || run[name as keyof typeof words] === wanted);
}

/**
 * What Proxmox VE asks of who reads a guest's backup: `check_volume_access` in pve-storage `PVE/Storage.pm`, and the `permissions` of
 * `POST /nodes/{node}/qemu` for a restore over an existing guest.
 */
const restorePermissions = (vmid: number, storage: string): Permission[] => [
  { path: `/vms/${vmid}`, privilege: "VM.Backup" },
  { path: `/storage/${storage}`, privilege: "Datastore.AllocateSpace" },
];
const diskPermission = ({ storage }: StartRun): Permission[] =>
  storage === undefined ? [] : [{ path: `/storage/${storage}`, privilege: "Datastore.AllocateSpace" }];
/**
 * Secrets and scripts of a node, and a network that several test guests share, are its administrators' to give: whoever has one guest could have another's
 * password shown to a server of his own, or his copy reach another's. The checks that policies define for the guest were given already.
 */
function sharedPermissions(operation: Operation, usual: readonly RestoreCheck[]): Permission[] {
  if (operation.kind !== "restore-test" && operation.kind !== "restore-plan") return [];
  const { checks, sandbox } = operation.params;
  const usesNode = (check: RestoreCheck) => check.kind === "ssh" || check.kind === "script";
  const isGiven = (check: RestoreCheck) => usual.some((one) => isDeepStrictEqual(one, check));
  const takes = sandbox !== undefined || checks.some((check) => usesNode(check) && !isGiven(check));
  return takes ? [{ path: "/", privilege: "Sys.Modify" }] : [];
}
const actPermissions = ({ guest }: Run): Permission[] =>
  guest === null ? [{ path: "/", privilege: "Sys.Modify" }] : [{ path: `/vms/${guest.vmid}`, privilege: "VM.Backup" }];
const consolePermissions = ({ guest }: Run): Permission[] =>
  guest === null ? [{ path: "/", privilege: "Sys.Modify" }] : [{ path: `/vms/${guest.vmid}`, privilege: "VM.Console" }];

function nodesOf({ node }: StartRun): NodeName[] {
  return node === undefined ? [] : [askedNode(node)];
}

function orderFrom(c: HubContext, ports: HttpPorts, restore: RestorePorts, asked: StartRun) {
  const picture = pictureWith(
    seenBy(c, ports),
    asked.cluster,
    `guest ${asked.vmid}`,
    (one) => ownedGuest(one.owners, asked.vmid) !== undefined,
  );
  const owned = found(ownedGuest(picture.owners, asked.vmid), `guest ${asked.vmid}`);
  const { cluster } = picture;
  const backup = asked.backup ?? newestBackup(restore, cluster, owned);
  // Proxmox VE judges by the number in the name, too: rights on one guest must not open another one's backup.
  if (volidGuest(backup.volid) !== asked.vmid) {
    throw new Refusal("invalid", `${backup.volid} is no backup of guest ${asked.vmid}`, { field: "backup.volid" });
  }
  const known = restore.catalogue.find(cluster, backup.storage, backup.volid);
  const usual = restore.checksOf(picture, owned);
  const operation = operationFrom(asked, backup, known?.type ?? owned.facts.type, usual);
  return { picture, owned, operation, backupAt: (known?.at ?? null) as EpochMs | null, usual };
}

function newestBackup({ catalogue }: RestorePorts, cluster: string, { facts }: OwnedGuest) {
  const [newest] = catalogue.ofGuest(cluster, facts);
  if (newest === undefined)
    throw new Refusal("not-found", `no backup of guest ${facts.vmid} is known: name one`, { field: "backup" });
  return { storage: newest.set.storage, volid: newest.backup.volid };
}

function operationFrom(
  asked: StartRun,
  backup: { storage: string; volid: string },
  type: "qemu" | "lxc",
  usual: readonly RestoreCheck[],
): Operation {
  const { kind, vmid, storage, memoryMib, sandbox, integrity, screenshot, benchmark, timeoutSec, bootSec, keepSec } = asked;
  if (kind === "archive-check" || kind === "pbs-verify") return { kind, params: backup };
  const wanted = { storage, memoryMib, sandbox };
  const given = Object.fromEntries(Object.entries(wanted).filter(([, value]) => value !== undefined));
  const parameters = { vmid, type, backup, ...given, integrity, screenshot, benchmark, timeoutSec, bootSec, keepSec };
  const parsed = operationSchema.safeParse({ kind, params: { ...parameters, checks: asked.checks ?? usual } });
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new Refusal("invalid", issue?.message ?? "invalid", { field: issue?.path.slice(1).join(".") ?? "checks" });
}
