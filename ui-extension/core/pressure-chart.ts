import type { MetricName } from "#protocol/metrics.ts";
import { type ChartSpec, gauge } from "./charts.ts";
import type { Grid } from "./columns.ts";
import type { Translate } from "./text.ts";

/** Pressure stall information of a node or a guest: shares of the time in which something waited. */
export function pressureChart(entity: string, group: string, t: Translate): ChartSpec {
  const waiting = (grid: Grid, metric: MetricName, label: string, colour: number) =>
    gauge(grid, entity, metric, { label, colour, style: "line" }, { factor: 0.01 });
  return {
    id: "pressure",
    group,
    title: t("Pressure: time something had to wait"),
    unit: "percent",
    top: 0.1,
    metrics: ["psi_cpu_some", "psi_io_some", "psi_mem_some"],
    lines: (grid) => [
      ...waiting(grid, "psi_cpu_some", t("for a CPU"), 0),
      ...waiting(grid, "psi_io_some", t("for I/O"), 1),
      ...waiting(grid, "psi_mem_some", t("for memory"), 2),
    ],
  };
}
