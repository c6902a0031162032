import type { Rule } from "#protocol/alerting.ts";
import type { Receiver, Route } from "#protocol/notifications.ts";
import { dataRules, recoveryRules } from "./default-data-rules.ts";
import { downRules, resourceRules } from "./default-host-rules.ts";

/** What Proven watches without being told. Silent on a healthy cluster with nightly backups. */
export const defaultRules: readonly Rule[] = [...downRules, ...resourceRules, ...dataRules, ...recoveryRules].map((row) => ({
  forSec: 0,
  clearForSec: 0,
  inhibits: false,
  ...row,
  enabled: true,
  scope: {},
  overrides: [],
  shipped: true,
}));

/** Where alerts go before anybody says so: the nodes' own outlet. */
export const defaultReceiver: Receiver = {
  id: "nodes",
  name: "Journal and hooks of the nodes",
  type: "node",
  enabled: true,
  resolved: true,
  privateAddress: false,
  journal: true,
  hooks: true,
  mail: false,
};

export const defaultRoute: Route = {
  id: "everything",
  name: "Warnings and worse",
  enabled: true,
  order: 1000,
  match: { severities: ["warning", "critical"] },
  continue: false,
  receivers: ["nodes"],
  groupBy: ["cluster", "rule"],
  groupWaitSec: 0,
  groupIntervalSec: 60,
  repeatSec: 24 * 3600,
  escalation: [],
};
