import * as z from "zod/mini";
import { checkedVmid, int, list, text, vmid } from "./schema-parts.ts";

/**
 * What an agent tells of its node, its guests and the cluster: body of the message `inventory`. Each schema is made when the first inventory
 * is checked, which agents never do.
 */

export const guestFactsSchema = z.lazy(() =>
  z.object({
    vmid: checkedVmid,
    type: z.enum(["qemu", "lxc"]),
    /** `name` of a VM, `hostname` of a container; absent: PVE's default (`VM 100`, `CT100`). */
    name: z.optional(text(255)),
    identity: list(text(208), 64),
    template: z.boolean(),
    tags: list(text(128), 128),
    /** PVE's lock (`backup`, `migrate`, `snapshot` …); absent: none. */
    lock: z.optional(text(64)),
    onboot: z.boolean(),
    pool: z.optional(text(255)),
    /** False while no configuration could be read: only what .vmlist says is known. */
    configured: z.boolean(),
    /** The guest's own agent, virtual machines only: `off` in the configuration, `unasked` so far, or what became of the newest question. */
    agent: z.optional(z.enum(["off", "unasked", "answers", "silent"])),
    /** State as HA resource, PVE's word (`started`, `error` …); absent: it is none. */
    ha: z.optional(text(64)),
    /** Storages of its volumes; absent while nobody could say. */
    storages: z.optional(list(text(100), 64)),
    /**
     * Disks and mount points that its backups leave out. `off`: a drive's `backup=0`, a mount point without `backup=1`; `no-volume`: a directory or device
     * of the node, mounted into a container. Absent while nobody could say.
     */
    unprotected: z.optional(list(z.object({ disk: text(32), why: z.enum(["off", "no-volume"]) }), 64)),
    /**
     * Disks that are not where its storages are seen. `device`: a device of the node passed through as a drive; `not-replicated`: `replicate=0`, no replica
     * has it. Absent: there are none, or the agent does not tell.
     */
    bound: z.optional(list(z.object({ disk: text(32), why: z.enum(["device", "not-replicated"]) }), 64)),
    /** Its snapshots (`snaptime` of each section of the configuration); absent while nobody could say. */
    snapshots: z.optional(list(z.object({ name: text(64), at: int }), 500)),
    /** How many of them the message had no room for; the oldest one is always there. */
    snapshotsLeftOut: z.optional(int),
  }),
);

export const storageFactsSchema = z.lazy(() =>
  z.object({
    storage: text(100),
    type: text(32),
    shared: z.boolean(),
    content: list(text(32), 16),
    enabled: z.boolean(),
    /** Restricted to these nodes; empty: all. */
    nodes: list(text(63), 256),
    /** Whose space it hands out: `<vg>/<thin pool>`, or a ZFS pool. Absent: another type, or an agent that does not tell. */
    pool: z.optional(text(255)),
  }),
);

/** A physical disk. `id` stands in its entity's key. */
export const diskFactsSchema = z.lazy(() =>
  z.object({
    id: text(100),
    /** Device name now (`sda`): it may be another one after the next boot. */
    name: text(32),
    model: z.optional(text(200)),
    serial: z.optional(text(100)),
    sizeBytes: z.optional(int),
    /** `none`: nothing answers SMART there (virtual, behind a RAID controller, smartctl missing). `asleep`: not woken to be asked. */
    smart: z.enum(["read", "asleep", "none"]),
  }),
);

export const certificateFactsSchema = z.lazy(() =>
  z.object({
    file: text(100),
    subject: z.optional(text(500)),
    issuer: z.optional(text(500)),
    /** `AA:BB:…`, SHA-256. */
    fingerprint: text(95),
    validTo: int,
  }),
);

export const updateFactsSchema = z.lazy(() =>
  z.object({
    package: text(100),
    /** Absent: it would be installed newly. */
    installed: z.optional(text(100)),
    available: text(100),
    origin: z.optional(text(100)),
  }),
);

export const rangeStrangerSchema = z.lazy(() => z.object({ vmid, why: text(300) }));

const hardwareText = z.optional(text(100));

/** What a machine says of itself, to buy another one like it. Whatever is absent is unknown; what vendors write where they know nothing counts as absent. */
export const hardwareFactsSchema = z.lazy(() =>
  z.object({
    maker: hardwareText,
    model: hardwareText,
    serial: hardwareText,
    board: z.object({ maker: hardwareText, model: hardwareText, version: hardwareText, serial: hardwareText }),
    /** BIOS or UEFI; `date`: `2023-03-15`. */
    firmware: z.object({
      maker: hardwareText,
      version: hardwareText,
      date: z.optional(z.string().check(z.regex(/^\d{4}-\d\d-\d\d$/))),
    }),
    /** `cores` and `threads` of all sockets together. */
    cpu: z.object({ model: hardwareText, sockets: z.optional(int), cores: z.optional(int), threads: z.optional(int) }),
    /** Absent where nobody could look at the slots; `place` counts all of them from 1. */
    memory: z.optional(
      z.object({
        emptySlots: int,
        modules: list(
          z.object({
            place: int,
            slot: hardwareText,
            sizeBytes: z.optional(int),
            type: hardwareText,
            /** Millions of transfers a second. */
            speed: z.optional(int),
            maker: hardwareText,
            part: hardwareText,
            serial: hardwareText,
          }),
          128,
        ),
      }),
    ),
    /** Why there is no `memory`: no SMBIOS table (some virtual machines), dmidecode not installed, or it told of no slot. */
    missing: z.optional(z.enum(["smbios", "dmidecode", "modules"])),
  }),
);

export const nodeFactsSchema = z.lazy(() =>
  z.object({
    /** `pve-manager/9.2.11/…`; absent where it couldn't be read. */
    pveVersion: z.optional(text(200)),
    kernel: z.optional(text(200)),
    cpuModel: z.optional(text(200)),
    cpus: z.optional(int),
    /** IANA's name of the timezone that the node's calendars are in; absent where it couldn't be told. */
    timezone: z.optional(text(64)),
    bootedAt: z.optional(int),
    zpools: list(text(100), 256),
    /** What each source found, as `proven-agent --check` prints it: problem absent means that it works. */
    sources: list(z.object({ source: text(32), problem: z.optional(text(500)) }), 64),
    /** Guests of this node in the range of test guests that are none of ours, and why they aren't; absent: nobody has looked. */
    rangeStrangers: z.optional(list(rangeStrangerSchema, 64)),
    disks: z.optional(list(diskFactsSchema, 256)),
    thinpools: z.optional(list(z.object({ vg: text(127), lv: text(127) }), 64)),
    certificates: z.optional(list(certificateFactsSchema, 16)),
    /** Absent while nobody could say; `total` counts also what did not fit into the list. */
    updates: z.optional(z.object({ total: int, packages: list(updateFactsSchema, 200) })),
    /** Absent until it was read, and from agents that don't read it. */
    hardware: z.optional(hardwareFactsSchema),
  }),
);

/** A job of jobs.cfg, in its words. */
export const backupJobSchema = z.lazy(() =>
  z.object({
    id: text(100),
    type: text(32),
    enabled: z.boolean(),
    /** A calendar event of Proxmox. */
    schedule: z.optional(text(200)),
    storage: z.optional(text(100)),
    mode: z.optional(text(16)),
    /** Only on this node. */
    node: z.optional(text(63)),
    all: z.boolean(),
    vmids: list(vmid, 5000),
    exclude: list(vmid, 5000),
    pool: z.optional(text(255)),
    pruneBackups: z.optional(text(200)),
    comment: z.optional(text(500)),
    repeatMissed: z.boolean(),
  }),
);

/** A replication job whose source this node is. Times are samples. */
export const replicationFactsSchema = z.lazy(() =>
  z.object({
    id: text(32),
    vmid,
    target: text(63),
    schedule: z.optional(text(200)),
    enabled: z.boolean(),
    /** Why its newest run failed. */
    error: z.optional(text(1000)),
  }),
);

/** A job of a Backup Server. Absent fields: it did not say. */
export const datastoreJobSchema = z.lazy(() =>
  z.object({
    kind: z.enum(["verify", "prune", "sync", "gc"]),
    id: text(200),
    schedule: z.optional(text(200)),
    /** How its newest run ended, in the server's words (`OK`, `WARNINGS: 1`, an error). */
    state: z.optional(text(500)),
    endedAt: z.optional(int),
    nextRunAt: z.optional(int),
  }),
);

/** A datastore of a Backup Server that the cluster's storages use. `key` is its entity. */
export const datastoreFactsSchema = z.lazy(() =>
  z.object({
    key: text(128),
    store: text(100),
    server: text(255),
    port: int,
    /** Storages of PVE that lie on it, with their namespace (empty: the root). */
    storages: list(z.object({ storage: text(100), namespace: z.string().check(z.maxLength(256)) }), 100),
    namespaces: list(z.string().check(z.maxLength(256)), 1000),
    jobs: list(datastoreJobSchema, 200),
    problem: z.optional(text(500)),
  }),
);

export const cephFactsSchema = z.lazy(() =>
  z.object({
    health: text(32),
    checks: list(z.object({ code: text(64), severity: z.optional(text(32)), text: z.optional(text(500)) }), 64),
  }),
);

/** What the HA manager says, times aside. */
export const haFactsSchema = z.lazy(() =>
  z.object({
    master: z.optional(text(63)),
    /** PVE's words: `online`, `maintenance`, `unknown`, `fence`, `gone`. */
    nodes: list(z.object({ node: text(63), state: text(32) }), 256),
  }),
);

export const memberSchema = z.lazy(() =>
  z.object({ node: text(63), nodeId: int, online: z.boolean(), ip: z.optional(text(45)) }),
);

/** The whole picture one agent has; the newest replaces the one before. Guests are those of its own node, members and storages the cluster's. */
export const inventorySchema = z.lazy(() =>
  z.object({
    at: int,
    cluster: z.object({
      name: z.optional(text(100)),
      quorate: z.boolean(),
      members: list(memberSchema, 256),
      /** Absent: HA was never used. */
      ha: z.optional(haFactsSchema),
      /** Only from the agent that has the duty `cluster`, where there is Ceph. */
      ceph: z.optional(cephFactsSchema),
    }),
    node: nodeFactsSchema,
    guests: list(guestFactsSchema, 5000),
    storages: list(storageFactsSchema, 1000),
    /** The cluster's; absent while jobs.cfg could not be read. */
    backupJobs: z.optional(list(backupJobSchema, 500)),
    /** Of this node's guests; absent while nobody could say. */
    replication: z.optional(list(replicationFactsSchema, 5000)),
    /** From the agent that has the duty `shared-storage`; those that only some nodes reach from one of these. */
    datastores: z.optional(list(datastoreFactsSchema, 100)),
    /** Lists that this agent has not read whole since its start (`unreadLists`): what they lack may be there all the same. */
    unread: z.optional(list(text(32), 16)),
  }),
);

/** Lists of an inventory that may be unread; whoever is told another one knows nothing of it. */
export const unreadLists = ["zpools", "disks", "thinpools", "datastores"] as const;
export type UnreadList = (typeof unreadLists)[number];

export type Inventory = z.output<typeof inventorySchema>;
export type GuestFacts = z.output<typeof guestFactsSchema>;
export type RangeStranger = z.output<typeof rangeStrangerSchema>;
export type StorageFacts = z.output<typeof storageFactsSchema>;
export type DiskFacts = z.output<typeof diskFactsSchema>;
export type HardwareFacts = z.output<typeof hardwareFactsSchema>;
export type CertificateFacts = z.output<typeof certificateFactsSchema>;
export type UpdateFacts = z.output<typeof updateFactsSchema>;
export type BackupJobFacts = z.output<typeof backupJobSchema>;
export type ReplicationFacts = z.output<typeof replicationFactsSchema>;
export type DatastoreFacts = z.output<typeof datastoreFactsSchema>;
export type DatastoreJob = z.output<typeof datastoreJobSchema>;
export type CephFacts = z.output<typeof cephFactsSchema>;
export type HaFacts = z.output<typeof haFactsSchema>;
export type NodeFacts = z.output<typeof nodeFactsSchema>;
export type Member = z.output<typeof memberSchema>;
