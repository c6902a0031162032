import { html, type TemplateResult } from "lit";
import type { Condition, FieldProblem, Rule, SignalView } from "#protocol/alerting.ts";
import { formatFigure, shownFactor } from "../core/alert-figures.ts";
import { unitOf } from "../core/rules.ts";
import { t } from "../i18n.ts";
import { choice, field, numberInput, problemsOf } from "./form.ts";

export type ConditionForm = {
  rule: Rule;
  signals: readonly SignalView[];
  problems: readonly FieldProblem[];
  change(condition: Condition): void;
};

const ages = ["backup", "snapshot", "scrub", "replication", "certificate"] as const;

/** The fields of a rule's condition, by its kind. */
export function conditionFields(form: ConditionForm): TemplateResult[] {
  const { condition } = form.rule;
  switch (condition.kind) {
    case "threshold":
      return [
        ...signalFields(form, condition),
        directionField(form, condition),
        ...bounds(form, condition),
        windowField(form, condition),
      ];
    case "rate-of-change":
      return [
        ...signalFields(form, condition),
        directionField(form, condition),
        ...bounds(form, condition),
        seconds(form, "windowSec", t("Measured over"), condition.windowSec, (windowSec) => ({ ...condition, windowSec })),
      ];
    case "absence":
      return [
        ...signalFields(form, condition),
        seconds(form, "absentSec", t("Absent for"), condition.absentSec, (absentSec) => ({ ...condition, absentSec })),
      ];
    case "state":
      return [...signalFields(form, condition), stateField(form, condition)];
    case "age":
      return ageFields(form, condition);
    case "forecast":
      return forecastFields(form, condition);
    case "increase":
      return [
        ...signalFields(form, condition),
        number(form, "by", t("Grows by at least"), condition.by, (by) => ({ ...condition, by })),
        seconds(form, "windowSec", t("Within"), condition.windowSec, (windowSec) => ({ ...condition, windowSec })),
      ];
    case "baseline":
      return [
        ...signalFields(form, condition),
        number(form, "mads", t("Times the usual spread"), condition.mads, (mads) => ({ ...condition, mads })),
      ];
  }
}

type WithSignal = Exclude<Condition, { kind: "age" }>;

function signalFields({ rule, signals, problems, change }: ConditionForm, condition: WithSignal): TemplateResult[] {
  const known = signals.filter((one) => one.entity === rule.entity && (condition.kind !== "state" || one.values !== null));
  const names = known.map(({ signal }) => signal);
  const listed = names.includes(condition.signal) ? names : [condition.signal, ...names];
  const wrong = problemsOf(problems, "condition.signal");
  const help = known.find(({ signal }) => signal === condition.signal)?.help ?? "";
  const options = listed.map((name) => [name, name] as const);
  const signal = field(
    t("What"),
    choice(condition.signal, options, (name) => change({ ...condition, signal: name })),
    wrong,
    help,
  );
  if (!("direction" in condition) && condition.kind !== "baseline") return [signal];
  const divisors = [
    ["", t("its own value")] as const,
    ...known.filter(({ kind }) => kind === "metric").map(({ signal: name }) => [name, name] as const),
  ];
  const { per, ...rest } = condition as WithSignal & { per?: string };
  const divide = (name: string) => change((name === "" ? rest : { ...rest, per: name }) as Condition);
  return [signal, field(t("Divided by"), choice(per ?? "", divisors, divide), problemsOf(problems, "condition.per"))];
}

type WithBounds = Condition & { kind: "threshold" | "rate-of-change" };

const directionField = ({ change }: ConditionForm, condition: WithBounds): TemplateResult =>
  field(
    t("Direction"),
    choice(condition.direction, [["above", t("above")] as const, ["below", t("below")] as const], (direction) =>
      change({ ...condition, direction }),
    ),
  );

function bounds(form: ConditionForm, condition: WithBounds): TemplateResult[] {
  return [
    number(form, "trigger", t("Fires beyond"), condition.trigger, (trigger) => ({ ...condition, trigger })),
    number(form, "clear", t("Over at"), condition.clear, (clear) => ({ ...condition, clear })),
  ];
}

/** A figure in the unit of what is measured; the hint says large ones in words. */
function number(
  form: ConditionForm,
  name: string,
  label: string,
  value: number,
  next: (value: number) => Condition,
): TemplateResult {
  const unit = unitOf(form.rule, form.signals);
  const wrong = problemsOf(form.problems, `condition.${name}`);
  const input = numberInput(value, (typed) => form.change(next(typed)), { ...shownFactor(unit), wrong: wrong.length > 0 });
  const hint = unit !== null && /^(bytes|seconds)/.test(unit) ? formatFigure(value, unit) : "";
  return field(label, input, wrong, hint);
}

function seconds(
  form: ConditionForm,
  name: string,
  label: string,
  value: number,
  next: (value: number) => Condition,
): TemplateResult {
  const wrong = problemsOf(form.problems, `condition.${name}`);
  const input = numberInput(value, (typed) => form.change(next(Math.round(typed))), { suffix: "s", wrong: wrong.length > 0 });
  return field(label, input, wrong, formatFigure(value, "seconds"));
}

function windowField({ problems, change }: ConditionForm, condition: Condition & { kind: "threshold" }): TemplateResult {
  const { window, ...rest } = condition;
  const options = [
    ["", t("the newest value")],
    ["avg", t("average")],
    ["min", t("lowest")],
    ["max", t("highest")],
  ] as const;
  const set = (aggregate: (typeof options)[number][0]) =>
    change(aggregate === "" ? rest : { ...rest, window: { aggregate, sec: window?.sec ?? 600 } });
  const length =
    window === undefined
      ? ""
      : numberInput(window.sec, (sec) => change({ ...rest, window: { ...window, sec: Math.round(sec) } }), {
          suffix: "s",
          label: t("Over so many seconds"),
        });
  return field(
    t("Judged by"),
    html`${choice(window?.aggregate ?? "", options, set)}${length}`,
    problemsOf(problems, "condition.window"),
  );
}

function stateField(
  { rule, signals, problems, change }: ConditionForm,
  condition: Condition & { kind: "state" },
): TemplateResult {
  const values = signals.find((one) => one.entity === rule.entity && one.signal === condition.signal)?.values ?? [];
  const toggle = (word: string, on: boolean) => {
    const is = on ? [...condition.is.filter((one) => values.includes(one)), word] : condition.is.filter((one) => one !== word);
    change({ ...condition, is });
  };
  const boxes = values.map(
    (word) =>
      html`<span class="check"><input type="checkbox" aria-label=${word} .checked=${condition.is.includes(word)} @change=${(event: Event) => toggle(word, (event.target as HTMLInputElement).checked)} />${word}</span>`,
  );
  const wrong = problemsOf(problems, "condition.is").map(
    (one) => html`<span class="problem">${one.problem}. ${one.remedy}</span>`,
  );
  return html`<div class="field" role="group" aria-label=${t("Is one of")}><span>${t("Is one of")}</span>${boxes}${wrong}</div>`;
}

function ageFields(form: ConditionForm, condition: Condition & { kind: "age" }): TemplateResult[] {
  const { problems, change } = form;
  const of = choice(
    condition.of,
    ages.map((age) => [age, t(age)] as const),
    (age) => change({ ...condition, of: age }),
  );
  const own = condition.maxSec === "schedule";
  const measure = choice(
    own ? "schedule" : "fixed",
    [["schedule", t("its own calendar")] as const, ["fixed", t("a fixed age")] as const],
    (kind) => change(kind === "schedule" ? { ...condition, maxSec: "schedule" } : { ...condition, maxSec: 86_400 }),
  );
  const limit = own
    ? seconds(form, "graceSec", t("Grace"), condition.graceSec ?? 0, (graceSec) => ({ ...condition, graceSec }))
    : seconds(form, "maxSec", t("Older than"), Number(condition.maxSec), (maxSec) => ({ ...condition, maxSec }));
  return [field(t("Age of"), of, problemsOf(problems, "condition.of")), field(t("Measured by"), measure, []), limit];
}

function forecastFields(form: ConditionForm, condition: Condition & { kind: "forecast" }): TemplateResult[] {
  const { rule, signals, problems, change } = form;
  const names = signals.filter((one) => one.entity === rule.entity && one.kind === "metric").map(({ signal }) => signal);
  const shown = typeof condition.capacity === "string" ? condition.capacity : "";
  const options = [["", t("a share: full at 1")] as const, ...names.map((name) => [name, name] as const)];
  const capacity = choice(shown, options, (name) => change({ ...condition, capacity: name === "" ? 1 : name }));
  return [
    ...signalFields(form, condition),
    field(t("Full at"), capacity, problemsOf(problems, "condition.capacity")),
    number(form, "withinDays", t("Within days"), condition.withinDays, (withinDays) => ({ ...condition, withinDays })),
  ];
}
