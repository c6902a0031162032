import { html, nothing, type TemplateResult } from "lit";
import type { GuestView } from "#protocol/api.ts";
import { formatExact } from "../core/age.ts";
import { consoleLink } from "../core/console-link.ts";
import { protectionKey } from "../core/protection.ts";
import { ratioReading, sortValue } from "../core/reading.ts";
import { t, timeZone } from "../i18n.ts";
import type { Panel } from "../panel.ts";
import { brief, dash, guestState, meter, moment } from "./figures.ts";
import { proofState, protectionWord } from "./figures-guest.ts";
import { icon } from "./icon.ts";
import { entityLink } from "./link.ts";
import type { TableColumn } from "./proven-table.ts";

type Column = TableColumn<GuestView>;
const levels = { warn: 0.8, crit: 0.95 };

/** Those one sees who chose none. */
export const usualGuestColumns: readonly string[] = [
  "guest",
  "state",
  "node",
  "cpu",
  "memory",
  "netin",
  "netout",
  "uptime",
  "protection",
  "tags",
];

/** A stopped guest has no load: an empty cell says so more calmly than a dash, which means "should be known". */
const whenRunning = (guest: GuestView, cell: () => unknown): unknown => (guest.state === "stopped" ? nothing : cell());

/** A console needs a guest that runs; Proxmox VE asks for the sign-in and judges who may. */
export function consoleButton(panel: Panel, guest: GuestView): TemplateResult | typeof nothing {
  const href = guest.state === "running" ? consoleLink(guest, panel.store.picture.value.nodes, panel.pveOrigin) : undefined;
  if (href === undefined) return nothing;
  const name = t("Console of {guest} in Proxmox VE", { guest: `${guest.vmid} ${guest.name}` });
  return html`<a href=${href} target="_blank" rel="noopener" aria-label=${name} title=${name}>${icon("qemu")} ${t("Console")}</a>`;
}

/** All columns of the guest list. */
export const guestColumns = (panel: Panel, now: number): Column[] => [
  ...identityColumns(panel, now),
  ...loadColumns(now),
  ...careColumns(panel, now),
];

function identityColumns(panel: Panel, now: number): Column[] {
  return [
    {
      id: "guest",
      title: t("Guest"),
      priority: 1,
      sort: (guest) => guest.vmid,
      cell: (guest) =>
        entityLink(
          panel,
          guest,
          html`${icon(guest.type, guest.type === "qemu" ? t("virtual machine") : t("container"))} <span class="num">${guest.vmid}</span> ${guest.name}`,
        ),
    },
    {
      id: "name",
      title: t("Name"),
      priority: 3,
      sort: (guest) => guest.name,
      cell: (guest) => guest.name,
    },
    {
      id: "state",
      title: t("State"),
      priority: 1,
      width: "194px",
      sort: (guest) => guest.state,
      cell: (guest) => html`${guestState(guest, now)}${lockMark(guest)}`,
    },
    { id: "node", title: t("Node"), priority: 3, width: "80px", sort: (guest) => guest.node, cell: (guest) => guest.node },
    {
      id: "pool",
      title: t("Pool"),
      priority: 3,
      width: "110px",
      sort: (guest) => guest.pool ?? undefined,
      cell: (guest) => guest.pool ?? nothing,
    },
  ];
}

function lockMark({ lock }: GuestView) {
  if (lock === null) return nothing;
  const words = t("locked: {lock}", { lock });
  return html` <span class="warn" title=${words}>${icon("lock", words)}</span>`;
}

function loadColumns(now: number): Column[] {
  const share = (id: string, title: string, of: (guest: GuestView) => GuestView["cpu"]): Column => ({
    id,
    title,
    priority: 2,
    width: "112px",
    sort: (guest) => sortValue(of(guest), now),
    cell: (guest) => whenRunning(guest, () => meter(of(guest), now, levels)),
  });
  const rate = (
    id: string,
    title: string,
    of: (guest: GuestView) => GuestView["cpu"],
    unit: "bytesPerSecond" | "seconds" = "bytesPerSecond",
    width = "90px",
  ): Column => ({
    id,
    title,
    priority: 3,
    width,
    right: true,
    sort: (guest) => sortValue(of(guest), now),
    cell: (guest) => whenRunning(guest, () => brief(of(guest), now, unit)),
  });
  return [
    share("cpu", t("CPU"), (guest) => guest.cpu),
    share("memory", t("Memory"), (guest) => ratioReading(guest.memUsed, guest.memMax)),
    share("disk", t("Disk used"), (guest) => ratioReading(guest.diskUsed, guest.diskMax)),
    rate("netin", t("Net in"), (guest) => guest.netIn),
    rate("netout", t("Net out"), (guest) => guest.netOut),
    rate("diskread", t("Disk read"), (guest) => guest.diskRead),
    rate("diskwrite", t("Disk written"), (guest) => guest.diskWrite),
    rate("uptime", t("Uptime"), (guest) => guest.uptime, "seconds", "110px"),
  ];
}

/** A time of a node's calendar as it is there; empty: it is the same, or nobody knows. */
function nodeTime(panel: Panel, { node, cluster }: GuestView, at: number): string {
  const zone = panel.store.picture.value.nodes.find((one) => one.node === node && one.cluster === cluster)?.timezone;
  if (zone == null || zone === timeZone) return "";
  return t("in the node's timezone {zone}: {time}", { zone, time: formatExact(at, zone) });
}

function careColumns(panel: Panel, now: number): Column[] {
  const protection = (guest: GuestView) => panel.overview.protections.value?.get(protectionKey(guest));
  return [
    {
      id: "protection",
      title: t("Backup"),
      priority: 2,
      width: "116px",
      sort: (guest) => (guest.template ? undefined : (protection(guest)?.backedUpAt ?? 0)),
      cell: (guest) => (guest.template ? nothing : protectionWord(protection(guest), now)),
    },
    {
      id: "proof",
      title: t("Restore proof"),
      priority: 3,
      width: "130px",
      sort: (guest) => guest.proof?.at ?? undefined,
      cell: (guest) => (guest.template ? nothing : proofState(guest, now)),
    },
    {
      id: "next",
      title: t("Next backup"),
      priority: 3,
      width: "116px",
      sort: (guest) => protection(guest)?.nextAt ?? undefined,
      cell: (guest) => {
        const at = protection(guest)?.nextAt ?? null;
        return at === null ? dash(t("none planned")) : html`<span title=${nodeTime(panel, guest, at)}>${moment(at, now)}</span>`;
      },
    },
    {
      id: "tags",
      title: t("Tags"),
      priority: 3,
      sort: (guest) => guest.tags.join(" "),
      cell: (guest) => guest.tags.map((tag) => html`<span class="tag">${tag}</span>`),
    },
    { id: "console", title: t("Console"), priority: 3, width: "90px", cell: (guest) => consoleButton(panel, guest) },
  ];
}
