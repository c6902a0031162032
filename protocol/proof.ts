import * as z from "zod";
import { epochMs, text, vmid } from "./api-parts.ts";
import { proofLevels, restoreChecksMax, restoreOutcomes, restoreSteps, stepStates } from "./restore.ts";

/**
 * Shapes of `/api/v1` about proof that backups restore: runs of operations on agents, the proof each guest has, the catalogue of backups. As
 * api.ts: the panel imports types only. Times are ms since the Unix epoch, UTC; sizes are bytes.
 */

export const proofLevelSchema = z.enum(proofLevels);

/**
 * `proven`: the newest test that came to a verdict passed, and in time. `failed`: it failed. `overdue`: it passed, and longer ago than the
 * guest's policy allows. `never`: no backup of this guest was ever restored. `unknown`: the only test was interrupted, so nobody can say.
 */
export const proofStates = ["proven", "failed", "overdue", "never", "unknown"] as const;
export const proofBadgeSchema = z.object({
  state: z.enum(proofStates),
  /** Reached by the test `runId`. */
  level: proofLevelSchema,
  /** End of that test. */
  at: epochMs.nullable(),
  durationMs: z.int().nullable(),
  runId: z.string().nullable(),
});
export type ProofBadge = z.infer<typeof proofBadgeSchema>;

const runKinds = ["restore-test", "restore-plan", "archive-check", "pbs-verify"] as const;
export const runKindSchema = z.enum(runKinds);

/** `queued`: on the hub. `sent`: given to an agent, which has said nothing yet. `running`: it has. `finished`: `outcome` says how. */
export const runStates = ["queued", "sent", "running", "finished"] as const;

/** Those of a restore test, and `expired`: no node could begin it in time, so nothing was done. `passed` of a plan: it was made. */
export const runOutcomes = [...restoreOutcomes, "expired"] as const;
export type RunOutcome = (typeof runOutcomes)[number];

export const measuresViewSchema = z.object({
  restoreBytes: z.int().nullable(),
  restoreMs: z.int().nullable(),
  heartbeatMs: z.int().nullable(),
  serviceMs: z.int().nullable(),
  sequentialRead: z.int().nullable(),
  randomRead: z.int().nullable(),
});
export type MeasuresView = z.infer<typeof measuresViewSchema>;

/** A measure that is more than twice as bad as in the last good test of the guest. */
export const slowerSchema = z.object({ measure: z.string(), before: z.number(), now: z.number(), factor: z.number() });
export type Slower = z.infer<typeof slowerSchema>;

const runGuestSchema = z.object({ vmid, type: z.enum(["qemu", "lxc"]), name: z.string() });

export const runViewSchema = z.object({
  id: z.string(),
  kind: runKindSchema,
  cluster: z.string(),
  /** `guest/100`, or `cluster` where it is about no guest. */
  entity: z.string(),
  guest: runGuestSchema.nullable(),
  /** Where it runs; null: no node has it yet. */
  node: z.string().nullable(),
  backup: z.object({ storage: z.string(), volid: z.string().nullable(), at: epochMs.nullable() }),
  actor: z.string(),
  reason: z.string(),
  /** Of the policy that ordered it; null: somebody did. */
  policy: z.string().nullable(),
  createdAt: epochMs,
  expiresAt: epochMs,
  state: z.enum(runStates),
  /** Why it has not begun, or why nothing is heard of it. */
  waiting: z.string().nullable(),
  /** The step that runs, and how much of it is done (0 … 1). */
  step: z.string().nullable(),
  fraction: z.number().nullable(),
  startedAt: epochMs.nullable(),
  finishedAt: epochMs.nullable(),
  /** Somebody cancelled it, and it has not ended yet. */
  cancelling: z.string().nullable(),
  /** The test guest stays until then. */
  keepUntil: epochMs.nullable(),
  testVmid: z.int().nullable(),
  outcome: z.enum(runOutcomes).nullable(),
  level: proofLevelSchema.nullable(),
  /** One sentence. */
  verdict: z.string().nullable(),
  durationMs: z.int().nullable(),
  measures: measuresViewSchema.nullable(),
  slower: z.array(slowerSchema),
  leftovers: z.array(z.string()),
  /** `/api/v1/restore-tests/{id}/screenshot` has one. */
  screenshot: z.boolean(),
});
export type RunView = z.infer<typeof runViewSchema>;

export const runStepSchema = z.object({
  step: z.enum(restoreSteps),
  state: z.enum(stepStates),
  startedAt: epochMs,
  endedAt: epochMs.nullable(),
  reason: z.string().nullable(),
  upid: z.string().nullable(),
  log: z.array(z.string()),
});
export type RunStep = z.infer<typeof runStepSchema>;

const runCheckSchema = z.object({
  name: z.string(),
  kind: z.string(),
  state: z.enum(["passed", "failed", "skipped"]),
  reason: z.string(),
  durationMs: z.int().nullable(),
});

export const runDetailSchema = runViewSchema.extend({
  /** What was asked: of its kind in protocol/operations.ts. */
  request: z.record(z.string(), z.unknown()),
  /** In the order of their beginning; while it runs those that the agent told. */
  steps: z.array(runStepSchema),
  checks: z.array(runCheckSchema),
  /** What this run does not prove, a sentence each. */
  notProven: z.array(z.string()),
  /** SHA-256, hex, of the configuration in the backup; of the evidence; of the screenshot's PNG. The last two stand in the audit log. */
  configurationDigest: z.string().nullable(),
  evidenceDigest: z.string().nullable(),
  screenshotDigest: z.string().nullable(),
  /** Of a dry run: `restorePlanSchema`. Of an archive check: `archiveReportSchema`. */
  plan: z.record(z.string(), z.unknown()).nullable(),
  archive: z.record(z.string(), z.unknown()).nullable(),
  /** Of a test ordered by hand that has not ended: a backup that would meet the test guest, and what that does. A policy waits then; who orders by hand decides. */
  warning: z.string().optional(),
});
export type RunDetail = z.infer<typeof runDetailSchema>;

/** Body of `POST /api/v1/restore-tests`. Without `backup` the newest one of the guest in the catalogue. */
export const startRunSchema = z.strictObject({
  kind: runKindSchema.default("restore-test"),
  cluster: z.string().max(16).optional(),
  vmid,
  backup: z.strictObject({ storage: text(100), volid: text(512) }).optional(),
  /** Only on this node. */
  node: text(63).optional(),
  /** Where the disks go; absent: the node's own choice. */
  storage: text(100).optional(),
  memoryMib: z.int().min(16).optional(),
  sandbox: z
    .string()
    .regex(/^[a-z0-9]{1,8}$/)
    .optional(),
  /** As `restoreCheckSchema`; absent: those that policies define for the guest. */
  checks: z.array(z.record(z.string(), z.unknown())).max(restoreChecksMax).optional(),
  integrity: z.boolean().default(true),
  screenshot: z.boolean().default(true),
  benchmark: z.boolean().default(false),
  timeoutSec: z.int().min(60).max(86_400).default(7200),
  bootSec: z.int().min(10).max(3600).default(300),
  keepSec: z.int().min(0).max(86_400).default(0),
  /** It must begin within so long. */
  expiresInSec: z.int().min(30).max(604_800).default(3600),
  reason: text(500).default("started by hand"),
});
export type StartRun = z.infer<typeof startRunSchema>;

/**
 * Body of `POST /api/v1/verifications`: all backups of the guest `vmid` on a storage of a Backup Server, or without it of the storage's namespace, or of
 * its whole datastore.
 */
export const startVerificationSchema = z
  .strictObject({
    cluster: z.string().max(16).optional(),
    storage: text(100),
    vmid: vmid.optional(),
    datastore: z.boolean().default(false),
    /** What was verified within so many days is passed over; null: nothing is. */
    outdatedDays: z.int().min(1).max(3650).nullable().default(30),
    /** Only by the agent of this node. */
    node: text(63).optional(),
    /** It must begin within so long. */
    expiresInSec: z.int().min(30).max(604_800).default(3600),
    reason: text(500).default("started by hand"),
  })
  .refine((asked) => asked.vmid === undefined || !asked.datastore, {
    message: "either a guest's backups or the datastore",
    path: ["datastore"],
  });
export type StartVerification = z.infer<typeof startVerificationSchema>;

/** So long from now the test guest stays; 0: not any longer. */
export const keepRunSchema = z.strictObject({ sec: z.int().min(0).max(86_400) });

export const backupStates = ["verified", "failed", "unverified"] as const;

export const backupViewSchema = z.object({
  cluster: z.string(),
  storage: z.string(),
  /** Of the storage. */
  entity: z.string(),
  datastore: z.object({ key: z.string(), namespace: z.string() }).nullable(),
  volid: z.string(),
  vmid: z.int(),
  type: z.enum(["qemu", "lxc"]),
  /** `same`: it is of the guest that has this number now. `other`: it is not. `unknown`: nothing tells. `none`: no guest has this number. */
  guest: z.enum(["same", "other", "unknown", "none"]),
  at: epochMs,
  bytes: z.int().nullable(),
  format: z.string(),
  notes: z.string().nullable(),
  protected: z.boolean(),
  encrypted: z.boolean(),
  owner: z.string().nullable(),
  /** `verified` and `failed`: what the Backup Server said, or what a check of ours found. */
  state: z.enum(backupStates),
  verifiedAt: epochMs.nullable(),
  sha256: z.string().nullable(),
  /** The storage could not be listed since `listedAt`. */
  stale: z.boolean(),
  listedAt: epochMs,
  /** Why it could not. */
  problem: z.string().nullable(),
});
export type BackupView = z.infer<typeof backupViewSchema>;

/** One thing that keeps a guest from being protected, or from being known to be. */
const proofGaps = [
  "no-job",
  "no-backup",
  "backup-overdue",
  "disk-left-out",
  "disks-unknown",
  "backup-failed",
  "backup-unverifiable",
  "backup-stale",
  "size-grew",
  "size-shrank",
  "never-proven",
  "proof-failed",
  "proof-overdue",
  "jobs-unknown",
] as const;
export const guestProofSchema = z.object({
  cluster: z.string(),
  entity: z.string(),
  vmid: z.int(),
  type: z.enum(["qemu", "lxc"]),
  name: z.string(),
  node: z.string(),
  tags: z.array(z.string()),
  pool: z.string().nullable(),
  /** `unknown`: nobody can tell, which is not yes. */
  protected: z.enum(["yes", "no", "unknown"]),
  gaps: z.array(z.object({ gap: z.enum(proofGaps), text: z.string() })),
  backups: z.int(),
  lastBackup: z.object({ at: epochMs, storage: z.string(), volid: z.string(), bytes: z.int().nullable() }).nullable(),
  /** When the newest backup was made whose bytes somebody verified. */
  lastVerifiedAt: epochMs.nullable(),
  proof: proofBadgeSchema,
  /** When its policy wants the next test; null: no policy holds it. */
  dueAt: epochMs.nullable(),
  /** What the newest proof does not prove. */
  notProven: z.array(z.string()),
  slower: z.array(slowerSchema),
});
export type GuestProofView = z.infer<typeof guestProofSchema>;
