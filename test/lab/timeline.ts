import { between, hash32 } from "./random.ts";
import type { GuestSpec } from "./spec.ts";
import { origin } from "./wave.ts";

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** What was done to a guest while the lab ran. Before that its habit decides. */
export type GuestEvent =
  | { at: number; what: "start" | "stop" | "pause" | "resume" }
  /** A move to another node; the guest's process there is a new one. */
  | { at: number; what: "move"; node: string };

/** One guest from its creation to its deletion. A vmid may have several lives, one after the other. */
export type GuestLife = {
  readonly spec: GuestSpec;
  readonly incarnation: number;
  readonly createdAt: number;
  deletedAt?: number;
  /** In the order of time. */
  readonly events: GuestEvent[];
};

/** A time in which a node was dead. `until` is absent while it is. */
export type Outage = { from: number; until?: number };

export type NodeTimeline = { readonly name: string; readonly outages: Outage[] };

export type RunState = {
  node: string;
  /** False while its node is dead: nobody can say. */
  known: boolean;
  running: boolean;
  paused: boolean;
  /** Start of its process, ms; counters start there. Meaningless unless running. */
  startedAt: number;
};

/** Start of the newest period of `periodMs` at or before `at`, the periods shifted by `phase` (0 … 1) of one. */
const periodStart = (at: number, periodMs: number, phase: number) => {
  const shift = origin + phase * periodMs;
  return Math.round((shift + Math.floor((at - shift) / periodMs) * periodMs) / 1000) * 1000;
};

/** Boot of a node: every 40 to 90 days, and after an outage. */
export function bootedAt(seed: string, node: NodeTimeline, at: number): number {
  const key = `${seed} ${node.name} boot`;
  const regular = periodStart(at, between(key, 40, 90) * dayMs, (hash32(`${key} phase`) % 1000) / 1000);
  return node.outages.reduce((boot, { until }) => (until !== undefined && until <= at ? Math.max(boot, until) : boot), regular);
}

export const isDown = (node: NodeTimeline, at: number) =>
  node.outages.some(({ from, until }) => from <= at && (until === undefined || at < until));

/** What the guest's habit makes of it, without any event. */
function habitual(seed: string, { spec, createdAt }: GuestLife, at: number): { running: boolean; startedAt: number } {
  if (spec.habit === "stopped" || spec.template) return { running: false, startedAt: createdAt };
  if (spec.habit === "office") {
    const midnight = Math.floor(at / dayMs) * dayMs;
    const startedAt = midnight + 6 * hourMs;
    return { running: at >= startedAt && at < midnight + 20 * hourMs, startedAt: Math.max(startedAt, createdAt) };
  }
  const key = `${seed} ${spec.vmid} restart`;
  const start = periodStart(at, between(key, 3, 45) * dayMs, (hash32(`${key} phase`) % 1000) / 1000);
  return { running: true, startedAt: Math.max(start, createdAt) };
}

/** How the guest was at `at`; undefined before its creation and from its deletion on. `nodeOf` gives a node's timeline. */
export function runState(
  seed: string,
  life: GuestLife,
  nodeOf: (name: string) => NodeTimeline,
  at: number,
): RunState | undefined {
  if (at < life.createdAt || (life.deletedAt !== undefined && at >= life.deletedAt)) return undefined;
  let { running, startedAt } = habitual(seed, life, at);
  let node = life.spec.node;
  let paused = life.spec.habit === "paused";
  for (const event of life.events) {
    if (event.at > at) break;
    if (event.what === "move") {
      node = event.node;
      startedAt = Math.max(startedAt, event.at);
    } else if (event.what === "pause" || event.what === "resume") paused = event.what === "pause";
    else {
      running = event.what === "start";
      paused = false;
      startedAt = event.at;
    }
  }
  const host = nodeOf(node);
  const known = !isDown(host, at);
  return { node, known, running, paused, startedAt: Math.max(startedAt, Math.min(bootedAt(seed, host, at), at)) };
}
