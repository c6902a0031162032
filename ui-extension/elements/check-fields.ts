import { html, type TemplateResult } from "lit";
import type { FieldProblem } from "#protocol/alerting.ts";
import {
  blankCheck,
  type CheckField,
  type CheckRow,
  checkFieldText,
  checkKinds,
  type EditedCheck,
  withCheckField,
} from "../core/restore-checks.ts";
import { parseList } from "../core/rules.ts";
import { t } from "../i18n.ts";
import { choice, field, problemsOf, textInput } from "./form.ts";

const labels: Record<string, () => string> = {
  command: () => t("Command"),
  text: () => t("Text in its answer"),
  port: () => t("Port"),
  scheme: () => t("Scheme"),
  path: () => t("Path"),
  host: () => t("Host name"),
  status: () => t("Status"),
  serverName: () => t("Server name"),
  query: () => t("Name asked for"),
  answer: () => t("Answer"),
  user: () => t("User"),
  secret: () => t("Secret of the node"),
  process: () => t("Process"),
  unit: () => t("Unit"),
  script: () => t("Script of the node"),
};

type Change = (rows: CheckRow[]) => void;

/** What is checked in the running copy, for which tags. */
export function checkFields(rows: readonly CheckRow[], problems: readonly FieldProblem[], change: Change): TemplateResult {
  const replace = (at: number, row: CheckRow | undefined) =>
    change(rows.flatMap((one, index) => (index === at ? (row ?? []) : one)));
  const add = () => change([...rows, { tags: [], checks: [blankCheck("agent-ping")] }]);
  return html`<fieldset class="checks">
    <legend>${t("Checks in the running copy")}</legend>
    ${rows.length === 0 ? html`<p class="hint">${t("None: a test says whether the guest boots, not whether its services work.")}</p>` : ""}
    ${rows.map((row, index) => checkRow(row, index, problems, (next) => replace(index, next)))}
    <button type="button" @click=${add}>${t("Add checks")}</button>
  </fieldset>`;
}

function checkRow(row: CheckRow, index: number, problems: readonly FieldProblem[], change: (row: CheckRow | undefined) => void) {
  const wrong = problemsOf(problems, `checks.${index}`);
  const replace = (at: number, check: EditedCheck | undefined) => {
    const checks = row.checks.flatMap((one, place) => (place === at ? (check ?? []) : one));
    change(checks.length === 0 ? undefined : { ...row, checks });
  };
  return html`<div class="group" role="group" aria-label=${t("Checks {n}", { n: index + 1 })}>
    ${field(
      t("For guests with one of these tags (empty: all)"),
      textInput(row.tags.join(", "), (typed) => change({ ...row, tags: parseList(typed) ?? [] }), { placeholder: "web, db" }),
      wrong,
    )}
    ${row.checks.map((check, at) => checkForm(check, (next) => replace(at, next)))}
    <button type="button" @click=${() => change({ ...row, checks: [...row.checks, blankCheck("tcp")] })}>${t("Another check")}</button>
  </div>`;
}

function checkForm(check: EditedCheck, change: (check: EditedCheck | undefined) => void) {
  const kinds = Object.keys(checkKinds).map((kind) => [kind, kind] as const);
  const known = checkKinds[check.kind] ?? [];
  const isNamedByKind = check.name === check.kind;
  const ofKind = (kind: string) => change({ ...blankCheck(kind), name: isNamedByKind ? kind : check.name });
  return html`<div class="fields one">
    ${field(t("Kind"), choice(check.kind, kinds, ofKind))}
    ${field(
      t("Name"),
      textInput(check.name, (name) => change({ ...check, name })),
    )}
    ${known.map((one) => checkInput(check, one, change))}
    <button type="button" @click=${() => change(undefined)}>${t("Remove")}<span class="sr"> ${check.name}</span></button>
  </div>`;
}

function checkInput(check: EditedCheck, one: CheckField, change: (check: EditedCheck) => void) {
  const label = labels[one.name]?.() ?? one.name;
  if (one.type === "scheme") {
    const schemes = [["http", "http"] as const, ["https", "https"] as const];
    return field(
      label,
      choice(String(check[one.name]), schemes, (scheme) => change({ ...check, [one.name]: scheme })),
    );
  }
  const input = textInput(checkFieldText(check, one), (typed) => change(withCheckField(check, one, typed)), {
    ...(one.type === "number" ? { type: "number" } : {}),
    placeholder: one.optional ? t("any, such as {example}", { example: one.example }) : one.example,
  });
  return field(label, input);
}
