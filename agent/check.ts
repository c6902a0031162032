import type { SourceReport } from "./ports.ts";

/** The table that `proven-agent --check` prints: one line a source, its problem below it. */
export function formatCheck(reports: readonly SourceReport[]): string {
  const rows = reports.map(({ source, found, costMs, problem }) => ({
    mark: problem === undefined ? "ok" : "!!",
    source,
    cost: `${costMs.toFixed(1)} ms`,
    found,
    problem,
  }));
  const sourceWidth = width(rows.map(({ source }) => source));
  const costWidth = width(rows.map(({ cost }) => cost));
  const lines = rows.flatMap(({ mark, source, cost, found, problem }) => {
    const line = `${mark}  ${source.padEnd(sourceWidth)}  ${cost.padStart(costWidth)}  ${found}`;
    return problem === undefined ? [line] : [line, `${" ".repeat(sourceWidth + costWidth + 8)}${problem}`];
  });
  const missing = rows.filter(({ problem }) => problem !== undefined).length;
  const verdict = missing === 0 ? "All sources work." : `${missing} of ${rows.length} sources have a problem.`;
  return `${[...lines, "", verdict].join("\n")}\n`;
}

const width = (texts: readonly string[]) => Math.max(0, ...texts.map((text) => text.length));

/** Exit code of `--check`: 0 all fine, 1 something that is needed is missing. */
export function checkExitCode(reports: readonly SourceReport[]): 0 | 1 {
  return reports.some(({ problem }) => problem !== undefined) ? 1 : 0;
}
