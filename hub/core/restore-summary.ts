import { byText } from "#protocol/order.ts";
import type { GuestProofView } from "#protocol/proof.ts";
import type { ReportLanguage, RestoreReportView } from "#protocol/report.ts";
import type { Sheet, SheetBlock } from "#protocol/sheet.ts";
import type { Run } from "./run-record.ts";
import { dayText, measureName, sizeText, spanText, utcText } from "./sheet-text.ts";

/** Rows of a table on a report: two pages hold no more. */
const rowsMax = 25;

const words = {
  en: {
    title: "Restore proof",
    none: "No backup was tested: nothing is proven for this period",
    allPassed: (tests: number, guests: number) =>
      tests === 1
        ? "The one restore test passed, its guest is proven"
        : `All ${tests} restore tests passed, ${guests} guests are proven`,
    someFailed: (failed: number, guests: number, names: string) =>
      `${failed} of ${guests} tested guests did NOT restore: ${names}`,
    unproven: (unproven: number, guests: number) =>
      `${unproven} of ${guests} guests ${unproven === 1 ? "has" : "have"} no proof that counts`,
    coverage: "Without a proof today",
    coverageOf: (unproven: number, guests: number) => `${unproven} of ${guests} guests`,
    notAll: (passed: number, repeated: number, notDone: number) => [
      passed === 1 ? "1 restore test passed" : `${passed} restore tests passed`,
      ...(repeated === 0 ? [] : [`${repeated} failed, whose guests passed when they were tested again`]),
      ...(notDone === 0 ? [] : [`${notDone} came to no verdict`]),
    ],
    period: "Period",
    tests: "Tests",
    counts: (r: RestoreReportView) => `${r.tests}: ${r.passed} passed, ${r.failed} failed, ${r.notDone} without a verdict`,
    guests: "Guests tested",
    levels: "Highest proof",
    levelNames: { none: "nothing", bytes: "bytes verified", boots: "boots", works: "works" },
    restored: "Restored",
    median: "Median duration",
    failed: "Did not restore",
    notDone: "Without a verdict",
    slower: "More than twice as slow as the last good test",
    passed: "Restored",
    head: ["Guest", "When", "Proven", "Took", "Verdict"],
    slowerHead: ["Guest", "Measure", "Times slower"],
    more: (count: number) => `… and ${count} more: see /api/v1/restore-tests`,
  },
  it: {
    title: "Prova di ripristino",
    none: "Nessun backup è stato provato: per questo periodo non è dimostrato nulla",
    allPassed: (tests: number, guests: number) =>
      tests === 1
        ? "L'unica prova di ripristino è riuscita, il suo guest è dimostrato"
        : `Tutte le ${tests} prove di ripristino sono riuscite, ${guests} guest sono dimostrati`,
    someFailed: (failed: number, guests: number, names: string) =>
      `${failed} guest su ${guests} provati NON si ripristinano: ${names}`,
    unproven: (unproven: number, guests: number) =>
      `${unproven} guest su ${guests} ${unproven === 1 ? "non ha" : "non hanno"} una prova valida`,
    coverage: "Senza prova a oggi",
    coverageOf: (unproven: number, guests: number) => `${unproven} guest su ${guests}`,
    notAll: (passed: number, repeated: number, notDone: number) => [
      passed === 1 ? "1 prova di ripristino riuscita" : `${passed} prove di ripristino riuscite`,
      ...(repeated === 0 ? [] : [`fallite, poi riuscite in un'altra prova: ${repeated}`]),
      ...(notDone === 0 ? [] : [`${notDone} senza esito`]),
    ],
    period: "Periodo",
    tests: "Prove",
    counts: (r: RestoreReportView) => `${r.tests}: ${r.passed} riuscite, ${r.failed} fallite, ${r.notDone} senza esito`,
    guests: "Guest provati",
    levels: "Livello raggiunto",
    levelNames: { none: "nulla", bytes: "byte verificati", boots: "si avvia", works: "funziona" },
    restored: "Ripristinati",
    median: "Durata mediana",
    failed: "Non ripristinati",
    notDone: "Senza esito",
    slower: "Oltre due volte più lenti dell'ultima prova riuscita",
    passed: "Ripristinati",
    head: ["Guest", "Quando", "Dimostrato", "Durata", "Esito"],
    slowerHead: ["Guest", "Misura", "Volte più lento"],
    more: (count: number) => `… e altri ${count}: vedi /api/v1/restore-tests`,
  },
} as const satisfies Record<ReportLanguage, unknown>;

type Test = RestoreReportView["broken"][number];

function testOf(run: Run): Test {
  return {
    run: run.id,
    cluster: run.cluster,
    vmid: run.guest?.vmid ?? 0,
    name: run.guest?.name ?? "",
    at: run.finishedAt ?? 0,
    outcome: run.outcome ?? "",
    level: run.level ?? "none",
    verdict: run.verdict ?? "",
    durationMs: run.durationMs,
  };
}

const nameOf = ({ name, vmid }: Pick<Test, "name" | "vmid">) => `${name} (${vmid})`;

/** How many guests there are, and how many of them have no proof that counts: none, a failed or an old one, or one that nobody can tell. */
export type Coverage = NonNullable<RestoreReportView["coverage"]>;

export function coverageOf(proofs: readonly Pick<GuestProofView, "proof">[]): Coverage {
  const proven = proofs.filter(({ proof }) => proof.state === "proven" && proof.level !== "none");
  return { guests: proofs.length, unproven: proofs.length - proven.length };
}

/** What restore tests that ended in [from, to) showed; `runs` in any order. */
export function restoreSummary(
  runs: readonly Run[],
  { from, to }: { from: number; to: number },
  language: ReportLanguage,
  coverage: Coverage | null,
): RestoreReportView {
  const ended = runs
    .filter(
      ({ kind, finishedAt, guest }) =>
        kind === "restore-test" && guest !== null && finishedAt !== null && finishedAt >= from && finishedAt < to,
    )
    .sort((a, b) => (a.finishedAt ?? 0) - (b.finishedAt ?? 0) || byText(a.id, b.id));
  const judged = ended.filter(({ outcome }) => outcome === "passed" || outcome === "failed");
  const newest = new Map(judged.map((run) => [`${run.cluster}/${run.guest?.vmid}`, run]));
  const levels = { none: 0, bytes: 0, boots: 0, works: 0 };
  for (const { level } of newest.values()) levels[level ?? "none"]++;
  const passed = judged.filter(({ outcome }) => outcome === "passed");
  const times = passed.flatMap(({ durationMs }) => durationMs ?? []).sort((a, b) => a - b);
  const notDone = ended.filter((run) => !judged.includes(run));
  const summary: RestoreReportView = {
    from,
    to,
    tests: ended.length,
    passed: passed.length,
    failed: judged.length - passed.length,
    notDone: notDone.length,
    guestsTested: newest.size,
    levels,
    restoredBytes: judged.reduce((sum, { measures }) => sum + (measures?.restoreBytes ?? 0), 0),
    medianMs: times[Math.floor((times.length - 1) / 2)] ?? null,
    broken: [...newest.values()].filter(({ outcome }) => outcome === "failed").map(testOf),
    notDoneTests: notDone.map(testOf),
    slower: [...newest.values()].flatMap((run) =>
      run.slower.map(({ measure, factor }) => ({ vmid: run.guest?.vmid ?? 0, name: run.guest?.name ?? "", measure, factor })),
    ),
    passedTests: [...newest.values()].filter(({ outcome }) => outcome === "passed").map(testOf),
    coverage,
    verdict: "",
  };
  return { ...summary, verdict: verdictOf(summary, language) };
}

/** Tests that passed say nothing of guests that nobody tested: those are told in the same breath. */
function verdictOf(report: RestoreReportView, language: ReportLanguage): string {
  const { coverage } = report;
  const tests = verdictOfTests(report, language);
  return coverage === null || coverage.unproven === 0
    ? tests
    : `${tests}; ${words[language].unproven(coverage.unproven, coverage.guests)}`;
}

function verdictOfTests({ broken, guestsTested, passed, failed, notDone }: RestoreReportView, language: ReportLanguage): string {
  const say = words[language];
  if (broken.length > 0) {
    const names = broken.slice(0, 5).map(nameOf).join(", ");
    return say.someFailed(broken.length, guestsTested, broken.length > 5 ? `${names} …` : names);
  }
  if (guestsTested === 0) return say.none;
  return failed > 0 || notDone > 0 ? say.notAll(passed, failed, notDone).join(", ") : say.allPassed(passed, guestsTested);
}

/** At most two pages, verdict first. */
export function summarySheet(report: RestoreReportView, language: ReportLanguage): Sheet {
  const say = words[language];
  const levels = (["works", "boots", "bytes", "none"] as const).map(
    (level) => `${say.levelNames[level]} ${report.levels[level] ?? 0}`,
  );
  const blocks: SheetBlock[] = [
    { is: "title", text: report.verdict },
    {
      is: "facts",
      rows: [
        [say.period, `${utcText(report.from)} – ${utcText(report.to)}`],
        [say.tests, say.counts(report)],
        [say.guests, String(report.guestsTested)],
        [say.levels, levels.join(", ")],
        ...coverageRows(report, language),
        [say.restored, sizeText(report.restoredBytes)],
        [say.median, report.medianMs === null ? "–" : spanText(report.medianMs)],
      ],
    },
    ...testTable(say.failed, report.broken, language),
    ...testTable(say.notDone, report.notDoneTests, language),
  ];
  if (report.slower.length > 0) {
    const rows = report.slower
      .slice(0, rowsMax)
      .map((one) => [nameOf(one), measureName(one.measure, language), String(one.factor)]);
    blocks.push({ is: "heading", text: say.slower }, { is: "table", head: [...say.slowerHead], rows });
  }
  blocks.push(...testTable(say.passed, report.passedTests, language));
  return { title: `${say.title} ${dayText(report.from)} – ${dayText(report.to)}`, at: report.to, blocks };
}

function coverageRows({ coverage }: RestoreReportView, language: ReportLanguage): [string, string][] {
  const say = words[language];
  return coverage === null ? [] : [[say.coverage, say.coverageOf(coverage.unproven, coverage.guests)]];
}

function testTable(title: string, tests: readonly Test[], language: ReportLanguage): SheetBlock[] {
  if (tests.length === 0) return [];
  const say = words[language];
  const rows = tests
    .slice(0, rowsMax)
    .map((test) => [
      nameOf(test),
      utcText(test.at).slice(0, 16),
      say.levelNames[test.level],
      test.durationMs === null ? "–" : spanText(test.durationMs),
      test.verdict.slice(0, 120),
    ]);
  const blocks: SheetBlock[] = [
    { is: "heading", text: title },
    { is: "table", head: [...say.head], rows },
  ];
  return tests.length > rowsMax ? [...blocks, { is: "note", text: say.more(tests.length - rowsMax) }] : blocks;
}
