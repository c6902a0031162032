/** The software's version: that of package.json, put in by the build. */
export const softwareVersion = "0.1.0";

/** Versions of the agent–hub link this build speaks. The hub serves the current and the previous one, for upgrades node by node. */
export const linkVersions = { min: 1, max: 3 } as const;
export const linkSubprotocol = "proven.v1";

export type VersionRange = { min: number; max: number };

/** The highest version that both ranges hold, or who has to be upgraded. */
export function negotiate(
  hub: VersionRange,
  agent: VersionRange,
): { ok: true; version: number } | { ok: false; tooOld: "hub" | "agent" } {
  const version = Math.min(hub.max, agent.max);
  if (version >= Math.max(hub.min, agent.min)) return { ok: true, version };
  return { ok: false, tooOld: hub.max < agent.min ? "hub" : "agent" };
}
