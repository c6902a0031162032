import type { AlertView, Why } from "#protocol/alerting.ts";
import { parseAlertId } from "./alert-id.ts";
import { type Surroundings, seesEntity, type Viewer } from "./viewer.ts";

/** Alerts name other things than their own entity: what they take along, and what they follow from. */
export type AlertSurroundings = Surroundings & {
  /** Titles of everything the viewer sees in a cluster, as alerts write them. */
  titles(cluster: string): ReadonlySet<string>;
};

const unseenCause = "Follows from an alert of something you may not see";

/** The alert as this viewer may read it; undefined: not at all. */
export function alertFor(viewer: Viewer, around: AlertSurroundings, alert: AlertView): AlertView | undefined {
  if (viewer.kind === "everything") return alert;
  if (!seesEntity(viewer, around, alert.cluster, alert.entity)) return undefined;
  const { affected, suppressedBy } = alert;
  const seen = affected.length === 0 ? affected : affected.filter((title) => around.titles(alert.cluster).has(title));
  return { ...alert, affected: seen, suppressedBy: suppressionFor(viewer, around, suppressedBy) };
}

function suppressionFor(viewer: Viewer, around: Surroundings, by: AlertView["suppressedBy"]): AlertView["suppressedBy"] {
  if (by?.by === "window" && by.id.includes("@")) return automaticFor(viewer, around, by);
  if (by?.by !== "inhibited") return by;
  const cause = parseAlertId(by.id);
  const seen = cause !== undefined && seesEntity(viewer, around, cause.cluster, cause.entity);
  return seen ? by : { ...by, id: "", text: unseenCause };
}

/** The window's words name the node or guest whose facts opened it. */
function automaticFor(viewer: Viewer, around: Surroundings, by: NonNullable<AlertView["suppressedBy"]>): typeof by {
  return seesAutomatic(viewer, around, by.id) ? by : { ...by, id: "", text: "A maintenance window that opened by itself" };
}

/** Of a window that facts opened: its id is `<kind>@<cluster> <entity>`. */
export function seesAutomatic(viewer: Viewer, around: Surroundings, id: string): boolean {
  const [, cluster = "", entity = ""] = /^[a-z-]+@(\S+) (.+)$/.exec(id) ?? [];
  return seesEntity(viewer, around, cluster, entity);
}

/** The decisions' words name what an alert follows from: they are told to who sees the whole cluster. */
export function whyFor(viewer: Viewer, around: Surroundings, why: Why): Why | undefined {
  if (viewer.kind === "everything") return why;
  const { cluster, entity } = why.subject;
  if (!seesEntity(viewer, around, cluster, entity)) return undefined;
  if (around.whole(cluster)) return why;
  const decisions = why.decisions.map((decision) =>
    decision.reason === "inhibited" ? { ...decision, text: unseenCause } : decision,
  );
  return { ...why, decisions };
}
