import assert from "node:assert/strict";
import { test } from "node:test";
import type { Outlook } from "#protocol/entities.ts";
import { outlookText } from "../../../ui-extension/core/outlook.ts";
import { inEnglish } from "../../../ui-extension/core/text.ts";
import type { DisplayUnit } from "../../../ui-extension/core/units.ts";

const growing = (days: number, daysEarliest: number | null, daysLatest: number | null, perDay: number): Outlook => ({
  ...{ metric: "used", instance: null, capacity: 1, trend: "growing", why: null, since: 0 },
  ...{ days, daysEarliest, daysLatest, perDay },
});
const none = (why: Outlook["why"]): Outlook => ({ ...growing(0, null, null, 0), trend: "none", why, days: null, perDay: null });

const gib = 2 ** 30;
const cases: [outlook: Outlook, unit: DisplayUnit, level: string, text: string][] = [
  [growing(12, 9, 20, 3 * gib), "bytes", "warn", "grows by 3 GiB a day: full in about 12 days (between 9 and 20 days)"],
  [growing(150, 120, 3000, gib), "bytes", "", "grows by 1 GiB a day: full in about 5 months (at the earliest in 4 months)"],
  [growing(387, 379, 396, gib), "bytes", "", "grows by 1 GiB a day: full in about 13 months (between 12 and 13 months)"],
  [growing(70, 50, 90, gib), "bytes", "", "grows by 1 GiB a day: full in about 2 months (between 50 days and 3 months)"],
  [growing(400, 396, 402, gib), "bytes", "", "grows by 1 GiB a day: full in about 13 months (quite surely)"],
  [growing(0.4, 0.2, 1, gib), "bytes", "warn", "grows by 1 GiB a day: full within a day"],
  [growing(9000, 8000, null, gib), "bytes", "", "grows by 1 GiB a day: not full within two years"],
  [growing(30, 20, 40, 0.012), "percent", "", "grows by 1.2 % points a day: full in about 30 days (between 20 and 40 days)"],
  [none("too-short"), "bytes", "dim", "No projection yet: it takes a week of history"],
  [none("not-significant"), "bytes", "dim", "No clear trend in the last 90 days"],
];
for (const [outlook, unit, level, text] of cases) {
  test(`outlook: ${text}`, () => assert.deepEqual(outlookText(outlook, unit, inEnglish), { level, text }));
}
