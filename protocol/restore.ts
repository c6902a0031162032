import * as z from "zod/mini";
import { int, list, text, vmid } from "./schema-parts.ts";

/**
 * What a restore test is asked, tells on its way and proves. The agent runs it (agent/restore), the hub orders, stores and shows it. Sizes are
 * bytes, times ms since the Unix epoch (`…At`) or ms (`…Ms`). zod/mini: the agent carries this file.
 */

const port = z.int().check(z.minimum(1), z.maximum(65_535));

/** What is proven, each including those before it. `none`: nothing, whatever the reason. */
export const proofLevels = ["none", "bytes", "boots", "works"] as const;
export type ProofLevel = (typeof proofLevels)[number];

const timeoutSec = z.optional(z.int().check(z.minimum(1), z.maximum(3600)));
const common = { name: text(64), timeoutSec };

/** One check inside the running test guest. `name` is unique among its guest's checks. */
export const restoreCheckSchema = z.discriminatedUnion("kind", [
  /** The guest agent answers `ping`. */
  z.strictObject({ ...common, kind: z.literal("agent-ping") }),
  /** A command through the guest agent (VM) or `pct exec` (container): exit code 0, and `text` in its output where given. */
  z.strictObject({ ...common, kind: z.literal("exec"), command: list(text(1000), 64), text: z.optional(text(500)) }),
  /** Every file system of the guest is mounted and says its size. */
  z.strictObject({ ...common, kind: z.literal("filesystems") }),
  z.strictObject({ ...common, kind: z.literal("icmp") }),
  z.strictObject({ ...common, kind: z.literal("tcp"), port }),
  z.strictObject({
    ...common,
    kind: z.literal("http"),
    scheme: z.enum(["http", "https"]),
    port: z.optional(port),
    path: z.string().check(z.regex(/^\/[^\s]*$/, "must begin with /"), z.maxLength(1000)),
    /** `Host` header and TLS server name; absent: the guest's address. */
    host: z.optional(text(255)),
    status: z.optional(z.int().check(z.minimum(100), z.maximum(599))),
    text: z.optional(text(500)),
  }),
  /** A handshake, and the certificate's end in the future. The chain is not judged: the test guest sits in a sandbox. */
  z.strictObject({ ...common, kind: z.literal("tls"), port, serverName: z.optional(text(255)) }),
  /** The guest answers as a DNS server. */
  z.strictObject({ ...common, kind: z.literal("dns"), port: z.optional(port), query: text(255), answer: z.optional(text(255)) }),
  /** `secret` names an entry of the node's own /etc/proven/restore-secrets.toml; it never comes from the hub. */
  z.strictObject({
    ...common,
    kind: z.literal("ssh"),
    port: z.optional(port),
    user: text(64),
    secret: text(64),
    command: text(1000),
    text: z.optional(text(500)),
  }),
  /** The server greets as its protocol says; nobody logs in. */
  z.strictObject({ ...common, kind: z.literal("postgresql"), port: z.optional(port) }),
  z.strictObject({ ...common, kind: z.literal("mysql"), port: z.optional(port) }),
  z.strictObject({ ...common, kind: z.literal("process"), process: text(64) }),
  /** A systemd unit is active. */
  z.strictObject({ ...common, kind: z.literal("service"), unit: text(128) }),
  /** A file of the node's /etc/proven/checks.d, run with the guest's address and vmid; the node decides which exist. */
  z.strictObject({
    ...common,
    kind: z.literal("script"),
    script: z.string().check(z.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/)),
  }),
]);
export type RestoreCheck = z.output<typeof restoreCheckSchema>;
/** Of one guest in one test. */
export const restoreChecksMax = 32;

/** A VM's or container's backup, as its storage names it. */
const backupReference = { storage: text(100), volid: text(512) };

/** What a test is asked. The node's own agent.toml bounds it: nothing here can widen that. Strict: an agent does not begin what it knows half of. */
export const restoreTestSchema = z.strictObject({
  /** The guest whose backup it is; the test guest gets another number. */
  vmid,
  type: z.enum(["qemu", "lxc"]),
  backup: z.strictObject(backupReference),
  /** Where the disks go; absent: the node's own choice among its allowed ones. */
  storage: z.optional(text(100)),
  /** Memory of the test guest, MiB; absent: the backup's, at most the node's limit. */
  memoryMib: z.optional(int),
  /** Tests that share a sandbox see each other; absent: one of its own. */
  sandbox: z.optional(z.string().check(z.regex(/^[a-z0-9]{1,8}$/))),
  checks: list(restoreCheckSchema, restoreChecksMax),
  /** Read every byte of the archive (or have the Backup Server verify it) before the restore. */
  integrity: z.boolean(),
  screenshot: z.boolean(),
  benchmark: z.boolean(),
  /** Time the whole test may take, s. */
  timeoutSec: z.int().check(z.minimum(60), z.maximum(86_400)),
  /** Time for the guest's first sign of life after its start, s. */
  bootSec: z.int().check(z.minimum(10), z.maximum(3600)),
  /** Leave the guest running so long after the checks; 0: destroy at once. */
  keepSec: z.int().check(z.minimum(0), z.maximum(86_400)),
});
export type RestoreTest = z.output<typeof restoreTestSchema>;

export const restoreSteps = [
  "locate",
  "configuration",
  "preflight",
  "plan",
  "integrity",
  "sandbox",
  "restore",
  "compare",
  "strip",
  "compare-again",
  "unlock",
  "start",
  "heartbeat",
  "network",
  "checks",
  "screenshot",
  "benchmark",
  "keep",
  "stop",
  "destroy",
] as const;
export type RestoreStep = (typeof restoreSteps)[number];

/** `skipped`: did not run, and why. `unknown`: ran and nobody can say (the agent died in it). Neither is ever `passed`. */
export const stepStates = ["running", "passed", "failed", "skipped", "unknown"] as const;

export const stepRecordSchema = z.object({
  step: z.enum(restoreSteps),
  state: z.enum(stepStates),
  startedAt: int,
  endedAt: z.optional(int),
  /** A sentence for the admin: why it failed or was skipped, or what it found. */
  reason: z.optional(text(2000)),
  /** Task of PVE it awaited. */
  upid: z.optional(text(512)),
  /** Last lines of that task's log, or what the step wrote down. */
  log: list(z.string().check(z.maxLength(1000)), 100),
});
export type StepRecord = z.output<typeof stepRecordSchema>;

export const checkRecordSchema = z.object({
  name: text(64),
  kind: text(32),
  state: z.enum(["passed", "failed", "skipped"]),
  /** Why, or what it saw. */
  reason: text(2000),
  durationMs: z.optional(int),
});
export type CheckRecord = z.output<typeof checkRecordSchema>;

/** Absent: not measured. */
export const measuresSchema = z.object({
  restoreBytes: z.optional(int),
  restoreMs: z.optional(int),
  /** From the start command to the first answer of the guest agent (VM) or a running init (container). */
  heartbeatMs: z.optional(int),
  /** From the start command to the last passed check. */
  serviceMs: z.optional(int),
  /** Bytes per second inside the guest. */
  sequentialRead: z.optional(int),
  /** 4 KiB reads per second inside the guest. */
  randomRead: z.optional(int),
});
export type Measures = z.output<typeof measuresSchema>;

/** `refused`: the node's rules or its state were in the way, before or after it began: no word against the backup. `interrupted`: the agent or node died in it. */
export const restoreOutcomes = ["passed", "failed", "refused", "cancelled", "interrupted"] as const;

export const restoreReportSchema = z.object({
  outcome: z.enum(restoreOutcomes),
  /** The highest level really reached, also of a failed test. */
  level: z.enum(proofLevels),
  /** The verdict in one sentence. */
  reason: text(2000),
  startedAt: int,
  endedAt: int,
  node: text(63),
  vmid,
  backup: z.object(backupReference),
  backupAt: z.optional(int),
  backupBytes: z.optional(int),
  /** Number the test guest had; absent: none was made. */
  testVmid: z.optional(vmid),
  /** SHA-256, hex, of the configuration in the backup. */
  configurationDigest: z.optional(z.string().check(z.regex(/^[0-9a-f]{64}$/))),
  /** How the bytes were proven: `pbs-verify`, `compressor-checksum`, `own-sha256`; absent: they were not. */
  bytesBy: z.optional(z.enum(["pbs-verify", "compressor-checksum", "own-sha256"])),
  steps: list(stepRecordSchema, 40),
  checks: list(checkRecordSchema, restoreChecksMax),
  measures: measuresSchema,
  /** PNG, base64. */
  screenshot: z.optional(z.string().check(z.regex(/^[A-Za-z0-9+/]+={0,2}$/), z.maxLength(400_000))),
  /** What could not be cleared away, a sentence each; empty: the node is as it was before. */
  leftovers: list(text(500), 32),
});
export type RestoreReport = z.output<typeof restoreReportSchema>;

/** One call a test would make, as the dry run prints it. */
export const plannedCallSchema = z.object({
  step: z.enum(restoreSteps),
  /** `POST`, `PUT`, `DELETE`, `GET` of PVE's API, or `run` for a command of the node. */
  method: z.enum(["GET", "POST", "PUT", "DELETE", "run"]),
  path: text(1000),
  params: z.record(z.string(), z.string()),
  why: z.optional(text(500)),
});
export type PlannedCall = z.output<typeof plannedCallSchema>;

export const restorePlanSchema = z.object({
  vmid,
  type: z.enum(["qemu", "lxc"]),
  backup: z.object(backupReference),
  testVmid: vmid,
  storage: text(100),
  needsBytes: int,
  calls: list(plannedCallSchema, 64),
  /** What of the backup's configuration does not come along, and why. */
  removed: list(z.object({ key: text(64), why: text(200) }), 128),
  /** Why this node would refuse it; empty: it would run. */
  problems: list(text(500), 32),
});
export type RestorePlan = z.output<typeof restorePlanSchema>;
