import type { Rule } from "#protocol/alerting.ts";

/** What rules can be about; zod, where the protocol has this list, is not for the bundle. */
export const alertEntityKinds = [
  "guest",
  "node",
  "storage",
  "cluster",
  "zpool",
  "disk",
  "thinpool",
  "datastore",
] as const satisfies readonly Rule["entity"][];
