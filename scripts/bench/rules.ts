import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { Rule } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { Receiver, Route } from "#protocol/notifications.ts";
import { Secrets } from "../../hub/secrets.ts";
import { StateStore } from "../../hub/store/state.ts";
import type { HubProcess } from "./hub-process.ts";
import { type GuestMetric, guestMetrics } from "./workload.ts";

const by = { actor: "bench", reason: "bench" };

/** A rule about one of the workload's metrics, for every guest. */
export function guestRule(id: string, signal: GuestMetric, trigger: number, clear: number, forSec: number): Rule {
  return {
    id,
    name: id,
    enabled: true,
    shipped: false,
    severity: "warning",
    entity: "guest",
    scope: {},
    overrides: [],
    condition: { kind: "threshold", signal, direction: "above", trigger, clear },
    forSec,
    clearForSec: 0,
    inhibits: false,
  };
}

/** Where the triggers of one metric lie: CPU's where busy guests cross some of them, the others' beyond what the workload reaches. */
const triggers: Record<GuestMetric, [from: number, to: number]> = {
  cpu: [0.8, 1.2],
  mem_used: [1e12, 2e12],
  mem_max: [1e12, 2e12],
  disk_used: [1e12, 2e12],
  net_in: [1e12, 2e12],
  net_out: [1e12, 2e12],
  disk_read: [1e12, 2e12],
  disk_written: [1e12, 2e12],
  uptime: [1e12, 2e12],
  psi_io_some: [50, 99],
};

/** `count` rules, as many about each metric; every one is about every guest. */
export function manyRules(count: number): Rule[] {
  const each = Math.ceil(count / guestMetrics.length);
  return guestMetrics.flatMap((metric) => {
    const [from, to] = triggers[metric];
    return Array.from({ length: each }, (_, index) => {
      const trigger = from + ((to - from) * index) / each;
      return guestRule(`bench-${metric.replaceAll("_", "-")}-${index}`, metric, trigger, trigger * 0.98, 300);
    });
  });
}

/** Puts rules, and where given a webhook that takes all their alerts at once, into the store of a hub that does not run. */
export async function configure(hub: HubProcess, rules: readonly Rule[], webhook?: string): Promise<void> {
  const dir = join(hub.dir, "state");
  const state = StateStore.open({ dir, now: () => Date.now() as EpochMs });
  state.together(() => {
    for (const rule of rules) state.put("rule", rule.id, rule, by);
    if (webhook === undefined) return;
    state.put("receiver", "bench", receiver(webhook), by);
    state.put("route", "bench", route, by);
  });
  await state.close();
  new Secrets(dir).change({ "receiver/bench/secret": `whsec_${randomBytes(32).toString("base64")}` });
}

const receiver = (url: string): Receiver => ({
  id: "bench",
  name: "bench",
  type: "webhook",
  enabled: true,
  resolved: false,
  privateAddress: true,
  url,
  secret: { ref: "receiver/bench/secret" },
});

const route: Route = {
  id: "bench",
  name: "bench",
  enabled: true,
  order: 1,
  match: {},
  continue: false,
  receivers: ["bench"],
  groupBy: ["entity"],
  groupWaitSec: 0,
  groupIntervalSec: 0,
  repeatSec: 0,
  escalation: [],
};
