import type { Layout } from "#protocol/panel.ts";

/** Parts of the overview that a user may arrange. The three answers stand above them, always. */
export const widgetIds = ["figures", "recovery", "nodes", "guests", "storages", "alerts", "events", "busiest", "tasks"] as const;
export type WidgetId = (typeof widgetIds)[number];
export type Widget = { id: WidgetId; width: "half" | "full"; hidden: boolean };

export const emptyLayout: Layout = { widgets: [], filters: [], guestColumns: [] };

const usual: readonly Widget[] = [
  { id: "figures", width: "full", hidden: false },
  { id: "nodes", width: "half", hidden: false },
  { id: "recovery", width: "half", hidden: false },
  { id: "storages", width: "half", hidden: false },
  { id: "busiest", width: "half", hidden: false },
  { id: "guests", width: "full", hidden: false },
  { id: "tasks", width: "half", hidden: false },
  { id: "alerts", width: "half", hidden: true },
  { id: "events", width: "half", hidden: true },
];

const isWidgetId = (id: string): id is WidgetId => (widgetIds as readonly string[]).includes(id);

/** The saved arrangement with every widget of this version once: what it doesn't name stands at the end as usual. */
export function arranged(saved: Layout["widgets"]): Widget[] {
  const known = new Map<WidgetId, Widget>();
  for (const { id, width, hidden } of saved) if (isWidgetId(id) && !known.has(id)) known.set(id, { id, width, hidden });
  return [...known.values(), ...usual.filter(({ id }) => !known.has(id))];
}

/** Moves one before or behind its neighbour that is seen; hidden ones are jumped over. The same list where there is no way. */
export function moveWidget(widgets: readonly Widget[], id: WidgetId, by: -1 | 1): Widget[] {
  const from = widgets.findIndex((widget) => widget.id === id);
  let to = from + by;
  while (widgets[to]?.hidden === true) to += by;
  return from < 0 || widgets[to] === undefined ? [...widgets] : placeWidget(widgets, id, to);
}

/** Takes one out and puts it in at `index` of the list. */
export function placeWidget(widgets: readonly Widget[], id: WidgetId, index: number): Widget[] {
  const moved = widgets.find((widget) => widget.id === id);
  if (moved === undefined) return [...widgets];
  const others = widgets.filter((widget) => widget !== moved);
  return [...others.slice(0, index), moved, ...others.slice(index)];
}

export const changeWidget = (widgets: readonly Widget[], id: WidgetId, change: Partial<Omit<Widget, "id">>): Widget[] =>
  widgets.map((widget) => (widget.id === id ? { ...widget, ...change } : widget));
