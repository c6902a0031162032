import { css, html, nothing, type PropertyValues } from "lit";
import type { FieldProblem, Rule, Severity, SignalView } from "#protocol/alerting.ts";
import type { BacktestAnswer } from "#protocol/backtest.ts";
import { alertEntityKinds } from "../core/entity-kinds.ts";
import { sectionRoute } from "../core/route.ts";
import { blankCondition, blankRule, conditionKinds, slugOf } from "../core/rules.ts";
import { formatDuration } from "../core/units.ts";
import { t } from "../i18n.ts";
import { conditionFields } from "./condition-fields.ts";
import { check, choice, field, formStyles, numberInput, problemsOf, refusal, type Said, said, textInput } from "./form.ts";
import { link } from "./link.ts";
import { type Loaded, loadedOf, loading } from "./loaded.ts";
import { overrideRows } from "./override-rows.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-backtest.ts";
import "./proven-why-links.ts";
import { scopeFields } from "./scope-fields.ts";
import { shared } from "./styles.ts";

const checkAfterMs = 250;
const backtestMs = 30 * 86_400_000;

/** A rule's editor: what is wrong is said while one types; a back-test shows before saving what it would have done. */
export class ProvenRule extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    rule: { attribute: false },
    draft: { state: true },
    problems: { state: true },
    result: { state: true },
    backtest: { state: true },
  };
  static override styles = [
    shared,
    formStyles,
    css`
      fieldset { border: 0; padding: 0; margin: 0; display: grid; gap: 8px; min-width: 0; }
      fieldset + fieldset { border-top: 1px solid var(--pv-line-soft); padding-top: 10px; }
      legend { font-weight: 600; color: var(--pv-title); padding: 0 0 4px; float: left; width: 100%; }
      .override { border: 1px solid var(--pv-line-soft); padding: 8px; display: grid; gap: 8px; }
    `,
  ];
  /** Its id; `new`: one that isn't there yet. */
  declare rule: string;
  declare draft: Loaded<Rule>;
  declare problems: readonly FieldProblem[];
  declare result: Said;
  declare backtest: Loaded<BacktestAnswer> | undefined;
  #signals: readonly SignalView[] = [];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #checking: AbortController | undefined;

  constructor() {
    super();
    this.draft = loading;
    this.problems = [];
  }

  protected watched() {
    return [];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.#timer);
    this.#checking?.abort();
  }

  protected override firstUpdated(_changed: PropertyValues<this>): void {
    void this.#load();
  }

  get #isNew(): boolean {
    return this.rule === "new";
  }

  protected override render() {
    const { draft } = this;
    return html`
      <p>${link(this.panel, sectionRoute("rules"), html`‹ ${t("All rules")}`)}</p>
      ${draft.state === "loading" ? html`<p class="dim" role="status">${t("Loading …")}</p>` : nothing}
      ${draft.state === "failed" ? said(refusal(draft.problem)) : nothing}
      ${draft.state === "there" ? this.#editor(draft.value) : nothing}
    `;
  }

  #editor(rule: Rule) {
    return html`
      <div class="title"><h1>${this.#isNew ? t("New rule") : t(rule.name)}</h1>${rule.shipped ? html`<span class="tag">${t("comes with Proven")}</span>` : nothing}</div>
      ${said(this.result)}
      <section class="panel" aria-label=${t("Rule")}>
        <form @submit=${this.#onSubmit}>
          ${this.#basics(rule)} ${this.#condition(rule)} ${this.#scope(rule)} ${this.#words(rule)}
          ${this.#others()}
          <div class="buttons">
            ${
              this.panel.maySet
                ? html`<button class="primary" type="submit" ?disabled=${this.problems.length > 0}>${t("Save")}</button>`
                : html`<span class="dim">${this.panel.mayWrite ? t("This takes Sys.Modify on / in Proxmox VE.") : t("Your key may only read.")}</span>`
            }
            <button type="button" ?disabled=${this.problems.length > 0 || this.backtest?.state === "loading"} @click=${() => void this.#runBacktest()}>${t("Try on the last 30 days")}</button>
            ${this.panel.maySet && !this.#isNew ? this.#endButton(rule) : nothing}
            ${this.problems.length === 0 ? nothing : html`<span class="problem" role="status">${t("Fields that are wrong: {list}", { list: this.problems.map(({ field: name }) => name).join(", ") })}</span>`}
          </div>
        </form>
      </section>
      ${this.backtest === undefined ? nothing : this.#backtest(this.backtest)}
      ${this.#isNew ? nothing : html`<proven-why-links .panel=${this.panel} .rule=${rule}></proven-why-links>`}
    `;
  }

  #basics(rule: Rule) {
    const wrong = (name: string) => problemsOf(this.problems, name);
    const severities: readonly (readonly [Severity, string])[] = [
      ["info", t("info")],
      ["warning", t("warning")],
      ["critical", t("critical")],
    ];
    return html`<fieldset><legend>${t("What it is")}</legend><div class="fields">
      ${field(
        t("Name"),
        textInput(rule.name, (name) => this.#change({ name, ...(this.#isNew ? { id: slugOf(name) } : {}) }), {
          wrong: wrong("name").length > 0,
        }),
        [...wrong("name"), ...wrong("id")],
        rule.id,
      )}
      ${field(
        t("Severity"),
        choice(rule.severity, severities, (severity) => this.#change({ severity })),
        wrong("severity"),
      )}
      ${field(
        t("About"),
        choice(
          rule.entity,
          alertEntityKinds.map((kind) => [kind, t(kind)] as const),
          (entity) => this.#change({ entity }),
        ),
        wrong("entity"),
      )}
      <div class="field"><span>${t("State")}</span>${check(t("on"), rule.enabled, (enabled) => this.#change({ enabled }))}</div>
    </div></fieldset>`;
  }

  #condition(rule: Rule) {
    const { problems } = this;
    const first = this.#signals.find(({ entity }) => entity === rule.entity)?.signal ?? "";
    const signal = "signal" in rule.condition ? rule.condition.signal : first;
    const kind = choice(
      rule.condition.kind,
      conditionKinds.map((one) => [one, t(one)] as const),
      (one) => this.#change({ condition: blankCondition(one, signal) }),
    );
    const change = (condition: Rule["condition"]) => this.#change({ condition });
    const hold = (name: "forSec" | "clearForSec", label: string) =>
      field(
        label,
        numberInput(rule[name], (sec) => this.#change({ [name]: Math.round(sec) }), { suffix: "s" }),
        problemsOf(problems, name),
        formatDuration(rule[name]),
      );
    return html`<fieldset><legend>${t("When it fires")}</legend><div class="fields">
      ${field(t("Kind"), kind, problemsOf(problems, "condition.kind"))}
      ${conditionFields({ rule, signals: this.#signals, problems, change })}
      ${hold("forSec", t("Must hold for"))} ${hold("clearForSec", t("Must be over for"))}
    </div></fieldset>`;
  }

  #scope(rule: Rule) {
    return html`<fieldset><legend>${t("For what (empty: everything)")}</legend>
      <div class="fields">${scopeFields(rule.scope, "scope", this.problems, (scope) => this.#change({ scope }))}</div>
      ${overrideRows(rule, this.problems, this.#signals, (overrides) => this.#change({ overrides }))}
      ${check(t("Alerts of what depends on it are its consequence and are not told"), rule.inhibits, (inhibits) => this.#change({ inhibits }))}
    </fieldset>`;
  }

  #words(rule: Rule) {
    const set = (name: "text" | "remedy") => (typed: string) => {
      const { [name]: _, ...rest } = rule;
      this.#use(typed === "" ? rest : { ...rest, [name]: typed });
    };
    return html`<fieldset><legend>${t("What it says")}</legend><div class="fields wide">
      ${field(t("Sentence (empty: made from the condition)"), textInput(rule.text ?? "", set("text")), problemsOf(this.problems, "text"), "{name} {node} {value} {threshold} {instance} {since}")}
      ${field(t("What to do"), textInput(rule.remedy ?? "", set("remedy")), problemsOf(this.problems, "remedy"))}
    </div></fieldset>`;
  }

  /** What is wrong with a field that this form has no place for. */
  #others() {
    const shown = /^(id|name|severity|entity|condition|scope|overrides|forSec|clearForSec|text|remedy)/;
    return this.problems
      .filter((one) => !shown.test(one.field))
      .map((one) => html`<p class="problem">${one.field}: ${one.problem}. ${one.remedy}</p>`);
  }

  #endButton(rule: Rule) {
    const { alerting } = this.panel.api;
    return rule.shipped
      ? html`<button type="button" @click=${() => void this.#reset()}>${t("Reset to how it came")}</button>`
      : html`<button type="button" @click=${async () => {
          const answer = await alerting.remove("rules", rule.id);
          if (answer.ok) this.panel.navigation.go(sectionRoute("rules"), "push");
          else this.result = refusal(answer.problem);
        }}>${t("Remove")}</button>`;
  }

  #backtest(backtest: Loaded<BacktestAnswer>) {
    return html`<section class="panel" aria-label=${t("Back-test")}>
      <header><h2>${t("Back-test")}</h2><span class="dim">${t("the last 30 days")}</span></header>
      <div class="body">
        ${backtest.state === "loading" ? html`<p class="dim" role="status">${t("Replaying history …")}</p>` : nothing}
        ${backtest.state === "failed" ? said(refusal(backtest.problem)) : nothing}
        ${backtest.state === "there" ? html`<proven-backtest .panel=${this.panel} .answer=${backtest.value}></proven-backtest>` : nothing}
      </div>
    </section>`;
  }

  #change(change: Partial<Rule>): void {
    if (this.draft.state === "there") this.#use({ ...this.draft.value, ...change });
  }

  #use(rule: Rule): void {
    this.draft = { state: "there", value: rule };
    this.result = undefined;
    this.backtest = undefined;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#check(rule), checkAfterMs);
  }

  async #check(rule: Rule): Promise<void> {
    this.#checking?.abort();
    this.#checking = new AbortController();
    const answer = await this.panel.api.alerting.checkRule(rule, this.#checking.signal);
    if (answer.ok) this.problems = answer.value.problems;
  }

  async #runBacktest(): Promise<void> {
    if (this.draft.state !== "there") return;
    const rule = this.draft.value;
    this.backtest = loading;
    const to = Math.floor(this.panel.now.value);
    const answer = await this.panel.api.alerting.backtest({ rule, from: to - backtestMs, to });
    if (this.draft.state === "there" && this.draft.value === rule) this.backtest = loadedOf(answer);
  }

  async #reset(): Promise<void> {
    const answer = await this.panel.api.alerting.resetRule(this.rule);
    if (answer.ok) this.#use(answer.value);
    this.result = answer.ok ? { ok: true, text: t("It is as it came.") } : refusal(answer.problem);
  }

  #onSubmit(event: Event): void {
    event.preventDefault();
    if (this.draft.state === "there") void this.#save(this.draft.value);
  }

  async #save(rule: Rule): Promise<void> {
    const answer = await this.panel.api.alerting.saveRule(rule, this.#isNew);
    this.result = answer.ok ? { ok: true, text: t("Saved: it counts from now on.") } : refusal(answer.problem);
    if (answer.ok && this.#isNew) this.panel.navigation.go(sectionRoute("rules", rule.id), "replace");
  }

  async #load(): Promise<void> {
    const { alerting } = this.panel.api;
    const [signals, rule] = await Promise.all([alerting.signals(), this.#isNew ? undefined : alerting.rule(this.rule)]);
    this.#signals = signals.ok ? signals.value.items : [];
    this.draft = rule === undefined ? { state: "there", value: blankRule() } : loadedOf(rule);
  }
}
customElements.define("proven-rule", ProvenRule);
