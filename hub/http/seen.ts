import type { AlertView } from "#protocol/alerting.ts";
import type { EventView, NodeView, StreamEvents, TaskView } from "#protocol/api.ts";
import type { ClusterId, EntityKey, NodeName } from "#protocol/ids.ts";
import type { AlertingPorts } from "../alerting/alerting-ports.ts";
import { type ClusterPicture, isServed } from "../core/cluster.ts";
import { entitiesOf } from "../core/entity-facts.ts";
import { type Owners, ownedGuest } from "../core/inventory.ts";
import type { SeriesRanker, SeriesReader } from "../core/series.ts";
import { seesEntity, seesEvent, seesTask, type Viewer } from "../core/viewer.ts";
import { type AlertSurroundings, alertFor, seesAutomatic, whyFor } from "../core/viewer-alert.ts";
import { pictureFor, seesWhole } from "../core/viewer-picture.ts";
import { nodeView } from "../core/views.ts";
import { sightOf } from "./clusters.ts";
import type { HubContext } from "./env.ts";
import type { HttpPorts } from "./ports.ts";

/** The hub as one viewer has it, during one request. */
export type SeenPorts = HttpPorts & {
  viewer: Viewer;
  entity(cluster: string, entity: string): boolean;
  task(task: TaskView): boolean;
  event(event: EventView): boolean;
  /** The alert without what it says of things that aren't seen; undefined: it isn't seen itself. */
  alert(alert: AlertView): AlertView | undefined;
  /** Nothing the hub knows is hidden. */
  whole(): boolean;
  around: AlertSurroundings;
};

/**
 * The one way to the hub's knowledge for a route: what isn't seen isn't in there. Routes take pictures, series, alerts and live changes from
 * what this gives, never from the hub's own ports.
 */
export function seenBy(c: HubContext, ports: HttpPorts): SeenPorts {
  return seenPorts(ports, c.get("viewer"));
}

/** What questions about history are answered from. */
export type SeenHistory = Pick<HttpPorts, "pictures" | "clusterIds" | "reader" | "clock" | "log" | "longRange">;

/** As seenBy, of history alone. Keys see everything there is: for them nothing has to be made. */
export const historySeenBy = (ports: HttpPorts, viewer: Viewer): SeenHistory =>
  viewer.kind === "everything" ? ports : seenPorts(ports, viewer);

const nobodys: Owners = new Map();

export function seenPorts(ports: HttpPorts, viewer: Viewer): SeenPorts {
  const around = surroundings(ports, viewer);
  const entity = (cluster: string, key: string) => seesEntity(viewer, around, cluster, key);
  const seen = {
    viewer,
    around,
    entity,
    task: (task: TaskView) => seesTask(viewer, around, task),
    event: (event: EventView) => seesEvent(viewer, around, event),
    alert: (alert: AlertView) => alertFor(viewer, around, alert),
    whole: () => around.clusters.every((cluster) => around.whole(cluster)),
  };
  if (viewer.kind === "everything") return { ...ports, ...seen };
  const pictures = once(() =>
    ports.pictures().flatMap((picture) => {
      const sight = viewer.sights.get(picture.cluster);
      return sight === undefined ? [] : [pictureFor(sight, picture)];
    }),
  );
  return {
    ...ports,
    ...seen,
    pictures,
    clusterIds: () => ports.clusterIds().filter((cluster) => viewer.sights.has(cluster)),
    reader: seenReader(ports.reader, entity),
    alerting: ports.alerting === undefined ? undefined : seenAlerting(ports.alerting, viewer, around, ports),
    journal: {
      emit: (...event) => ports.journal.emit(...event),
      emitRarely: (...event) => ports.journal.emitRarely(...event),
      // Live: each event is judged by what there is at its time.
      onEvent: (listener) =>
        ports.journal.onEvent((event) => (seenPorts(ports, viewer).event(event) ? listener(event) : undefined)),
    },
    onBatch: (listener) => ports.onBatch((batch) => listener(seenBatch(batch, seenPorts(ports, viewer)))),
  };
}

/** Read once, when it is first asked for. */
function once<T>(read: () => T): () => T {
  let known: { value: T } | undefined;
  return () => {
    known ??= { value: read() };
    return known.value;
  };
}

function surroundings(ports: HttpPorts, viewer: Viewer): AlertSurroundings {
  const pictures = once(() => new Map<string, ClusterPicture>(ports.pictures().map((picture) => [picture.cluster, picture])));
  const served = once(() => [...pictures()].flatMap(([cluster, picture]) => (isServed(picture) ? [cluster] : [])));
  const wholes = new Map<string, boolean>();
  const titles = new Map<string, ReadonlySet<string>>();
  const around: AlertSurroundings = {
    get clusters() {
      return served();
    },
    exists: (cluster, vmid) => ownedGuest(pictures().get(cluster)?.owners ?? nobodys, vmid) !== undefined,
    whole: (cluster) => remembered(wholes, cluster, () => isWhole(viewer, pictures().get(cluster), cluster, ports)),
    titles: (cluster) => remembered(titles, cluster, () => titlesOf(ports, viewer, around, pictures().get(cluster))),
  };
  return around;
}

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  const found = known.get(key);
  if (found !== undefined) return found;
  const made = make();
  known.set(key, made);
  return made;
}

function isWhole(viewer: Viewer, picture: ClusterPicture | undefined, cluster: string, { clock }: HttpPorts): boolean {
  if (viewer.kind === "everything") return true;
  const sight = viewer.sights.get(cluster);
  return sight !== undefined && picture !== undefined && seesWhole(sight, picture, clock.now());
}

function titlesOf(
  { reader, clock }: HttpPorts,
  viewer: Viewer,
  around: AlertSurroundings,
  picture: ClusterPicture | undefined,
): ReadonlySet<string> {
  if (picture === undefined) return new Set();
  const { cluster } = picture;
  const all = entitiesOf(picture, (entity) => reader.incarnationOf(cluster, entity), clock.now());
  return new Set(all.filter(({ entity }) => seesEntity(viewer, around, cluster, entity)).map(({ title }) => title));
}

/** Series of what isn't seen were never sampled. */
function seenReader(
  reader: SeriesReader & SeriesRanker,
  sees: (cluster: ClusterId, entity: EntityKey) => boolean,
): SeriesReader & SeriesRanker {
  return {
    find: (selector) => (sees(selector.cluster, selector.entity) ? reader.find(selector) : undefined),
    seriesOf: (cluster, entity, incarnation) => (sees(cluster, entity) ? reader.seriesOf(cluster, entity, incarnation) : []),
    incarnationOf: (cluster, entity) => (sees(cluster, entity) ? reader.incarnationOf(cluster, entity) : undefined),
    read: (series, range) => reader.read(series, range),
    readPacked: (series, range) => reader.readPacked?.(series, range),
    top: ({ count, ...selector }) =>
      reader
        .top({ ...selector, count: Number.MAX_SAFE_INTEGER })
        .filter(({ series }) => sees(series.cluster, series.entity))
        .slice(0, count),
  };
}

function seenAlerting(alerting: AlertingPorts, viewer: Viewer, around: AlertSurroundings, ports: HttpPorts): AlertingPorts {
  const all = (alerts: readonly AlertView[]) => alerts.flatMap((alert) => alertFor(viewer, around, alert) ?? []);
  return {
    views: () => all(alerting.views()),
    why: (question) => {
      if (!seesEntity(viewer, around, question.cluster, question.entity)) return undefined;
      const why = alerting.why(question);
      return why === undefined ? undefined : whyFor(viewer, around, why);
    },
    acknowledge: (id, acknowledged, by) => {
      const seen = alerting.views().some((alert) => alert.id === id && alertFor(viewer, around, alert) !== undefined);
      const changed = seen ? alerting.acknowledge(id, acknowledged, by) : undefined;
      return changed === undefined ? undefined : alertFor(viewer, around, changed);
    },
    backtest: (request) => alerting.backtest(request),
    reload: () => alerting.reload(),
    automaticWindows: () => alerting.automaticWindows().filter(({ id }) => seesAutomatic(viewer, around, id)),
    onAlerts: (listener) =>
      alerting.onAlerts((changed) => {
        const live = seenPorts(ports, viewer);
        const seen = changed.flatMap((alert) => live.alert(alert) ?? []);
        if (seen.length > 0) listener(seen);
      }),
  };
}

type Batch = Partial<Pick<StreamEvents, "nodes" | "guests" | "storages" | "gone" | "tasks">>;

/** What is left is told only where something is left. Nodes carry figures and count guests: they are made anew, for this viewer. */
function seenBatch(batch: Batch, seen: SeenPorts): Batch {
  const { guests, storages, gone, tasks } = batch;
  const isSeen = ({ cluster, entity }: { cluster: string; entity: string }) => seen.entity(cluster, entity);
  const visible: Batch = {
    nodes: batch.nodes === undefined ? [] : nodesAnew(batch.nodes, seen),
    guests: guests?.filter(isSeen) ?? [],
    storages: storages?.filter(isSeen) ?? [],
    gone: gone?.filter(isSeen) ?? [],
    tasks: tasks?.filter((task) => seen.task(task)) ?? [],
  };
  return Object.fromEntries(Object.entries(visible).filter(([, list]) => list.length > 0));
}

function nodesAnew(nodes: readonly NodeView[], seen: SeenPorts): NodeView[] {
  const sight = sightOf(seen);
  return seen.pictures().flatMap((picture) => {
    const wanted = nodes.filter(({ cluster }) => cluster === picture.cluster);
    return wanted.flatMap(({ node }) => nodeView(sight, picture, node as NodeName) ?? []);
  });
}
