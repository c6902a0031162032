import assert from "node:assert/strict";
import { test } from "node:test";
import type { EventView, TaskView } from "#protocol/api.ts";
import { emptyLayout } from "../../ui-extension/core/layout.ts";
import { home } from "../../ui-extension/core/route.ts";
import { Observable } from "../../ui-extension/observable.ts";
import { OverviewState } from "../../ui-extension/overview-state.ts";
import { Panel } from "../../ui-extension/panel.ts";
import { newestEvents, newestTasks, Store } from "../../ui-extension/store.ts";

const hourMs = 3_600_000;

test("nothing is shown before the hub has told its time: ages by a browser's wrong clock would be wrong", () => {
  const store = new Store();
  store.opened();
  for (const kind of ["nodes", "guests", "storages"] as const) store.receive(kind, []);
  assert.equal(store.loaded.value, false);
  store.receive("beat", { now: Date.now(), newestSampleAgeMs: null });
  assert.equal(store.loaded.value, true);
});

test("the panel goes by the hub's clock from its first word on, not from the next second", () => {
  const navigation = { start: home, route: new Observable(home), href: () => undefined, go: () => undefined };
  const panel = new Panel("", navigation);
  panel.store.receive("beat", { now: Date.now() - hourMs, newestSampleAgeMs: null });
  assert.ok(Math.abs(panel.now.value - (Date.now() - hourMs)) < 60_000);
});

test("a task that ended while the stream was lost is over, whichever list is read first", () => {
  const running = { upid: "UPID:1", startedAt: 1, endedAt: null, state: "running" } as TaskView;
  const ended = { ...running, endedAt: 2, state: "ok" } as TaskView;
  assert.deepEqual(newestTasks([running, ended]), [ended]);
  assert.deepEqual(newestTasks([ended, running]), [ended]);
});

test("an event that was told twice stands there once, and the newest is first", () => {
  const event = (id: number) => ({ id, text: `event ${id}` }) as EventView;
  assert.deepEqual(
    newestEvents([event(2), event(1), event(2), event(3)]).map(({ id }) => id),
    [3, 2, 1],
  );
});

/** A hub that keeps a layout; `down`: it doesn't answer. */
function layoutHub() {
  const hub = {
    down: false,
    kept: { ...emptyLayout, filters: [{ name: "mine", filter: "tag:prod" }] },
    ...{ layout: async () => answer(hub.kept), protection: async () => answer({ items: [] }) },
    async saveLayout(layout: typeof emptyLayout) {
      if (!hub.down) hub.kept = { ...layout, filters: [...layout.filters] };
      return answer(hub.kept);
    },
  };
  const problem = { code: "unreachable", status: 0, message: "", field: undefined, retryAfterSec: undefined };
  const answer = <T>(value: T) => (hub.down ? { ok: false as const, problem } : { ok: true as const, value });
  return hub;
}

test("a change of the page keeps the named filters that were never read, as the hub didn't answer then", async () => {
  const hub = layoutHub();
  const overview = new OverviewState(hub);
  hub.down = true;
  await overview.read();
  hub.down = false;
  await overview.change({ guestColumns: ["guest", "cpu"] });
  assert.deepEqual(hub.kept.filters, [{ name: "mine", filter: "tag:prod" }]);
  assert.deepEqual(overview.layout.value, { ...hub.kept, guestColumns: ["guest", "cpu"] });
});

test("two windows that change different things of one layout keep both", async () => {
  const hub = layoutHub();
  const [one, other] = [new OverviewState(hub), new OverviewState(hub)];
  await Promise.all([one.read(), other.read()]);
  await one.change({ filters: [] });
  await other.change({ guestColumns: ["guest", "node"] });
  assert.deepEqual(hub.kept, { ...emptyLayout, filters: [], guestColumns: ["guest", "node"] });
});
