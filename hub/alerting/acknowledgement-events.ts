import type { Journal } from "../journal.ts";
import type { AlertFeed } from "./alert-feed.ts";

/** Writes an event when somebody takes a firing alert. Alerts that are known from the start, acknowledged or not, are no news. */
export function tellAcknowledgements(alerts: AlertFeed, journal: Pick<Journal, "emit">): void {
  const takenAt = new Map<string, number | null>();
  alerts.onAlerts((changed) => {
    for (const { id, state, acknowledged, cluster, entity, node, text, ruleName } of changed) {
      const at = acknowledged?.at ?? null;
      const before = takenAt.get(id);
      if (state === "firing") takenAt.set(id, at);
      else takenAt.delete(id);
      if (state !== "firing" || acknowledged === null || before === undefined || before === at) continue;
      const place = { cluster, entity, ...(node !== null && { node }), actor: acknowledged.by };
      journal.emit("alert.acknowledged", { text, rule: ruleName, by: acknowledged.by }, place);
    }
  });
}
