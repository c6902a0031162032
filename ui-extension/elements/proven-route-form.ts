import { html, nothing } from "lit";
import type { FieldProblem, Severity } from "#protocol/alerting.ts";
import type { Receiver, Route } from "#protocol/notifications.ts";
import { parseList, slugOf } from "../core/rules.ts";
import { formatDuration } from "../core/units.ts";
import { t, timeZone } from "../i18n.ts";
import { EditForm } from "./edit-form.ts";
import { check, choice, field, numberInput, said, textInput } from "./form.ts";
import { scopeFields } from "./scope-fields.ts";

const severities: readonly Severity[] = ["info", "warning", "critical"];

/** A route's editor. */
export class ProvenRouteForm extends EditForm<Route> {
  static override properties = {
    ...EditForm.properties,
    isNew: { attribute: false },
    receivers: { attribute: false },
  };
  declare isNew: boolean;
  declare receivers: readonly Receiver[];

  protected override render() {
    const { draft } = this;
    const named = (name: string) => this.change({ name, ...(this.isNew ? { id: slugOf(name) } : {}) });
    const seconds = (name: "repeatSec" | "groupWaitSec" | "groupIntervalSec", label: string) =>
      field(
        label,
        numberInput(draft[name], (sec) => this.change({ [name]: Math.round(sec) }), { suffix: "s" }),
        this.wrong(name),
        formatDuration(draft[name]),
      );
    return html`<form @submit=${this.onSubmit}>
      <div class="fields">
        ${field(t("Name"), textInput(draft.name, named), [...this.wrong("name"), ...this.wrong("id")], draft.id)}
        ${field(
          t("Place in the order"),
          numberInput(draft.order, (order) => this.change({ order: Math.round(order) })),
          this.wrong("order"),
        )}
        ${this.#boxes(t("Severities (none: all)"), severities, draft.match.severities ?? [], (list) => this.#match({ severities: list.length === 0 ? undefined : list }))}
        ${this.#boxes(
          t("Who is told"),
          this.receivers.map(({ id }) => id),
          draft.receivers,
          (receivers) => this.change({ receivers }),
          this.wrong("receivers"),
        )}
        ${field(
          t("Rules (empty: every rule)"),
          textInput((draft.match.rules ?? []).join(", "), (text) => this.#match({ rules: parseList(text) })),
          this.wrong("match.rules"),
        )}
        ${scopeFields(draft.match.scope ?? {}, "match.scope", this.problems, (scope) => this.#match({ scope: Object.keys(scope).length === 0 ? undefined : scope }), ["nodes", "tags", "pools"])}
        ${seconds("repeatSec", t("Repeat after (0: never)"))}
        ${this.#escalation(this.wrong("escalation"))} ${this.#quiet(this.wrong("quietHours"))}
      </div>
      <div class="buttons">
        ${this.isOn()}
        ${check(t("ask later routes too"), draft.continue, (more) => this.change({ continue: more }))}
      </div>
      ${said(this.result)}
      ${this.buttons()}
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
    const [first, ...rest] = this.draft.escalation;
    const set = (sec: number, who: readonly string[]) =>
      this.change({ escalation: who.length === 0 ? rest : [{ ...first, afterSec: sec, receivers: [...who] }, ...rest] });
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
    const { quietHours, ...rest } = this.draft;
    const times = quietHours?.times ?? { calendar: "", timezone: timeZone, durationSec: 8 * 3600 };
    const upTo = quietHours?.upTo ?? "warning";
    const set = (calendar: string) =>
      this.use(calendar.trim() === "" ? rest : { ...rest, quietHours: { times: { ...times, calendar }, upTo } });
    return html`${field(t("Quiet from (calendar event; empty: never)"), textInput(times.calendar, set, { placeholder: "22:00" }), problems, times.timezone)}
      ${
        quietHours === undefined
          ? nothing
          : html`${field(
              t("Quiet for"),
              numberInput(
                times.durationSec / 3600,
                (hours) =>
                  this.use({ ...rest, quietHours: { upTo, times: { ...times, durationSec: Math.round(hours * 3600) } } }),
                { suffix: "h" },
              ),
            )}
            ${field(
              t("Quiet up to"),
              choice(
                upTo,
                severities.map((one) => [one, t(one)] as const),
                (severity) => this.use({ ...rest, quietHours: { times, upTo: severity } }),
              ),
            )}`
      }`;
  }

  #match(change: { [K in keyof Route["match"]]: Route["match"][K] | undefined }): void {
    this.change({
      match: Object.fromEntries(Object.entries({ ...this.draft.match, ...change }).filter(([, value]) => value !== undefined)),
    });
  }

  protected send() {
    return this.panel.api.alerting.saveRoute(this.draft, this.isNew);
  }
}
customElements.define("proven-route-form", ProvenRouteForm);
