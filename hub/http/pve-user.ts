import type { Scope } from "#protocol/api.ts";
import type { Permission } from "#protocol/viewer.ts";
import { Refusal } from "../core/refusal.ts";
import { type ClusterSight, holds } from "../core/viewer.ts";

/** What gateways' users and those who signed in have in common. */

/** Privileges with which something of ours can be done: actPermission of hub/core/viewer.ts, settings, and restore tests. */
const actingPrivileges: readonly string[] = ["VM.PowerMgmt", "VM.Backup", "Datastore.Allocate", "Sys.Modify"];

/** As a panel shows them: which buttons make sense. What is allowed is decided at each request. */
export function pveScopes({ privileges }: Pick<ClusterSight, "privileges">): Scope[] {
  const held = new Set([...privileges.values()].flatMap((names) => [...names]));
  const root = privileges.get("/");
  const scopes: Scope[] = ["read"];
  if (actingPrivileges.some((privilege) => held.has(privilege))) scopes.push("write");
  if (root?.has("Sys.Modify") && root.has("Permissions.Modify")) scopes.push("admin");
  return scopes;
}

/** @throws Refusal for a privilege that isn't held; those that the view doesn't tell of are asked for. */
export async function checkHeld(
  sight: ClusterSight | undefined,
  needs: readonly Permission[],
  ask: (unknown: readonly Permission[]) => Promise<void> | never,
): Promise<void> {
  const unknown: Permission[] = [];
  for (const need of needs) {
    const held = holds(sight, need);
    if (held === "no") throw notHeld(need);
    if (held === "unknown") unknown.push(need);
  }
  if (unknown.length > 0) await ask(unknown);
}

export const notHeld = ({ path, privilege }: Permission) =>
  new Refusal("forbidden", `this takes ${privilege} on ${path} in Proxmox VE`);
