import { restoreEndpoints } from "./restore-endpoints.ts";

/**
 * The endpoints of PVE's API that Proven uses or will soon use, as PVE 9.2.11 declares them (its API schema). A request for anything else is
 * an error of whoever sends it.
 */
export type ParamRule = {
  type: "string" | "integer" | "number" | "boolean" | "array";
  optional?: true;
  enum?: readonly string[];
  minimum?: number;
  maximum?: number;
  /** The whole value must match it. */
  pattern?: string;
  /** Name of PVE's format; the ones in params.ts are checked. */
  format?: string;
};

/** What the caller needs, in the schema's words; `all`: any user that is signed in, the handler leaves out what he may not see. `world`: nobody. */
export type Permission =
  | "all"
  | "world"
  | { path: string; privileges: readonly string[] }
  | { anyOf: readonly { path: string; privileges: readonly string[] }[] };

export type Endpoint = {
  method: "GET" | "POST" | "PUT" | "DELETE";
  path: string;
  /** `net[n]` stands for net0, net1 … */
  params: Readonly<Record<string, ParamRule>>;
  permission: Permission;
  /** Answered by the node in the path only; pvedaemon does not pass it on. */
  localNode: boolean;
  handler: string;
};

const flag = { type: "boolean", optional: true } as const;
const word = { type: "string", optional: true } as const;
const node = { type: "string", format: "pve-node" } as const;
const vmid = { type: "integer", format: "pve-vmid", minimum: 100, maximum: 999_999_999 } as const;
const storage = { type: "string", format: "pve-storage-id" } as const;
const upid = { type: "string" } as const;
const count = { type: "integer", optional: true, minimum: 0 } as const;
const seconds = { type: "integer", optional: true } as const;

const audit: Permission = { path: "/", privileges: ["Sys.Audit"] };
const auditNode: Permission = { path: "/nodes/{node}", privileges: ["Sys.Audit"] };
const auditGuest: Permission = { path: "/vms/{vmid}", privileges: ["VM.Audit"] };
const powerGuest: Permission = { path: "/vms/{vmid}", privileges: ["VM.PowerMgmt"] };
const auditStorage: Permission = { path: "/storage/{storage}", privileges: ["Datastore.Audit", "Datastore.AllocateSpace"] };
const agentGuest: Permission = { path: "/vms/{vmid}", privileges: ["VM.GuestAgent.Audit", "VM.GuestAgent.Unrestricted"] };
const readInGuest: Permission = { path: "/vms/{vmid}", privileges: ["VM.GuestAgent.FileRead", "VM.GuestAgent.Unrestricted"] };

type Params = Endpoint["params"];
const onCluster = (path: string, handler: string, permission: Permission, params: Params = {}): Endpoint => ({
  method: "GET",
  path,
  handler,
  permission,
  params,
  localNode: false,
});
const onNode = (path: string, handler: string, permission: Permission, params: Params = {}): Endpoint => ({
  method: "GET",
  path: `/nodes/{node}${path}`,
  handler,
  permission,
  params: { node, ...params },
  localNode: true,
});
const write = (method: "POST" | "DELETE", endpoint: Endpoint): Endpoint => ({ ...endpoint, method });

const reads: Endpoint[] = [
  onCluster("/version", "version", "all"),
  onCluster("/nodes", "nodes", "all"),
  onCluster("/cluster/resources", "resources", "all", { type: { ...word, enum: ["vm", "storage", "node", "sdn"] } }),
  onCluster("/cluster/status", "clusterStatus", audit),
  onCluster("/cluster/backup", "backupJobs", audit),
  onCluster("/cluster/backup-info/not-backed-up", "notBackedUp", audit),
  onCluster("/cluster/ha/resources", "haResources", audit, { type: { ...word, enum: ["ct", "vm"] } }),
  onCluster("/cluster/ha/status/current", "haStatus", audit),
  onCluster("/cluster/ha/status/manager_status", "haManager", audit),
  onCluster("/cluster/ceph/status", "cephStatus", { path: "/", privileges: ["Sys.Audit", "Datastore.Audit"] }),
  onCluster("/cluster/replication", "replicationJobs", "all"),
  onCluster("/access/permissions", "permissions", "all", { path: word, userid: word }),
  onCluster("/access/domains", "domains", "world"),
  onCluster("/storage", "storageConfig", "all", {
    type: {
      ...word,
      enum: [
        "btrfs",
        "cephfs",
        "cifs",
        "dir",
        "esxi",
        "iscsi",
        "iscsidirect",
        "lvm",
        "lvmthin",
        "nfs",
        "pbs",
        "rbd",
        "zfs",
        "zfspool",
      ],
    },
  }),
  onNode("/status", "nodeStatus", auditNode),
  onNode("/qemu", "qemuList", "all", { full: flag }),
  onNode("/lxc", "lxcList", "all"),
  onNode("/qemu/{vmid}/status/current", "qemuStatus", auditGuest, { vmid }),
  onNode("/lxc/{vmid}/status/current", "lxcStatus", auditGuest, { vmid }),
  onNode("/qemu/{vmid}/config", "qemuConfig", auditGuest, { vmid, current: flag, snapshot: { ...word, format: "pve-configid" } }),
  onNode("/lxc/{vmid}/config", "lxcConfig", auditGuest, { vmid, current: flag, snapshot: { ...word, format: "pve-configid" } }),
  onNode("/qemu/{vmid}/agent/get-fsinfo", "agentFsinfo", agentGuest, { vmid }),
  onNode("/qemu/{vmid}/agent/file-read", "agentFileRead", readInGuest, {
    vmid,
    file: { type: "string" },
    count: { ...count, minimum: 1, maximum: 16_777_216 },
    decode: flag,
    offset: count,
  }),
  onNode("/qemu/{vmid}/agent/network-get-interfaces", "agentInterfaces", agentGuest, { vmid }),
  onNode("/storage", "storages", "all", {
    content: { ...word, format: "pve-storage-content-list" },
    enabled: flag,
    format: flag,
    storage: { ...word, format: "pve-storage-id" },
    target: { ...word, format: "pve-node" },
  }),
  onNode("/storage/{storage}/status", "storageStatus", auditStorage, { storage }),
  onNode("/storage/{storage}/content", "storageContent", auditStorage, {
    storage,
    content: { ...word, format: "pve-storage-content" },
    vmid: { ...vmid, optional: true },
  }),
  onNode("/tasks", "tasks", "all", {
    errors: flag,
    limit: count,
    since: seconds,
    source: { ...word, enum: ["archive", "active", "all"] },
    start: count,
    statusfilter: { ...word, format: "pve-task-status-type-list" },
    typefilter: word,
    until: seconds,
    userfilter: word,
    vmid: { ...vmid, optional: true },
  }),
  onNode("/tasks/{upid}/status", "taskStatus", "all", { upid }),
  onNode("/tasks/{upid}/log", "taskLog", "all", { upid, download: flag, limit: count, start: count }),
  onNode("/replication", "replication", "all", { guest: { ...vmid, optional: true } }),
  onNode(
    "/disks/list",
    "disks",
    { anyOf: [audit as { path: string; privileges: string[] }, auditNode as { path: string; privileges: string[] }] },
    { "include-partitions": flag, skipsmart: flag, type: { ...word, enum: ["unused", "journal_disks"] } },
  ),
  onNode("/certificates/info", "certificates", "all"),
  onNode("/apt/update", "updates", { path: "/nodes/{node}", privileges: ["Sys.Modify"] }),
];

const timeout = count;
const skiplock = flag;
const writes: Endpoint[] = [
  write(
    "POST",
    onCluster("/access/ticket", "createTicket", "world", {
      "new-format": flag,
      otp: word,
      password: { type: "string" },
      path: word,
      privs: { ...word, format: "pve-priv-list" },
      realm: { ...word, format: "pve-realm" },
      "tfa-challenge": word,
      username: { type: "string" },
    }),
  ),
  write(
    "POST",
    onNode("/qemu/{vmid}/status/start", "qemuStart", powerGuest, {
      vmid,
      "force-cpu": word,
      machine: word,
      migratedfrom: { ...word, format: "pve-node" },
      migration_network: { ...word, format: "CIDR" },
      migration_type: { ...word, enum: ["secure", "insecure"] },
      "nets-host-mtu": word,
      skiplock,
      stateuri: word,
      targetstorage: { ...word, format: "storage-pair-list" },
      timeout,
      "with-conntrack-state": flag,
    }),
  ),
  write(
    "POST",
    onNode("/qemu/{vmid}/status/stop", "qemuStop", powerGuest, {
      vmid,
      keepActive: flag,
      migratedfrom: { ...word, format: "pve-node" },
      "overrule-shutdown": flag,
      skiplock,
      timeout,
    }),
  ),
  write(
    "POST",
    onNode("/qemu/{vmid}/status/shutdown", "qemuShutdown", powerGuest, {
      vmid,
      forceStop: flag,
      keepActive: flag,
      skiplock,
      timeout,
    }),
  ),
  write("POST", onNode("/lxc/{vmid}/status/start", "lxcStart", powerGuest, { vmid, debug: flag, skiplock })),
  write("POST", onNode("/lxc/{vmid}/status/stop", "lxcStop", powerGuest, { vmid, "overrule-shutdown": flag, skiplock })),
  write("POST", onNode("/lxc/{vmid}/status/shutdown", "lxcShutdown", powerGuest, { vmid, forceStop: flag, timeout })),
  write("POST", onNode("/qemu/{vmid}/agent/ping", "agentPing", agentGuest, { vmid })),
  write("DELETE", onNode("/tasks/{upid}", "taskStop", "all", { upid })),
  write(
    "POST",
    onNode("/vzdump", "vzdump", "all", {
      node: { ...word, format: "pve-node" },
      all: flag,
      bwlimit: count,
      compress: { ...word, enum: ["0", "1", "gzip", "lzo", "zstd"] },
      dumpdir: word,
      exclude: { ...word, format: "pve-vmid-list" },
      "exclude-path": { type: "array", optional: true },
      fleecing: { ...word, format: "backup-fleecing" },
      ionice: { type: "integer", optional: true, minimum: 0, maximum: 8 },
      "job-id": word,
      lockwait: count,
      mailnotification: { ...word, enum: ["always", "failure"] },
      mailto: { ...word, format: "email-or-username-list" },
      mode: { ...word, enum: ["snapshot", "suspend", "stop"] },
      "notes-template": word,
      "notification-mode": { ...word, enum: ["auto", "legacy-sendmail", "notification-system"] },
      "pbs-change-detection-mode": { ...word, enum: ["legacy", "data", "metadata"] },
      performance: { ...word, format: "backup-performance" },
      pigz: seconds,
      pool: word,
      protected: flag,
      "prune-backups": { ...word, format: "prune-backups" },
      quiet: flag,
      remove: flag,
      script: word,
      stdexcludes: flag,
      stdout: flag,
      stop: flag,
      stopwait: count,
      storage: { ...word, format: "pve-storage-id" },
      tmpdir: word,
      vmid: { ...word, format: "pve-vmid-list" },
      zstd: seconds,
    }),
  ),
];

export const endpoints: readonly Endpoint[] = [...reads, ...writes, ...restoreEndpoints];

export type Match = { endpoint: Endpoint; fromPath: Record<string, string> };

/** The endpoint of a path below /api2/json; undefined: PVE answers 501. */
export function matchEndpoint(method: string, path: string): Match | undefined {
  const parts = path.split("/").filter((part) => part !== "");
  for (const endpoint of endpoints) {
    if (endpoint.method !== method) continue;
    const wanted = endpoint.path.split("/").filter((part) => part !== "");
    if (wanted.length !== parts.length) continue;
    const fromPath: Record<string, string> = {};
    const fits = wanted.every((part, index) => {
      const given = parts[index] as string;
      if (!part.startsWith("{")) return part === given;
      fromPath[part.slice(1, -1)] = decodeURIComponent(given);
      return true;
    });
    if (fits) return { endpoint, fromPath };
  }
  return undefined;
}
