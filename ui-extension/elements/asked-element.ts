import { html, nothing, type PropertyValues, type TemplateResult } from "lit";
import type { Answer, ApiProblem } from "../api.ts";
import { formatAge } from "../core/age.ts";
import { isDue } from "../core/due.ts";
import { t } from "../i18n.ts";
import { PanelElement } from "./panel-element.ts";

/** How an answer stands: none yet, or the newest one, and why there is no newer. */
export type Asked<T> = { value: T | undefined; problem: ApiProblem | undefined; at: number };

/** Well within the age at which a value counts as old (core/reading.ts), so that none gets old between two questions. */
const refreshMs = 20_000;

/** An element that asks the hub something again and again while it is on the page. What was answered stays, with its age, while asking fails. */
export abstract class AskedElement<T> extends PanelElement {
  static override properties: Record<string, object> = { ...PanelElement.properties, asked: { state: true } };
  declare asked: Asked<T>;
  #about = "";
  #askedAt = Number.NEGATIVE_INFINITY;
  #turn = 0;

  constructor() {
    super();
    this.asked = { value: undefined, problem: undefined, at: 0 };
  }

  /** What the question depends on: another text is another question. Undefined: there is nothing to ask. */
  protected abstract question(): string | undefined;
  protected abstract ask(): Promise<Answer<T>>;

  protected get everyMs(): number {
    return refreshMs;
  }

  protected watched(): ReturnType<PanelElement["watched"]> {
    return [this.panel.now];
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.#turn++;
    this.#askedAt = Number.NEGATIVE_INFINITY;
  }

  protected override willUpdate(_changed: PropertyValues<this>): void {
    const about = this.question();
    const now = this.panel.now.value;
    if (about === undefined || (about === this.#about && !isDue(this.#askedAt, this.everyMs, now))) return;
    if (about !== this.#about) this.asked = { value: undefined, problem: undefined, at: 0 };
    this.#about = about;
    this.#askedAt = now;
    void this.#read(now);
  }

  async #read(at: number): Promise<void> {
    const turn = ++this.#turn;
    const answer = await this.ask();
    if (turn !== this.#turn) return;
    this.asked = answer.ok ? { value: answer.value, problem: undefined, at } : { ...this.asked, problem: answer.problem };
  }

  /** Says that it is coming, that it may not be seen, that it can't be had, or that what is shown is old; nothing where all is well. */
  protected state(): TemplateResult | typeof nothing {
    const { value, problem, at } = this.asked;
    if (problem === undefined)
      return value === undefined ? html`<p class="state dim" role="status">${t("Loading …")}</p>` : nothing;
    if (problem.status === 403 || problem.status === 404) {
      return html`<p class="state dim" role="status">${t("You may not see this: ask for Sys.Audit in Proxmox VE.")}</p>`;
    }
    const words =
      value === undefined
        ? t("It can't be read just now: {why}. It is tried again by itself.", { why: problem.message })
        : t("This is {age} old: {why}. It is tried again by itself.", {
            age: formatAge(this.panel.now.value - at),
            why: problem.message,
          });
    return html`<p class="state warn" role="status">${words}</p>`;
  }
}
