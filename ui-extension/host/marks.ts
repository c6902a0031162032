import { Api } from "../api.ts";
import { type GuestMarks, type MarkProblem, markGuests, type Shield, shieldOf, stripWords } from "../core/guest-mark.ts";
import { inEnglish, type Translate, translator } from "../core/text.ts";
import { italianEmbedded } from "../i18n/italian-embedded.ts";
import { accessOf } from "./access.ts";
import { guarded } from "./guard.ts";
import type { Component, Host, Marks, MarksModule, ResourceTree, SummaryPanel, TreeNode } from "./page.ts";
import { type ShieldRow, shieldRules } from "./shields.ts";

/** Alerts are asked again this often while the page is looked at; the list of guests, which is long and seldom changes, less often. */
const alertsEveryMs = 30_000;
const guestsEveryMs = 300_000;
/** What is older is no longer said. */
const forgetAfterMs = 120_000;

type GuestList = Parameters<typeof markGuests>[0];

/** The strip on a guest's Summary and the shields in the tree. One of it lives as long as the page. */
class PageMarks implements Marks {
  readonly #t: Translate;
  readonly #api: Api;
  readonly #strips = new Map<Component, { vmid: number; element: HTMLElement }>();
  readonly #sheet = document.createElement("style");
  #tree: ResourceTree | undefined;
  #marks: GuestMarks | undefined;
  #guests: GuestList = [];
  #problem: MarkProblem = "reading";
  #user: string | undefined;
  #round = 0;
  #readAt = 0;
  #guestsAt = 0;
  #heardAt = 0;
  #drawing = false;

  constructor(private readonly host: Host) {
    this.#t = host.language.slice(0, 2) === "it" ? translator(italianEmbedded) : inEnglish;
    this.#api = new Api(host.gateway, () => {}, accessOf(host));
    this.#sheet.id = "proven-shields";
    document.head.append(this.#sheet);
    const tick = guarded(() => this.#tick());
    setInterval(tick, 1000);
    tick();
  }

  onTree(tree: ResourceTree): void {
    this.#tree = tree;
    const changed = guarded(() => this.#drawSoon());
    tree.getStore().on({ nodeappend: changed, nodeinsert: changed, noderemove: changed, rootchange: changed });
    tree.on(
      "destroy",
      guarded(() => {
        this.#tree = undefined;
      }),
    );
    this.#draw();
  }

  onSummary(panel: SummaryPanel): void {
    const vmid = Number(panel.pveSelNode?.data.vmid);
    if (panel.destroyed || !Number.isInteger(vmid)) return;
    panel.insert(0, {
      xtype: "component",
      cls: "proven-strip",
      html: "&nbsp;",
      listeners: {
        afterrender: guarded((strip: Component) => this.#mountStrip(strip, panel, vmid)),
        beforedestroy: guarded((strip: Component) => void this.#strips.delete(strip)),
      },
    });
  }

  #mountStrip(strip: Component, panel: SummaryPanel, vmid: number): void {
    const element = document.createElement("div");
    const words = document.createElement("span");
    const open = document.createElement("button");
    open.type = "button";
    open.textContent = this.#t("Open Proven");
    open.onclick = () => {
      const tabs = panel.up?.("pvePanelConfig");
      if (tabs !== undefined && "selectById" in tabs && typeof tabs.selectById === "function") tabs.selectById("proven");
    };
    element.append(words, open);
    strip.el?.dom.replaceChildren(element);
    this.#strips.set(strip, { vmid, element });
    this.#drawStrip(vmid, element);
  }

  /** Once a second, and hardly ever more than a comparison: who is signed in may change without the page being loaded anew. */
  #tick(): void {
    const user = this.host.user();
    if (user !== this.#user) {
      this.#user = user;
      this.#forget("reading");
      [this.#readAt, this.#guestsAt] = [0, 0];
    }
    const now = Date.now();
    if (this.#marks !== undefined && now - this.#heardAt > forgetAfterMs) this.#forget("unreachable");
    if (user === undefined || document.visibilityState === "hidden" || now - this.#readAt < alertsEveryMs) return;
    this.#readAt = now;
    void this.#read(++this.#round, now);
  }

  /** Answers of an earlier round, or for somebody who has signed out meanwhile, don't count. */
  async #read(round: number, now: number): Promise<void> {
    const user = this.#user;
    const wantGuests = now - this.#guestsAt >= guestsEveryMs;
    const [guests, alerts] = await Promise.all([wantGuests ? this.#api.guests() : undefined, this.#api.alerting.active()]);
    if (round !== this.#round || user !== this.#user) return;
    const failed = [guests, alerts].find((answer) => answer?.ok === false);
    if (failed?.ok === false && (failed.problem.status === 401 || failed.problem.status === 403)) return this.#forget("refused");
    if (guests?.ok) [this.#guests, this.#guestsAt] = [guests.value.items, now];
    if (failed !== undefined || !alerts.ok) {
      if (this.#marks === undefined) this.#forget("unreachable");
      return;
    }
    this.#heardAt = Date.now();
    this.#marks = markGuests(this.#guests, alerts.value.items);
    this.#draw();
  }

  #forget(problem: MarkProblem): void {
    this.#marks = undefined;
    this.#problem = problem;
    if (problem !== "unreachable") [this.#guests, this.#guestsAt] = [[], 0];
    this.#draw();
  }

  /** Ext adds a node at a time; one drawing for all of them. */
  #drawSoon(): void {
    if (this.#drawing) return;
    this.#drawing = true;
    requestAnimationFrame(
      guarded(() => {
        this.#drawing = false;
        this.#draw();
      }),
    );
  }

  #draw(): void {
    for (const { vmid, element } of this.#strips.values()) this.#drawStrip(vmid, element);
    const tree = this.#tree;
    const rules = tree === undefined || this.#user === undefined ? "" : shieldRules(tree.getView().id, this.#rows(tree), this.#t);
    if (this.#sheet.textContent !== rules) this.#sheet.textContent = rules;
  }

  #drawStrip(vmid: number, element: HTMLElement): void {
    const mark = this.#marks?.get(vmid);
    const words = stripWords(mark, this.#marks === undefined ? this.#problem : undefined, Date.now(), this.#t);
    const text = `Proven: ${words}`;
    element.className = `proven-strip-body ${shieldOf(mark)}`;
    if (element.firstElementChild !== null && element.firstElementChild.textContent !== text)
      element.firstElementChild.textContent = text;
  }

  #rows(tree: ResourceTree): ShieldRow[] {
    const rows: ShieldRow[] = [];
    tree.getRootNode()?.cascadeBy((node: TreeNode) => {
      const { type, vmid } = node.data;
      if (type !== "qemu" && type !== "lxc") return;
      const shield: Shield = shieldOf(this.#marks?.get(Number(vmid)));
      rows.push({ recordId: String(node.internalId), shield });
    });
    return rows;
  }
}

export const marksOf: MarksModule["marksOf"] = (host) => new PageMarks(host);
