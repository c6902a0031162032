import assert from "node:assert/strict";
import { test } from "node:test";
import type { EpochMs } from "#protocol/ids.ts";
import type { Notification } from "#protocol/notifications.ts";
import { coverageOf, restoreSummary, summarySheet } from "../../../hub/core/restore-summary.ts";
import { newRun } from "../../../hub/core/run.ts";
import type { Run } from "../../../hub/core/run-record.ts";
import { sheetText } from "../../../hub/core/sheet.ts";
import { pdfOf } from "../../../hub/proof/pdf.ts";
import { mailReports, nextReportAt } from "../../../hub/proof/report-mail.ts";
import { orderOf } from "../../support/operations-world.ts";
import { testHub } from "../../support/test-hub.ts";

const week = 7 * 86_400_000;
/** Monday 2026-01-05 07:00 UTC. */
const monday = Date.UTC(2026, 0, 5, 7);

function runOf(vmid: number, at: number, overrides: Partial<Run> = {}): Run {
  const guest = { vmid, type: "qemu" as const, name: `g${vmid}`, identity: [] };
  const order = {
    ...orderOf(at),
    guest,
    id: `00000000-0000-4000-8000-${String(vmid).padStart(12, "0")}`,
    createdAt: at as EpochMs,
  };
  const end = {
    state: "finished",
    outcome: "passed",
    level: "works",
    verdict: "fine",
    finishedAt: at as EpochMs,
    durationMs: 120_000,
  } as const;
  return { ...newRun(order), ...end, ...overrides };
}

const period = { from: monday, to: monday + week };

test("a report's first line is its verdict, in both languages, and its numbers are those of the period", () => {
  const runs = [
    runOf(100, monday + 1000),
    runOf(101, monday + 2000, { outcome: "failed", level: "bytes", verdict: "It did not boot" }),
    runOf(102, monday + 3000, { outcome: "interrupted", level: "none", durationMs: null }),
    runOf(103, monday + week),
  ];
  const english = restoreSummary(runs, period, "en", null);
  assert.deepEqual([english.tests, english.passed, english.failed, english.notDone, english.guestsTested], [3, 1, 1, 1, 2]);
  assert.equal(english.verdict, "1 of 2 tested guests did NOT restore: g101 (101)");
  const [first] = sheetText(summarySheet(english, "en")).split("\n");
  assert.equal(first, "1 of 2 tested guests did NOT restore: g101 (101)");
  const italian = restoreSummary(runs.toReversed(), period, "it", null);
  assert.equal(italian.verdict, "1 guest su 2 provati NON si ripristinano: g101 (101)");
  assert.deepEqual({ ...italian, verdict: "" }, { ...english, verdict: "" }, "the order of runs changes nothing");
});

test("tests that passed say nothing of guests that nobody tested: they stand in the first line", () => {
  const proof = (state: "proven" | "failed" | "overdue" | "never" | "unknown", level: "none" | "boots" = "boots") => ({
    proof: { state, level, at: null, durationMs: null, runId: null },
  });
  const all = [proof("proven"), proof("proven", "none"), proof("failed"), proof("overdue"), proof("never"), proof("unknown")];
  assert.deepEqual(coverageOf(all), { guests: 6, unproven: 5 });
  assert.deepEqual(coverageOf([...all, proof("proven", "none")]), { guests: 7, unproven: 6 });
  const runs = [runOf(100, monday + 1000), runOf(101, monday + 2000)];
  const report = restoreSummary(runs, period, "en", coverageOf(all));
  assert.equal(report.verdict, "All 2 restore tests passed, 2 guests are proven; 5 of 6 guests have no proof that counts");
  assert.match(sheetText(summarySheet(report, "en")), /Without a proof today: 5 of 6 guests/);
  const complete = restoreSummary(runs, period, "en", { guests: 2, unproven: 0 });
  assert.equal(complete.verdict, "All 2 restore tests passed, 2 guests are proven");
});

test("a guest that failed and passed when it was tested again is told so, and not as one that never failed", () => {
  const again = { id: "00000000-0000-4000-8000-000000000999" };
  const runs = [runOf(100, monday + 1000, { outcome: "failed" }), runOf(100, monday + 9000, again)];
  assert.equal(
    restoreSummary(runs, period, "en", null).verdict,
    "1 restore test passed, 1 failed, whose guests passed when they were tested again",
  );
  const unfinished = runOf(101, monday + 2000, { outcome: "interrupted" });
  assert.equal(
    restoreSummary([...runs, unfinished], period, "it", null).verdict,
    "1 prova di ripristino riuscita, fallite, poi riuscite in un'altra prova: 1, 1 senza esito",
  );
});

test("a period holds its first instant and not its last; each guest counts by its newest test, and what was restored is summed up", () => {
  const measures = {
    restoreBytes: 5_000_000,
    restoreMs: 1000,
    heartbeatMs: null,
    serviceMs: null,
    sequentialRead: null,
    randomRead: null,
  };
  const again = { id: "00000000-0000-4000-8000-000000000999", level: "boots", measures } as const;
  const runs = [
    runOf(100, monday, { measures: { ...measures, restoreBytes: null } }),
    runOf(100, monday + 1, again),
    runOf(101, monday + week - 1, { measures, outcome: "failed", level: "bytes" }),
    runOf(102, monday - 1),
    runOf(103, monday + week),
  ];
  const summary = restoreSummary(runs, period, "en", null);
  assert.deepEqual([summary.tests, summary.guestsTested, summary.restoredBytes], [3, 2, 10_000_000]);
  assert.deepEqual(summary.levels, { none: 0, bytes: 1, boots: 1, works: 0 });
  assert.deepEqual(
    summary.passedTests.map(({ vmid, run, at }) => [vmid, run, at]),
    [[100, again.id, monday + 1]],
  );
  assert.deepEqual(
    summary.broken.map(({ vmid }) => vmid),
    [101],
  );
});

test("five guests that did not restore are named, of more the first five", () => {
  const failing = (count: number) =>
    Array.from({ length: count }, (_, at) => runOf(100 + at, monday + at, { outcome: "failed" }));
  const verdict = (count: number) => restoreSummary(failing(count), period, "en", null).verdict;
  assert.match(verdict(5), /g104 \(104\)$/);
  assert.match(verdict(6), /g104 \(104\) …$/);
});

test("a period without a test is never good news", () => {
  assert.equal(
    restoreSummary([], { from: 0, to: 1 }, "en", null).verdict,
    "No backup was tested: nothing is proven for this period",
  );
  const interrupted = [runOf(100, 5, { outcome: "interrupted", level: "none" })];
  assert.match(restoreSummary(interrupted, { from: 0, to: 9 }, "en", null).verdict, /^No backup was tested/);
});

test("a report names every test under what came of it, and has no heading for what did not happen", () => {
  const runs = [
    runOf(100, monday + 1000),
    runOf(101, monday + 2000, { outcome: "failed", level: "bytes", verdict: "It did not boot" }),
  ];
  const text = (...which: Run[]) => sheetText(summarySheet(restoreSummary(which, period, "en", null), "en"));
  const both = text(...runs);
  assert.match(both, /\nDid not restore\n.*g101.*It did not boot.*\nRestored\n.*g100/s);
  assert.doesNotMatch(text(runs[0] as Run), /\nDid not restore\n/);
});

test("hundreds of tests still are two pages", async () => {
  const runs = Array.from({ length: 600 }, (_, index) =>
    runOf(100 + index, monday + index, index % 2 === 0 ? {} : { outcome: "failed", level: "none", verdict: "x ".repeat(200) }),
  );
  const pdf = await pdfOf(summarySheet(restoreSummary(runs, period, "en", null), "en"));
  const pages = pdf.toString("latin1").match(/\/Type \/Page\b/g)?.length ?? 0;
  assert.ok(pages >= 1 && pages <= 2, `${pages} pages`);
});

test("a weekly report goes to its receiver once a week, also when the hub was away, and begins with a whole week", async (t) => {
  const { state, clock } = testHub(t);
  clock.jumpWall(monday - 3_600_000 - clock.now());
  const queued: string[] = [];
  let committed = 0;
  const dispatcher = {
    enqueue: ({ id, verdict, receiver, sheet }: { id: string; verdict: string; receiver: string; sheet?: unknown }) => {
      assert.ok(sheet !== undefined);
      queued.push(`${id} ${receiver} ${verdict}`);
    },
    committed: () => committed++,
  };
  const ports = {
    state,
    clock,
    runs: () => [runOf(100, monday + 1000)],
    coverage: () => ({ guests: 3, unproven: 2 }),
    dispatcher,
  };
  const report = {
    id: "weekly",
    name: "Weekly",
    enabled: true,
    calendar: "mon 07:00",
    timezone: "UTC",
    receiver: "ops",
    language: "en" as const,
  };
  state.put("report", "weekly", report, { actor: "test", reason: "test" });
  mailReports(ports);
  assert.deepEqual(queued, [], "not about the time before it was made");
  assert.equal(nextReportAt(state, clock.now()), monday);
  state.put("report", "off", { ...report, id: "off", enabled: false, calendar: "*:0/1" }, { actor: "test", reason: "test" });
  clock.jumpWall(3_600_000);
  mailReports(ports);
  mailReports(ports);
  clock.jumpWall(week + 3 * 86_400_000);
  mailReports(ports);
  assert.deepEqual(queued, [
    `report-weekly-${monday} ops No backup was tested: nothing is proven for this period; 2 of 3 guests have no proof that counts`,
    `report-weekly-${monday + week} ops The one restore test passed, its guest is proven; 2 of 3 guests have no proof that counts`,
  ]);
  assert.equal(committed, 3);
});

test("a clock that was a month ahead for a while stops no report, and mails none twice", (t) => {
  const { state, clock } = testHub(t);
  clock.jumpWall(monday - clock.now());
  const queued: string[] = [];
  const dispatcher = { enqueue: ({ id }: Notification) => void queued.push(id), committed: () => undefined };
  const ports = { state, clock, runs: () => [], coverage: () => ({ guests: 1, unproven: 1 }), dispatcher };
  const base = { id: "weekly", name: "Weekly", enabled: true, timezone: "UTC", receiver: "ops", language: "en" as const };
  state.put("report", "weekly", { ...base, calendar: "mon 07:00" }, { actor: "test", reason: "test" });
  for (const jumpMs of [0, 4 * week, -4 * week + 3_600_000, week, week]) {
    clock.jumpWall(jumpMs);
    mailReports(ports);
  }
  assert.deepEqual(
    queued,
    [4, 1, 2].map((weeks) => `report-weekly-${monday + weeks * week}`),
  );
});

test("a report whose calendar is changed tells no day twice", (t) => {
  const { state, clock } = testHub(t);
  clock.jumpWall(monday - clock.now());
  const sheets: string[] = [];
  const enqueue = ({ sheet }: Notification) => void sheets.push(sheet === undefined ? "" : sheetText(sheet));
  const dispatcher = { enqueue, committed: () => undefined };
  const ports = {
    state,
    clock,
    runs: () => [runOf(100, monday + 1000)],
    coverage: () => ({ guests: 1, unproven: 0 }),
    dispatcher,
  };
  const by = { actor: "test", reason: "test" };
  const base = { id: "weekly", name: "Weekly", enabled: true, timezone: "UTC", receiver: "ops", language: "en" as const };
  state.put("report", "weekly", { ...base, calendar: "mon 07:00" }, by);
  mailReports(ports);
  clock.jumpWall(week);
  mailReports(ports);
  state.put("report", "weekly", { ...base, calendar: "wed 07:00" }, by);
  clock.jumpWall(3 * 86_400_000);
  mailReports(ports);
  const periods = sheets.map((text) => /2026-01-\d\d[^\n]*2026-01-\d\d/.exec(text)?.[0]);
  assert.deepEqual(periods, ["2026-01-05 07:00:00 UTC – 2026-01-12", "2026-01-12 07:00:00 UTC – 2026-01-14"]);
});

test("a policy and a weekly report come with the hub, both off; the report needs somebody to mail, and begins with a whole week", async (t) => {
  const { app, state, clock, newKey } = testHub(t);
  clock.jumpWall(monday + 86_400_000 - clock.now());
  const key = newKey("read", "write");
  const ask = async (method: string, path: string, body?: unknown) => {
    const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
    const answer = await app.request(`/api/v1/${path}`, {
      method,
      headers,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    return { status: answer.status, body: (await answer.json()) as { items?: Record<string, unknown>[] } };
  };
  const policies = (await ask("GET", "policies")).body.items ?? [];
  assert.deepEqual(
    policies.map(({ id, enabled, everyDays }) => [id, enabled, everyDays]),
    [["every-guest-monthly", false, 30]],
  );
  const [report] = (await ask("GET", "reports")).body.items ?? [];
  assert.deepEqual([report?.id, report?.enabled, report?.receiver], ["restore-proof-weekly", false, null]);
  assert.equal((await ask("PUT", "reports/restore-proof-weekly", { ...report, enabled: true })).status, 400);
  assert.equal((await ask("PUT", "reports/restore-proof-weekly", { ...report, enabled: true, receiver: "ops" })).status, 400);
  const receiver = {
    ...{ id: "ops", name: "Ops", enabled: true, resolved: true, privateAddress: false },
    type: "email" as const,
    from: "a@example.org",
    to: ["b@example.org"],
  };
  state.put("receiver", "ops", receiver, { actor: "test", reason: "test" });
  const on = { ...report, enabled: true, receiver: "ops", timezone: "UTC" };
  assert.equal((await ask("PUT", "reports/restore-proof-weekly", on)).status, 200);
  assert.equal((await ask("POST", "policies/every-guest-monthly/enable", { enabled: true })).status, 200);
  const queued: string[] = [];
  const dispatcher = { enqueue: ({ id }: { id: string }) => queued.push(id), committed: () => undefined };
  const ports = { state, clock, runs: () => [], coverage: () => ({ guests: 0, unproven: 0 }), dispatcher };
  mailReports(ports);
  assert.deepEqual(queued, []);
  clock.jumpWall(6 * 86_400_000);
  mailReports(ports);
  assert.deepEqual(queued, [`report-restore-proof-weekly-${monday + week}`]);
});

test("a policy that is made anew by the name of one that was removed begins its own first period", async (t) => {
  const { app, state, clock, newKey } = testHub(t);
  const headers = { Authorization: `Bearer ${newKey("read", "write")}`, "Content-Type": "application/json" };
  const ask = (method: string, path: string, body?: unknown) =>
    app.request(`/api/v1/${path}`, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  const [shipped] = state.list("policy");
  const policy = { ...shipped?.document, id: "weekly", enabled: true, shipped: false };
  assert.equal((await ask("POST", "policies", policy)).status, 201);
  assert.equal(state.get("policySince", "weekly")?.since, clock.now());
  assert.equal((await ask("DELETE", "policies/weekly")).status, 204);
  clock.jumpWall(20 * 3_600_000);
  assert.equal((await ask("POST", "policies", policy)).status, 201);
  assert.equal(state.get("policySince", "weekly")?.since, clock.now());
});
