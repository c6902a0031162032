import type { SessionView } from "#protocol/api.ts";
import { allows } from "../core/keys.ts";
import { holds, holdsEverywhere, type Viewer } from "../core/viewer.ts";
import type { Caller } from "./env.ts";
import type { HttpPorts } from "./ports.ts";
import { seenPorts } from "./seen.ts";

/** Who is signed in, and what it makes sense to offer him; whether he may is decided at each request. */
export function sessionView(
  ports: HttpPorts,
  { user, scopes, expiresAt }: Pick<Caller, "user" | "scopes" | "expiresAt">,
  viewer: Viewer,
): SessionView {
  const session = { user, scopes: [...scopes], expiresAt };
  if (viewer.kind === "everything")
    return { ...session, settings: allows(scopes, "write"), agentsOf: allows(scopes, "admin") ? null : [] };
  const modifies = (cluster: string) => holds(viewer.sights.get(cluster), { path: "/", privilege: "Sys.Modify" }) === "yes";
  const settings = holdsEverywhere(viewer, seenPorts(ports, viewer).around, "Sys.Modify");
  return { ...session, settings, agentsOf: [...viewer.sights.keys()].filter(modifies) };
}
