import type { EntityKey, EpochMs } from "#protocol/ids.ts";
import { limits } from "#protocol/limits.ts";
import type { AgentId, Latest, LiveTable } from "../core/series.ts";
import type { Layout } from "./catalogue.ts";
import type { Chunk } from "./head.ts";
import type { Lane } from "./lane.ts";
import { LaneIndex } from "./lane-index.ts";

type FrameListener = Parameters<LiveTable["onFrame"]>[0];

/** Newest samples, straight from the rows in memory. */
export class Live implements LiveTable {
  private readonly listeners = new Set<FrameListener>();
  private readonly index: LaneIndex;
  /** By cluster and node, of those that were asked for: with hundreds of nodes a look at all lanes for each of them is much. */
  private readonly newest = new Map<string, Map<string, EpochMs>>();

  /** `heard`: the lanes as far as it is known when they last said something. */
  constructor(
    lanes: () => Iterable<Lane>,
    private readonly heard: () => Iterable<Lane>,
  ) {
    this.index = new LaneIndex(lanes);
  }

  latest(seriesId: number): Latest | undefined {
    const lanes = this.index.lanesOf(seriesId);
    const [only] = lanes;
    if (only !== undefined && lanes.length === 1) return newestIn(only, seriesId);
    let newest: Latest | undefined;
    for (const lane of lanes) {
      const found = newestIn(lane, seriesId);
      if (found && (newest === undefined || found.at > newest.at) && !this.isAhead(lane, found.at)) newest = found;
    }
    return newest;
  }

  /** Of an earlier stream of an agent whose clock was set back since. */
  private isAhead({ agent }: Lane, at: EpochMs): boolean {
    return at - (this.newestFrame(agent) ?? at) > limits.staleAfterMs;
  }

  newestFrame({ cluster, node }: AgentId): EpochMs | undefined {
    const nodes: Map<string, EpochMs> = this.newest.get(cluster) ?? new Map();
    const known = nodes.get(node);
    if (known !== undefined) return known;
    let newest: Lane | undefined;
    for (const lane of this.heard()) {
      if (lane.agent.cluster !== cluster || lane.agent.node !== node || lane.newestAt === 0) continue;
      if (newest === undefined || isLater(lane, newest)) newest = lane;
    }
    this.newest.set(cluster, nodes);
    if (newest === undefined) return undefined;
    nodes.set(node, newest.newestAt as EpochMs);
    return newest.newestAt as EpochMs;
  }

  newestFrameOfAll(): EpochMs | undefined {
    let newest = 0;
    for (const lane of this.heard()) if (lane.newestAt > newest) newest = lane.newestAt;
    return newest === 0 ? undefined : (newest as EpochMs);
  }

  onFrame(listener: FrameListener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** A row came as the lane's newest chunk's last. */
  tell(lane: Lane, at: EpochMs, { entities }: Layout): void {
    this.index.rowCame(lane);
    const nodes = this.newest.get(lane.agent.cluster);
    if (nodes?.has(lane.agent.node)) nodes.set(lane.agent.node, lane.newestAt as EpochMs);
    const news = { agent: lane.agent, at, entities, turned: turnedIn(lane) };
    for (const listener of this.listeners) listener(news);
  }

  /** The store let go of this lane. */
  forget(lane: Lane): void {
    this.newest.get(lane.agent.cluster)?.delete(lane.agent.node);
    this.index.forget(lane);
  }
}

/** Of two streams of one agent the one heard later, whatever its clock said: it may have been set back. After a start both are as old. */
const isLater = (lane: Lane, other: Lane) =>
  lane.heardAt === other.heardAt ? lane.newestAt > other.newestAt : lane.heardAt > other.heardAt;

/** Whose status the newest row tells otherwise than the one before, or not at all. All, where there is none shortly before. */
function turnedIn(lane: Lane): readonly EntityKey[] {
  const chunk = lane.chunks.at(-1);
  if (chunk === undefined) return [];
  const { entities, columns } = chunk.layout.statuses;
  const row = chunk.rows - 1;
  if (row < 1 || chunk.lastAt - (chunk.times[row - 1] as number) >= limits.staleAfterMs) return entities;
  return entities.filter((_, index) => {
    const column = columns[index] as number;
    return chunk.valueAt(row, column) !== chunk.valueAt(row - 1, column); // NaN differs from NaN
  });
}

/** The two newest samples of a series in a lane's rows; at −∞: none. */
type Newest = { at: number; value: number; beforeAt: number; beforeValue: number };

function lookBack(chunk: Chunk, column: number, newest: Newest, newestAt: number): void {
  for (let row = chunk.rows - 1; row >= 0; row--) {
    const at = chunk.times[row] as number;
    if (at > newestAt) continue; // from before the clock was set back
    if (at <= newest.beforeAt) return;
    const value = chunk.valueAt(row, column);
    if (Number.isNaN(value) || at === newest.at) continue;
    if (at > newest.at) {
      newest.beforeAt = newest.at;
      newest.beforeValue = newest.value;
      newest.at = at;
      newest.value = value;
    } else {
      newest.beforeAt = at;
      newest.beforeValue = value;
      return;
    }
  }
}

/** What the newest two rows say, where the lane has no others and both have the series: so it is nearly always. */
function inNewestRows({ chunks }: Lane, id: number): Latest | undefined {
  const chunk = chunks[0];
  if (chunk === undefined || chunks.length > 1 || chunk.rows < 2) return undefined;
  const { layout, rows, times } = chunk;
  const column = layout.columnOf(id);
  if (column < 0) return undefined;
  const value = chunk.valueAt(rows - 1, column);
  const beforeValue = chunk.valueAt(rows - 2, column);
  if (Number.isNaN(value) || Number.isNaN(beforeValue)) return undefined;
  const at = times[rows - 1] as number;
  return latestOf({ at, value, beforeAt: times[rows - 2] as number, beforeValue }, layout, column);
}

function newestIn(lane: Lane, id: number): Latest | undefined {
  return inNewestRows(lane, id) ?? newestInAll(lane, id);
}

function newestInAll(lane: Lane, id: number): Latest | undefined {
  const none = Number.NEGATIVE_INFINITY;
  const newest: Newest = { at: none, value: Number.NaN, beforeAt: none, beforeValue: Number.NaN };
  let layout: Layout | undefined;
  for (let i = lane.chunks.length - 1; i >= 0; i--) {
    const chunk = lane.chunks[i] as Chunk;
    if (chunk.lastAt <= newest.beforeAt) continue;
    const column = chunk.layout.columnOf(id);
    if (column < 0) continue;
    layout ??= chunk.layout;
    lookBack(chunk, column, newest, lane.newestAt);
  }
  const carried = lane.carried.get(id);
  if (newest.at === none) return carried !== undefined && carried.at > lane.newestAt ? undefined : carried;
  if (layout === undefined) return undefined;
  return latestOf(newest, layout, layout.columnOf(id));
}

function latestOf(newest: Newest, layout: Layout, column: number): Latest {
  const scale = layout.scales[column] as number;
  const at = newest.at as EpochMs;
  const value = newest.value / scale;
  const interval = newest.at - newest.beforeAt;
  const delta = newest.value - newest.beforeValue;
  const reset = layout.counters[column] === 1 && delta < 0;
  const told = interval <= limits.staleAfterMs && !reset;
  return { at, value, rate: told ? (delta * 1000) / interval / scale : Number.NaN };
}
