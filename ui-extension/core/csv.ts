import type { ChartLine } from "./charts.ts";

/** A chart as a table: the time as `timeText` says it, then each line with its minimum and maximum where it has a band. What is unknown is an empty field. */
export function chartCsv(at: readonly number[], lines: readonly ChartLine[], timeText: (at: number) => string): string {
  const columns = lines.flatMap(({ label, values, band }) => [
    { name: label, values },
    ...(band === undefined
      ? []
      : [
          { name: `${label} (min)`, values: band.min },
          { name: `${label} (max)`, values: band.max },
        ]),
  ]);
  const head = ["time", ...columns.map(({ name }) => field(name))].join(",");
  const rows = at.map((time, index) => [timeText(time), ...columns.map(({ values }) => values[index] ?? "")].join(","));
  return `${[head, ...rows].join("\r\n")}\r\n`;
}

/** Any table. */
export const tableCsv = (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string =>
  [head, ...rows]
    .map((row) => `${row.map((value) => (typeof value === "number" ? value : field(value))).join(",")}\r\n`)
    .join("");

/** RFC 4180. A text that a spreadsheet would run as a formula gets an apostrophe: names of file systems come from guests. */
function field(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
