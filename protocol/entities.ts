import * as z from "zod";
import { metricReadingSchema } from "./api.ts";
import { epochMs } from "./api-parts.ts";

/** Shapes of `/api/v1/entities`: everything that has samples, disks and pools too, in one form. Times are ms since the Unix epoch, UTC. */

export const entityKinds = ["cluster", "node", "guest", "storage", "zpool", "disk", "thinpool", "datastore"] as const;

export const entityViewSchema = z.object({
  cluster: z.string(),
  entity: z.string(),
  kind: z.enum(entityKinds),
  name: z.string(),
  /** As alerts call it: `tank on pve1`, `web (VM 100)`. */
  title: z.string(),
  /** Null: it belongs to the whole cluster. */
  node: z.string().nullable(),
  /** `qemu`, `lxc`, a storage's type; empty for the rest. */
  type: z.string(),
  /** Storages of a guest's volumes, storages that a datastore is behind; only those that the caller sees. */
  storages: z.array(z.string()),
  /** What is known of a disk. `none`: nothing answers SMART there; `asleep`: it was not woken to be asked. */
  disk: z
    .object({
      model: z.string().nullable(),
      serial: z.string().nullable(),
      sizeBytes: z.int().nullable(),
      smart: z.enum(["read", "asleep", "none"]),
    })
    .nullable(),
  guest: z
    .object({
      /** The guest's own agent; null for containers, and while nobody could say. */
      agent: z.enum(["off", "unasked", "answers", "silent"]).nullable(),
      /** State as HA resource, Proxmox VE's word; null: it is none. */
      ha: z.string().nullable(),
      /** Oldest first; null while nobody could say. */
      snapshots: z.array(z.object({ name: z.string(), at: epochMs })).nullable(),
      /** How many more there are. */
      snapshotsLeftOut: z.int(),
    })
    .nullable(),
  /** Newest values, where they were asked for; those of slow sources are minutes old, and say so. */
  metrics: z.array(metricReadingSchema),
});
export type EntityView = z.infer<typeof entityViewSchema>;

/**
 * When something that fills will be full. `growing`: in `days`, nine of ten such series between `daysEarliest` and `daysLatest` (null: later
 * than anybody can say). `none` with its reason: less than a week of history, too few points, no significant trend, or it shrinks.
 */
export const outlookSchema = z.object({
  metric: z.string(),
  instance: z.string().nullable(),
  /** Where it is full, in the metric's unit. */
  capacity: z.number(),
  trend: z.enum(["growing", "none"]),
  why: z.enum(["too-short", "too-few", "not-significant", "not-growing"]).nullable(),
  perDay: z.number().nullable(),
  days: z.number().nullable(),
  daysEarliest: z.number().nullable(),
  daysLatest: z.number().nullable(),
  /** Where the fit begins: after the newest big step. */
  since: epochMs.nullable(),
});
export type Outlook = z.infer<typeof outlookSchema>;
