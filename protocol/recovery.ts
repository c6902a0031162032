import * as z from "zod";
import { epochMs } from "./api-parts.ts";

/** Shapes of `/api/v1/recovery` and `/api/v1/nodes/{node}/recovery`: what comes back if a node were lost now, disks and all. */

/**
 * What would become of one guest. `stays`: its disks lie elsewhere, or a copy of them does. `proven`: a backup outlives the node, and a test of this guest's
 * backups in time came to a good end. `unproven`: a backup outlives it, and nobody has seen one of them restore lately. `failed`: the newest test failed, or
 * the backup is damaged. `lost`: nothing outlives it. `unknown`: nobody can tell.
 */
export const recoveryStates = ["lost", "failed", "unknown", "unproven", "stays", "proven"] as const;

/**
 * `ha`: Proxmox VE starts it on another node by itself. `shared`: its disks are on shared storage, somebody has to start it. `replica`: the same of a copy that
 * storage replication keeps. `backup`: it is restored.
 */
export const recoveryWays = ["ha", "shared", "replica", "backup"] as const;

export const guestRecoverySchema = z.object({
  entity: z.string(),
  vmid: z.int(),
  type: z.enum(["qemu", "lxc"]),
  name: z.string(),
  state: z.enum(recoveryStates),
  /** Null: none is known. */
  way: z.enum(recoveryWays).nullable(),
  /** The node that has a replica of its disks, where they come from one. */
  target: z.string().nullable(),
  /** When the data was written that comes back: of the backup or of the newest replication. Null: data up to the end, or nothing. */
  dataAt: epochMs.nullable(),
  /** The newest backup that outlives the node; null: none does. */
  backup: z
    .object({
      at: epochMs,
      storage: z.string(),
      volid: z.string(),
      /** Its bytes were verified. */
      verified: z.boolean(),
      /** Its key is needed. */
      encrypted: z.boolean(),
      /** Its storage can't be listed now. */
      stale: z.boolean(),
    })
    .nullable(),
  /** A newer backup that would be lost with the node: where it lies. */
  burns: z.object({ at: epochMs, storage: z.string() }).nullable(),
  /** Newest good restore test; null: none. */
  provenAt: epochMs.nullable(),
  /** What that test took from the restore's begin until the last check passed, or as far as it could see. Null: never measured. */
  restoreMs: z.int().nullable(),
  /** Disks that do not come back: no backup takes them, or they are folders of the node. Null: nobody said which. */
  without: z.array(z.string()).nullable(),
});
export type GuestRecovery = z.infer<typeof guestRecoverySchema>;

const countsSchema = z.object(
  Object.fromEntries(recoveryStates.map((state) => [state, z.int()])) as Record<(typeof recoveryStates)[number], z.ZodInt>,
);

export const nodeRecoverySchema = z.object({
  cluster: z.string(),
  node: z.string(),
  entity: z.string(),
  /** Guests that are seen, templates and test guests left out. */
  guests: z.int(),
  counts: countsSchema,
  /** The oldest `dataAt`; null: none has one. */
  oldestAt: epochMs.nullable(),
  /** Guests that are restored from backups, those of them with a measured time, and these times one after another. */
  restores: z.object({ guests: z.int(), measured: z.int(), totalMs: z.int() }),
  /** Those that need a key, where no other node is there to have it. */
  keysNeeded: z.int(),
  /** The hub that says all this runs on this very node. */
  hubHere: z.boolean(),
  /**
   * Whether the other nodes have free memory for the guests that run here, each whole on one node. `none`: there is no other node. Bytes are null where
   * somebody doesn't tell.
   */
  room: z.object({
    fits: z.enum(["yes", "no", "none", "unknown"]),
    neededBytes: z.int().nullable(),
    freeBytes: z.int().nullable(),
  }),
});
export type NodeRecovery = z.infer<typeof nodeRecoverySchema>;

/** With each guest, the worst first. */
export const recoveryDetailSchema = nodeRecoverySchema.extend({ each: z.array(guestRecoverySchema) });
export type RecoveryDetail = z.infer<typeof recoveryDetailSchema>;
