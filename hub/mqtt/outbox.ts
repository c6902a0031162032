import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import * as z from "zod";
import type { Retained } from "../core/mqtt-picture.ts";
import { describeError } from "../log.ts";
import type { Clock, Log } from "../ports.ts";
import type { Published } from "./connection.ts";

export type OutboxPorts = {
  /** Remembers every topic that the broker may hold something at: what a stopped or replaced hub left there is cleared. */
  path: string;
  clock: Clock;
  log: Log;
  publish(topic: string, payload: string, retain: boolean): Promise<Published>;
};

/** Publications on their way at once: brokers of MQTT 5 end connections with more than they said, and mosquitto says 20. */
const onTheWayMax = 10;
const eventsMax = 1000;

/** `place`: in the order in which they happened. */
type WaitingEvent = { topic: string; payload: string; place: number };

/**
 * What goes to the broker. Of retained topics only the newest payload counts, so a slow or absent broker can't make this grow; events wait in
 * a bounded line, the oldest give way.
 */
export class Outbox {
  private readonly wanted: Retained = new Map();
  /** Topics the broker may hold something at. */
  private readonly known: Set<string>;
  private readonly dirty = new Set<string>();
  private readonly missingSince = new Map<string, number>();
  private events: WaitingEvent[] = [];
  private eventsSoFar = 0;
  private onTheWay = 0;
  private open = false;
  /** The broker took topics away that are still noted. */
  private forgot = false;
  private idle: (() => void)[] = [];

  constructor(private readonly ports: OutboxPorts) {
    this.known = new Set(readTopics(ports));
  }

  /** A new connection: the broker may have forgotten everything. */
  connected(first: { topic: string; payload: string }): void {
    this.open = true;
    this.dirty.clear();
    this.put(first.topic, first.payload);
    this.dirty.add(first.topic);
    this.sendAll();
  }

  /** Everything once more: Home Assistant was restarted. */
  sendAll(): void {
    for (const topic of this.wanted.keys()) this.dirty.add(topic);
    for (const topic of this.known)
      if (!this.wanted.has(topic) && this.missingSince.get(topic) === Number.NEGATIVE_INFINITY) this.dirty.add(topic);
    this.pump();
  }

  /**
   * What the topics that `owns` names should hold now; the others of them are cleared when they have been missing for `clearAfterMs`: an
   * entity that comes back before keeps its place.
   */
  reconcile(owns: (topic: string) => boolean, payloads: Retained, clearAfterMs: number): void {
    const before = this.known.size;
    for (const [topic, payload] of payloads) this.put(topic, payload);
    const now = this.ports.clock.monotonicMs();
    for (const topic of this.known) {
      if (!owns(topic) || payloads.has(topic)) continue;
      const since = this.missingSince.get(topic) ?? now;
      this.missingSince.set(topic, since);
      if (now - since >= clearAfterMs && since !== Number.NEGATIVE_INFINITY) this.clear(topic);
    }
    if (this.known.size !== before) this.saveTopics();
    this.pump();
  }

  event(topic: string, payload: string): void {
    this.wait({ topic, payload, place: this.eventsSoFar++ });
    this.pump();
  }

  /** Resolves when nothing is left to send, or there is nobody to send it to. */
  async settled(): Promise<void> {
    if (this.onTheWay > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /** One that was on its way when the connection broke goes back before those that came after it. */
  private wait(event: WaitingEvent): void {
    const later = this.events.findIndex(({ place }) => place > event.place);
    this.events.splice(later === -1 ? this.events.length : later, 0, event);
    if (this.events.length > eventsMax) this.events.shift();
  }

  private put(topic: string, payload: string): void {
    this.missingSince.delete(topic);
    if (this.wanted.get(topic) === payload) return;
    this.wanted.set(topic, payload);
    this.known.add(topic);
    this.dirty.add(topic);
  }

  /** An empty retained payload takes the topic away. It stays known until the broker has taken it. */
  private clear(topic: string): void {
    this.wanted.delete(topic);
    this.missingSince.set(topic, Number.NEGATIVE_INFINITY);
    this.dirty.add(topic);
  }

  private pump(): void {
    while (this.open && this.onTheWay < onTheWayMax) {
      const [topic] = this.dirty;
      if (topic !== undefined) this.sendRetained(topic);
      else {
        const event = this.events.shift();
        if (event === undefined) break;
        this.send(event.topic, event.payload, false, (published) => {
          if (published === "lost") this.wait(event);
        });
      }
    }
    if (this.onTheWay > 0) return;
    if (this.forgot) this.saveTopics();
    for (const wake of this.idle.splice(0)) wake();
  }

  private sendRetained(topic: string): void {
    this.dirty.delete(topic);
    const payload = this.wanted.get(topic);
    this.send(topic, payload ?? "", true, (published) => {
      if (published !== "taken" || payload !== undefined || this.wanted.has(topic)) return;
      this.known.delete(topic);
      this.missingSince.delete(topic);
      this.forgot = true;
    });
  }

  /** What is lost waits for the next connection, which sends everything. What is refused holds up nothing else. */
  private send(topic: string, payload: string, retain: boolean, done: (published: Published) => void): void {
    this.onTheWay++;
    void this.ports.publish(topic, payload, retain).then((published) => {
      this.onTheWay--;
      if (published === "lost") this.open = false;
      done(published);
      this.pump();
    });
  }

  private saveTopics(): void {
    const { path, log } = this.ports;
    this.forgot = false;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      writeFileSync(`${path}.tmp`, JSON.stringify([...this.known]), { mode: 0o600 });
      renameSync(`${path}.tmp`, path);
    } catch (error) {
      log(4, `what the MQTT broker holds can't be noted: ${describeError(error)}`, { path });
    }
  }
}

function readTopics({ path, log }: OutboxPorts): string[] {
  try {
    return z.array(z.string()).parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT")
      log(4, `${path} can't be read, beginning anew: ${describeError(error)}`);
    return [];
  }
}
