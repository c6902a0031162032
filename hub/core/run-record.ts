import * as z from "zod";
import { vmid } from "#protocol/api-parts.ts";
import { operationSchema } from "#protocol/operations.ts";
import { measuresViewSchema, proofLevelSchema, runKindSchema, runOutcomes, runStates, slowerSchema } from "#protocol/proof.ts";
import { cluster, epochMs, hexHash, node } from "./document-parts.ts";

const runGuest = z.strictObject({
  vmid,
  type: z.enum(["qemu", "lxc"]),
  name: z.string(),
  /** Of the guest when the run was ordered: a vmid is used again. */
  identity: z.array(z.string()),
});

/** An operation from its order to its end. What it found stands in `runEvidence`, so that lists of runs stay small. */
export const runSchema = z.strictObject({
  id: z.string(),
  kind: runKindSchema,
  cluster,
  guest: runGuest.nullable(),
  /** When the backup was made, where the catalogue knew. */
  backupAt: epochMs.nullable(),
  operation: operationSchema,
  actor: z.string(),
  reason: z.string(),
  policy: z.string().nullable(),
  createdAt: epochMs,
  expiresAt: epochMs,
  /** Only one of these; empty: any that can. */
  nodes: z.array(node),
  state: z.enum(runStates),
  /** Never another once it is set: the agent there may have begun. */
  node: node.nullable(),
  sentAt: epochMs.nullable(),
  startedAt: epochMs.nullable(),
  cancel: z.strictObject({ actor: z.string(), at: epochMs }).nullable(),
  /** Wanted by somebody. */
  keep: z.strictObject({ actor: z.string(), untilAt: epochMs }).nullable(),
  finishedAt: epochMs.nullable(),
  outcome: z.enum(runOutcomes).nullable(),
  /** The hub gave it up without having heard its end: a result that still comes counts. */
  givenUp: z.boolean(),
  level: proofLevelSchema.nullable(),
  verdict: z.string().nullable(),
  durationMs: z.int().nullable(),
  measures: measuresViewSchema.nullable(),
  slower: z.array(slowerSchema),
  leftovers: z.array(z.string()),
  testVmid: z.int().nullable(),
  configurationDigest: hexHash.nullable(),
  evidenceDigest: hexHash.nullable(),
  screenshotDigest: hexHash.nullable(),
});
export type Run = z.infer<typeof runSchema>;

const goodTest = z.strictObject({
  runId: z.string(),
  at: epochMs,
  level: proofLevelSchema,
  durationMs: z.int(),
  measures: measuresViewSchema,
  backupAt: epochMs.nullable(),
  notProven: z.array(z.string()),
  slower: z.array(slowerSchema),
});

/** What tests have shown of one guest; `identity` tells a reused vmid apart. */
export const proofRecordSchema = z.strictObject({
  cluster,
  vmid,
  identity: z.array(z.string()),
  lastGood: goodTest.nullable(),
  /** The newest that came to a verdict or was interrupted; cancelled and refused ones say nothing of the backup. */
  lastTest: z
    .strictObject({
      runId: z.string(),
      at: epochMs,
      outcome: z.enum(runOutcomes),
      level: proofLevelSchema,
      verdict: z.string(),
      durationMs: z.int(),
      backup: z.string(),
      log: z.array(z.string()),
      screenshot: z.boolean(),
    })
    .nullable(),
});
export type ProofRecord = z.infer<typeof proofRecordSchema>;
