import { css, html, nothing, type TemplateResult } from "lit";
import type { FieldProblem } from "#protocol/alerting.ts";
import type { ApiProblem } from "../api.ts";
import { t } from "../i18n.ts";
import { icon } from "./icon.ts";

/** Layout of the pages with forms and lists. */
export const formStyles = css`
  :host { display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr); }
  .title { display: flex; flex-wrap: wrap; align-items: center; gap: 6px 14px; padding: 2px 2px 0; }
  .title .end { margin-left: auto; display: flex; flex-wrap: wrap; gap: 6px; }
  h1 { font-size: 18px; font-weight: 500; overflow-wrap: anywhere; }
  form, .body { display: grid; gap: 10px; padding: 10px 12px 12px; }
  .fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 210px), 1fr)); gap: 8px 14px; align-items: start; }
  .fields.wide { grid-template-columns: minmax(0, 1fr); }
  .field { display: grid; grid-template-columns: minmax(0, 1fr); gap: 2px; min-width: 0; }
  .field > span:first-child { color: var(--pv-dim); font-size: 12px; }
  .field .row { display: flex; gap: 6px; align-items: center; }
  .field input:not([type="checkbox"]), .field select, .field textarea { background: var(--pv-panel); border: 1px solid var(--pv-line); border-radius: 3px; padding: 3px 8px; min-height: 28px; width: 100%; min-width: 0; font: inherit; color: inherit; }
  .field [aria-invalid="true"] { border-color: var(--pv-crit); }
  .hint { color: var(--pv-dim); font-size: 12px; overflow-wrap: anywhere; }
  .problem { color: var(--pv-crit); font-size: 12px; }
  .check { display: flex; gap: 7px; align-items: center; min-height: 28px; }
  .check input { width: 16px; height: 16px; margin: 0; accent-color: var(--pv-primary); }
  .buttons { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; }
  .said { display: flex; gap: 8px; align-items: baseline; padding: 7px 12px; border: 1px solid var(--pv-line); background: var(--pv-ok-tint); }
  .said.bad { background: var(--pv-crit-tint); }
  a.button { display: inline-flex; align-items: center; gap: 5px; background: var(--pv-head); border: 1px solid var(--pv-line); border-radius: 3px; padding: 3px 10px; min-height: 26px; color: var(--pv-text); }
  a.button.primary { background: var(--pv-primary); border-color: var(--pv-primary); color: var(--pv-primary-text); }
  a.button:hover { background: var(--pv-hover); text-decoration: none; color: var(--pv-text); }
  .empty { padding: 12px 10px; color: var(--pv-dim); }
  .empty a { text-decoration: underline; }
  .list > li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 4px 14px; padding: 8px 12px; border-bottom: 1px solid var(--pv-line-soft); align-items: center; }
  .list .name { font-weight: 600; overflow-wrap: anywhere; }
  .list .more { color: var(--pv-dim); overflow-wrap: anywhere; }
  .list .off { background: var(--pv-unknown-tint); }
  @media (max-width: 560px) { .list > li { grid-template-columns: minmax(0, 1fr); } }
`;

/** What the last action came to: done, or why not. */
export type Said = { ok: boolean; text: string } | undefined;

export const said = (result: Said): TemplateResult | typeof nothing =>
  result === undefined
    ? nothing
    : html`<p class="said ${result.ok ? "" : "bad"}" role="status"><span class=${result.ok ? "ok" : "crit"}>${icon(result.ok ? "ok" : "critical")}</span>${result.text}</p>`;

/** A refusal in words. */
export const refusal = ({ code, message, status }: ApiProblem): Said => ({
  ok: false,
  text: status === 404 && code === "not-found" ? message : code === "unreachable" ? t("The hub doesn't answer.") : message,
});

/** What is wrong with a field: its own problems and those of what is inside it. */
export const problemsOf = (problems: readonly FieldProblem[], field: string): FieldProblem[] =>
  problems.filter((problem) => problem.field === field || problem.field.startsWith(`${field}.`));

const problemLines = (problems: readonly FieldProblem[]) =>
  problems.map(({ problem, remedy }) => html`<span class="problem">${icon("critical", t("wrong"))} ${problem}. ${remedy}</span>`);

/** A field's label, control, and what is wrong with it. */
export const field = (label: string, control: unknown, problems: readonly FieldProblem[] = [], hint = ""): TemplateResult =>
  html`<label class="field"><span>${label}</span>${control}${hint === "" ? nothing : html`<small class="hint">${hint}</small>`}${problemLines(problems)}</label>`;

export const check = (label: string, checked: boolean, change: (checked: boolean) => void): TemplateResult =>
  html`<label class="check"><input type="checkbox" .checked=${checked} @change=${(event: Event) => change((event.target as HTMLInputElement).checked)} />${label}</label>`;

export const textInput = (
  value: string,
  change: (text: string) => void,
  more: { wrong?: boolean; type?: string; placeholder?: string } = {},
) =>
  html`<input
    type=${more.type ?? "text"}
    .value=${value}
    placeholder=${more.placeholder ?? nothing}
    aria-invalid=${more.wrong ? "true" : nothing}
    autocomplete="off"
    @input=${(event: Event) => change((event.target as HTMLInputElement).value)}
  />`;

/** A number, shown times `factor` with its unit behind it. */
export function numberInput(
  value: number,
  change: (value: number) => void,
  {
    factor = 1,
    suffix = "",
    wrong = false,
    label = "",
  }: { factor?: number; suffix?: string; wrong?: boolean; label?: string } = {},
): TemplateResult {
  const shown = String(Number((value * factor).toPrecision(12)));
  const typed = (event: Event) => {
    const text = (event.target as HTMLInputElement).value;
    if (text !== "" && Number.isFinite(Number(text))) change(Number((Number(text) / factor).toPrecision(12)));
  };
  return html`<span class="row"><input type="number" step="any" .value=${shown} aria-label=${label || nothing} aria-invalid=${wrong ? "true" : nothing} @input=${typed} />${suffix === "" ? nothing : html`<span class="nowrap">${suffix}</span>`}</span>`;
}

export const choice = <T extends string>(
  value: T,
  options: readonly (readonly [value: T, label: string])[],
  change: (value: T) => void,
) =>
  html`<select @change=${(event: Event) => change((event.target as HTMLSelectElement).value as T)}>
    ${options.map(([one, label]) => html`<option value=${one} ?selected=${one === value}>${label}</option>`)}
  </select>`;
