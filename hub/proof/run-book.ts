import { createHash } from "node:crypto";
import type { ClusterId, EpochMs } from "#protocol/ids.ts";
import type { OperationResult, SnapshotVerdict } from "#protocol/operations.ts";
import type { RunDetail, RunView } from "#protocol/proof.ts";
import type { CheckedBackup } from "../core/backup-catalogue.ts";
import { stepProof } from "../core/proof.ts";
import { isOpen, withResult } from "../core/run.ts";
import type { ProofRecord, Run } from "../core/run-record.ts";
import { type LiveRun, noLiveRun, runDetail, runView } from "../core/run-view.ts";
import { digest } from "../store/audit.ts";
import type { Actor, StateStore } from "../store/state.ts";

const proofKey = (cluster: string, vmid: number) => `${cluster}/${vmid}`;
const checkKey = (cluster: string, storage: string, volid: string) => `${cluster}\n${storage}\n${volid}`;
const noTests: readonly Run[] = [];
const hubActor = (reason: string): Actor => ({ actor: "hub", reason });

/** Runs are kept as long as the history; evidence of the newest is what an audit asks for. */
export const runsKeptMs = 400 * 86_400_000;

/** A guest that is gone stands in its node's inventory no longer than this. */
const lingersMs = 2 * 60_000;

/** All runs, small and in memory; what they found stays in the store until somebody asks. */
export class RunBook {
  private readonly runs = new Map<string, Run>();
  private readonly live = new Map<string, LiveRun>();
  private readonly proofs = new Map<string, ProofRecord>();
  /** What our own checks found, by cluster, storage and volid. */
  private readonly checks = new Map<string, CheckedBackup>();
  /** The newest restore test that made a guest, by cluster and node. */
  private readonly ofNode = new Map<string, Run>();
  /** Restore tests that measured something, by guest and run. */
  private readonly tests = new Map<string, Map<string, Run>>();
  private readonly testLists = new Map<string, readonly Run[]>();
  private readonly listeners = new Set<(run: Run) => void>();

  private changes = 0;

  constructor(private readonly state: StateStore) {
    const known = state.list("run").map(({ document }) => document);
    for (const run of known.sort((a, b) => a.createdAt - b.createdAt)) this.remember(run);
    for (const { id, document } of state.list("proof")) this.proofs.set(id, document);
  }

  /** Another number than before: a run, or what one proved, is another. */
  get version(): number {
    return this.changes;
  }

  get(id: string): Run | undefined {
    return this.runs.get(id);
  }

  open(): Run[] {
    return [...this.runs.values()].filter(isOpen);
  }

  /** Newest first. */
  newest(): Run[] {
    return [...this.runs.values()].reverse();
  }

  proof(cluster: string, vmid: number): ProofRecord | undefined {
    return this.proofs.get(proofKey(cluster, vmid));
  }

  /** Ended restore tests of this number that measured something, in no order; the same list until there is another one. */
  testsOf(cluster: string, vmid: number): readonly Run[] {
    const key = proofKey(cluster, vmid);
    const known = this.testLists.get(key);
    if (known !== undefined) return known;
    const tests = this.tests.get(key);
    if (tests === undefined) return noTests;
    const list = [...tests.values()];
    this.testLists.set(key, list);
    return list;
  }

  /** Whose tests measured something. */
  *testedGuests(): Iterable<{ cluster: ClusterId; vmid: number }> {
    for (const tests of this.tests.values()) {
      const [test] = tests.values();
      if (test?.guest != null) yield { cluster: test.cluster, vmid: test.guest.vmid };
    }
  }

  /**
   * Numbers of test guests in a cluster, whose backups nobody has to prove: of tests that go on, and of the newest that ended on each node while
   * the inventory may still name them. What a test left behind is none of them for long: somebody should see it.
   */
  testGuests(cluster: string, now: EpochMs): ReadonlySet<number> {
    const ended = [...this.ofNode.values()].filter(({ finishedAt }) => now - (finishedAt ?? 0) < lingersMs);
    const runs = [...this.open(), ...ended].filter((run) => run.cluster === cluster);
    return new Set(runs.flatMap((run) => run.testVmid ?? this.liveOf(run).testVmid ?? []));
  }

  /** What the newest restore test on a node could not clear away; undefined: none made a guest there. */
  leftoversOn(cluster: string, node: string): readonly string[] | undefined {
    return this.ofNode.get(`${cluster}/${node}`)?.leftovers;
  }

  /** What the newest check of ours found of this backup. */
  checked(cluster: string, storage: string, volid: string): CheckedBackup | undefined {
    return this.checks.get(checkKey(cluster, storage, volid));
  }

  view(run: Run): RunView {
    return runView(run, this.live.get(run.id));
  }

  detail(run: Run): RunDetail {
    return runDetail(run, this.live.get(run.id), this.result(run));
  }

  /** What its agent told at the end, screenshot aside. */
  result({ id }: Pick<Run, "id">): OperationResult | undefined {
    return this.state.get("runEvidence", id)?.result;
  }

  /** The PNG; undefined: there is none, or it isn't the one that was taken. */
  screenshot({ id, screenshotDigest }: Run): Buffer | undefined {
    const png = this.state.get("runScreenshot", id)?.png;
    if (png === undefined || sha256(png) !== screenshotDigest) return undefined;
    return Buffer.from(png, "base64");
  }

  liveOf({ id }: Pick<Run, "id">): LiveRun {
    return this.live.get(id) ?? noLiveRun;
  }

  tellLive(run: Run, change: Partial<LiveRun>): void {
    this.live.set(run.id, { ...this.liveOf(run), ...change });
    this.tell(run);
  }

  /** Durable when it returns. */
  save(run: Run, by: Actor): void {
    this.state.together(() => {
      this.state.put("run", run.id, run, by);
      if (!isOpen(run)) this.saveProof(run, undefined);
    });
    this.saved(run);
  }

  /** Evidence, screenshot, run and proof are durable together when it returns. */
  finish(before: Run, told: OperationResult, now: EpochMs): Run {
    const { result, screenshot } = withoutScreenshot(told);
    const evidence = { result };
    const digests = {
      evidence: digest(evidence) ?? "",
      screenshot: screenshot === undefined ? null : sha256(screenshot),
    };
    const lastGood = before.guest === null ? undefined : this.proof(before.cluster, before.guest.vmid)?.lastGood;
    const run = withResult(before, result, digests, lastGood ?? null, now);
    const by: Actor = { actor: `agent ${run.cluster}/${run.node ?? ""}`, reason: `${run.outcome}: ${run.verdict}` };
    this.state.together(() => {
      this.state.put("runEvidence", run.id, evidence, by);
      if (screenshot !== undefined) this.state.put("runScreenshot", run.id, { png: screenshot }, by);
      this.state.put("run", run.id, run, by);
      this.saveProof(run, result);
    });
    this.saved(run);
    return run;
  }

  /** Drops what ended longer ago than `before`; the audit log keeps that it was there. */
  prune(before: EpochMs): void {
    const old = [...this.runs.values()].filter(({ finishedAt }) => finishedAt !== null && finishedAt < before);
    if (old.length === 0) return;
    const by = hubActor("older than is kept");
    this.state.together(() => {
      for (const { id } of old.slice(0, 200)) {
        for (const kind of ["run", "runEvidence", "runScreenshot"] as const) this.state.remove(kind, id, by);
      }
    });
    this.changes++;
    for (const run of old.slice(0, 200)) {
      this.runs.delete(run.id);
      this.forgetTest(run);
    }
  }

  onRun(listener: (run: Run) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  private saveProof(run: Run, result: OperationResult | undefined): void {
    if (run.guest === null) return;
    const key = proofKey(run.cluster, run.guest.vmid);
    const before = this.proofs.get(key);
    const next = stepProof(before, run, result);
    if (next === undefined || next === before) return;
    this.state.put("proof", key, next, hubActor("observed"));
    this.proofs.set(key, next);
  }

  private remember(run: Run): void {
    this.changes++;
    this.runs.set(run.id, run);
    const { operation, outcome, finishedAt } = run;
    const place = `${run.cluster}/${run.node}`;
    if (run.testVmid !== null && finishedAt !== null && (this.ofNode.get(place)?.finishedAt ?? 0) <= finishedAt)
      this.ofNode.set(place, run);
    if (run.kind === "restore-test") this.rememberTest(run);
    if (operation.kind !== "archive-check" && operation.kind !== "pbs-verify") return;
    if (finishedAt === null) return;
    const { storage, volid } = operation.params;
    const keep = (of: { storage: string; volid: string }, state: CheckedBackup["state"]) =>
      this.checks.set(checkKey(run.cluster, of.storage, of.volid), { state, at: finishedAt });
    if (volid === undefined) {
      for (const verdict of this.verdictsOf(run)) {
        if (verdict.state === "verified") keep(verdict, "verified");
        else if (verdict.state === "damaged") keep(verdict, "failed");
      }
    } else if (outcome === "passed" || outcome === "failed")
      keep({ storage, volid }, outcome === "passed" ? "verified" : "failed");
  }

  private rememberTest(run: Run): void {
    if (run.guest === null || run.finishedAt === null || run.measures === null) return;
    const key = proofKey(run.cluster, run.guest.vmid);
    const tests = this.tests.get(key) ?? new Map<string, Run>();
    this.tests.set(key, tests.set(run.id, run));
    this.testLists.delete(key);
  }

  private forgetTest({ id, cluster, guest }: Run): void {
    if (guest === null) return;
    const key = proofKey(cluster, guest.vmid);
    const tests = this.tests.get(key);
    if (tests?.delete(id) !== true) return;
    this.testLists.delete(key);
    if (tests.size === 0) this.tests.delete(key);
  }

  /** Of a verification of many backups. */
  private verdictsOf(run: Run): readonly SnapshotVerdict[] {
    const result = this.result(run);
    return result?.kind === "pbs-verify" ? (result.report.snapshots ?? []) : [];
  }

  private saved(run: Run): void {
    this.remember(run);
    if (!isOpen(run)) this.live.delete(run.id);
    this.tell(run);
  }

  private tell(run: Run): void {
    for (const listener of this.listeners) listener(run);
  }
}

const sha256 = (png: string) => createHash("sha256").update(Buffer.from(png, "base64")).digest("hex");

function withoutScreenshot(told: OperationResult): { result: OperationResult; screenshot: string | undefined } {
  if (told.kind !== "restore-test") return { result: told, screenshot: undefined };
  const { screenshot, ...report } = told.report;
  return { result: { kind: "restore-test", report }, screenshot };
}

/** Why stored evidence can't be trusted; undefined: every run's fits the digest that stands in the audit log. */
export function evidenceProblem(state: StateStore): string | undefined {
  for (const { document: run } of state.list("run")) {
    const problem = problemOf(state, run);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** As `evidenceProblem`; `goOn` is awaited after each run, and may say no. */
export async function evidenceProblemInSlices(state: StateStore, goOn: () => Promise<boolean>): Promise<string | undefined> {
  for (const id of state.list("run").map((run) => run.id)) {
    const run = state.get("run", id);
    const problem = run === undefined ? undefined : problemOf(state, run);
    if (problem !== undefined) return problem;
    if (!(await goOn())) return undefined;
  }
  return undefined;
}

function problemOf(state: StateStore, { id, evidenceDigest, screenshotDigest }: Run): string | undefined {
  if (evidenceDigest !== null && digest(state.get("runEvidence", id)) !== evidenceDigest)
    return `the evidence of run ${id} was changed`;
  const png = state.get("runScreenshot", id)?.png;
  const shown = png === undefined ? null : sha256(png);
  return shown === screenshotDigest ? undefined : `the screenshot of run ${id} was changed`;
}
