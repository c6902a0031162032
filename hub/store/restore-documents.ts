import * as z from "zod";
import { backupSchema } from "#protocol/backups.ts";
import { operationResultSchema } from "#protocol/operations.ts";
import { policyDecisionSchema, policySchema } from "#protocol/policy.ts";
import { reportSchema } from "#protocol/report.ts";
import { cluster, epochMs, node } from "../core/document-parts.ts";
import { proofRecordSchema, runSchema } from "../core/run-record.ts";

/** Kinds of documents about proof. Audited ones are decisions and evidence; the rest can be made again from agents and runs. */
export const restoreKinds = {
  /** Id: the operation's UUID. Its changes carry the digests of its evidence and screenshot into the audit log. */
  run: { audited: true, schema: runSchema },
  /** What the agent told at its end, screenshot aside; id: the run's. Its digest is in the run. */
  runEvidence: { audited: false, schema: z.strictObject({ result: operationResultSchema }) },
  /** PNG, base64; id: the run's. Its SHA-256 is in the run. */
  runScreenshot: { audited: false, schema: z.strictObject({ png: z.string() }) },
  /** What is tested how often; id: its own. */
  policy: { audited: true, schema: policySchema },
  /** Since when a policy is enabled; id: the policy's. */
  policySince: { audited: false, schema: z.strictObject({ since: epochMs }) },
  /** What became of a policy's night, so that it can be asked later why a guest was not tested; id: `<beginning>~<policy>`. */
  policyNight: {
    audited: false,
    schema: z.strictObject({ policy: z.string(), from: epochMs, until: epochMs, decisions: z.array(policyDecisionSchema) }),
  },
  /** Reports by mail; id: its own. */
  report: { audited: true, schema: reportSchema },
  /** The end of the newest period that was reported; id: the report's. */
  reportSent: { audited: false, schema: z.strictObject({ until: epochMs }) },
  /** Since when backup jobs take a guest that was put into them while the hub looked on, by job and calendar; id: `<cluster>/<vmid>`. */
  jobTimes: { audited: false, schema: z.strictObject({ since: z.record(z.string(), epochMs) }) },
  /** Id: `<cluster>/<vmid>`. */
  proof: { audited: false, schema: proofRecordSchema },
  /** Id: SHA-256 of cluster, storage's entity and volid, which may be longer than a key. */
  backup: {
    audited: false,
    schema: z.strictObject({
      cluster,
      entity: z.string(),
      /** Namespace of a set that isn't the storage's own. */
      foreign: z.string().optional(),
      backup: backupSchema,
    }),
  },
  /** One listing; id: `<cluster>/<entity>` of a storage, with `#<namespace>` behind it where it isn't the storage's own. */
  backupSet: {
    audited: false,
    schema: z.strictObject({
      cluster,
      entity: z.string(),
      storage: z.string(),
      node: node.nullable(),
      datastore: z.strictObject({ key: z.string(), namespace: z.string() }).nullable(),
      /** Namespace of a set that isn't the storage's own. */
      foreign: z.string().optional(),
      /** Of the newest complete listing, agent's time. */
      listedAt: epochMs,
      problem: z.string().nullable(),
    }),
  },
} as const;
