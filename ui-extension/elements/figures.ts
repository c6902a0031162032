import { html, nothing, type TemplateResult } from "lit";

import type { GuestView, NodeView, Reading, StorageView, TaskView } from "#protocol/api.ts";
import { formatAge, formatMoment } from "../core/age.ts";
import { lastHeardAt } from "../core/guests.ts";
import { levelOf, shownReading } from "../core/reading.ts";
import { type DisplayUnit, formatPercent, formatValue } from "../core/units.ts";
import { t, timeZone } from "../i18n.ts";
import { type IconName, icon } from "./icon.ts";
import { styled } from "./styled.ts";

export type Levels = { warn: number; crit: number };
const noLevels: Levels = { warn: Number.POSITIVE_INFINITY, crit: Number.POSITIVE_INFINITY };

/** Nothing is known: a dash, for screen readers the word. `why` is told on hover. */
export const dash = (why: string) =>
  html`<span class="dim" title=${why}><span aria-hidden="true">–</span><span class="sr">${why}</span></span>`;

const noValue = () => t("no value: its source says nothing");

/** What was last known, marked as past. */
function past(value: string, at: number, now: number): TemplateResult {
  const words = t("{age} ago: {value}", { age: formatAge(now - at), value });
  return html`<span class="dim nowrap" title=${t("unknown now; last {words}", { words })}>– <small>${t("was {value}", { value })}</small></span>`;
}

/** A reading in words: value, or a dash with what was last known. */
export function figure(reading: Reading, now: number, unit: DisplayUnit): TemplateResult {
  const shown = shownReading(reading, now);
  if (shown.state === "absent") return dash(noValue());
  const value = formatValue(shown.value, unit);
  return shown.state === "stale" ? past(value, shown.at, now) : html`<span class="num nowrap">${value}</span>`;
}

/** A reading where there is no room for what was: a dash then, with the rest on hover. */
export function brief(reading: Reading, now: number, unit: DisplayUnit): TemplateResult {
  const shown = shownReading(reading, now);
  if (shown.state !== "stale") return figure(reading, now, unit);
  return dash(t("{age} ago: {value}", { age: formatAge(now - shown.at), value: formatValue(shown.value, unit) }));
}

/** A bar without figures. */
export function bar(ratio: number, levels: Levels = noLevels): TemplateResult {
  const level = levelOf(ratio, levels.warn, levels.crit);
  const width = `${Math.min(100, Math.max(0, ratio * 100)).toFixed(1)}%`;
  return html`<div class="bar" aria-hidden="true"><i class=${level} ${styled({ width })}></i></div>`;
}

/** A share as figure and bar. */
export function meter(reading: Reading, now: number, levels: Levels = noLevels): TemplateResult {
  const shown = shownReading(reading, now);
  if (shown.state !== "fresh") return figure(reading, now, "percent");
  return html`<div class="meter"><span class="num nowrap">${formatPercent(shown.value)}</span>${bar(shown.value, levels)}</div>`;
}

type StateLook = { icon: IconName; level: string; word: string };

const stateWord = ({ icon: name, level, word }: StateLook, more: unknown = nothing) =>
  html`<span class="nowrap ${level}">${icon(name)} ${word}</span>${more}`;

export function nodeState(node: NodeView): TemplateResult {
  const looks: Record<NodeView["state"], StateLook> = {
    online: { icon: "ok", level: "ok", word: t("online") },
    offline: { icon: "critical", level: "crit", word: t("offline") },
    unknown: { icon: "unknown", level: "dim", word: t("unknown") },
  };
  return stateWord(looks[node.state]);
}

export function guestState(guest: GuestView, now: number): TemplateResult {
  if (guest.template) return stateWord({ icon: "template", level: "dim", word: t("template") });
  switch (guest.state) {
    case "running":
      return stateWord({ icon: "running", level: "ok", word: t("running") });
    case "stopped":
      return stateWord({ icon: "stopped", level: "dim", word: t("stopped") });
    case "unknown": {
      const at = lastHeardAt(guest);
      const word = at === undefined ? t("unknown") : t("unknown since {time}", { time: formatMoment(at, now, timeZone) });
      return stateWord({ icon: "unknown", level: "dim", word });
    }
    case "io-error":
      return stateWord({ icon: "critical", level: "crit", word: t("I/O error") });
    case "paused":
    case "suspended":
    case "prelaunch":
      return stateWord({ icon: "paused", level: "warn", word: t(guest.state) });
    case "other":
      return stateWord({ icon: "unknown", level: "dim", word: t("other state") });
  }
}

export function storageState(storage: StorageView): TemplateResult {
  const looks: Record<StorageView["state"], StateLook> = {
    available: { icon: "ok", level: "ok", word: t("available") },
    inactive: { icon: "critical", level: "crit", word: t("not active") },
    disabled: { icon: "stopped", level: "dim", word: t("disabled") },
    unknown: { icon: "unknown", level: "dim", word: t("unknown") },
  };
  return stateWord(looks[storage.state]);
}

export function taskState(task: TaskView): TemplateResult {
  const looks: Record<TaskView["state"], StateLook> = {
    running: { icon: "running", level: "", word: t("running") },
    ok: { icon: "ok", level: "ok", word: t("OK") },
    warnings: { icon: "warning", level: "warn", word: t("warnings") },
    failed: { icon: "critical", level: "crit", word: t("failed") },
    lost: { icon: "unknown", level: "warn", word: t("lost") },
  };
  return stateWord(looks[task.state]);
}

/** A moment with its exact time on hover. */
export const moment = (at: number, now: number) =>
  html`<time class="num nowrap" datetime=${new Date(at).toISOString()}>${formatMoment(at, now, timeZone)}</time>`;
