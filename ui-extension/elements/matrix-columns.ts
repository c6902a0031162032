import { html, nothing } from "lit";
import type { GuestProofView } from "#protocol/proof.ts";
import { formatAge, formatExact } from "../core/age.ts";
import type { MatrixRow } from "../core/matrix.ts";
import { matrixLooks } from "../core/matrix.ts";
import { runWords, slowerWords } from "../core/proofs.ts";
import { sectionRoute } from "../core/route.ts";
import { formatSpan } from "../core/units.ts";
import { t, timeZone } from "../i18n.ts";
import type { Panel } from "../panel.ts";
import { dash, moment } from "./figures.ts";
import { icon } from "./icon.ts";
import { entityLink, link } from "./link.ts";
import { matrixMark } from "./proof-mark.ts";
import type { TableColumn } from "./proven-table.ts";

/** Columns of the matrix of guests and proofs. `test`: somebody wants a guest's backup tested. */
export function matrixColumns(panel: Panel, test: (guest: GuestProofView) => void): TableColumn<MatrixRow>[] {
  const now = panel.now.value;
  const age = (at: number | null) =>
    at === null
      ? dash(t("never"))
      : html`<span class="num" title=${formatExact(at, timeZone)}>${t("{age} ago", { age: formatAge(now - at) })}</span>`;
  return [
    {
      id: "guest",
      title: t("Guest"),
      priority: 1,
      sort: ({ guest }) => guest.vmid,
      cell: ({ guest }) => entityLink(panel, guest, `${guest.vmid} ${guest.name}`),
    },
    {
      id: "proof",
      title: t("Restore proof"),
      priority: 1,
      width: "40%",
      sort: ({ look }) => matrixLooks.indexOf(look),
      cell: (row) => html`${matrixMark(row)}${proofMore(panel, row)}`,
    },
    {
      id: "tested",
      title: t("Tested"),
      priority: 2,
      width: "104px",
      sort: ({ guest }) => guest.proof.at ?? 0,
      cell: ({ guest }) => {
        const { runId, at } = guest.proof;
        return runId === null ? age(at) : link(panel, sectionRoute("proofs", runId), age(at));
      },
    },
    {
      id: "took",
      title: t("Took"),
      priority: 2,
      width: "132px",
      sort: ({ guest }) => guest.proof.durationMs ?? undefined,
      cell: (row) => tookCell(row),
    },
    {
      id: "backup",
      title: t("Last backup"),
      priority: 3,
      width: "104px",
      sort: ({ guest }) => guest.lastBackup?.at ?? 0,
      cell: ({ guest }) => age(guest.lastBackup?.at ?? null),
    },
    {
      id: "due",
      title: t("Next test due"),
      priority: 3,
      width: "122px",
      sort: ({ guest }) => guest.dueAt ?? undefined,
      cell: ({ guest: { dueAt } }) =>
        dueAt === null
          ? dash(t("No policy takes it"))
          : html`<span class=${dueAt < now ? "warn nowrap" : ""}>${dueAt < now ? icon("clock", t("overdue")) : nothing} ${moment(dueAt, now)}</span>`,
    },
    ...(panel.mayWrite ? [testColumn(test)] : []),
  ];
}

/** What goes on, else why it stands as it does. */
function proofMore(panel: Panel, { run, why }: MatrixRow) {
  if (run !== undefined)
    return html` <small>${link(panel, sectionRoute("proofs", run.id), html`${icon("running")} ${runWords(run, panel.now.value, t)}`)}</small>`;
  return why === "" ? nothing : html` <small class="dim" title=${why}>${why}</small>`;
}

function tookCell({ guest, slower }: MatrixRow) {
  const { durationMs } = guest.proof;
  if (durationMs === null) return dash(t("never"));
  const words = formatSpan(durationMs / 1000);
  if (slower === undefined) return html`<span class="num">${words}</span>`;
  const why = slowerWords(slower, t);
  return html`<span class="warn num nowrap" title=${why}>${words} ${icon("warning", why)} ${slower.factor.toFixed(1)}×</span>`;
}

const testColumn = (test: (guest: GuestProofView) => void): TableColumn<MatrixRow> => ({
  id: "test",
  title: t("Test"),
  priority: 1,
  width: "86px",
  whole: true,
  cell: ({ guest, run }) =>
    run !== undefined || guest.lastBackup === null
      ? nothing
      : html`<button type="button" @click=${() => test(guest)}>${t("Test …")}<span class="sr"> ${guest.vmid} ${guest.name}</span></button>`,
});
