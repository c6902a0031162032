import { setImmediate } from "node:timers/promises";
import type { EpochMs } from "#protocol/ids.ts";
import type { Agenda } from "./agenda.ts";
import type { Assembly, HubParts } from "./assembly.ts";
import { auditCheckMs } from "./audit-watch.ts";
import { CalendarAlarm } from "./calendar-alarm.ts";
import type { Certificates } from "./certificates.ts";
import { errorMessage } from "./core/error.ts";
import { coverageOf } from "./core/restore-summary.ts";
import type { LiveTable } from "./core/series.ts";
import { pruneJobTimes } from "./job-times.ts";
import { KeptTime } from "./kept-time.ts";
import { describeError } from "./log.ts";
import type { Clock, Log } from "./ports.ts";
import { mailReports, nextReportAt } from "./proof/report-mail.ts";

/** After the start: what is asked at once is answered before. */
const warmMs = 200;
/** After the start: agents come back within this time. */
const firstTickMs = 1000;
/** What is decided needs every agent's newest samples. Asked for before they were read again, they would be read all at once: a second of 200 agents. */
const notYetMs = 100;
const maintainMs = 30_000;
const certificateEveryMs = 6_000;
/** Other work wakes the hub every five seconds: it falls in with that. */
const certificateEarlyMs = 3_500;
/** After the start, which has enough to do. */
const auditFirstMs = 5 * 60_000;
const documentsFirstMs = 60_000;
/** What is kept for weeks and months needs no more than this; ended sessions are refused wherever they are used. */
const pruneMs = 10 * 60_000;
/** How long tasks and events are kept: as long as rollups. */
const historyMs = 400 * 86_400_000;

/** What runs beside the requests, until it is stopped. */
export type Background = { stop(): Promise<void> };

/** Decides: what changed, which alerts fire, which restore tests run, which reports are mailed. */
export function startDecisions({ clock, log, state, series }: HubParts, assembly: Assembly, agenda: Agenda): Background {
  const { watch, fleet, alerting, restore, delivery } = assembly;
  const whenWhole = (work: () => number) => () => (series.isWhole ? work() : notYetMs);
  const watching = agenda.add(
    "watching what changes",
    firstTickMs,
    whenWhole(() => watch.tick()),
  );
  watch.onWork(watching.soon);
  const judging = agenda.add(
    "judging alerts",
    firstTickMs,
    whenWhole(() => alerting.tick()),
  );
  alerting.onWork(judging.soon);
  const operating = agenda.add("operations on agents", firstTickMs, () => restore.operations.tick());
  restore.operations.onWork(operating.soon);
  const testing = agenda.add("ordering restore tests", maintainMs, () => restore.verify.tick());
  restore.verify.onWork(testing.soon);
  const reports = {
    state,
    clock,
    runs: () => restore.book.newest(),
    coverage: () => coverageOf(fleet.pictures().flatMap((picture) => restore.proofs(picture, clock.now()))),
    dispatcher: delivery.dispatcher,
  };
  const alarm = new CalendarAlarm(() => reporting.soon(0));
  const reporting = agenda.add("mailing reports", maintainMs, async () => {
    const inMs = mailReports(reports);
    await alarm.set(nextReportAt(state, clock.now()));
    return inMs;
  });
  const stopFrames = soonAfterFrames(series.live, log, () => {
    if (!series.isWhole) return false;
    if (alerting.step()) return true;
    judging.soon(alerting.dueInMs());
    return false;
  });
  const stop = async () => {
    await watching.stop();
    stopFrames();
    for (const entry of [judging, testing, reporting, operating]) await entry.stop();
    alarm.stop();
    alerting.stop();
  };
  return { stop };
}

/** Keeps the stores, the certificate and the audit log in order. */
export function startUpkeep({ clock, log, state, series }: HubParts, assembly: Assembly, agenda: Agenda): Background {
  const { restore, delivery, alerting, audit, certificates } = assembly;
  const warming = agenda.add("reading the newest samples again", warmMs, () => (series.warm() ? 0 : Number.POSITIVE_INFINITY));
  const keptTime = new KeptTime({ state, clock, log });
  const maintaining = agenda.add("background work", maintainMs, async () => {
    const keptBy = keptTime.now();
    while ((await series.maintain(clock.now(), keptBy)).due) await setImmediate();
    return maintainMs;
  });
  const looking = () => lookForCertificate(certificates, clock, log);
  const certifying = agenda.add("looking for a new certificate", firstTickMs, looking, certificateEarlyMs);
  const pruning = agenda.add("dropping what is old", maintainMs, () => {
    const now = keptTime.now();
    const oldest = (now - historyMs) as EpochMs;
    state.history.prune(oldest);
    pruneJobTimes(state, oldest);
    state.removeEndedSessions(clock.now());
    for (const part of [delivery, alerting.loop, restore]) part.prune(now);
    return pruneMs;
  });
  const auditing = agenda.add("following the audit log", auditFirstMs, async () => {
    const { problem } = await audit.check();
    if (problem !== null) log(3, `the audit log can't be trusted: ${problem}`);
    return auditCheckMs;
  });
  let isStopping = false;
  const checking = agenda.add("checking what is stored", documentsFirstMs, async () => {
    const problem = await state.checkInSlices(() => setImmediate(!isStopping));
    if (problem !== undefined) log(4, `of what is stored, ${problem}`);
    return Number.POSITIVE_INFINITY;
  });
  const stop = async () => {
    for (const entry of [warming, maintaining, certifying, pruning]) await entry.stop();
    await audit.stop();
    await auditing.stop();
    isStopping = true;
    await checking.stop();
  };
  return { stop };
}

/** What is wrong with the files is logged, at leisure: the hub goes on with what it shows. */
async function lookForCertificate(certificates: Certificates, clock: Clock, log: Log): Promise<number> {
  try {
    await certificates.look(clock.now());
    return certificateEveryMs;
  } catch (error) {
    log(3, `the new certificate can't be taken up: ${errorMessage(error)}`);
    return maintainMs;
  }
}

/**
 * Frames come in bunches: once for all of those that came in one turn of the event loop. `step` says whether there is more to do, in a turn of
 * its own: the first after a start, with all of a fleet in it, would be the longest that the hub ever does at once.
 */
function soonAfterFrames(live: LiveTable, log: Log, step: () => boolean): () => void {
  let isDue = false;
  let isStopped = false;
  const work = async () => {
    for (let hasMore = true; hasMore; ) {
      await setImmediate();
      if (isStopped) return;
      isDue = false;
      hasMore = step();
    }
  };
  const forget = live.onFrame(() => {
    if (isDue) return;
    isDue = true;
    work().catch((error) => log(3, `alerts were not judged: ${describeError(error)}`));
  });
  return () => {
    isStopped = true;
    forget();
  };
}
