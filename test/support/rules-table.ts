import { fileURLToPath } from "node:url";
import type { Condition, Rule } from "#protocol/alerting.ts";
import { defaultRules } from "../../hub/core/default-rules.ts";
import { signalList } from "../../hub/core/signal-list.ts";
import { formatFigure } from "../../ui-extension/core/alert-figures.ts";
import { conditionText, unitOf } from "../../ui-extension/core/rules.ts";
import { inEnglish } from "../../ui-extension/core/text.ts";
import { formatDuration } from "../../ui-extension/core/units.ts";

/** `node --import tsx test/support/rules-table.ts`: the table of the rules that come with Proven, for docs/ALERTING.md. A test holds it there. */

const heads = ["rule", "about", "fires when", "for", "severity", "clears when", "holds back what follows"];
const signals = signalList();
const after = (sec: number) => (sec === 0 ? "" : `, for ${formatDuration(sec)}`);

/** Cells of one row. */
export function ruleCells(rule: Rule): string[] {
  const { id, name, entity, condition, forSec, severity, clearForSec, inhibits } = rule;
  return [
    `\`${id}\` ${name}`,
    entity,
    conditionText(rule, signals, inEnglish),
    forSec === 0 ? "at once" : formatDuration(forSec),
    severity,
    `${clearsWhen(rule, condition)}${after(clearForSec)}`,
    inhibits ? "yes" : "",
  ];
}

function clearsWhen(rule: Rule, condition: Condition): string {
  const figure = (value: number) => formatFigure(value, unitOf(rule, signals));
  switch (condition.kind) {
    case "threshold":
    case "rate-of-change":
      return `${condition.direction === "above" ? "at or below" : "at or above"} ${figure(condition.clear)}`;
    case "absence":
      return "it is heard of again";
    case "state":
      return "it is anything else";
    case "age":
      return condition.of === "certificate"
        ? "it was renewed"
        : condition.of === "snapshot"
          ? "it is gone"
          : "there is a newer one";
    case "forecast":
      return `it is not full within ${condition.withinDays} days`;
    case "increase":
      return `it did not grow for ${formatDuration(condition.windowSec)}`;
    case "baseline":
      return "it is as usual again";
  }
}

function rulesTable(): string {
  const rows = [heads, heads.map(() => "---"), ...defaultRules.map(ruleCells)];
  return rows.map((cells) => `| ${cells.join(" | ")} |`).join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(rulesTable());
