import type { automaticWindows } from "#protocol/alerting.ts";
import type { EntityKey, EpochMs, NodeName } from "#protocol/ids.ts";
import { guestKey, nodeKey } from "#protocol/ids.ts";
import { includesGuest } from "./backup-due.ts";
import { bootOf, type ClusterPicture, spokesman } from "./cluster.ts";
import { titleOf } from "./entity-facts.ts";
import { subjectKey } from "./inhibit.ts";
import type { OwnedGuest, Owners } from "./inventory.ts";
import { oncePer } from "./once-per.ts";

export type AutomaticKind = (typeof automaticWindows)[number];

/** A window that facts opened. A node's takes along what is on it. */
export type AutomaticWindow = {
  id: string;
  kind: AutomaticKind;
  cluster: string;
  entity: EntityKey;
  node: NodeName | undefined;
  since: EpochMs;
  until: EpochMs;
  text: string;
};

/** Every lease ends: a lock that a crash left behind must not hide its guest for ever. */
const leaseMs: Record<AutomaticKind, number> = {
  "ha-maintenance": 7 * 86_400_000,
  upgrade: 15 * 60_000,
  "stop-mode-backup": 12 * 3_600_000,
  "backup-lock": 24 * 3_600_000,
};

/** What each node ran when last seen, to notice upgrades. */
export type Versions = Map<string, string>;

/** Guests that a backup has locked now, or that one left so. Owners are other ones when an inventory came. */
const lockedByBackup = oncePer((owners: Owners): readonly OwnedGuest[] =>
  [...owners.values()].filter(({ facts }) => facts.lock === "backup"),
);

/**
 * Windows of one cluster now: nodes in HA maintenance, nodes that were just upgraded, guests locked by a backup. `before`: those of the last
 * look, which keep their start.
 */
export function automaticWindowsOf(
  picture: ClusterPicture,
  before: ReadonlyMap<string, AutomaticWindow>,
  versions: Versions,
  now: EpochMs,
): AutomaticWindow[] {
  const open: AutomaticWindow[] = [];
  const add = (kind: AutomaticKind, entity: EntityKey, node: NodeName | undefined, text: string, bootedAt = 0) => {
    const id = `${kind}@${subjectKey(picture.cluster, entity)}`;
    const since = before.get(id)?.since ?? now;
    const leaseEnd = (since + leaseMs[kind]) as EpochMs;
    // What locked it before its node booted is no more.
    const until = bootedAt > since ? (Math.min(bootedAt, leaseEnd) as EpochMs) : leaseEnd;
    open.push({ id, kind, cluster: picture.cluster, entity, node, since, until, text });
  };
  const inventory = spokesman(picture, now)?.inventory?.inventory;
  for (const { node, state } of inventory?.cluster.ha?.nodes ?? []) {
    if (state === "maintenance")
      add("ha-maintenance", nodeKey(node as NodeName), node as NodeName, `${node} is in HA maintenance`);
  }
  for (const { facts, owner } of lockedByBackup(picture.owners)) {
    const { node } = owner.agent;
    const stops = (inventory?.backupJobs ?? []).some((job) => job.mode === "stop" && includesGuest(job, facts, node));
    const entity = guestKey(facts.vmid);
    const what = stops ? "is being backed up in stop mode" : "is locked by a backup";
    add(stops ? "stop-mode-backup" : "backup-lock", entity, undefined, `${titleOf(facts)} ${what}`, bootOf(picture, node));
  }
  for (const [node, agent] of picture.agents) {
    const entity = nodeKey(node);
    const ran = agent.inventory?.inventory.node;
    if (ran?.pveVersion === undefined) continue;
    const version = `${ran.pveVersion} ${ran.kernel ?? ""}`;
    const key = subjectKey(picture.cluster, entity);
    const known = versions.get(key);
    versions.set(key, version);
    const running = before.get(`upgrade@${key}`);
    const upgraded = known !== undefined && known !== version;
    if (upgraded || (running !== undefined && now < running.until)) add("upgrade", entity, node, `${node} was just upgraded`);
  }
  return open;
}

/** Does a window hold what is said about this entity? */
export function covers(window: AutomaticWindow, cluster: string, entity: string, node: string | undefined): boolean {
  if (window.cluster !== cluster) return false;
  return window.entity === entity || (window.node !== undefined && window.node === node);
}
