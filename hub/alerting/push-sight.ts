import { type ClusterPicture, isServed } from "../core/cluster.ts";
import type { AgentId } from "../core/series.ts";
import type { AnswerBody } from "../login-ports.ts";
import type { UserSight } from "./push-subscribers.ts";

/** Agents of a cluster that are asked, one after the other, before nobody can tell. */
const askedMax = 3;

/**
 * What Proxmox VE hides from a user, over all clusters that are served: hidden in one is hidden. An answer that is
 * undefined: this agent can't be asked.
 */
export async function askSight(
  pictures: readonly Pick<ClusterPicture, "cluster" | "agents">[],
  ask: (agent: AgentId) => Promise<AnswerBody<"login.sight"> | undefined>,
): Promise<UserSight> {
  const present = pictures.filter(isServed);
  const sights = await Promise.all(present.map((picture) => sightIn(picture, ask)));
  if (sights.includes("partial")) return "partial";
  return sights.length === 0 || sights.includes("unknown") ? "unknown" : "whole";
}

async function sightIn(
  { cluster, agents }: Pick<ClusterPicture, "cluster" | "agents">,
  ask: (agent: AgentId) => Promise<AnswerBody<"login.sight"> | undefined>,
): Promise<UserSight> {
  const connected = [...agents.values()].filter(({ state }) => state === "connected");
  for (const { node } of connected.slice(0, askedMax)) {
    const answer = await ask({ cluster, node });
    if (answer?.state === "ok") return answer.whole ? "whole" : "partial";
  }
  return "unknown";
}
