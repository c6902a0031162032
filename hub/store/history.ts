import type { Database, RootDatabase } from "lmdb";
import { type EventView, eventSchema, type Page, type TaskView, taskViewSchema } from "#protocol/api.ts";
import type { EpochMs } from "#protocol/ids.ts";
import { type EventFilter, matchesEvent, type NewEvent } from "../core/events.ts";
import { matchesTask, stepTask, type TaskFilter } from "../core/task.ts";
import { EventIndex } from "./event-index.ts";

const everyone = () => true;

export type PageOptions = { limit: number; cursor: number | undefined };

/** Rows one request may look at; beyond that the page ends early, even empty, and its cursor goes on from there. */
const scanMax = 5000;

/**
 * Tasks and events, newest first. An event's key is its id. A task's key is its start in ms plus a number that tells tasks of one second
 * apart (UPIDs know whole seconds), so that keys sort by time and serve as the page's cursor.
 */
export class History {
  private constructor(
    private readonly root: RootDatabase<unknown, string>,
    private readonly eventRows: Database<unknown, number>,
    private readonly eventIndex: EventIndex,
    private readonly taskRows: Database<unknown, number>,
    private readonly taskKeys: Database<number, string>,
  ) {}

  static open(root: RootDatabase<unknown, string>): History {
    const events = root.openDB<unknown, number>("events", { encoding: "json" });
    const index = EventIndex.open(root);
    // A store of a version that had none.
    if (index.isEmpty) root.transactionSync(() => indexAll(events, index));
    return new History(
      root,
      events,
      index,
      root.openDB<unknown, number>("tasks", { encoding: "json" }),
      root.openDB<number, string>("task-keys", { encoding: "json" }),
    );
  }

  addEvents(events: readonly NewEvent[]): EventView[] {
    if (events.length === 0) return [];
    return this.root.transactionSync(() => {
      const [last] = this.eventRows.getKeys({ reverse: true, limit: 1 });
      return events.map((event, index) => {
        const row = { id: (last ?? 0) + 1 + index, ...event };
        this.eventRows.putSync(row.id, row);
        this.eventIndex.add(row);
        return row;
      });
    });
  }

  events(filter: EventFilter, options: PageOptions, isSeen: (event: EventView) => boolean = everyone): Page<EventView> {
    const ids = this.eventIndex.idsFor(filter, options.cursor);
    return page(
      ids === undefined ? downwards(this.eventRows, options.cursor) : rowsOf(this.eventRows, ids),
      options,
      (row) => eventSchema.parse(row),
      (event) => matchesEvent(event, filter) && isSeen(event),
      (event) => endsBefore(event.at, filter),
    );
  }

  /** Events after `id`, oldest first: what a stream may have missed. */
  eventsAfter(id: number, limit: number): EventView[] {
    return [...this.eventRows.getRange({ start: id + 1, limit })].map(({ value }) => eventSchema.parse(value));
  }

  /** Inserts or moves on; returns the tasks that are new or changed. */
  upsertTasks(reported: readonly TaskView[]): { task: TaskView; known: boolean }[] {
    // Agents repeat a day's tasks at each connect: mostly there is nothing to write.
    const isNews = (task: TaskView) => {
      const known = this.task(task.upid);
      return stepTask(known, task) !== known;
    };
    const news = reported.filter(isNews);
    if (news.length === 0) return [];
    return this.root.transactionSync(() =>
      [...news]
        .sort((a, b) => a.startedAt - b.startedAt)
        .flatMap((task) => {
          const key = this.taskKeys.get(task.upid);
          const known = key === undefined ? undefined : taskViewSchema.parse(this.taskRows.get(key));
          const next = stepTask(known, task);
          if (next === known) return [];
          this.putTask(key ?? this.freeKey(task.startedAt), next);
          return [{ task: next, known: known !== undefined }];
        }),
    );
  }

  task(upid: string): TaskView | undefined {
    const key = this.taskKeys.get(upid);
    return key === undefined ? undefined : taskViewSchema.parse(this.taskRows.get(key));
  }

  tasks(filter: TaskFilter, options: PageOptions, isSeen: (task: TaskView) => boolean = everyone): Page<TaskView> {
    return page(
      downwards(this.taskRows, options.cursor),
      options,
      (row) => taskViewSchema.parse(row),
      (task) => matchesTask(task, filter) && isSeen(task),
      (task) => endsBefore(task.startedAt, filter),
    );
  }

  /** Drops what began before `before`. Returns how many rows. */
  prune(before: EpochMs): number {
    return this.root.transactionSync(() => {
      const tasks = [...this.taskRows.getRange({ end: before })];
      for (const { key, value } of tasks) {
        this.taskKeys.removeSync(taskViewSchema.parse(value).upid);
        this.taskRows.removeSync(key);
      }
      let events = 0;
      const [newest] = this.eventRows.getKeys({ reverse: true, limit: 1 });
      for (const { key, value } of this.eventRows.getRange()) {
        // The newest stays: the next id follows it.
        if (key === newest) break;
        const event = eventSchema.parse(value);
        if (event.at >= before) break;
        this.eventIndex.remove(event);
        this.eventRows.removeSync(key);
        events++;
      }
      return tasks.length + events;
    });
  }

  private putTask(key: number, task: TaskView): void {
    this.taskRows.putSync(key, task);
    this.taskKeys.putSync(task.upid, key);
  }

  private freeKey(startedAt: number): number {
    let key = startedAt;
    while (this.taskRows.doesExist(key)) key++;
    return key;
  }
}

const endsBefore = (at: number, filter: { since?: number | undefined }) => filter.since !== undefined && at < filter.since;

export type Row = { key: number; value: unknown };

/** From the cursor, which was itself on the page before. */
/** From the newest, or from the one below `cursor`. */
export const downwards = (rows: Database<unknown, number>, cursor: number | undefined): Iterable<Row> =>
  rows.getRange({ reverse: true, ...(cursor === undefined ? {} : { start: cursor, exclusiveStart: true }) });

function* rowsOf(rows: Database<unknown, number>, ids: Iterable<number>): Iterable<Row> {
  for (const key of ids) yield { key, value: rows.get(key) };
}

function indexAll(events: Database<unknown, number>, index: EventIndex): void {
  for (const { value } of events.getRange()) index.add(eventSchema.parse(value));
}

/** At most `limit` rows that match, of a bounded number that is looked at; `next`: where to go on, null: there is no more. */
export function page<T>(
  rows: Iterable<Row>,
  { limit }: PageOptions,
  parse: (row: unknown) => T,
  matches: (item: T) => boolean,
  isPast: (item: T) => boolean,
): Page<T> {
  const items: T[] = [];
  let scanned = 0;
  for (const { key, value } of rows) {
    const item = parse(value);
    if (isPast(item)) return { items, next: null };
    if (matches(item)) items.push(item);
    scanned++;
    if (items.length === limit || scanned === scanMax) return { items, next: key };
  }
  return { items, next: null };
}
