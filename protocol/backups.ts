import * as z from "zod/mini";
import { int, text, vmid } from "./schema-parts.ts";

/** The catalogue of backups as agents tell it, storage by storage. Sizes are bytes, times ms since the Unix epoch. */

/**
 * One backup of one guest. `volid` is PVE's. `vmid` is what its name says: the guest of that number today may be another one, so `guest` holds the
 * identity strings (ids of inventory.ts `guestFactsSchema.identity`) of the configuration inside the backup, where somebody looked.
 */
export const backupSchema = z.lazy(() =>
  z.object({
    volid: text(512),
    vmid,
    type: z.enum(["qemu", "lxc"]),
    at: int,
    /** Of the file; on a Backup Server the sum of the virtual disks. */
    bytes: z.optional(int),
    /** `vma.zst`, `tar.gz`, `pbs-vm` …, PVE's word. */
    format: text(32),
    /** First line of its notes. */
    notes: z.optional(text(500)),
    protected: z.boolean(),
    encrypted: z.boolean(),
    owner: z.optional(text(200)),
    /** What the Backup Server's verification said; absent: it never verified this one, or it is a file. */
    verification: z.optional(z.object({ state: z.enum(["ok", "failed"]), at: z.optional(int) })),
    /** SHA-256, hex, of the file, taken by the agent when the file was new, and when that was. */
    sha256: z.optional(z.object({ hex: z.string().check(z.regex(/^[0-9a-f]{64}$/)), at: int })),
    guest: z.optional(z.array(text(208)).check(z.maxLength(64))),
  }),
);
export type Backup = z.output<typeof backupSchema>;

/** All backups of one storage, in parts: the set is complete when parts 1 … `parts` of one `at` have come. */
export const backupsSchema = z.lazy(() =>
  z.object({
    storage: text(100),
    shared: z.boolean(),
    /** Where it lies on a Backup Server: the datastore's entity key and the namespace (empty: the root). */
    datastore: z.optional(z.object({ key: text(128), namespace: z.string().check(z.maxLength(256)) })),
    /** In another namespace than the storage's own: PVE can't restore these, and their names may be those of backups that it can. */
    foreign: z.optional(z.literal(true)),
    at: int,
    part: z.int().check(z.minimum(1), z.maximum(1000)),
    parts: z.int().check(z.minimum(1), z.maximum(1000)),
    backups: z.array(backupSchema).check(z.maxLength(1000)),
    /** Why the storage could not be listed: what was known of it is then old, not gone. */
    problem: z.optional(text(1000)),
  }),
);
export type Backups = z.output<typeof backupsSchema>;
