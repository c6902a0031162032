import type { Policy, PolicyDecision, PolicyPlan, PolicyView } from "#protocol/policy.ts";
import { policyDefaults } from "#protocol/policy-defaults.ts";
import type { GuestProofView } from "#protocol/proof.ts";
import { scopeText, slugOf } from "./rules.ts";
import { plural, type Translate } from "./text.ts";
import { formatDuration } from "./units.ts";

/** A policy in one sentence: `Guests with tag prod, every 7 days, sat 01:00–06:00 (Europe/Rome), 2 at once, on pve2`. */
export function policyText(policy: Policy, t: Translate): string {
  const { scope, everyDays, parallel, nodes, storages } = policy;
  const isAll = Object.keys(scope).length === 0;
  return [
    isAll ? t("every guest") : t("guests {scope}", { scope: scopeText(scope, t) }),
    plural(t, everyDays, "each day", "each at least every {n} days"),
    windowText(policy.window, t),
    plural(t, parallel.total, "one at a time", "{n} at once"),
    ...(parallel.perNode < parallel.total ? [plural(t, parallel.perNode, "one per node", "{n} per node")] : []),
    ...(nodes.length === 0 ? [] : [t("on {list}", { list: nodes.join(", ") })]),
    ...(storages.length === 0 ? [] : [t("backups on {list}", { list: storages.join(", ") })]),
  ]
    .join(", ")
    .replace(/^./u, (first) => first.toUpperCase());
}

/** `sat 01:00–06:00 (Europe/Rome)`; a calendar that names no single time of day is told with its length. */
export function windowText({ calendar, timezone, durationSec }: Policy["window"], t: Translate): string {
  const time = /(?:^|\s)(\d{1,2}):(\d{2})$/.exec(calendar);
  const isWhole = durationSec < 86_400 && durationSec % 60 === 0;
  if (time === null || !isWhole)
    return `${t("{calendar} for {time}", { calendar, time: formatDuration(durationSec) })} (${timezone})`;
  const end = (Number(time[1]) * 60 + Number(time[2]) + durationSec / 60) % 1440;
  const two = (value: number) => String(value).padStart(2, "0");
  return `${calendar}–${two(Math.floor(end / 60))}:${two(end % 60)} (${timezone})`;
}

/** A new policy, to be filled in; on as soon as it is saved: the editor has shown by then what it does. */
export const blankPolicy = (order: number, timezone: string): Policy => ({
  ...policyDefaults(timezone),
  id: "",
  name: "",
  enabled: true,
  order,
  everyDays: 7,
  shipped: false,
});

/** The policy as the hub takes it: without the figures of its view. A new one's id follows from its name. */
export function policyOf(view: Policy | PolicyView): Policy {
  if (!("proven" in view)) return view.id === "" ? { ...view, id: slugOf(view.name) } : view;
  const { guests: _, proven: _proven, overdue: _overdue, open: _open, nextAt: _nextAt, ...policy } = view;
  return policy;
}

/** Why a guest is, or isn't, tested now: the hub's reason in a word or two. Its sentence says more. */
export function decisionWords(decision: PolicyDecision["decision"], t: Translate): string {
  const words: Record<PolicyDecision["decision"], () => string> = {
    test: () => t("tested"),
    later: () => t("its turn comes"),
    running: () => t("running"),
    recent: () => t("proven in time"),
    "retry-later": () => t("did not pass, tried again later"),
    quota: () => t("older proofs first"),
    "no-backup": () => t("no backup"),
    "backup-unknown": () => t("backups unknown"),
    maintenance: () => t("maintenance"),
    "node-busy": () => t("its node is busy"),
    "no-node": () => t("no node can"),
    "window-closing": () => t("too little time left"),
  };
  return words[decision]();
}

/** Guests whose test is overdue, the longest overdue first. */
export const overdueOf = ({ decisions }: Pick<PolicyPlan, "decisions">, now: number): PolicyDecision[] =>
  decisions.filter(({ dueAt }) => dueAt < now).sort((a, b) => a.dueAt - b.dueAt || a.vmid - b.vmid);

/** Decisions that nobody has to wait for: a test of such a guest can be ordered by hand. */
const testable: ReadonlySet<PolicyDecision["decision"]> = new Set<PolicyDecision["decision"]>([
  "test",
  "later",
  "recent",
  "retry-later",
  "quota",
  "node-busy",
  "window-closing",
]);

/** Whose turn it would be if somebody ran the policy now: the hub's order, without those that can't be tested or are. */
export const nextInTurn = ({ decisions }: Pick<PolicyPlan, "decisions">): PolicyDecision[] =>
  decisions.filter(({ decision }) => testable.has(decision));

/** Guests that no policy that is on holds. */
export const uncovered = (guests: readonly GuestProofView[]): GuestProofView[] => guests.filter(({ dueAt }) => dueAt === null);

/** How many guests of a night came to which end, the most first. */
export function nightCounts(
  decisions: readonly Pick<PolicyDecision, "decision">[],
): { decision: PolicyDecision["decision"]; count: number }[] {
  const counts = new Map<PolicyDecision["decision"], number>();
  for (const { decision } of decisions) counts.set(decision, 1 + (counts.get(decision) ?? 0));
  return [...counts].map(([decision, count]) => ({ decision, count })).sort((a, b) => b.count - a.count);
}
