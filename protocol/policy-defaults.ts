import type { Policy } from "./policy.ts";

/** What a new policy asks for where nobody said otherwise, in the hub and in the panel's editor. No schema: the panel loads this file. */
export const policyDefaults = (timezone: string) =>
  ({
    scope: {},
    window: { calendar: "01:00", timezone, durationSec: 5 * 3600 },
    parallel: { total: 2, perNode: 1 },
    nodes: [],
    storages: [],
    checks: [],
    integrity: true,
    screenshot: true,
    benchmark: false,
    keepSec: 0,
    timeoutSec: 7200,
    bootSec: 300,
  }) satisfies Partial<Policy>;
