import { html, type TemplateResult } from "lit";
import type { AlertView, Severity } from "#protocol/alerting.ts";
import { isOpen, type Told } from "../core/alerts.ts";
import { t } from "../i18n.ts";
import { type IconName, icon } from "./icon.ts";

const looks: Record<Severity, { icon: IconName; level: string }> = {
  critical: { icon: "critical", level: "crit" },
  warning: { icon: "warning", level: "warn" },
  info: { icon: "info", level: "dim" },
};

/** A severity by shape, word and colour. */
export const severityMark = (severity: Severity): TemplateResult =>
  html`<span class="nowrap ${looks[severity].level}">${icon(looks[severity].icon)} ${t(severity)}</span>`;

/** As severityMark, its colour gone where nobody has to act. */
export function alertMark(alert: AlertView): TemplateResult {
  if (alert.state === "pending") return html`<span class="nowrap dim">${icon("clock")} ${t("pending")}</span>`;
  if (alert.state === "resolved") return html`<span class="nowrap ok">${icon("ok")} ${t("over")}</span>`;
  const look = looks[alert.severity];
  return html`<span class="nowrap ${isOpen(alert) ? look.level : "dim"}">${icon(look.icon)} ${t(alert.severity)}</span>`;
}

export const toldIcons: Record<Told["mark"], IconName> = {
  told: "bell",
  taken: "ok",
  quiet: "quiet",
  wait: "clock",
  lost: "unknown",
};
