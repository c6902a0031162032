import type { Family, Labels } from "./prometheus-names.ts";
import type { Row } from "./prometheus-series.ts";

/** https://prometheus.io/docs/instrumenting/exposition_formats/, version 0.0.4. */
export const expositionType = "text/plain; version=0.0.4; charset=utf-8";

const escapes: Readonly<Record<string, string>> = { "\\": "\\\\", "\n": "\\n", '"': '\\"' };
const escapeHelp = (text: string) => text.replace(/[\\\n]/g, (found) => escapes[found] ?? found);
const escapeLabel = (text: string) => text.replace(/[\\\n"]/g, (found) => escapes[found] ?? found);

function formatLabels(labels: Labels): string {
  if (labels.length === 0) return "";
  return `{${labels.map(([name, value]) => `${name}="${escapeLabel(value)}"`).join(",")}}`;
}

function formatValue(value: number): string {
  if (Number.isNaN(value)) return "NaN";
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}

/** Collects rows as they come and writes them by family, as the format wants them: HELP and TYPE once, all lines of a family together. */
export class Exposition {
  private readonly families = new Map<string, { family: Family; lines: Set<string>; values: string[] }>();

  /** A row whose name and labels were there before is ignored: Prometheus would refuse the whole scrape. */
  add({ family, labels, value }: Row): void {
    let group = this.families.get(family.name);
    if (group === undefined) {
      group = { family, lines: new Set(), values: [] };
      this.families.set(family.name, group);
    }
    const series = formatLabels(labels);
    if (group.lines.has(series)) return;
    group.lines.add(series);
    group.values.push(`${family.name}${series} ${formatValue(value)}\n`);
  }

  addAll(rows: Iterable<Row>): void {
    for (const row of rows) this.add(row);
  }

  /** One text a family, to be sent one after the other. */
  *write(): Generator<string> {
    for (const { family, values } of this.families.values()) {
      yield `# HELP ${family.name} ${escapeHelp(family.help)}\n# TYPE ${family.name} ${family.type}\n${values.join("")}`;
    }
  }
}
