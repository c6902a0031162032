import type { Database, RootDatabase } from "lmdb";
import type { EventView } from "#protocol/api.ts";
import type { EventFilter } from "../core/events.ts";

/** What is looked up, its value, the event's id. Keys sort by them in this order. */
type IndexKey = [name: string, value: string, id: number];
type IndexedFields = Pick<EventView, "type" | "severity" | "entity" | "node">;
export type IndexedEvent = IndexedFields & { id: number };

/** LMDB bounds keys; what a longer value shares with others is sorted out by whoever reads the events. */
const valueMax = 200;

/** `guest.` of `guest.started`. */
const familyOf = (type: string) => type.slice(0, type.indexOf(".") + 1);

/**
 * Ids of events by what the history is filtered by, so that a rare thing of a year ago is found without reading what happened since. Severity
 * `info` and the cluster are not worth an index: most events have them.
 */
export class EventIndex {
  private constructor(private readonly rows: Database<number, IndexKey>) {}

  static open(root: RootDatabase<unknown, string>): EventIndex {
    return new EventIndex(root.openDB<number, IndexKey>("event-index", { encoding: "json" }));
  }

  get isEmpty(): boolean {
    return this.rows.getKeysCount({ limit: 1 }) === 0;
  }

  add(event: IndexedEvent): void {
    for (const key of keysOf(event)) this.rows.putSync(key, 0);
  }

  remove(event: IndexedEvent): void {
    for (const key of keysOf(event)) this.rows.removeSync(key);
  }

  /** Ids of what may fit, the newest first, those below `cursor` only. Undefined: no part of the filter has an index. */
  idsFor(filter: EventFilter, cursor: number | undefined): Iterable<number> | undefined {
    const entry = entryFor(filter);
    if (entry === undefined) return undefined;
    const [name, value] = entry;
    const start: IndexKey = [name, value, cursor ?? Number.MAX_SAFE_INTEGER];
    const keys = this.rows.getKeys({ start, exclusiveStart: true, end: [name, value, -1], reverse: true });
    return keys.map(([, , id]) => id);
  }
}

/** The part of a filter that fewest events have. */
function entryFor({ entity, type, node, severity }: EventFilter): [name: string, value: string] | undefined {
  if (entity !== undefined) return ["entity", entity.slice(0, valueMax)];
  if (type !== undefined && !type.endsWith(".")) return ["type", type.slice(0, valueMax)];
  if (severity === "critical") return ["severity", severity];
  if (type !== undefined && familyOf(type) === type) return ["family", type.slice(0, valueMax)];
  if (node !== undefined) return ["node", node.slice(0, valueMax)];
  return severity === "warning" ? ["severity", severity] : undefined;
}

function keysOf({ id, type, severity, entity, node }: IndexedEvent): IndexKey[] {
  const values: [name: string, value: string | null][] = [
    ["entity", entity],
    ["type", type],
    ["family", familyOf(type)],
    ["node", node],
    ["severity", severity === "info" ? null : severity],
  ];
  return values.flatMap(([name, value]): IndexKey[] =>
    value === null || value === "" ? [] : [[name, value.slice(0, valueMax), id]],
  );
}
