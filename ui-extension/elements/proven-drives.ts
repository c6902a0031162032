import { css, html, nothing } from "lit";
import type { EntityMetrics } from "#protocol/api.ts";
import type { Answer } from "../api.ts";
import { type DriveRow, drivesOf, type FileSystemRow, fileSystemsOf } from "../core/drives.ts";
import { type DisplayUnit, formatPercent, formatShare, formatValue } from "../core/units.ts";
import { t } from "../i18n.ts";
import { AskedElement } from "./asked-element.ts";
import { bar, dash } from "./figures.ts";
import { icon } from "./icon.ts";
import "./proven-table.ts";
import type { TableColumn } from "./proven-table.ts";
import { shared } from "./styles.ts";

/** A mean time of a request from which on somebody notices, ms. */
const slowMs = 20;

/** A guest's virtual drives and, where its own agent tells them, its file systems. */
export class ProvenDrives extends AskedElement<EntityMetrics> {
  static override properties = { ...AskedElement.properties, entity: { attribute: false }, cluster: { attribute: false } };
  static override styles = [
    shared,
    css`
      :host { display: grid; gap: 8px; grid-template-columns: minmax(0, 1fr); }
    `,
  ];
  declare entity: string;
  declare cluster: string;

  protected question() {
    return `${this.cluster} ${this.entity}`;
  }

  protected ask(): Promise<Answer<EntityMetrics>> {
    return this.panel.api.metrics(this.entity, this.cluster);
  }

  protected override render() {
    const { value } = this.asked;
    if (value === undefined) return nothing;
    const now = this.panel.now.value;
    const [drives, fileSystems] = [drivesOf(value, now), fileSystemsOf(value, now)];
    return html`
      ${
        drives.length === 0
          ? nothing
          : html`<section class="panel" aria-label=${t("Virtual drives")}>
        <header><h2>${t("Virtual drives")}</h2><span class="end dim">${t("newest sample")}</span></header>
        <proven-table .caption=${t("Virtual drives")} .columns=${driveColumns()} .rows=${drives} .keyOf=${(row: DriveRow) => row.drive}></proven-table>
      </section>`
      }
      ${
        fileSystems.length === 0
          ? nothing
          : html`<section class="panel" aria-label=${t("File systems")}>
        <header><h2>${t("File systems")}</h2><span class="end dim">${t("as the guest's agent says")}</span></header>
        <proven-table .caption=${t("File systems")} .columns=${fileSystemColumns()} .rows=${fileSystems} .keyOf=${(row: FileSystemRow) => row.path}></proven-table>
      </section>`
      }
    `;
  }
}
customElements.define("proven-drives", ProvenDrives);

function figureColumn(
  field: Exclude<keyof DriveRow, "drive">,
  title: string,
  unit: DisplayUnit,
  priority: 1 | 2 | 3,
): TableColumn<DriveRow> {
  return {
    ...{ id: field, title, priority, width: priority === 1 ? "26%" : "104px", right: true },
    sort: (row) => row[field],
    cell: (row) => {
      const value = row[field];
      const requests = field === "readMs" ? row.reads : field === "writeMs" ? row.writes : undefined;
      if (value === undefined) return dash(requests === undefined ? t("no value now") : t("no requests just now"));
      const text = formatValue(value, unit);
      const isBad = (unit === "milliseconds" && value >= slowMs) || (field === "failed" && value > 0);
      return isBad
        ? html`<span class="num warn">${icon("warning", t("slow or failing"))} ${text}</span>`
        : html`<span class="num">${text}</span>`;
    },
  };
}

function driveColumns(): TableColumn<DriveRow>[] {
  return [
    { id: "drive", title: t("Drive"), priority: 1, sort: (row) => row.drive, cell: (row) => row.drive },
    figureColumn("readMs", t("Read takes"), "milliseconds", 1),
    figureColumn("writeMs", t("Write takes"), "milliseconds", 1),
    figureColumn("reads", t("Reads"), "perSecond", 2),
    figureColumn("writes", t("Writes"), "perSecond", 2),
    figureColumn("read", t("Read"), "bytesPerSecond", 3),
    figureColumn("written", t("Written"), "bytesPerSecond", 3),
    figureColumn("failed", t("Failed"), "perSecond", 3),
  ];
}

function fileSystemColumns(): TableColumn<FileSystemRow>[] {
  const shareOf = ({ used, total }: FileSystemRow) =>
    used === undefined || total === undefined || total <= 0 ? undefined : used / total;
  return [
    {
      id: "path",
      title: t("Where"),
      priority: 1,
      sort: (row) => row.path,
      cell: (row) => html`<span title=${row.path}>${row.path}</span>`,
    },
    {
      ...{ id: "share", title: t("Used"), priority: 1, width: "30%" },
      sort: shareOf,
      cell: (row) => {
        const share = shareOf(row);
        if (share === undefined) return dash(t("no value now"));
        return html`<div class="meter"><span class="num">${formatPercent(share)}</span>${bar(share, { warn: 0.85, crit: 0.95 })}</div>`;
      },
    },
    {
      ...{ id: "size", title: t("Size"), priority: 2, width: "180px", right: true },
      sort: (row) => row.total,
      cell: ({ used, total }) =>
        used === undefined || total === undefined
          ? dash(t("no value now"))
          : html`<span class="num">${t("{used} of {total}", formatShare(used, total))}</span>`,
    },
  ];
}
