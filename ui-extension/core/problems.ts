import type { AlertView } from "#protocol/alerting.ts";
import type { EventView, GuestView, Health, NodeView, StorageView, TaskView } from "#protocol/api.ts";
import { formatAge } from "./age.ts";
import { compareAlerts, headlineOf, isOpen } from "./alerts.ts";
import { groupBy } from "./group.ts";
import { lastHeardAt } from "./guests.ts";
import { ratioReading, shownReading } from "./reading.ts";
import { hasPage } from "./route.ts";
import { taskWords } from "./tasks.ts";
import { plural, type Translate } from "./text.ts";
import { formatPercent } from "./units.ts";

/** From here a storage counts as nearly full, and as full. */
export const storageFull = { warn: 0.85, crit: 0.95 } as const;
const dayMs = 86_400_000;

export type Severity = "critical" | "warning" | "unknown";

/** One thing the admin should know now. `entity`: where a click leads. `key`: stays the same while the problem lasts. */
export type Problem = {
  key: string;
  severity: Severity;
  text: string;
  detail: string;
  at: number | undefined;
  entity: string | undefined;
  cluster: string | undefined;
  /** Alerts that say the same, as `cluster entity word`: where one of them fires, it stands for this. */
  saidBy?: readonly string[];
};

/** All the panel knows, as the stream and the first requests gave it. */
export type Picture = {
  nodes: readonly NodeView[];
  guests: readonly GuestView[];
  storages: readonly StorageView[];
  tasks: readonly TaskView[];
  events: readonly EventView[];
  /** Pending and firing ones; undefined: the hub doesn't judge rules, or has not said yet. */
  alerts: readonly AlertView[] | undefined;
  health: Health | undefined;
};

/** What is wrong or unknown, the worst first. `now`: the hub's clock. */
export function findProblems(picture: Picture, now: number, t: Translate): Problem[] {
  if (picture.alerts !== undefined) return judgedProblems(picture, picture.alerts, now, t);
  return bySeverity([
    ...picture.nodes.flatMap((node) => nodeProblems(node, now, t)),
    ...guestProblems(picture, now, t),
    ...picture.storages.flatMap((storage) => storageProblems(storage, now, t)),
    ...taskProblems(picture.tasks, now, t),
    ...hubProblems(picture, t),
  ]);
}

function bySeverity(problems: Problem[]): Problem[] {
  const order: Severity[] = ["critical", "warning", "unknown"];
  return problems.sort((a, b) => order.indexOf(a.severity) - order.indexOf(b.severity));
}

/** What the hub says of itself. Of an agent that is away the panel knows more: since when, and of which node. */
function hubProblems({ health, nodes }: Picture, t: Translate): Problem[] {
  const away = new Set(nodes.filter(({ agent }) => agent.state === "away").map(({ node }) => `The agent of ${node} is away`));
  return (health?.problems ?? [])
    .filter((text) => !away.has(text))
    .map((text) => problem("warning", `hub ${text}`, text, t("said by the hub itself")));
}

/**
 * Where the hub judges rules: alerts that nobody took and nothing keeps quiet. What no alert says yet about nodes and guests is seen here at
 * once all the same; limits of storages and failed tasks are for the rules to judge.
 */
function judgedProblems(picture: Picture, alerts: readonly AlertView[], now: number, t: Translate): Problem[] {
  const firing = alerts.filter(({ state }) => state === "firing");
  const told = new Set(firing.map(({ cluster, entity, valueText }) => `${cluster} ${entity} ${valueText}`));
  const seen = [...picture.nodes.flatMap((node) => nodeProblems(node, now, t)), ...guestProblems(picture, now, t)];
  return bySeverity([
    ...firing
      .filter(isOpen)
      .sort(compareAlerts)
      .map((alert) => alertProblem(alert, t)),
    ...seen.filter(({ saidBy = [] }) => !saidBy.some((alert) => told.has(alert))),
    ...hubProblems(picture, t),
  ]);
}

/** What rules read of a node and its agent (`node_state`, `agent_state`) where nobody sees into the node. */
const outOfSight = ["offline", "unknown", "away", "silent"] as const;

/** What rules read of a node (`guest_sight`) whose agent goes on while its pvestatd does not. */
const noGuestSeen = "none";
/** Where agents read what pvestatd says. */
const statusSource = "pve-metrics";
/** A dead NFS server hangs the pvestatd of every node. */
const namedMax = 5;

const alertsOf = ({ cluster }: { cluster: string }, entity: string, words: readonly string[]) =>
  words.map((word) => `${cluster} ${entity} ${word}`);

/** Its own page, or that of the node it is a part of, as a disk is. */
const pageOf = ({ entity, node }: AlertView): string | undefined =>
  hasPage(entity) ? entity : node === null ? undefined : `node/${node}`;

const alertProblem = (alert: AlertView, t: Translate): Problem => ({
  key: alert.id,
  severity: alert.severity === "critical" ? "critical" : "warning",
  text: t(headlineOf(alert.text)[0]),
  detail: alert.remedy === null ? "" : t(alert.remedy),
  at: alert.firedAt ?? undefined,
  entity: pageOf(alert),
  cluster: alert.cluster,
});

function problem(
  severity: Severity,
  key: string,
  text: string,
  detail: string,
  about?: { entity: string; cluster: string },
  at?: number | null,
): Problem {
  // Two clusters may have nodes of one name.
  return {
    key: `${about?.cluster ?? ""} ${key}`,
    severity,
    text,
    detail,
    at: at ?? undefined,
    entity: about?.entity,
    cluster: about?.cluster,
  };
}

function nodeProblems(node: NodeView, now: number, t: Translate): Problem[] {
  const guests = plural(t, node.guests.total, "{n} guest", "{n} guests");
  const seen = node.agent.lastSeenAt;
  const silent = seen === null ? t("never heard") : t("last heard {age} ago", { age: formatAge(now - seen) });
  const values = { node: node.node, guests };
  if (node.state === "offline") {
    const text = t("Node {node} is offline, with {guests}", values);
    const saidBy = alertsOf(node, node.entity, ["offline"]);
    return [{ ...problem("critical", `${node.entity} offline`, text, silent, node, seen), saidBy }];
  }
  if (node.state === "unknown") {
    const text = t("Node {node} is silent: nobody can tell how it is", values);
    const saidBy = alertsOf(node, node.entity, ["unknown", "offline"]);
    return [{ ...problem("critical", `${node.entity} unknown`, text, silent, node, seen), saidBy }];
  }
  if (node.agent.state !== "connected")
    return [{ ...agentProblem(node, silent, t), saidBy: alertsOf(node, node.entity, outOfSight) }];
  return node.agent.sources
    .filter((source) => source.problem !== null)
    .map(({ source, problem: why }) => {
      const text = t("{node}: {source} can't be read", { ...values, source });
      const saidBy = source === statusSource ? alertsOf(node, node.entity, [noGuestSeen]) : [];
      return { ...problem("warning", `${node.entity} ${source}`, text, why ?? "", node), saidBy };
    });
}

function agentProblem(node: NodeView, silent: string, t: Translate): Problem {
  const values = { node: node.node };
  switch (node.agent.state) {
    case "never":
      return problem(
        "unknown",
        `${node.entity} agent`,
        t("Node {node} has no agent", values),
        t("install proven-agent on it"),
        node,
      );
    case "revoked":
      return problem("warning", `${node.entity} agent`, t("The agent of {node} is revoked", values), silent, node);
    default:
      return problem(
        "warning",
        `${node.entity} agent`,
        t("The agent of {node} is away", values),
        silent,
        node,
        node.agent.lastSeenAt,
      );
  }
}

/** Guests that nobody can tell anything about: one line per node, not one per guest, and none where the node or its agent is listed. */
function guestProblems({ guests, nodes }: Picture, now: number, t: Translate): Problem[] {
  const listed = nodes.filter((node) => node.state !== "online" || node.agent.state !== "connected");
  const dark = new Set(listed.map((node) => `${node.cluster} ${node.node}`));
  const unknown = guests.filter((guest) => guest.state === "unknown" && !dark.has(`${guest.cluster} ${guest.node}`));
  const byNode = groupBy(unknown, (guest) => `${guest.cluster} ${guest.node}`);
  const silent = [...byNode.values()].flatMap((group) => {
    const [first] = group;
    if (first === undefined) return [];
    const heard = lastHeardAt(first);
    const text =
      group.length === 1
        ? t("{guest} on {node} is unknown", { guest: guestLabel(first), node: first.node })
        : t("{n} guests on {node} are unknown", { n: group.length, node: first.node });
    const detail = heard === undefined ? t("never heard") : t("last heard {age} ago", { age: formatAge(now - heard) });
    const about = group.length === 1 ? first : { entity: `node/${first.node}`, cluster: first.cluster };
    const saidBy = alertsOf(first, `node/${first.node}`, [...outOfSight, noGuestSeen]);
    return [{ ...problem("unknown", `${first.node} guests`, text, detail, about, heard ?? null), saidBy }];
  });
  const halted = guests
    .filter((guest) => guest.state === "io-error")
    .map((guest) => {
      const text = t("{guest} stands still on an I/O error", { guest: guestLabel(guest) });
      return {
        ...problem("critical", `${guest.entity} io`, text, guest.node, guest),
        saidBy: alertsOf(guest, guest.entity, ["io-error"]),
      };
    });
  return [...halted, ...silent];
}

/** Why agents that go on can't read what Proxmox VE knows of guests and storages: pvestatd hangs, mostly. `node`: null: any of the cluster, of which some are named. */
export function statusProblems(nodes: readonly NodeView[], cluster: string, node: string | null, t: Translate): string[] {
  const all = nodes
    .filter((one) => one.cluster === cluster && (node === null || one.node === node))
    .filter(({ state, agent }) => state === "online" && agent.state === "connected")
    .flatMap((one) => one.agent.sources.map(({ source, problem }) => ({ node: one.node, source, problem })))
    .filter(({ source, problem }) => source === statusSource && problem !== null)
    .map(({ node, source, problem }) => `${t("{node}: {source} can't be read", { node, source })}: ${problem}`);
  const left = all.length - namedMax;
  return left <= 0 ? all : [...all.slice(0, namedMax), plural(t, left, "and {n} more", "and {n} more")];
}

/** `105 web01`, as PVE's tree names it. */
export const guestLabel = (guest: GuestView) => `${guest.vmid} ${guest.name}`;

/** `nfs1`, or `local (pve1)` for what exists on each node. */
export const storageLabel = (storage: StorageView) =>
  storage.node === null ? storage.storage : `${storage.storage} (${storage.node})`;

function storageProblems(storage: StorageView, now: number, t: Translate): Problem[] {
  const values = { storage: storageLabel(storage) };
  if (storage.state === "inactive") {
    return [
      problem("critical", `${storage.entity} inactive`, t("Storage {storage} is not active", values), storage.type, storage),
    ];
  }
  const shown = shownReading(ratioReading(storage.used, storage.total), now);
  if (storage.state === "unknown" || shown.state !== "fresh" || shown.value < storageFull.warn) return [];
  const severity = shown.value >= storageFull.crit ? "critical" : "warning";
  const text = t("Storage {storage} is {percent} full", { ...values, percent: formatPercent(shown.value) });
  return [problem(severity, `${storage.entity} full`, text, storage.type, storage)];
}

/** Failed tasks of the last day, equal ones (type, id, node) told once with their number. */
function taskProblems(tasks: readonly TaskView[], now: number, t: Translate): Problem[] {
  const failed = tasks.filter(
    (task) => (task.state === "failed" || task.state === "lost") && now - (task.endedAt ?? task.startedAt) < dayMs,
  );
  const groups = groupBy(failed, (task) => `${task.cluster} ${task.node} ${task.type} ${task.id}`);
  return [...groups].flatMap(([key, group]) => {
    const newest = group.reduce((a, b) => (a.startedAt >= b.startedAt ? a : b));
    const values = { what: taskWords(newest, t), node: newest.node, n: group.length };
    const text =
      group.length > 1 ? t("Task {what} failed {n} times on {node}", values) : t("Task {what} failed on {node}", values);
    const about = { entity: `node/${newest.node}`, cluster: newest.cluster };
    return [problem("warning", `task ${key}`, text, newest.status ?? "", about, newest.endedAt ?? newest.startedAt)];
  });
}
