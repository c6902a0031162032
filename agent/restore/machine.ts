import type { RestoreReport } from "#protocol/restore.ts";
import { errorMessage, errorTrace } from "../core/error.ts";
import { hasAgent } from "../core/restore/isolate-vm.ts";
import { whyNotOurs } from "../core/restore/ours.ts";
import { restoreReport } from "../core/restore/report.ts";
import { passedReason, proofLevel } from "../core/restore/verdict.ts";
import { clearAway } from "./clear-away.ts";
import type { TestGuest } from "./guest.ts";
import { TestEnd, type TestRun } from "./run.ts";
import { benchmark } from "./steps/benchmark.ts";
import * as prepare from "./steps/prepare.ts";
import * as prove from "./steps/prove.ts";
import * as made from "./steps/restore.ts";
import { screenshot } from "./steps/screenshot.ts";

type Verdict = { outcome: RestoreReport["outcome"]; reason: string };

/**
 * One restore test from its first look to its report. Whatever happens on the way, what it made is cleared away at the end, and only what was seen is
 * called proven. Never throws for what the node does.
 */
export async function runRestoreTest(run: TestRun): Promise<RestoreReport> {
  const done = new AbortController();
  run.watchTime(done.signal);
  const shot: { png?: string | undefined } = {};
  const verdict = await judged(run, () => prepareAndProve(run, shot));
  const leftovers = await clearAway(run);
  done.abort();
  const { clock, node } = run.ports;
  const level = proofLevel(run.state.steps, run.state.checks, run.state.facts.bytesBy !== undefined);
  const reason = verdict?.reason ?? passedReason(level, run.state.facts.bytesBy);
  const outcome = verdict?.outcome ?? "passed";
  return restoreReport(run.state, run.test, { node, outcome, reason, endedAt: clock.now(), leftovers, screenshot: shot.png });
}

/** Undefined: it came to its end. */
async function judged(run: TestRun, work: () => Promise<void>): Promise<Verdict | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (error instanceof TestEnd) return { outcome: error.outcome, reason: error.message };
    const problem = errorTrace(error);
    run.ports.log(3, "a restore test ended unexpectedly", { operation: run.id, problem });
    return { outcome: "failed", reason: `The agent made a mistake: ${errorMessage(error)}` };
  }
}

async function prepareAndProve(run: TestRun, shot: { png?: string | undefined }): Promise<void> {
  const backup = await run.step("locate", () => prepare.locate(run));
  const { at: backupAt, bytes: backupBytes } = backup;
  run.note({
    entry: "facts",
    facts: { ...(backupAt !== undefined && { backupAt }), ...(backupBytes !== undefined && { backupBytes }) },
  });
  const configuration = await run.step("configuration", () => prepare.readConfiguration(run));
  run.note({ entry: "facts", facts: { configurationDigest: configuration.digest } });
  const place = await run.step("preflight", () => prepare.preflight(run, configuration));
  await run.step("plan", () => prepare.judgePlan(run, configuration, place)); // before an archive is read for hours
  await run.step("integrity", () => prepare.proveBytes(run));
  const sandbox = await run.step("sandbox", () => made.openSandbox(run));
  const isolation = prepare.isolationOf(run, place, sandbox.bridge);
  const plan = prepare.planFor(configuration.config, isolation);
  const guest = await run.step("restore", () => made.restore(run, isolation, plan));
  run.claim({ bytes: 0 }); // from here on the storage says itself what is written
  const it = { guest, plan, isolation, sandbox };
  const expectsAgent = hasAgent(configuration.config);
  const started = await fairly(run, it, async () => {
    await isolate(run, it);
    return run.step("start", () => prove.start(run, it, expectsAgent));
  });
  const verdict = await judged(run, () => fairly(run, it, () => proveAlive(run, it, started, expectsAgent, shot)));
  const keeps = verdict === undefined || verdict.outcome === "failed";
  const kept = keeps ? await judged(run, () => showAndKeep(run, it, shot)) : undefined;
  const end = verdict ?? kept; // what failed has failed, whoever ends its keeping
  if (end !== undefined) throw new TestEnd(end.outcome, end.reason);
}

/** What somebody else did to the test guest is no word against the backup. */
async function fairly<T>(run: TestRun, { guest }: made.Made, work: () => Promise<T>): Promise<T> {
  const since = run.ports.clock.now();
  try {
    return await work();
  } catch (error) {
    const meddled = error instanceof TestEnd && error.outcome === "failed" ? await meddling(run, guest, since) : undefined;
    if (meddled === undefined) throw error;
    throw new TestEnd("refused", `${meddled}, which says nothing against the backup (${errorMessage(error)})`);
  }
}

/** Undefined: it is the test's own, and nobody else had it do anything. */
async function meddling({ view }: TestRun, guest: TestGuest, since: number): Promise<string | undefined> {
  const owned = await guest.ownership();
  if (owned.ok && !owned.value.ours)
    return `The test guest ${guest.vmid} was taken from the test: ${whyNotOurs[owned.value.why]}`;
  const task = await view.disturber(guest.vmid, since);
  if (task !== undefined) return `Somebody else's task ended the test guest ${guest.vmid}: ${task}`;
  // A backup job of all guests stops it in some modes, and its task names none.
  const config = await guest.config();
  const lock = config.ok ? config.value.lock : undefined;
  return lock === undefined || lock === "create" ? undefined : `Somebody else has locked the test guest ${guest.vmid} (${lock})`;
}

/** From the locked, unjudged copy to one that may start. */
async function isolate(run: TestRun, it: made.Made): Promise<void> {
  await run.step("compare", async () => {
    const result = await made.compare(it, { stripped: false, locked: true });
    if ("failed" in result) return result;
    const space = await made.judgeSpace(run, it.isolation.storage);
    return space === undefined ? { value: undefined } : { failed: space, outcome: "refused" };
  });
  await run.step("strip", () => made.strip(run, it));
  await run.step("compare-again", () => made.compare(it, { stripped: true, locked: true }));
  await run.step("unlock", () => made.unlock(run, it));
}

async function proveAlive(
  run: TestRun,
  it: made.Made,
  { startedMs, linked }: prove.Started,
  expectsAgent: boolean,
  shot: { png?: string | undefined },
): Promise<void> {
  const inside = await run.step("heartbeat", () => prove.heartbeat(run, it, startedMs, expectsAgent));
  const address = await run.step("network", () => prove.network(run, it, inside, linked));
  await run.step("checks", () => prove.runChecks(run, it, { startedMs, inside, address }));
  shot.png = await run.step("screenshot", () => screenshot(run, it));
  await run.step("benchmark", () => benchmark(run, it, inside));
}

/** A picture of what failed is worth most, and a guest that is kept is kept also when its checks failed. */
async function showAndKeep(run: TestRun, it: made.Made, shot: { png?: string | undefined }): Promise<void> {
  if (run.signal.aborted) return;
  if (!run.state.steps.some(({ step }) => step === "screenshot")) {
    const result = await run.record("screenshot", () => screenshot(run, it));
    if (!("failed" in result)) shot.png = result.value;
  }
  await run.step("keep", () => keep(run));
}

/** Until its time is over, which `op.keep` may move. Wall time: it survives a restart of the agent. */
async function keep(run: TestRun) {
  const { test, ports } = run;
  const keepSec = Math.min(test.keepSec, ports.limits.keepSec);
  if (keepSec === 0) return { value: undefined, state: "skipped", reason: "Not asked for" } as const;
  run.keepUntil(ports.clock.now() + keepSec * 1000, "policy");
  await keptUntil(run);
  return { value: undefined };
}

/** Resolves when the guest's time is over or the test is. */
export async function keptUntil(run: TestRun): Promise<void> {
  const { clock } = run.ports;
  for (;;) {
    const leftMs = (run.state.keptUntil ?? 0) - clock.now();
    if (leftMs <= 0 || run.signal.aborted) return;
    const moved = new AbortController();
    run.onKeep = () => moved.abort();
    const stop = () => moved.abort();
    run.signal.addEventListener("abort", stop, { once: true });
    await clock.sleep(Math.min(leftMs, 60_000), moved.signal);
    run.signal.removeEventListener("abort", stop);
  }
}
