import * as z from "zod/mini";
import { restorePlanSchema, restoreReportSchema, restoreTestSchema } from "./restore.ts";
import { int, text } from "./schema-parts.ts";

/**
 * Operations: the closed list of what a hub may ask of an agent. Each carries an id and runs at most once per id; the agent journals it, and
 * says its result again at each connect until the hub has acknowledged it. What a node permits stands in its own agent.toml. The messages that
 * carry these are in messages.ts; only whoever works on an operation loads this file.
 */

const backup = z.strictObject({ storage: text(100), volid: text(512) });

/**
 * Has the Backup Server verify and follows its task: one snapshot by its `volid`, all of a guest by `group`, the whole `datastore` behind the storage,
 * or, with none of these, the storage's namespace. `outdatedDays`: what was verified within so many days is passed over; absent: nothing is.
 */
export const pbsVerifySchema = z
  .strictObject({
    storage: text(100),
    volid: z.optional(text(512)),
    group: z.optional(z.strictObject({ type: z.enum(["qemu", "lxc"]), vmid: int })),
    datastore: z.optional(z.literal(true)),
    outdatedDays: z.optional(z.int().check(z.minimum(1), z.maximum(3650))),
  })
  .check(
    z.refine(
      ({ volid, group, datastore }) => [volid, group, datastore].filter((part) => part !== undefined).length <= 1,
      "one of volid, group and datastore",
    ),
  );
export type PbsVerify = z.output<typeof pbsVerifySchema>;

export const operationSchema = z.discriminatedUnion("kind", [
  z.strictObject({ kind: z.literal("restore-test"), params: restoreTestSchema }),
  /** The calls a restore test would make; makes none. */
  z.strictObject({ kind: z.literal("restore-plan"), params: restoreTestSchema }),
  /** Reads a file archive to its end without restoring it. */
  z.strictObject({ kind: z.literal("archive-check"), params: backup }),
  z.strictObject({ kind: z.literal("pbs-verify"), params: pbsVerifySchema }),
]);
export type Operation = z.output<typeof operationSchema>;

const verdictStates = ["verified", "damaged", "not-checked", "unreadable"] as const;

/** Of one backup among several. More than a report can hold are left out, the damaged ones never. */
export const snapshotVerdictSchema = z.object({ storage: text(100), volid: text(512), state: z.enum(verdictStates) });
export type SnapshotVerdict = z.output<typeof snapshotVerdictSchema>;
export const snapshotVerdictsMax = 4000;

export const archiveReportSchema = z.object({
  /** `volid` absent: `snapshots` says what became of each. */
  backup: z.object({ storage: text(100), volid: z.optional(text(512)) }),
  snapshots: z.optional(z.array(snapshotVerdictSchema).check(z.maxLength(snapshotVerdictsMax))),
  /** `not-checked`: nothing in it can prove its bytes, and nothing contradicted them either. */
  state: z.enum(verdictStates),
  by: z.optional(z.enum(["pbs-verify", "compressor-checksum", "own-sha256"])),
  reason: text(2000),
  bytes: z.optional(int),
  startedAt: int,
  endedAt: int,
  log: z.array(z.string().check(z.maxLength(1000))).check(z.maxLength(100)),
});
export type ArchiveReport = z.output<typeof archiveReportSchema>;

export const operationResultSchema = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("restore-test"), report: restoreReportSchema }),
  z.object({ kind: z.literal("restore-plan"), plan: restorePlanSchema }),
  z.object({ kind: z.literal("archive-check"), report: archiveReportSchema }),
  z.object({ kind: z.literal("pbs-verify"), report: archiveReportSchema }),
  /** Not begun: not permitted here, expired, malformed, or the agent is full. */
  z.object({
    kind: z.literal("refused"),
    code: z.enum(["not-permitted", "expired", "invalid", "busy", "unavailable"]),
    reason: text(1000),
  }),
]);
export type OperationResult = z.output<typeof operationResultSchema>;
