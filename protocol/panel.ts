import * as z from "zod";
import { epochMs } from "./api-parts.ts";

/** Shapes of `/api/v1` that only the panel asks for. Times are ms since the Unix epoch, UTC. */

const name = z.string().min(1).max(80);

/**
 * How a guest stands by the calendars of its own backup jobs. `current`: every run that was due was made. `overdue`: one wasn't. `failed`: the
 * newest one failed. `partial`: every run was made, but they leave out a disk. `none`: no enabled job takes it. `unknown`: nobody can say, as where
 * the jobs, the guest's disks or what became of a run are not known.
 */
export const protectionStates = ["current", "overdue", "failed", "partial", "none", "unknown"] as const;
export type ProtectionState = (typeof protectionStates)[number];

/** `off`: the disk has `backup=0`, the mount point has no `backup=1`. `no-volume`: a directory or device of the node, which PVE never backs up. */
const unprotectedDiskSchema = z.object({ disk: z.string(), why: z.enum(["off", "no-volume"]) });

export const protectionSchema = z.object({
  cluster: z.string(),
  entity: z.string(),
  vmid: z.int(),
  state: z.enum(protectionStates),
  /** Those that take it. `schedule`: a calendar event of Proxmox. */
  jobs: z.array(z.object({ id: z.string(), schedule: z.string().nullable() })),
  /** Disks that no backup of it holds, with the reason; null: nobody can say. */
  unprotected: z.array(unprotectedDiskSchema).nullable(),
  /** When the newest backup that ended well began; null: none is known. */
  backedUpAt: epochMs.nullable(),
  /** The storage that holds it; null: no storage was seen to. */
  backupStorage: z.string().nullable(),
  /** Since when a backup is missing; null: none is. */
  overdueSince: epochMs.nullable(),
  /** The next run of its jobs; null: there is none. */
  nextAt: epochMs.nullable(),
});
export type ProtectionView = z.infer<typeof protectionSchema>;

/** What one user arranged for himself. Names that this version doesn't know are kept: another version may. */
export const layoutSchema = z.strictObject({
  /** Of the overview, in their order. */
  widgets: z.array(z.strictObject({ id: name, width: z.enum(["half", "full"]), hidden: z.boolean() })).max(40),
  /** Saved filters of the guest list. */
  filters: z.array(z.strictObject({ name, filter: z.string().max(500) })).max(50),
  /** Columns of the guest list; empty: the usual ones. */
  guestColumns: z.array(name).max(40),
});
export type Layout = z.infer<typeof layoutSchema>;

/** Of who arranged nothing. */
export const emptyLayout: Layout = { widgets: [], filters: [], guestColumns: [] };
