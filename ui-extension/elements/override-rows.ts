import { html, type TemplateResult } from "lit";
import type { FieldProblem, Rule, Severity, SignalView } from "#protocol/alerting.ts";
import { shownFactor } from "../core/alert-figures.ts";
import { unitOf } from "../core/rules.ts";
import { t } from "../i18n.ts";
import { check, choice, field, problemsOf, textInput } from "./form.ts";
import { scopeFields } from "./scope-fields.ts";

type Override = Rule["overrides"][number];
const places = ["guests", "tags", "nodes", "storages"] as const;

/** Exceptions of a rule: other limits, another severity, or off, for some. The first that fits counts. */
export function overrideRows(
  rule: Rule,
  problems: readonly FieldProblem[],
  signals: readonly SignalView[],
  change: (overrides: Override[]) => void,
): TemplateResult {
  const set = (index: number, override: Override) => change(rule.overrides.map((one, at) => (at === index ? override : one)));
  const unit = unitOf(rule, signals);
  const severities: readonly (readonly [Severity | "", string])[] = [
    ["", t("as the rule")],
    ["info", t("info")],
    ["warning", t("warning")],
    ["critical", t("critical")],
  ];
  return html`
    ${rule.overrides.map(
      (override, index) => html`<div class="override" role="group" aria-label=${t("Exception {n}", { n: index + 1 })}>
        <div class="fields">
          ${scopeFields(override.scope, `overrides.${index}.scope`, problems, (scope) => set(index, { ...override, scope }), places)}
          ${figure(t("Fires beyond"), override, "trigger", unit, problemsOf(problems, `overrides.${index}.trigger`), (next) => set(index, next))}
          ${figure(t("Over at"), override, "clear", unit, problemsOf(problems, `overrides.${index}.clear`), (next) => set(index, next))}
          ${field(
            t("Severity"),
            choice(override.severity ?? "", severities, (severity) =>
              set(index, without(override, "severity", severity === "" ? {} : { severity })),
            ),
          )}
        </div>
        <div class="buttons">
          ${check(t("off for these"), override.enabled === false, (off) => set(index, without(override, "enabled", off ? { enabled: false } : {})))}
          <button type="button" @click=${() => change(rule.overrides.filter((_, at) => at !== index))}>${t("Take out this exception")}</button>
        </div>
      </div>`,
    )}
    <div><button type="button" @click=${() => change([...rule.overrides, { scope: {} }])}>${t("Add an exception")}</button></div>
  `;
}

function without(override: Override, name: keyof Override, more: Partial<Override>): Override {
  const { [name]: _, ...rest } = override;
  return { scope: override.scope, ...rest, ...more };
}

/** A figure of its own; empty: the rule's. */
function figure(
  label: string,
  override: Override,
  name: "trigger" | "clear",
  unit: string | null,
  problems: readonly FieldProblem[],
  change: (override: Override) => void,
): TemplateResult {
  const { factor, suffix } = shownFactor(unit);
  const value = override[name];
  const shown = value === undefined ? "" : String(Number((value * factor).toPrecision(12)));
  const typed = (text: string) =>
    change(
      without(override, name, text.trim() === "" || !Number.isFinite(Number(text)) ? {} : { [name]: Number(text) / factor }),
    );
  return field(
    label,
    html`<span class="row">${textInput(shown, typed, { placeholder: t("as the rule") })}${suffix}</span>`,
    problems,
  );
}
