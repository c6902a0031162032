import { asFlag, asObject, asObjects, asText } from "./values.ts";

/** What Proxmox VE says as root; each as the API's `data`. */
export type SightAnswers = {
  /** `GET /access/users`. */
  users: unknown;
  /** `GET /access/permissions?userid=…`. */
  permissions: unknown;
  /** `GET /access/acl`. */
  acl: unknown;
};

/** What shows an object of this part of the tree. */
const audits: Readonly<Record<string, string>> = { vms: "VM.Audit", nodes: "Sys.Audit", storage: "Datastore.Audit" };

/**
 * Whether the user may sign in and nothing of the cluster is hidden from him. `get_effective_permissions` (pve-access-control
 * `PVE/RPCEnvironment.pm`) leaves out a path on which he holds nothing, so each path that has an entry of its own must be among his: below those
 * all is as above. A pool's `NoAccess` trumps what is granted of its members (`compile_acl_path` there). Undefined: an answer is none of these.
 */
export function seesAll(user: string, { users, permissions, acl }: SightAnswers, nowSec: number): boolean | undefined {
  const held = asObject(permissions);
  if (!Array.isArray(users) || !Array.isArray(acl) || held === undefined) return undefined;
  const account = asObjects(users).find(({ userid }) => userid === user);
  if (account === undefined || !mayEnter(account, nowSec)) return false;
  const holds = (path: string, privilege: string) => asObject(held[path])?.[privilege] !== undefined;
  const passesOn = (path: string, privilege: string) => asFlag(asObject(held[path])?.[privilege]);
  if (!holds("/", "Sys.Audit")) return false;
  if (!Object.entries(audits).every(([part, privilege]) => passesOn(`/${part}`, privilege))) return false;
  return asObjects(acl).every(({ path }) => {
    const own = asText(path) ?? "/";
    const [, part = "", name] = own.split("/");
    if (name === undefined) return true;
    const privilege = audits[part];
    return privilege === undefined ? part !== "pool" || held[own] !== undefined : holds(own, privilege);
  });
}

/** `check_user_enabled` in pve-access-control `PVE/AccessControl.pm`; `expire` 0: never. */
function mayEnter({ enable, expire }: Readonly<Record<string, unknown>>, nowSec: number): boolean {
  const ends = Number(expire ?? 0);
  return asFlag(enable ?? 1) && (ends === 0 || ends > nowSec);
}
