import type { NodeView } from "#protocol/api.ts";

/**
 * Whether its viewer may not audit a node: then the hub leaves out with which software its agent is connected, and since when (hub/core/viewer-picture.ts).
 * What such a node does not say is not missing.
 */
export const isWithheld = ({ agent }: Pick<NodeView, "agent">): boolean => agent.state === "connected" && agent.software === null;
