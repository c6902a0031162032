import type { ProofBadge, RunDetail, RunView, Slower } from "#protocol/proof.ts";
import type { ProofLevel } from "#protocol/restore.ts";
import { formatAge } from "./age.ts";
import type { Translate } from "./text.ts";
import { formatDuration, formatSpan, formatValue } from "./units.ts";

/** How a proof looks: `bad` needs somebody, `old` and `none` are gaps, `unknown` is neither good nor bad. */
export type ProofLook = "good" | "bad" | "old" | "none" | "unknown";

export function lookOf(proof: ProofBadge | undefined): ProofLook {
  switch (proof?.state) {
    case "proven":
      return proof.level === "none" ? "unknown" : "good";
    case "failed":
      return "bad";
    case "overdue":
      return "old";
    case "never":
    case undefined:
      return "none";
    case "unknown":
      return "unknown";
  }
}

/**
 * The same test once more: of the same backup, with what was wished then; its checks are those that policies want now. Undefined: it was none
 * that can be ordered.
 */
export function againOf({ kind, cluster, guest, backup, request }: RunDetail) {
  if (kind !== "restore-test" || guest === null || backup.volid === null) return undefined;
  const wishes = (["integrity", "screenshot", "benchmark"] as const).flatMap((name) => {
    const wish = request[name];
    return typeof wish === "boolean" ? [[name, wish] as const] : [];
  });
  return {
    ...Object.fromEntries(wishes),
    cluster,
    vmid: guest.vmid,
    backup: { storage: backup.storage, volid: backup.volid },
    reason: "tested again by hand",
  };
}

/** What a level proves, in a word or two. */
export function levelWords(level: ProofLevel, t: Translate): string {
  const words: Record<ProofLevel, string> = {
    none: t("nothing proven"),
    bytes: t("bytes verified"),
    boots: t("boots"),
    works: t("works"),
  };
  return words[level];
}

/** The badge: `restored OK 6 d ago, 3 min, works`. Absent is not unknown: the hub tests nothing, so there is no proof. */
export function proofWords(proof: ProofBadge | undefined, now: number, t: Translate): string {
  if (proof === undefined || proof.state === "never") return t("No restore proof yet");
  if (proof.state === "unknown") return t("Unknown: the last restore test did not come to its end");
  const age = proof.at === null ? "?" : formatAge(now - proof.at);
  if (proof.state === "failed") return t("Restore FAILED {age} ago", { age });
  const took = proof.durationMs === null ? "" : `, ${formatSpan(proof.durationMs / 1000)}`;
  const what = levelWords(proof.level, t);
  return proof.state === "overdue"
    ? t("Restored OK {age} ago{took}, {what}: overdue", { age, took, what })
    : t("Restored OK {age} ago{took}, {what}", { age, took, what });
}

const stepNames: Record<RunDetail["steps"][number]["step"], string> = {
  locate: "Find the backup",
  preflight: "Is there room for it?",
  configuration: "Read its configuration",
  integrity: "Read every byte",
  plan: "Plan the calls",
  sandbox: "Make the sandbox",
  restore: "Restore, locked",
  compare: "Is it what was asked?",
  strip: "Take out what reaches outside",
  "compare-again": "Is it isolated?",
  unlock: "Unlock",
  start: "Start",
  heartbeat: "First sign of life",
  network: "Network in the sandbox",
  checks: "Checks",
  screenshot: "Screenshot",
  benchmark: "Benchmark",
  keep: "Kept for you",
  stop: "Stop",
  destroy: "Remove",
};
/** English names of all steps: catalogues have each of them. */
export const allStepNames = Object.values(stepNames);
export const stepWords = (step: keyof typeof stepNames, t: Translate) => t(stepNames[step]);

/** Where a run stands, in one line. */
export function runWords(run: RunView, now: number, t: Translate): string {
  if (run.state === "finished") return run.verdict === null ? outcomeWords(run, t) : t(run.verdict);
  if (run.cancelling !== null) return t("Being cancelled by {who}", { who: run.cancelling });
  if (run.keepUntil !== null && run.keepUntil > now)
    return t("Kept for another {time}", { time: formatDuration((run.keepUntil - now) / 1000) });
  if (run.waiting !== null) return run.waiting;
  if (run.state === "queued") return t("Waiting for a node");
  if (run.state === "sent" || run.step === null) return t("Given to {node}", { node: run.node ?? "?" });
  const step = run.step in stepNames ? stepWords(run.step as keyof typeof stepNames, t) : run.step;
  const done = run.fraction === null ? "" : ` ${Math.floor(run.fraction * 100)} %`;
  return `${step}${done}`;
}

export function outcomeWords(run: Pick<RunView, "outcome">, t: Translate): string {
  const words: Record<NonNullable<RunView["outcome"]>, string> = {
    passed: t("Passed"),
    failed: t("Failed"),
    refused: t("Could not run: says nothing of the backup"),
    cancelled: t("Cancelled"),
    interrupted: t("Interrupted: nobody can say"),
    expired: t("Never began: no node could in time"),
  };
  return run.outcome === null ? t("Running") : words[run.outcome];
}

export type RunLook = "good" | "bad" | "running" | "waiting" | "unknown";

/** Cancelled, refused, interrupted and expired runs prove nothing either way. */
export function lookOfRun({ state, outcome }: Pick<RunView, "state" | "outcome">): RunLook {
  if (state === "queued") return "waiting";
  if (state !== "finished") return "running";
  return outcome === "passed" ? "good" : outcome === "failed" ? "bad" : "unknown";
}

/** What a measure of a test is called. */
export function slowerName(measure: string, t: Translate): string {
  const names: Record<string, string> = {
    restoreSpeed: t("Restore speed"),
    heartbeatMs: t("First sign of life"),
    serviceMs: t("Services"),
    sequentialRead: t("Sequential read"),
    randomRead: t("Random read"),
  };
  return names[measure] ?? measure;
}

/** A measure that got much worse, as a sentence. */
export function slowerWords({ measure, before, now, factor }: Slower, t: Translate): string {
  const show = (value: number) =>
    measure.endsWith("Ms")
      ? formatSpan(value / 1000)
      : formatValue(value, measure === "randomRead" ? "perSecond" : "bytesPerSecond");
  return t("{what} is {factor}× worse than in the last good test: {now}, was {before}", {
    what: slowerName(measure, t),
    factor: factor.toFixed(1),
    now: show(now),
    before: show(before),
  });
}
