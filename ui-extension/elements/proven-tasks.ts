import { html } from "lit";
import type { TaskView } from "#protocol/api.ts";
import { taskWords } from "../core/tasks.ts";
import { formatDuration } from "../core/units.ts";
import { t } from "../i18n.ts";
import { moment, taskState } from "./figures.ts";
import { PanelElement } from "./panel-element.ts";
import "./proven-table.ts";
import type { TableColumn } from "./proven-table.ts";
import { shared } from "./styles.ts";

/** Recent tasks, as PVE logs them. `node`, `guest`: only theirs. */
export class ProvenTasks extends PanelElement {
  static override properties = {
    ...PanelElement.properties,
    node: { attribute: false },
    guest: { attribute: false },
    cluster: { attribute: false },
  };
  static override styles = [shared];
  declare node: string | undefined;
  declare guest: number | undefined;
  declare cluster: string | undefined;

  protected watched() {
    return [this.panel.now, this.panel.store.picture];
  }

  protected override render() {
    const tasks = this.panel.store.picture.value.tasks.filter((task) => this.#concerns(task)).slice(0, 100);
    return html`<section class="panel" aria-label=${t("Recent tasks")}>
      <header><h2>${t("Recent tasks")}</h2></header>
      <proven-table
        .caption=${t("Recent tasks")}
        .columns=${this.#columns()}
        .rows=${tasks}
        .keyOf=${(task: TaskView) => task.upid}
        .tone=${(task: TaskView) => (task.state === "failed" || task.state === "lost" ? "crit" : "")}
        .maxHeight=${280}
        .empty=${t("No tasks known yet.")}
      ></proven-table>
    </section>`;
  }

  #concerns(task: TaskView): boolean {
    if (this.cluster !== undefined && task.cluster !== this.cluster) return false;
    if (this.guest !== undefined) return task.id === String(this.guest);
    return this.node === undefined || task.node === this.node;
  }

  #columns(): TableColumn<TaskView>[] {
    const now = this.panel.now.value;
    const length = (task: TaskView) => formatDuration(((task.endedAt ?? now) - task.startedAt) / 1000);
    return [
      { id: "start", title: t("Started"), priority: 1, width: "116px", cell: (task) => moment(task.startedAt, now) },
      {
        id: "length",
        title: t("Length"),
        priority: 3,
        width: "86px",
        right: true,
        cell: (task) => html`<span class="num">${length(task)}</span>`,
      },
      { id: "node", title: t("Node"), priority: 2, width: "72px", cell: (task) => task.node },
      { id: "what", title: t("Task"), priority: 1, cell: (task) => html`<span title=${task.type}>${taskWords(task, t)}</span>` },
      { id: "user", title: t("User"), priority: 3, width: "96px", cell: (task) => task.user },
      {
        id: "state",
        title: t("Result"),
        priority: 1,
        cell: (task) =>
          html`<span title=${task.status ?? ""}>${taskState(task)} ${task.state === "ok" ? "" : (task.status ?? "")}</span>`,
      },
    ];
  }
}
customElements.define("proven-tasks", ProvenTasks);
