import type { Alert, Reading } from "./alert.ts";
import type { Test } from "./rule.ts";

/** `value` as a rule sees it: `active` means that the breach is on, and its end is looked for. */
export function readingOf(test: Test, value: number, active: boolean): Reading {
  if (Number.isNaN(value)) return "absent";
  if (test.kind === "absence") return "ok";
  // A dead node that nobody sees any more has not recovered.
  if (test.kind === "state") return test.codes.has(value) ? "breach" : active && value === test.unknown ? "absent" : "ok";
  const { direction, trigger, clear } = test;
  if (direction === "above") return (active ? value > clear : value > trigger) ? "breach" : "ok";
  return (active ? value < clear : value < trigger) ? "breach" : "ok";
}

/** The worse of two values; NaN where values have no order. */
export function worseOf(test: Test, worst: number, value: number): number {
  if (test.kind !== "bound") return Number.NaN;
  if (Number.isNaN(worst)) return value;
  return test.direction === "above" ? Math.max(worst, value) : Math.min(worst, value);
}

/** Why an alert went from one state to the next. */
export function reasonOf(before: Alert, after: Alert): string {
  if (after.state === "pending") return "breach";
  if (after.state === "resolved") return "cleared";
  if (after.state === "inactive") return "over-before-hold";
  if (before.state === "firing") return after.state === "firing" && after.okSince !== null ? "clear-hold" : "breach-again";
  return before.state === "pending" ? "held" : "breach";
}
