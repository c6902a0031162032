import type { EpochMs } from "#protocol/ids.ts";
import type { Notification } from "#protocol/notifications.ts";
import type { Report, RestoreReportView } from "#protocol/report.ts";
import type { Dispatcher } from "../alerting/alert-ports.ts";
import { nextInstant, parseCalendar, previousInstant } from "../core/calendar.ts";
import { type Coverage, restoreSummary, summarySheet } from "../core/restore-summary.ts";
import type { Run } from "../core/run-record.ts";
import type { Clock } from "../ports.ts";
import type { StateStore } from "../store/state.ts";

export type ReportMailPorts = {
  state: StateStore;
  clock: Clock;
  runs(): readonly Run[];
  /** How all guests stand now. */
  coverage(): Coverage;
  dispatcher: Pick<Dispatcher, "enqueue" | "committed">;
};

/** Comes with Proven, switched off: whom to mail only the admin knows. */
const defaultReport = (timezone: string): Report => ({
  id: "restore-proof-weekly",
  name: "Restore proof, weekly",
  enabled: false,
  calendar: "mon 07:00",
  timezone,
  receiver: null,
  language: "en",
});

/** Where there is no report: the one that comes with Proven. */
export function seedReports(state: StateStore, timezone: () => string): void {
  if (state.list("report").length > 0) return;
  const report = defaultReport(timezone());
  state.put("report", report.id, report, { actor: "hub", reason: "comes with Proven" });
}

const lookMs = 5 * 60_000;
const by = { actor: "hub", reason: "reported" };

/** The newest period of a report that has ended; undefined: none has. */
export function endedPeriod(
  { calendar, timezone }: Pick<Report, "calendar" | "timezone">,
  now: EpochMs,
): { from: EpochMs; to: EpochMs } | undefined {
  const parsed = parseCalendar(calendar);
  const to = parsed.ok ? previousInstant(parsed.event, now, timezone) : undefined;
  const from = parsed.ok && to !== undefined ? previousInstant(parsed.event, (to - 1) as EpochMs, timezone) : undefined;
  return from === undefined || to === undefined ? undefined : { from, to };
}

/** When the next report is due; undefined: none is switched on. */
export function nextReportAt(state: Pick<StateStore, "list">, now: EpochMs): EpochMs | undefined {
  const instants = state.list("report").flatMap(({ document: { enabled, receiver, calendar, timezone } }) => {
    const parsed = enabled && receiver !== null ? parseCalendar(calendar) : undefined;
    const at = parsed?.ok ? nextInstant(parsed.event, now, timezone) : undefined;
    return at === undefined ? [] : [at];
  });
  return instants.length === 0 ? undefined : (Math.min(...instants) as EpochMs);
}

/**
 * Hands reports that came due to the delivery queue. That one was is recorded in the transaction that queues it: a crash mails it neither
 * twice nor never. Returns in how many ms to look again.
 */
export function mailReports({ state, clock, runs, coverage, dispatcher }: ReportMailPorts): number {
  const now = clock.now();
  for (const { id, document: report } of state.list("report")) {
    const period = report.enabled ? endedPeriod(report, now) : undefined;
    const sent = state.get("reportSent", id);
    const { receiver } = report;
    // The clock was ahead when it was sent: what ended before now is done with, and the next one is due as ever.
    const wasAhead = sent !== undefined && sent.until > now;
    if (period === undefined || receiver === null || (sent !== undefined && !wasAhead && sent.until >= period.to)) continue;
    state.together(() => {
      // A new report begins with its first whole period.
      if (sent !== undefined && !wasAhead) {
        // After its calendar was changed: no day is in two reports.
        const rest = { from: Math.max(period.from, sent.until) as EpochMs, to: period.to };
        const summary = restoreSummary(runs(), rest, report.language, coverage());
        dispatcher.enqueue(notificationOf({ ...report, receiver }, summary, now));
      }
      state.put("reportSent", id, { until: period.to }, by);
    });
    dispatcher.committed();
  }
  return lookMs;
}

function notificationOf(report: Report & { receiver: string }, summary: RestoreReportView, now: EpochMs): Notification {
  return {
    id: `report-${report.id}-${summary.to}`,
    kind: "report",
    reason: "report",
    at: now,
    group: `report|${report.id}`,
    sequence: 1,
    route: report.id,
    receiver: report.receiver,
    step: 0,
    severity: summary.broken.length > 0 ? "warning" : "info",
    verdict: summary.verdict,
    alerts: [],
    more: 0,
    nodes: [],
    sheet: summarySheet(summary, report.language),
  };
}
