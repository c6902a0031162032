import { css, html, nothing, type TemplateResult } from "lit";
import type { Policy, PolicyNight, PolicyPlan } from "#protocol/policy.ts";
import { formatMoment } from "../core/age.ts";
import { decisionWords, overdueOf } from "../core/policies.ts";
import { t, tn } from "../i18n.ts";
import type { Panel } from "../panel.ts";
import { bar } from "./figures.ts";
import { icon } from "./icon.ts";
import { entityLink } from "./link.ts";

const nightsShown = 5;
const namesShown = 6;
const overdueShown = 12;

export const planStyles = css`
  .plan { display: grid; gap: 10px; padding: 8px 12px; }
  .plan h3 { font-size: 13px; font-weight: 600; }
  .plan ol { list-style: none; margin: 4px 0 0; padding: 0; display: grid; gap: 4px; }
  .plan li { display: grid; grid-template-columns: 178px 76px minmax(0, 1fr); gap: 2px 10px; align-items: center; }
  .plan .late li { grid-template-columns: minmax(90px, 200px) 156px minmax(0, 1fr); }
  .plan .names { overflow-wrap: anywhere; }
  .plan .bar { height: 8px; }
  .short { display: flex; gap: 8px; align-items: baseline; padding: 7px 10px; background: var(--pv-warn-tint); }
  @media (max-width: 560px) { .plan li, .plan .late li { grid-template-columns: minmax(0, 1fr) auto; } .plan .names { grid-column: 1 / -1; } }
`;

/** What a policy does next: its next five windows with how full each is, and whose test is overdue and why. Times are of its own timezone. */
export function policyPlan(panel: Panel, policy: Pick<Policy, "window">, plan: PolicyPlan): TemplateResult {
  const now = panel.now.value;
  const zone = policy.window.timezone;
  const nights = plan.nights.slice(0, nightsShown);
  const most = Math.max(1, ...nights.map(({ guests }) => guests.length));
  return html`<div class="plan">
    ${plan.short > 0 ? html`<p class="short" role="status"><span class="warn">${icon("warning")}</span><span>${tn(plan.short, "Its windows are too short: {n} guest can't be tested in time. Give it longer windows, more tests at once, or more days.", "Its windows are too short: {n} guests can't be tested in time. Give it longer windows, more tests at once, or more days.")}</span></p>` : nothing}
    <div>
      <h3>${t("The next five windows")} <span class="dim">(${zone})</span></h3>
      ${
        nights.length === 0
          ? html`<p class="dim">${t("It opens not once within its period: nothing is tested.")}</p>`
          : html`<ol>${nights.map((night) => nightLine(night, most, now, zone))}</ol>`
      }
    </div>
    ${overdueList(panel, plan, now, zone)}
  </div>`;
}

function nightLine({ from, until, guests }: PolicyNight, most: number, now: number, zone: string) {
  const names = guests.slice(0, namesShown).map(({ vmid, name }) => `${vmid} ${name}`);
  const more = guests.length - names.length;
  return html`<li>
    <span class="num nowrap">${formatMoment(from, now, zone)} – ${formatMoment(until, from, zone)}</span>
    <span title=${tn(guests.length, "{n} guest", "{n} guests")}>${bar(guests.length / most)}<span class="sr">${tn(guests.length, "{n} guest", "{n} guests")}</span></span>
    <span class="names"><strong class="num">${guests.length}</strong> <span class="dim">${guests.length === 0 ? t("nothing to do") : `${names.join(", ")}${more > 0 ? ` ${tn(more, "and {n} more", "and {n} more")}` : ""}`}</span></span>
  </li>`;
}

function overdueList(panel: Panel, plan: PolicyPlan, now: number, zone: string) {
  const overdue = overdueOf(plan, now);
  if (overdue.length === 0) return nothing;
  const shown = overdue.slice(0, overdueShown);
  const more = overdue.length - shown.length;
  return html`<div class="late">
    <h3>${t("Overdue, and why")} <span class="dim num">${overdue.length}</span></h3>
    <ol>${shown.map(
      ({ cluster, vmid, name, decision, why, dueAt }) =>
        html`<li><span>${entityLink(panel, { cluster, entity: `guest/${vmid}` }, `${vmid} ${name}`)}</span><span class="warn num nowrap">${t("since {time}", { time: formatMoment(dueAt, now, zone) })}</span><span class="names">${decisionWords(decision, t)}<span class="dim">: ${why}</span></span></li>`,
    )}</ol>
    ${more > 0 ? html`<p class="dim">${tn(more, "and {n} more", "and {n} more")}</p>` : nothing}
  </div>`;
}
