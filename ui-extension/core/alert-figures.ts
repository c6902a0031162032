import { formatDuration, formatNumber, formatPercent, formatValue } from "./units.ts";

/** A rule's or an alert's figure in words; `unit` as the hub's catalogue names it, `…/s` and `…/h` for rates. */
export function formatFigure(value: number, unit: string | null): string {
  const [base = "", per = ""] = (unit ?? "").split("/", 2);
  const suffix = per === "" ? "" : `/${per}`;
  switch (base) {
    case "ratio":
      return `${formatPercent(value)}${suffix}`;
    case "percent":
      return `${formatPercent(value / 100)}${suffix}`;
    case "bytes":
      return `${formatValue(value, "bytes")}${suffix}`;
    case "seconds":
      return per === "" ? formatDuration(value) : `${formatNumber(value)} s${suffix}`;
    case "milliseconds":
      return `${formatNumber(value)} ms${suffix}`;
    case "celsius":
      return `${formatNumber(value)} °C${suffix}`;
    case "days":
      return `${formatNumber(value)} d`;
    case "mads":
      return `${formatNumber(value)} ×`;
    default:
      return `${formatNumber(value)}${suffix}`;
  }
}

/** What a field of a form shows for a figure, and the way back: percents instead of shares. */
export const shownFactor = (unit: string | null): { factor: number; suffix: string } =>
  unit === "ratio" ? { factor: 100, suffix: "%" } : { factor: 1, suffix: suffixes[unit ?? ""] ?? "" };

const suffixes: Record<string, string> = {
  percent: "%",
  bytes: "bytes",
  seconds: "s",
  milliseconds: "ms",
  celsius: "°C",
};
