import { html, nothing, type PropertyValues } from "lit";
import type { FieldProblem, Severity } from "#protocol/alerting.ts";
import type { Receiver, Route } from "#protocol/notifications.ts";
import { parseList, slugOf } from "../core/rules.ts";
import { formatDuration } from "../core/units.ts";
import { t, timeZone } from "../i18n.ts";
import { check, choice, field, formStyles, numberInput, problemsOf, refusal, type Said, said, textInput } from "./form.ts";
import { PanelElement } from "./panel-element.ts";
import { scopeFields } from "./scope-fields.ts";
import { shared } from "./styles.ts";

const severities: readonly Severity[] = ["info", "warning", "critical"];

/** A route's editor. Says `saved` or `cancelled`. */
export class ProvenRouteForm extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    initial: { attribute: false },
    route: { state: true },
    isNew: { attribute: false },
    receivers: { attribute: false },
    problems: { state: true },
    result: { state: true },
  };
  static override styles = [shared, formStyles];
  /** What the fields begin with. Only looked at once: whoever made this element is drawn anew each second, and what is typed stays. */
  declare initial: Route;
  declare route: Route;
  declare isNew: boolean;
  declare receivers: readonly Receiver[];
  declare problems: readonly FieldProblem[];
  declare result: Said;

  constructor() {
    super();
    this.problems = [];
  }

  protected watched() {
    return [];
  }

  protected override willUpdate(_changed: PropertyValues<this>): void {
    this.route ??= this.initial;
  }

  protected override render() {
    const { route } = this;
    const wrong = (name: string) => problemsOf(this.problems, name);
    const named = (name: string) => this.#change({ name, ...(this.isNew ? { id: slugOf(name) } : {}) });
    const seconds = (name: "repeatSec" | "groupWaitSec" | "groupIntervalSec", label: string) =>
      field(
        label,
        numberInput(route[name], (sec) => this.#change({ [name]: Math.round(sec) }), { suffix: "s" }),
        wrong(name),
        formatDuration(route[name]),
      );
    return html`<form @submit=${this.#onSubmit}>
      <div class="fields">
        ${field(t("Name"), textInput(route.name, named), [...wrong("name"), ...wrong("id")], route.id)}
        ${field(
          t("Place in the order"),
          numberInput(route.order, (order) => this.#change({ order: Math.round(order) })),
          wrong("order"),
        )}
        ${this.#boxes(t("Severities (none: all)"), severities, route.match.severities ?? [], (list) => this.#match({ severities: list.length === 0 ? undefined : list }))}
        ${this.#boxes(
          t("Who is told"),
          this.receivers.map(({ id }) => id),
          route.receivers,
          (receivers) => this.#change({ receivers }),
          wrong("receivers"),
        )}
        ${field(
          t("Rules (empty: every rule)"),
          textInput((route.match.rules ?? []).join(", "), (text) => this.#match({ rules: parseList(text) })),
          wrong("match.rules"),
        )}
        ${scopeFields(route.match.scope ?? {}, "match.scope", this.problems, (scope) => this.#match({ scope: Object.keys(scope).length === 0 ? undefined : scope }), ["nodes", "tags", "pools"])}
        ${seconds("repeatSec", t("Repeat after (0: never)"))}
        ${this.#escalation(wrong("escalation"))} ${this.#quiet(wrong("quietHours"))}
      </div>
      <div class="buttons">
        ${check(t("on"), route.enabled, (enabled) => this.#change({ enabled }))}
        ${check(t("ask later routes too"), route.continue, (more) => this.#change({ continue: more }))}
      </div>
      ${said(this.result)}
      <div class="buttons">
        <button class="primary" type="submit">${t("Save")}</button>
        <button type="button" @click=${() => this.dispatchEvent(new CustomEvent("cancelled"))}>${t("Cancel")}</button>
      </div>
    </form>`;
  }

  #boxes<T extends string>(
    label: string,
    all: readonly T[],
    chosen: readonly T[],
    change: (chosen: T[]) => void,
    problems: readonly FieldProblem[] = [],
  ) {
    const toggle = (one: T, on: boolean) => change(all.filter((each) => (each === one ? on : chosen.includes(each))));
    return html`<div class="field" role="group" aria-label=${label}><span>${label}</span>
      ${all.map((one) => check(severities.some((word) => word === one) ? t(one) : one, chosen.includes(one), (on) => toggle(one, on)))}
      ${problems.map(({ problem }) => html`<span class="problem">${problem}</span>`)}</div>`;
  }

  /** One step here; more by the API stay as they are. */
  #escalation(problems: readonly FieldProblem[]) {
    const [first, ...rest] = this.route.escalation;
    const set = (sec: number, who: readonly string[]) =>
      this.#change({ escalation: who.length === 0 ? rest : [{ ...first, afterSec: sec, receivers: [...who] }, ...rest] });
    const after = first?.afterSec ?? 900;
    return html`${field(
      t("Nobody took it: also tell"),
      textInput((first?.receivers ?? []).join(", "), (text) => set(after, parseList(text) ?? []), {
        placeholder: this.receivers[0]?.id ?? "",
      }),
      problems,
    )}
      ${
        first === undefined
          ? nothing
          : field(
              t("… after"),
              numberInput(after, (sec) => set(Math.round(sec), first.receivers), { suffix: "s" }),
              [],
              formatDuration(after),
            )
      }`;
  }

  #quiet(problems: readonly FieldProblem[]) {
    const { quietHours, ...rest } = this.route;
    const times = quietHours?.times ?? { calendar: "", timezone: timeZone, durationSec: 8 * 3600 };
    const upTo = quietHours?.upTo ?? "warning";
    const set = (calendar: string) =>
      this.#use(calendar.trim() === "" ? rest : { ...rest, quietHours: { times: { ...times, calendar }, upTo } });
    return html`${field(t("Quiet from (calendar event; empty: never)"), textInput(times.calendar, set, { placeholder: "22:00" }), problems, times.timezone)}
      ${
        quietHours === undefined
          ? nothing
          : html`${field(
              t("Quiet for"),
              numberInput(
                times.durationSec / 3600,
                (hours) =>
                  this.#use({ ...rest, quietHours: { upTo, times: { ...times, durationSec: Math.round(hours * 3600) } } }),
                { suffix: "h" },
              ),
            )}
            ${field(
              t("Quiet up to"),
              choice(
                upTo,
                severities.map((one) => [one, t(one)] as const),
                (severity) => this.#use({ ...rest, quietHours: { times, upTo: severity } }),
              ),
            )}`
      }`;
  }

  #match(change: { [K in keyof Route["match"]]: Route["match"][K] | undefined }): void {
    this.#change({
      match: Object.fromEntries(Object.entries({ ...this.route.match, ...change }).filter(([, value]) => value !== undefined)),
    });
  }

  #change(change: Partial<Route>): void {
    this.#use({ ...this.route, ...change });
  }

  #use(route: Route): void {
    this.route = route;
    this.problems = [];
    this.result = undefined;
  }

  #onSubmit(event: Event): void {
    event.preventDefault();
    void this.#save();
  }

  async #save(): Promise<void> {
    const answer = await this.panel.api.alerting.saveRoute(this.route, this.isNew);
    if (answer.ok) this.dispatchEvent(new CustomEvent("saved"));
    else {
      const { field: name, message } = answer.problem;
      this.result = refusal(answer.problem);
      this.problems = name === undefined ? [] : [{ field: name, problem: message, remedy: "" }];
    }
  }
}
customElements.define("proven-route-form", ProvenRouteForm);
