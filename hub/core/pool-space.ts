import type { Rule } from "#protocol/alerting.ts";
import type { AlertRecord } from "./alert-record.ts";
import { isWorse, subjectKey } from "./inhibit.ts";
import type { EntityFacts } from "./scope.ts";

/** A thin or ZFS pool and the storages on it fill together: one trouble, which the pool's alert tells. */

/** By storage: its pool; and the titles of each pool's storages. Keys are those of Dependencies. */
export type PoolSpace = { poolOf: ReadonlyMap<string, string>; storagesOf: ReadonlyMap<string, readonly string[]> };

export const noPools: PoolSpace = { poolOf: new Map(), storagesOf: new Map() };

export function poolSpaceOf(entities: Iterable<EntityFacts>): PoolSpace {
  const poolOf = new Map<string, string>();
  const storagesOf = new Map<string, string[]>();
  for (const { cluster, entity, title, spaceOf } of entities) {
    if (spaceOf === undefined) continue;
    const pool = subjectKey(cluster, spaceOf);
    poolOf.set(subjectKey(cluster, entity), pool);
    storagesOf.set(pool, [...(storagesOf.get(pool) ?? []), title]);
  }
  return { poolOf, storagesOf };
}

const spaceSignals: Partial<Record<Rule["entity"], readonly string[]>> = {
  storage: ["used"],
  thinpool: ["data", "metadata"],
  zpool: ["allocated"],
};

/** Whether a rule is about space that runs out, of a storage or of a pool. */
export function isAboutSpace({ entity, condition }: Pick<Rule, "entity" | "condition">): boolean {
  if (condition.kind !== "threshold" && condition.kind !== "forecast") return false;
  if (condition.kind === "threshold" && condition.direction !== "above") return false;
  return spaceSignals[entity]?.includes(condition.signal) === true;
}

/** The worst alert of each pool that tells of its space, pending or firing. */
export function spaceCausesAmong(
  alerts: Iterable<AlertRecord>,
  aboutSpace: ReadonlySet<string>,
  { storagesOf }: PoolSpace,
): ReadonlyMap<string, AlertRecord> {
  const causes = new Map<string, AlertRecord>();
  if (storagesOf.size === 0) return causes;
  for (const alert of alerts) {
    if (!aboutSpace.has(alert.rule) || (alert.alert.state !== "pending" && alert.alert.state !== "firing")) continue;
    const key = subjectKey(alert.subject.cluster, alert.subject.entity);
    if (!storagesOf.has(key)) continue;
    const known = causes.get(key);
    if (known === undefined || isWorse(alert, known)) causes.set(key, alert);
  }
  return causes;
}

/** The pool's alert that says what this one of a storage would; a lesser one does not. */
export function spaceCauseOf(
  alert: AlertRecord,
  causes: ReadonlyMap<string, AlertRecord>,
  { poolOf }: PoolSpace,
): AlertRecord | undefined {
  const pool = poolOf.get(subjectKey(alert.subject.cluster, alert.subject.entity));
  const cause = pool === undefined ? undefined : causes.get(pool);
  return cause === undefined || isWorse(alert, cause) ? undefined : cause;
}
