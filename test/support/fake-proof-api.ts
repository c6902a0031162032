import type { Hono } from "hono";
import type { GuestView } from "#protocol/api.ts";
import type { AuditEntryView, AuditState } from "#protocol/audit.ts";
import { type Policy, type PolicyPlan, type PolicyView, policySchema } from "#protocol/policy.ts";
import type { GuestProofView, ProofBadge, RunDetail, RunView } from "#protocol/proof.ts";
import type { Report } from "#protocol/report.ts";
import { checkPolicy, defaultPolicy } from "../../hub/core/policy-check.ts";
import { restoreSummary } from "../../hub/core/restore-summary.ts";
import { schemaProblems } from "../../hub/http/documents.ts";

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const page = <T>(items: T[]) => ({ items, next: null });
const noMeasures = {
  ...{ restoreBytes: null, restoreMs: null, heartbeatMs: null, serviceMs: null, sequentialRead: null, randomRead: null },
};

/** What the hub's double says of restore tests; `open`: those that go on. */
export type FakeProof = { runs(): RunView[]; open(): RunView[] };
type Writes = { method: string; path: string; body: unknown }[];

/** The newest test of every guest: one of each look, then all work. */
function badgeOf({ vmid }: GuestView, now: number): ProofBadge {
  const at = now - 6 * dayMs;
  const tested = { level: "works", at, durationMs: 192_000, runId: `run-${vmid}` } as const;
  switch (vmid) {
    case 100:
      return { ...tested, state: "failed", level: "bytes" };
    case 101:
      return { state: "never", level: "none", at: null, durationMs: null, runId: null };
    case 102:
      return { ...tested, state: "overdue", at: now - 40 * dayMs };
    case 103:
      return { ...tested, state: "proven", level: "boots" };
    case 104:
      return { ...tested, state: "unknown", level: "none" };
    default:
      return { ...tested, state: "proven" };
  }
}

function proofOf(guest: GuestView, now: number): GuestProofView {
  const { cluster, entity, vmid, type, name, node, tags, pool } = guest;
  const slower = [{ measure: "restoreSpeed", before: 210_000_000, now: 60_000_000, factor: 3.5 }];
  const isBare = vmid === 109;
  return {
    ...{ cluster, entity, vmid, type, name, node, tags: [...tags], pool },
    ...(isBare ? { protected: "no", backups: 0 } : { protected: "yes", backups: 3 }),
    gaps: isBare ? [{ gap: "no-backup", text: "No storage holds a backup of it" }] : [],
    lastBackup: isBare
      ? null
      : { at: now - 9 * hourMs, storage: "nfs1", volid: `nfs1:backup/vzdump-${type}-${vmid}.zst`, bytes: 2 ** 33 },
    lastVerifiedAt: null,
    proof: badgeOf(guest, now),
    dueAt: vmid === 101 ? null : now + 2 * dayMs,
    notProven: vmid === 103 ? ["No check says whether its services work"] : [],
    slower: vmid === 105 ? slower : [],
  };
}

/** A run as it begins; `change`: what of it is otherwise. */
export const fakeRun = (vmid: number, now: number, change: Partial<RunView> = {}): RunView => ({
  ...{ id: `run-${vmid}`, kind: "restore-test", cluster: "0123456789abcdef", entity: `guest/${vmid}`, node: "pve1" },
  guest: { vmid, type: "qemu", name: `guest${vmid}` },
  backup: { storage: "nfs1", volid: `nfs1:backup/vzdump-qemu-${vmid}.zst`, at: now - 9 * hourMs },
  ...{ actor: "policy weekly", reason: "Production weekly", policy: "weekly", createdAt: now - 60_000, expiresAt: now + hourMs },
  ...{ state: "running", waiting: null, step: "restore", fraction: 0.42, startedAt: now - 50_000, finishedAt: null },
  ...{ cancelling: null, keepUntil: null, testVmid: 990_000, outcome: null, level: null, verdict: null, durationMs: null },
  ...{ measures: null, slower: [], leftovers: [], screenshot: false },
  ...change,
});

const failed = (now: number) =>
  fakeRun(100, now, {
    ...{ state: "finished", step: null, fraction: null, outcome: "failed", level: "bytes", durationMs: 192_000 },
    ...{ createdAt: now - 6 * dayMs, finishedAt: now - 6 * dayMs + 192_000, verdict: "nginx did not answer on port 80" },
    measures: noMeasures,
  });

function planOf(policy: Policy, guests: readonly GuestView[], now: number): PolicyPlan {
  const { cluster } = guests[0] ?? { cluster: "" };
  const some = guests.slice(0, 6).map(({ vmid, name }) => ({ cluster, vmid, name, dueAt: now - dayMs, overdue: true }));
  const nights = [1, 2, 3, 4, 5, 6, 7].map((n) => ({
    from: now + n * dayMs,
    until: now + n * dayMs + policy.window.durationSec * 1000,
    guests: some.slice(0, n),
  }));
  const why = "pve2 has its 1 tests already";
  const decisions = some.map(({ vmid, name }) => ({
    cluster,
    vmid,
    name,
    decision: "node-busy" as const,
    why,
    dueAt: now - dayMs,
  }));
  return { decisions, nights, short: policy.parallel.total === 1 ? 4 : 0 };
}

/** The part of the API that is about restore proof. What is written is kept, and noted in `writes`. `told`: runs for the live streams. */
export function addProofApi(
  app: Hono,
  guests: (now: number) => GuestView[],
  writes: Writes,
  told: (runs: RunView[]) => void,
): FakeProof {
  const startedAt = Date.now();
  const weekly: Policy = { ...defaultPolicy("Europe/Rome"), id: "weekly", name: "Production weekly", enabled: true, order: 10 };
  const policies = new Map<string, Policy>([
    [weekly.id, { ...weekly, scope: { tags: ["prod"] }, everyDays: 7, window: { ...weekly.window, calendar: "sat 01:00" } }],
    ["every-guest-monthly", defaultPolicy("UTC")],
  ]);
  const reports = new Map<string, Report>();
  const runs = new Map([failed(startedAt), fakeRun(106, startedAt)].map((run) => [run.id, run]));
  const real = (now: number) => guests(now).filter(({ template }) => !template);
  const viewOf = (policy: Policy): PolicyView => ({
    ...policy,
    ...{ guests: 6, proven: 2, overdue: 4, open: false, nextAt: startedAt + dayMs },
  });
  const note = (method: string, path: string, body: unknown) => writes.push({ method, path, body });
  const tell = (run: RunView) => {
    runs.set(run.id, run);
    told([run]);
    return run;
  };

  app.get("/api/v1/proof", (c) => {
    const { guest: vmid } = c.req.query();
    const asked = real(Date.now()).filter((guest) => vmid === undefined || guest.vmid === Number(vmid));
    return c.json(page(asked.map((guest) => proofOf(guest, Date.now()))));
  });
  app.get("/api/v1/backups", (c) => c.json(page([])));
  app.get("/api/v1/restore-tests", (c) => {
    const { guest } = c.req.query();
    const found = [...runs.values()].filter((run) => guest === undefined || run.guest?.vmid === Number(guest));
    return c.json(page(found.sort((a, b) => b.createdAt - a.createdAt)));
  });
  app.post("/api/v1/restore-tests", async (c) => {
    const body = (await c.req.json()) as { vmid: number; keepSec?: number };
    note("POST", c.req.path, body);
    const now = Date.now();
    const queued = { state: "queued", step: null, fraction: null, node: null, startedAt: null, testVmid: null } as const;
    return c.json(
      tell(fakeRun(body.vmid, now, { id: `ordered-${body.vmid}`, createdAt: now, actor: "key:fake", ...queued })),
      201,
    );
  });
  app.get("/api/v1/restore-tests/:id", (c) => {
    const run = runs.get(c.req.param("id"));
    return run === undefined ? c.json({ error: { code: "not-found", message: "no such run" } }, 404) : c.json(detailOf(run));
  });
  app.delete("/api/v1/restore-tests/:id", (c) => {
    note("DELETE", c.req.path, undefined);
    const id = c.req.param("id");
    const run = runs.get(id) ?? fakeRun(107, startedAt, { id });
    return c.json(detailOf(tell({ ...run, cancelling: "key:fake" })));
  });
  app.post("/api/v1/restore-tests/:id/keep", async (c) => {
    const body = (await c.req.json()) as { sec: number };
    note("POST", c.req.path, body);
    const id = c.req.param("id");
    const run = runs.get(id) ?? fakeRun(107, startedAt, { id });
    return c.json(detailOf(tell({ ...run, keepUntil: Date.now() + body.sec * 1000 })));
  });

  app.get("/api/v1/policies", (c) => c.json(page([...policies.values()].map(viewOf))));
  app.get("/api/v1/policies/:id/plan", (c) => {
    const now = Date.now();
    return c.json(planOf(policies.get(c.req.param("id")) ?? weekly, real(now), now));
  });
  app.get("/api/v1/policies/:id/nights", (c) => c.json(page([])));
  app.post("/api/v1/policies/preview", async (c) => {
    const parsed = policySchema.safeParse(await c.req.json());
    if (!parsed.success) return c.json({ problems: schemaProblems(parsed.error), plan: null });
    const problems = checkPolicy(parsed.data);
    return c.json({ problems, plan: problems.length > 0 ? null : planOf(parsed.data, real(Date.now()), Date.now()) });
  });
  const save = async (policy: Policy, method: string, path: string) => {
    note(method, path, policy);
    policies.set(policy.id, policy);
    return viewOf(policy);
  };
  app.post("/api/v1/policies", async (c) => c.json(await save((await c.req.json()) as Policy, "POST", c.req.path), 201));
  app.put("/api/v1/policies/:id", async (c) => c.json(await save((await c.req.json()) as Policy, "PUT", c.req.path)));
  app.post("/api/v1/policies/:id/enable", async (c) => {
    const { enabled } = (await c.req.json()) as { enabled: boolean };
    return c.json(await save({ ...(policies.get(c.req.param("id")) ?? weekly), enabled }, "POST", c.req.path));
  });
  app.delete("/api/v1/policies/:id", (c) => {
    note("DELETE", c.req.path, undefined);
    policies.delete(c.req.param("id"));
    return c.body(null, 204);
  });

  app.get("/api/v1/reports", (c) => c.json(page([...reports.values()])));
  app.get("/api/v1/reports/restore", (c) => {
    const { from, to, lang } = c.req.query();
    return c.json(restoreSummary([], { from: Number(from), to: Number(to) }, lang === "it" ? "it" : "en", null));
  });
  app.put("/api/v1/reports/:id", async (c) => {
    const report = (await c.req.json()) as Report;
    note("PUT", c.req.path, report);
    if (report.calendar === "never") {
      return c.json({ error: { code: "invalid", message: "'never' is no part of a calendar event", field: "calendar" } }, 400);
    }
    reports.set(report.id, report);
    return c.json(report);
  });
  app.delete("/api/v1/reports/:id", (c) => {
    note("DELETE", c.req.path, undefined);
    reports.delete(c.req.param("id"));
    return c.body(null, 204);
  });
  let audit: AuditState = { state: "unchecked", checkedAt: null, entries: null, head: null, problem: null };
  app.get("/api/v1/audit", (c) => c.json(audit));
  app.get("/api/v1/audit/entries", (c) => {
    const of = {
      id: "storage-full",
      reason: "changed by the API",
      hash: "cd".repeat(32),
      kind: "rule",
      action: "update" as const,
    };
    const all: AuditEntryView[] = [
      { ...of, seq: 2, at: Date.now(), actor: "root@pam" },
      { ...of, seq: 1, at: Date.now() - 60_000, actor: "hub", id: "node-down" },
    ];
    const actor = c.req.query("actor");
    return c.json({ items: all.filter((one) => actor === undefined || one.actor === actor), next: null });
  });
  app.post("/api/v1/audit/verify", (c) => {
    audit = { state: "intact", checkedAt: Date.now(), entries: 1234, head: "ab".repeat(32), problem: null };
    return c.json(audit);
  });
  const all = () => [...runs.values()];
  return { runs: all, open: () => all().filter(({ state }) => state !== "finished") };
}

const detailOf = (run: RunView): RunDetail => ({
  ...run,
  ...{ request: {}, checks: [], notProven: [], configurationDigest: null, screenshotDigest: null, plan: null, archive: null },
  evidenceDigest: run.state === "finished" ? "cd".repeat(32) : null,
  steps: [
    ...[{ step: "locate" as const, state: "passed" as const, startedAt: run.createdAt, endedAt: run.createdAt + 1000 }],
    ...(run.step === null
      ? []
      : [{ step: "restore" as const, state: "running" as const, startedAt: run.createdAt + 1000, endedAt: null }]),
  ].map((step) => ({ ...step, reason: null, upid: null, log: [] })),
});
