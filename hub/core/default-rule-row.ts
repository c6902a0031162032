import type { Condition, Severity } from "#protocol/alerting.ts";
import type { EntityKind } from "#protocol/ids.ts";

/** A shipped rule: what differs from one to the next. */
export type Row = {
  id: string;
  name: string;
  entity: EntityKind;
  severity: Severity;
  condition: Condition;
  text: string;
  remedy: string;
  forSec?: number;
  clearForSec?: number;
  inhibits?: boolean;
};

export const day = 86_400;

export const state = (signal: string, ...is: string[]): Condition => ({ kind: "state", signal, is });
/** Beyond `trigger`, over at `clear`. */
export const above = (signal: string, trigger: number, clear: number, per?: string): Condition => ({
  kind: "threshold",
  signal,
  direction: "above",
  trigger,
  clear,
  ...(per === undefined ? {} : { per }),
});
export const grows = (signal: string, windowSec: number): Condition => ({ kind: "increase", signal, by: 1, windowSec });
