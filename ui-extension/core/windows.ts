import type { Rule, SilenceView, Window, WindowView } from "#protocol/alerting.ts";
import { formatMoment } from "./age.ts";
import { scopeText, slugOf } from "./rules.ts";
import type { Translate } from "./text.ts";
import { formatDuration } from "./units.ts";

/** What a silence keeps quiet, in words. */
export function silenceText(
  { alerts, scope, rules }: Pick<SilenceView, "alerts" | "scope" | "rules">,
  titleOf: (id: string) => string,
  t: Translate,
): string {
  if (alerts.length > 0) return alerts.map(titleOf).join(", ");
  const what = rules.length === 0 ? t("every rule") : t("rules {list}", { list: rules.join(", ") });
  return scope === null ? what : `${what}, ${scopeText(scope, t)}`;
}

/** `guest-cpu: guest/100`: an alert's id as people can read it. */
export function readableAlertId(id: string): string {
  const [rule = "", rest = ""] = id.split("@", 2);
  return `${rule}: ${rest.replace(/^[^/]*\//, "").replace(/#\d+/, "")}`;
}

/** When a window is open: now until when, or next. */
export function windowTimesText(
  { active, endsAt, next, window }: WindowView,
  now: number,
  timeZone: string,
  t: Translate,
): string {
  const moment = (at: number) => formatMoment(at, now, timeZone);
  if (active) return endsAt === null ? t("open now") : t("open now, until {time}", { time: moment(endsAt) });
  const [first] = next;
  if (window !== null && !window.enabled) return t("off");
  if (first === undefined) return t("over, will not open again");
  return t("next: {time}, for {length}", {
    time: moment(first.startsAt),
    length: formatDuration((first.endsAt - first.startsAt) / 1000),
  });
}

export type WindowForm = {
  /** Empty: a new one, whose id follows from its name. */
  id: string;
  enabled: boolean;
  name: string;
  kind: "recurrence" | "once";
  calendar: string;
  timezone: string;
  hours: number;
  /** Of `once`, ms. */
  startsAt: number;
  scope: Rule["scope"];
  comment: string;
  /** What was ended early or made longer stays so. */
  adjusted: Window["adjusted"];
};

export const blankWindow = (now: number, timezone: string): WindowForm => ({
  id: "",
  enabled: true,
  name: "",
  kind: "recurrence",
  calendar: "sat 02:00",
  timezone,
  hours: 2,
  startsAt: Math.ceil(now / 3_600_000) * 3_600_000,
  scope: {},
  comment: "",
  adjusted: null,
});

/** The form of a window that is there; `blank` gives what its kind of times has no figures for. */
export function windowForm(window: Window, blank: WindowForm): WindowForm {
  const { id, name, enabled, scope, comment, adjusted, once, recurrence } = window;
  const common = { ...blank, id, name, enabled, scope, comment, adjusted };
  if (recurrence !== null) {
    const { calendar, timezone, durationSec } = recurrence;
    return { ...common, kind: "recurrence", calendar, timezone, hours: durationSec / 3600 };
  }
  if (once === null) return common;
  return { ...common, kind: "once", startsAt: once.startsAt, hours: (once.endsAt - once.startsAt) / 3_600_000 };
}

/** The window a form describes. */
export function windowOf(form: WindowForm): Window {
  const durationSec = Math.round(form.hours * 3600);
  const once = { startsAt: form.startsAt, endsAt: form.startsAt + durationSec * 1000 };
  const recurrence = { calendar: form.calendar, timezone: form.timezone, durationSec };
  return {
    id: form.id === "" ? slugOf(form.name) : form.id,
    name: form.name,
    enabled: form.enabled,
    scope: form.scope,
    once: form.kind === "once" ? once : null,
    recurrence: form.kind === "recurrence" ? recurrence : null,
    adjusted: form.adjusted,
    comment: form.comment,
  };
}

/** A time for a field of type datetime-local, in the browser's own zone; `offsetMin` as Date gives it there. */
export const localField = (at: number, offsetMin: number): string => new Date(at - offsetMin * 60_000).toISOString().slice(0, 16);
