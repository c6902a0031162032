import type { EntityKind } from "#protocol/ids.ts";
import { type MetricId, metrics } from "#protocol/metrics.ts";

type NameOf<K extends EntityKind> = Extract<(typeof metrics)[number], { entity: K }>["name"];

/** Ids of one kind's metrics by name, checked by the compiler: `idsOf("guest").cpu`. */
export function idsOf<K extends EntityKind>(kind: K): Readonly<Record<NameOf<K>, MetricId>> {
  const own = metrics.filter((metric) => metric.entity === kind).map((metric) => [metric.name, metric.id]);
  return Object.fromEntries(own) as Record<NameOf<K>, MetricId>;
}
