import * as z from "zod";
import type { EventView } from "#protocol/api.ts";
import { eventSeverities, eventTypes } from "./event-types.ts";

type Severity = EventView["severity"];

export type EventType = keyof typeof eventTypes;
type FactsOf = { [T in EventType]: z.output<(typeof eventTypes)[T]["data"]> };
export type EventFacts<T extends EventType> = FactsOf[T];
type Row<F> = { severity: Severity; severityOf?: (facts: F) => Severity; text: (facts: F) => string };
const table: { [T in EventType]: Row<FactsOf[T]> } = eventTypes;

/** Where an event belongs; the store adds its id. */
export type EventPlace = { cluster?: string; entity?: string; node?: string; actor?: string };
export type NewEvent = Omit<EventView, "id">;

/** Facts and places come from agents: their names are bounded when parsed, and the sentence is cut here. */
export function describeEvent<T extends EventType>(type: T, facts: EventFacts<T>, place: EventPlace, at: number): NewEvent {
  const row = table[type];
  const { cluster = null, entity = null, node = null, actor = null } = place;
  const severity = row.severityOf?.(facts) ?? row.severity;
  return { at, cluster, type, severity, entity, node, text: row.text(facts).slice(0, 1000), actor, data: facts };
}

export type EventFilter = {
  cluster?: string | undefined;
  type?: string | undefined;
  severity?: Severity | undefined;
  entity?: string | undefined;
  node?: string | undefined;
  since?: number | undefined;
};

/** `type` names one event or, ending in a dot, a family: `guest.`. */
export function matchesEvent(event: EventView, filter: EventFilter): boolean {
  const { type } = filter;
  return (
    (filter.cluster === undefined || event.cluster === filter.cluster) &&
    (type === undefined || event.type === type || (type.endsWith(".") && event.type.startsWith(type))) &&
    (filter.severity === undefined || event.severity === filter.severity) &&
    (filter.entity === undefined || event.entity === filter.entity) &&
    (filter.node === undefined || event.node === filter.node) &&
    (filter.since === undefined || event.at >= filter.since)
  );
}

/** JSON Schema of every event as `GET /api/v1/events`, the stream, webhooks and MQTT give it: `oneOf` by `type`. */
export function eventsJsonSchema(): object {
  const text = z.string();
  const place = { cluster: text.nullable(), entity: text.nullable(), node: text.nullable(), actor: text.nullable() };
  const rows = Object.entries(eventTypes).map(([type, row]) => {
    const severity = "severityOf" in row ? z.enum(eventSeverities) : z.literal(row.severity);
    return z
      .object({ id: z.int(), at: z.int(), type: z.literal(type), severity, ...place, text, data: row.data })
      .meta({ title: type });
  });
  const [first, ...rest] = rows;
  return z.toJSONSchema(z.union(first === undefined ? [z.never()] : [first, ...rest]), { target: "draft-2020-12" });
}
