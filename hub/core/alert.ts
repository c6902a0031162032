import type { AlertSubject } from "#protocol/alerting.ts";
import type { EpochMs } from "#protocol/ids.ts";

/** One rule about one subject. `okSince`: the condition is over since then, but not for long enough to call it resolved. */
export type Alert =
  | { state: "inactive" }
  | { state: "pending"; activeAt: EpochMs }
  | { state: "firing"; activeAt: EpochMs; firedAt: EpochMs; okSince: EpochMs | null }
  | { state: "resolved"; activeAt: EpochMs; firedAt: EpochMs; resolvedAt: EpochMs };

/** What one evaluation saw. `absent`: no fresh sample, so nothing is known. */
export type Reading = "breach" | "ok" | "absent";

/** How long a breach must last to fire, and its end to resolve. */
export type Holds = { forMs: number; clearForMs: number };

export const inactive: Alert = { state: "inactive" };

/** Next state, the same object when nothing changes. `absent` keeps the state: a silent node must not look recovered, nor get worse. */
export function stepAlert(alert: Alert, reading: Reading, holds: Holds, now: EpochMs): Alert {
  if (reading === "absent") return alert;
  switch (alert.state) {
    case "inactive":
    case "resolved":
      if (reading === "ok") return alert;
      return holds.forMs > 0 ? { state: "pending", activeAt: now } : fire(now, now);
    case "pending":
      if (reading === "ok") return inactive;
      return now - alert.activeAt >= holds.forMs ? fire(alert.activeAt, now) : alert;
    case "firing":
      return stepFiring(alert, reading, holds, now);
  }
}

const fire = (activeAt: EpochMs, now: EpochMs): Alert => ({ state: "firing", activeAt, firedAt: now, okSince: null });

function stepFiring(alert: Alert & { state: "firing" }, reading: "breach" | "ok", { clearForMs }: Holds, now: EpochMs): Alert {
  if (reading === "breach") return alert.okSince === null ? alert : { ...alert, okSince: null };
  const okSince = alert.okSince ?? now;
  if (now - okSince < clearForMs) return alert.okSince === null ? { ...alert, okSince } : alert;
  return { state: "resolved", activeAt: alert.activeAt, firedAt: alert.firedAt, resolvedAt: now };
}

/** When an alert has to be looked at though no sample comes; undefined: never. */
export function dueAt(alert: Alert, { forMs, clearForMs }: Holds): EpochMs | undefined {
  if (alert.state === "pending") return (alert.activeAt + forMs) as EpochMs;
  if (alert.state === "firing" && alert.okSince !== null) return (alert.okSince + clearForMs) as EpochMs;
  return undefined;
}

/** Through a silence shorter than this a pending breach counts as lasting. */
export const unseenMaxMs = 30 * 60_000;

/**
 * What goes on of an alert that nobody watched for a while, as the hub was away. A calm that nobody saw lasting is none, and neither is a breach
 * of which that is sure: a pending one would have fired within `forMs`, had the hub been there.
 */
export function afterAbsence(alert: Alert, forMs: number, now: EpochMs): Alert {
  if (alert.state === "firing") return alert.okSince === null ? alert : { ...alert, okSince: null };
  const isUnseen = alert.state === "pending" && now - alert.activeAt - forMs >= unseenMaxMs;
  return isUnseen ? { state: "pending", activeAt: now } : alert;
}

/** The newest time in it; 0: it is quiet. */
export function newestOf(alert: Alert): number {
  switch (alert.state) {
    case "inactive":
      return 0;
    case "pending":
      return alert.activeAt;
    case "firing":
      return alert.okSince ?? alert.firedAt;
    case "resolved":
      return alert.resolvedAt;
  }
}

/** The alert as if the wall clock had always shown what it shows since it was set by `ms`: holds go on by real time. */
export function shiftAlert(alert: Alert, ms: number): Alert {
  const moved = (at: EpochMs) => (at + ms) as EpochMs;
  switch (alert.state) {
    case "inactive":
      return alert;
    case "pending":
      return { ...alert, activeAt: moved(alert.activeAt) };
    case "firing": {
      const okSince = alert.okSince === null ? null : moved(alert.okSince);
      return { ...alert, activeAt: moved(alert.activeAt), firedAt: moved(alert.firedAt), okSince };
    }
    case "resolved":
      return { ...alert, activeAt: moved(alert.activeAt), firedAt: moved(alert.firedAt), resolvedAt: moved(alert.resolvedAt) };
  }
}

/** What fires this often within this time flaps … */
const flapCount = 4;
export const flapSpanMs = 3_600_000;
/** … and is over only after so long a calm. */
const flapCalmMs = 15 * 60_000;

/** Times of firing that still count, the newest one added. */
export function rememberFiring(fires: readonly EpochMs[], now: EpochMs): EpochMs[] {
  return [...fires.filter((at) => now - at < flapSpanMs), now].slice(-flapCount);
}

export function isFlapping(fires: readonly EpochMs[], now: EpochMs): boolean {
  return fires.filter((at) => now - at < flapSpanMs).length >= flapCount;
}

/** A flapping alert stays firing through short calms: one message instead of many. */
export function holdsOf(holds: Holds, fires: readonly EpochMs[], now: EpochMs): Holds {
  return isFlapping(fires, now) ? { ...holds, clearForMs: Math.max(holds.clearForMs, flapCalmMs) } : holds;
}

/** `<rule>@<cluster>/<entity>#<incarnation>[!<instance>]`. */
export function alertIdOf(rule: string, { cluster, entity, incarnation, instance }: AlertSubject): string {
  return `${rule}@${cluster}/${entity}#${incarnation}${instance === null ? "" : `!${instance}`}`;
}

/** One firing of an alert, told apart from the next one of the same alert. */
export const episodeOf = (id: string, firedAt: EpochMs) => `${id}~${firedAt}`;
