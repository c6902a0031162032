import type { AlertView } from "#protocol/alerting.ts";
import type { StreamEvents } from "#protocol/api.ts";
import type { RunView } from "#protocol/proof.ts";
import { type LiveRuns, noRuns, withRuns } from "./core/live-runs.ts";
import type { Picture } from "./core/problems.ts";
import { byText } from "./core/sort.ts";
import { Observable } from "./observable.ts";
import type { StreamSink } from "./stream.ts";

const tasksKept = 500;
const eventsKept = 200;
const emptyPicture: Picture = {
  nodes: [],
  guests: [],
  storages: [],
  tasks: [],
  events: [],
  alerts: undefined,
  health: undefined,
};

type Keyed = { cluster: string; entity: string };
const keyOf = ({ cluster, entity }: Keyed) => `${cluster} ${entity}`;

/** The live state, as the stream says it; the pages watch it. */
export class Store implements StreamSink {
  readonly picture = new Observable<Picture>(emptyPicture);
  /** False until the first lists are there: an empty list is not yet "no nodes". */
  readonly loaded = new Observable(false);
  /** Of its own, so that who only asks this needn't look at every sample. */
  readonly anyNode = new Observable(false);
  /** The hub's clock minus this machine's, ms: ages are told by the hub's. */
  readonly clockOffsetMs = new Observable(0);
  readonly newestSampleAgeMs = new Observable<number | null>(null);
  /** Restore tests and other runs. Of their own: their progress comes often, and few pages show it. */
  readonly runs = new Observable<LiveRuns>(noRuns);
  /** Kinds whose next list is complete and replaces what is known. */
  #complete = new Set<keyof StreamEvents>();

  opened(): void {
    this.#complete = new Set(["nodes", "guests", "storages", "alerts", "runs"]);
  }

  receive<K extends keyof StreamEvents>(kind: K, data: StreamEvents[K]): void {
    const complete = this.#complete.delete(kind);
    const change = changes[kind](this.picture.value, data, complete);
    if (change !== undefined) this.change(change);
    if (kind === "beat") this.#beat(data as StreamEvents["beat"]);
    if (kind === "runs") this.runs.set(withRuns(this.runs.value, data as StreamEvents["runs"], complete));
  }

  change(change: Partial<Picture>): void {
    this.picture.set({ ...this.picture.value, ...change });
    this.anyNode.set(this.picture.value.nodes.length > 0);
  }

  /** A run that was just ordered: the stream will tell of it, or has already. */
  noteRun(run: RunView): void {
    if (!this.runs.value.byId.has(run.id)) this.runs.set(withRuns(this.runs.value, [run], false));
  }

  /** What was known once. It is never live: every element tells its age. */
  restore(picture: Picture, clockOffsetMs: number): void {
    this.clockOffsetMs.set(clockOffsetMs);
    this.change(picture);
    this.loaded.set(true);
  }

  clear(): void {
    this.change(emptyPicture);
    this.runs.set(noRuns);
    this.loaded.set(false);
  }

  /** The first one closes the first lists: nothing is shown before the hub's time is known. */
  #beat({ now, newestSampleAgeMs }: StreamEvents["beat"]): void {
    this.clockOffsetMs.set(now - Date.now());
    this.newestSampleAgeMs.set(newestSampleAgeMs);
    this.loaded.set(true);
  }
}

type Changes = {
  [K in keyof StreamEvents]: (picture: Picture, data: StreamEvents[K], complete: boolean) => Partial<Picture> | undefined;
};

const changes: Changes = {
  nodes: ({ nodes }, data, complete) => ({ nodes: merged(nodes, data, complete, (a, b) => byText(a.node, b.node)) }),
  guests: ({ guests }, data, complete) => ({ guests: merged(guests, data, complete, (a, b) => a.vmid - b.vmid) }),
  storages: ({ storages }, data, complete) => ({
    storages: merged(storages, data, complete, (a, b) => byText(a.storage, b.storage)),
  }),
  gone: (picture, data) => {
    const gone = new Set(data.map(keyOf));
    const stays = (item: Keyed) => !gone.has(keyOf(item));
    return { nodes: picture.nodes.filter(stays), guests: picture.guests.filter(stays), storages: picture.storages.filter(stays) };
  },
  tasks: ({ tasks }, data) => ({ tasks: newestTasks([...data, ...tasks]) }),
  alerts: ({ alerts = [] }, data, complete) => ({ alerts: mergedAlerts(complete ? [] : alerts, data) }),
  runs: () => undefined,
  event: ({ events }, data) => ({
    events: newestEvents([data, ...events]),
  }),
  beat: () => undefined,
};

function merged<T extends Keyed>(
  known: readonly T[],
  changed: readonly T[],
  complete: boolean,
  order: (a: T, b: T) => number,
): T[] {
  const byKey = new Map(complete ? [] : known.map((item) => [keyOf(item), item]));
  for (const item of changed) byKey.set(keyOf(item), item);
  return [...byKey.values()].sort((a, b) => order(a, b) || byText(keyOf(a), keyOf(b)));
}

/** What is over is no longer among them. */
function mergedAlerts(known: readonly AlertView[], changed: readonly AlertView[]): AlertView[] {
  const byId = new Map(known.map((alert) => [alert.id, alert]));
  for (const alert of changed) byId.set(alert.id, alert);
  return [...byId.values()].filter(({ state }) => state === "firing" || state === "pending");
}

/** Each event once, the newest first. */
export function newestEvents(events: Picture["events"]): Picture["events"] {
  const byId = new Map(events.map((event) => [event.id, event]));
  return [...byId.values()].sort((a, b) => b.id - a.id).slice(0, eventsKept);
}

/** One entry per UPID: how it ended, where one tells, else the first one given; newest start first. */
export function newestTasks(tasks: Picture["tasks"]): Picture["tasks"] {
  const byUpid = new Map<string, Picture["tasks"][number]>();
  for (const task of tasks) {
    const known = byUpid.get(task.upid);
    if (known === undefined || (known.endedAt === null && task.endedAt !== null)) byUpid.set(task.upid, task);
  }
  return [...byUpid.values()].sort((a, b) => b.startedAt - a.startedAt).slice(0, tasksKept);
}
