import { poolMembers } from "./config-files.ts";
import type { ClusterSpec } from "./spec.ts";

/** Roles of pve-access-control PVE/AccessControl.pm as far as the lab's users have them; recorded with `pveum role list`. */
const auditor = ["Datastore.Audit", "Mapping.Audit", "Pool.Audit", "SDN.Audit", "Sys.Audit", "VM.Audit", "VM.GuestAgent.Audit"];
const guestUser = [
  "VM.Audit",
  "VM.Backup",
  "VM.Config.CDROM",
  "VM.Config.Cloudinit",
  "VM.Console",
  "VM.GuestAgent.Audit",
  "VM.GuestAgent.FileRead",
  "VM.GuestAgent.FileSystemMgmt",
  "VM.GuestAgent.FileWrite",
  "VM.PowerMgmt",
];
const administrator = [
  ...new Set([
    ...auditor,
    ...guestUser,
    "Datastore.Allocate",
    "Datastore.AllocateSpace",
    "Datastore.AllocateTemplate",
    "Group.Allocate",
    "Mapping.Modify",
    "Mapping.Use",
    "Permissions.Modify",
    "Pool.Allocate",
    "Realm.Allocate",
    "Realm.AllocateUser",
    "SDN.Allocate",
    "SDN.Use",
    "Sys.AccessNetwork",
    "Sys.Console",
    "Sys.Incoming",
    "Sys.Modify",
    "Sys.PowerMgmt",
    "Sys.Syslog",
    "User.Modify",
    "VM.Allocate",
    "VM.Clone",
    "VM.Config.CPU",
    "VM.Config.Disk",
    "VM.Config.HWType",
    "VM.Config.Memory",
    "VM.Config.Network",
    "VM.Config.Options",
    "VM.GuestAgent.Unrestricted",
    "VM.Migrate",
    "VM.Replicate",
    "VM.Snapshot",
    "VM.Snapshot.Rollback",
  ]),
].sort();

const roles: Record<string, readonly string[]> = { PVEAuditor: auditor, PVEVMUser: guestUser, NoAccess: [] };

type Acl = { path: string; user: string; role: string };

export type Permissions = {
  /** Users that exist and are enabled. */
  has(user: string): boolean;
  /** Privileges on one path; empty: none. */
  on(user: string, path: string): readonly string[];
  /** What GET /access/permissions lists without `path`: paths where something is granted. */
  paths(user: string): string[];
};

const topLevels = ["/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"];

/** The nearest path with an entry for the user decides (PVE::AccessControl::roles); a pool's privileges come on top for its members. */
export function permissionsOf(spec: ClusterSpec): Permissions {
  const [first = 100, second = 101] = spec.guests.map(({ vmid }) => vmid);
  const acl: Acl[] = [
    { path: "/", user: "alice@pve", role: "PVEAuditor" },
    { path: "/vms", user: "carol@pve", role: "PVEVMUser" },
    { path: `/vms/${first}`, user: "bob@pve", role: "PVEVMUser" },
    { path: `/vms/${second}`, user: "carol@pve", role: "NoAccess" },
  ];
  const users = new Set(["root@pam", "alice@pve", "bob@pve", "carol@pve"]);
  const on = (user: string, path: string): readonly string[] => {
    if (user === "root@pam") return administrator;
    for (let at = path; ; at = at.slice(0, at.lastIndexOf("/")) || "/") {
      const entry = acl.find((one) => one.user === user && one.path === at);
      if (entry !== undefined) return roles[entry.role] ?? [];
      if (at === "/") return [];
    }
  };
  const named = new Set([
    ...topLevels,
    "/pool/prod",
    ...acl.map(({ path }) => path),
    ...poolMembers(spec, "prod").map((vmid) => `/vms/${vmid}`),
  ]);
  return { has: (user) => users.has(user), on, paths: (user) => [...named].filter((path) => on(user, path).length > 0) };
}
