import type { EventView } from "#protocol/api.ts";
import { describeEvent, type EventFacts, type EventPlace, type EventType, type NewEvent } from "./core/events.ts";
import { BoundedMap } from "./core/limits.ts";
import { describeError } from "./log.ts";
import type { Clock, Log } from "./ports.ts";

/** What strangers can cause is written once in so long for each of them. */
const repeatMs = 60_000;

/** Writes events: into the store first, then to who listens, and into the log. */
export class Journal {
  private readonly listeners = new Set<(event: EventView) => void>();
  private readonly lastOf = new BoundedMap<string, number>(10_000);
  /** Events of the work under way that are written together. */
  private gathered: NewEvent[] | undefined;

  constructor(private readonly ports: { add(events: readonly NewEvent[]): EventView[]; clock: Clock; log: Log }) {}

  emit<T extends EventType>(type: T, facts: EventFacts<T>, place: EventPlace = {}): void {
    const event = describeEvent(type, facts, place, this.ports.clock.now());
    const level = event.severity === "critical" ? 4 : event.severity === "warning" ? 5 : 6;
    this.ports.log(level, event.text, { event: type, node: event.node ?? undefined });
    if (this.gathered === undefined) this.store([event]);
    else this.gathered.push(event);
  }

  /** What `work` emits is stored in one transaction when it is done: the disk's sync, which holds the hub up, costs the same for one and for hundreds. */
  together<T>(work: () => T): T {
    if (this.gathered !== undefined) return work();
    const gathered: NewEvent[] = [];
    this.gathered = gathered;
    try {
      return work();
    } finally {
      this.gathered = undefined;
      if (gathered.length > 0) this.store(gathered);
    }
  }

  private store(events: readonly NewEvent[]): void {
    try {
      for (const stored of this.ports.add(events)) for (const listener of this.listeners) listener(stored);
    } catch (error) {
      // An event that can't be stored (a full disk) must not end what it tells about.
      this.ports.log(3, `${events.length} events not stored: ${describeError(error)}`, { event: events[0]?.type });
    }
  }

  /** As emit, but at most once in a minute for the same `about`. */
  emitRarely<T extends EventType>(about: string, type: T, facts: EventFacts<T>, place: EventPlace = {}): void {
    const key = `${type} ${about}`;
    const now = this.ports.clock.monotonicMs();
    const last = this.lastOf.get(key);
    if (last !== undefined && now - last < repeatMs) return;
    this.lastOf.set(key, now);
    this.emit(type, facts, place);
  }

  onEvent(listener: (event: EventView) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
