import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { open } from "lmdb";
import type { EpochMs } from "#protocol/ids.ts";
import { type EventFilter, matchesEvent, type NewEvent } from "../../../hub/core/events.ts";
import type { History } from "../../../hub/store/history.ts";
import { StateStore } from "../../../hub/store/state.ts";
import { fc } from "../../support/property.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

const dayMs = 86_400_000;
const openIn = (dir: string) => StateStore.open({ dir, now: () => 0 as EpochMs });

const event = (given: Partial<NewEvent>): NewEvent => ({
  at: 0,
  cluster: "00000000000000aa",
  type: "guest.started",
  severity: "info",
  entity: "guest/100",
  node: "pve1",
  text: "it started",
  actor: null,
  data: {},
  ...given,
});

/** All pages of a filter, and how many pages it took. */
function read(history: History, filter: EventFilter, limit = 100): { ids: number[]; pages: number } {
  const ids: number[] = [];
  let pages = 0;
  for (let cursor: number | undefined; ; ) {
    const { items, next } = history.events(filter, { limit, cursor });
    ids.push(...items.map(({ id }) => id));
    pages++;
    if (next === null) return { ids, pages };
    cursor = next;
  }
}

/** 100,000 events in 400 days; one in 25,000 is about guest 999, one in 10,000 is critical. */
function yearOf(t: TestContext): History {
  const state = openIn(temporaryDir(t));
  t.after(() => state.close());
  const events = Array.from({ length: 100_000 }, (_, index) =>
    event({
      at: Math.floor((index * 400 * dayMs) / 100_000),
      type: index % 3 === 0 ? "guest.stopped" : "task.ended",
      node: `pve${index % 5}`,
      entity: index % 25_000 === 7 ? "guest/999" : `guest/${100 + (index % 200)}`,
      severity: index % 10_000 === 3 ? "critical" : "info",
    }),
  );
  for (let from = 0; from < events.length; from += 10_000) state.history.addEvents(events.slice(from, from + 10_000));
  return state.history;
}

test("of 100,000 events in 400 days what is rare is one page, whatever lies between", (t) => {
  const history = yearOf(t);
  const rare: [filter: EventFilter, ids: number[]][] = [
    [{ entity: "guest/999" }, [75_008, 50_008, 25_008, 8]],
    [{ entity: "guest/999", since: 200 * dayMs }, [75_008, 50_008]],
    [{ severity: "critical", type: "guest." }, [90_004, 60_004, 30_004, 4]],
    [{ type: "no.such" }, []],
    [{ type: "nothing." }, []],
    [{ node: "pve9" }, []],
  ];
  for (const [filter, ids] of rare) {
    assert.deepEqual(read(history, filter), { ids, pages: 1 }, JSON.stringify(filter));
  }
});

test("a filter that no index serves ends a page after a bounded look, and its cursor finds the rest", (t) => {
  const history = yearOf(t);
  const filter: EventFilter = { cluster: "00000000000000bb" };
  const first = history.events(filter, { limit: 100, cursor: undefined });
  assert.deepEqual(first, { items: [], next: 95_001 });
  assert.deepEqual(read(history, filter), { ids: [], pages: 21 });
});

test("with and without an index the answer is what a look at every event gives, page by page", (t) => {
  const state = openIn(temporaryDir(t));
  t.after(() => state.close());
  const word = <const T>(...words: T[]) => fc.constantFrom<T[]>(...words);
  const [types, nodes] = [word("guest.started", "guest.stopped", "hub.started"), word("pve1", "pve2", null)];
  const some = fc.record({
    type: types,
    node: nodes,
    entity: word("guest/1", "guest/2", null),
    severity: word("info", "warning", "critical"),
  });
  const filters = fc.record(
    {
      type: word("guest.", "guest.started", "hub.", "hub.started", "gu", "guest"),
      node: word("pve1", "pve2"),
      entity: word("guest/1", "guest/2"),
      severity: word("info", "warning", "critical"),
      since: fc.nat(60),
    },
    { requiredKeys: [] },
  );
  const sampled = fc.sample(some, 60) as Partial<NewEvent>[];
  const all = state.history.addEvents(sampled.map((one, index) => event({ ...one, at: index })));
  state.history.prune(10 as EpochMs);
  const kept = all.slice(10).reverse();
  fc.assert(
    fc.property(filters, fc.integer({ min: 1, max: 7 }), (filter, limit) => {
      const expected = kept.filter((one) => matchesEvent(one, filter)).map(({ id }) => id);
      assert.deepEqual(read(state.history, filter, limit).ids, expected);
    }),
  );
});

test("a store that had no index yet gets one when it is opened", async (t) => {
  const dir = temporaryDir(t);
  const before = openIn(dir);
  before.history.addEvents([event({ entity: "guest/7" }), event({ entity: "guest/8" })]);
  await before.close();
  const root = open<unknown, string>({ path: join(dir, "state"), encoding: "json", maxDbs: 8 });
  root.openDB("event-index", { encoding: "json" }).clearSync();
  await root.close();
  const after = openIn(dir);
  t.after(() => after.close());
  assert.deepEqual(read(after.history, { entity: "guest/7" }).ids, [1]);
});
