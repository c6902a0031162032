import type { EntityView } from "#protocol/entities.ts";
import type { MetricName } from "#protocol/metrics.ts";
import { shownReading } from "./reading.ts";

/**
 * Newest value of one of an entity's metrics; undefined: unknown, or not of now. Agents send what slow sources (disks, pools, Backup Servers)
 * said again with every sample: a value that is old is one whose agent, or whose source, says nothing any more.
 */
export function newestOf(
  entity: Pick<EntityView, "metrics">,
  metric: MetricName,
  now: number,
  instance: string | null = null,
): number | undefined {
  const found = entity.metrics.find((one) => one.metric === metric && one.instance === instance);
  if (found === undefined) return undefined;
  const shown = shownReading(found, now);
  return shown.state === "fresh" ? shown.value : undefined;
}

/** All instances that an entity has of a metric, in the order of their names. */
export function instancesWith(entity: Pick<EntityView, "metrics">, metric: MetricName): string[] {
  return entity.metrics.flatMap((one) => (one.metric === metric && one.instance !== null ? [one.instance] : [])).sort();
}

/** How a disk is doing: what it says of itself, and what its counters mean. The first reason is the gravest. */
export type DiskVerdict = { level: "ok" | "warn" | "crit" | "dim"; word: "well" | "worn" | "errors" | "failing" | "unknown" };

/** From here on a disk should be replaced before long. */
const wearWarn = 0.8;

/** By SMART's own verdict, sectors that can't be read, uncorrected errors, wear. Without SMART nobody knows. */
export function diskVerdict(entity: EntityView, now: number): DiskVerdict {
  const of = (metric: MetricName) => newestOf(entity, metric, now);
  if (of("healthy") === 0) return { level: "crit", word: "failing" };
  const [pending, media, wear] = [of("pending"), of("media_errors"), of("wear")];
  if ((pending ?? 0) > 0 || (media ?? 0) > 0) return { level: "warn", word: "errors" };
  if ((wear ?? 0) >= wearWarn) return { level: "warn", word: "worn" };
  return of("healthy") === undefined ? { level: "dim", word: "unknown" } : { level: "ok", word: "well" };
}
