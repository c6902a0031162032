import type { Layout } from "./catalogue.ts";
import type { Lane } from "./lane.ts";

const none: readonly Lane[] = [];

/**
 * Which lanes have rows of a series in memory: one as a rule, two while a guest moves or its agent begins a new stream. Built at the first
 * question, then kept up with each lane's layout. What a lane no longer has is found out by looking there, and left out at the next building.
 */
export class LaneIndex {
  private bySeries: Map<number, readonly Lane[]> | undefined;
  /** Of each lane: the layout that was taken in last. */
  private readonly newest = new Map<Lane, Layout>();
  /** One list for all series that only this lane has. */
  private readonly alone = new Map<Lane, readonly Lane[]>();
  /** Series of layouts that were replaced: so many entries may be of no use. */
  private outdated = 0;

  constructor(private readonly lanes: () => Iterable<Lane>) {}

  lanesOf(seriesId: number): readonly Lane[] {
    this.bySeries ??= this.build();
    return this.bySeries.get(seriesId) ?? none;
  }

  /** After each row: takes in a layout that is new. Costs its series, once. */
  rowCame(lane: Lane): void {
    const { bySeries } = this;
    const layout = lane.chunks.at(-1)?.layout;
    if (bySeries === undefined || layout === undefined) return;
    const before = this.newest.get(lane);
    if (before === layout) return;
    this.add(bySeries, lane, layout);
    this.outdated += (before ?? layout).ids.length;
    if (this.outdated * 2 > bySeries.size) this.bySeries = undefined;
  }

  /** The store let go of this lane. */
  forget(lane: Lane): void {
    if (this.newest.has(lane)) this.bySeries = undefined;
  }

  private build(): Map<number, readonly Lane[]> {
    const bySeries = new Map<number, readonly Lane[]>();
    this.newest.clear();
    this.alone.clear();
    this.outdated = 0;
    for (const lane of this.lanes()) {
      for (const layout of new Set(lane.chunks.map((chunk) => chunk.layout))) this.add(bySeries, lane, layout);
    }
    return bySeries;
  }

  private add(bySeries: Map<number, readonly Lane[]>, lane: Lane, layout: Layout): void {
    const alone = this.alone.get(lane) ?? [lane];
    this.alone.set(lane, alone);
    this.newest.set(lane, layout);
    for (const id of layout.ids) {
      const known = bySeries.get(id);
      if (known === undefined) bySeries.set(id, alone);
      else if (!known.includes(lane)) bySeries.set(id, [...known, lane]);
    }
  }
}
