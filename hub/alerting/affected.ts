import { clusterKey } from "#protocol/ids.ts";
import { guestStatusCodes } from "#protocol/metrics.ts";
import type { AlertRecord } from "../core/alert-record.ts";
import { affectedBy, type Dependencies, subjectKey } from "../core/inhibit.ts";
import type { Plan } from "../core/rule.ts";
import type { EntityFacts } from "../core/scope.ts";
import type { LiveTable, SeriesReader } from "../core/series.ts";
import type { AlertSubjects } from "./alert-subjects.ts";

/** What says only that nobody sees: guests go on meanwhile. */
const blindness: readonly string[] = ["agent_state", "hub_store", "hub_sight"];

/** Whether an alert of this plan can take guests along. */
export function takesAlong({ rule, source }: Plan): boolean {
  if (!rule.inhibits) return false;
  return source.kind !== "signal" || source.signal.kind !== "fact" || !blindness.includes(source.signal.name);
}

export type AffectedSources = {
  subjects: Pick<AlertSubjects, "entityOf">;
  dependencies: Dependencies;
  /** Members that the others see as gone. */
  offline: ReadonlySet<string>;
  reader: Pick<SeriesReader, "find">;
  live: Pick<LiveTable, "latest">;
};

/**
 * Titles of guests that an alert's entity takes along: those that ran when they were last seen. Of trouble of the whole cluster these are the
 * guests of nodes that are gone; the others go on.
 */
export function affectedTitles({ subject }: AlertRecord, sources: AffectedSources): string[] {
  const title = (key: string) => {
    const [cluster = "", entity = ""] = key.split(" ", 2);
    const facts = sources.subjects.entityOf(cluster, entity);
    if (facts?.kind !== "guest" || isOff(facts, sources)) return undefined;
    if (subject.entity === clusterKey && (facts.node === undefined || !sources.offline.has(facts.node))) return undefined;
    return facts.title;
  };
  return affectedBy(subjectKey(subject.cluster, subject.entity), sources.dependencies, title);
}

/** Switched off as far as anybody saw, however long ago that was. */
function isOff({ cluster, entity }: EntityFacts, { reader, live }: AffectedSources): boolean {
  const info = reader.find({ cluster, entity, metric: "status" });
  const latest = info === undefined ? undefined : live.latest(info.id);
  return latest !== undefined && guestStatusCodes[latest.value] === "stopped";
}
