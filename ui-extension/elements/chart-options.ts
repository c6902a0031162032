import type uPlot from "uplot";
import { timeLabels } from "../core/age.ts";
import type { ChartLine } from "../core/charts.ts";
import { isolatedPoints } from "../core/columns.ts";
import { type DisplayUnit, formatAxis } from "../core/units.ts";
import { timeZone } from "../i18n.ts";

export type ChartSetup = {
  host: Element;
  width: number;
  height: number;
  unit: DisplayUnit;
  top: number | undefined;
  group: string;
  lines: readonly ChartLine[];
  /** Both ends of the time axis, s. */
  window: () => [number, number];
  onCursor: (index: number | undefined) => void;
  /** A stretch was chosen by dragging, s. */
  onZoom: (from: number, to: number) => void;
  /** Over the lines. */
  drawOver: (plot: uPlot) => void;
};

const colour = (host: Element, name: string) => getComputedStyle(host).getPropertyValue(`--pv-${name}`).trim();
/** A line's colour in the theme in force; canvas knows no CSS variables. */
export const lineColour = (host: Element, place: number) => colour(host, `line-${place % 6}`);

/** uPlot's columns: time in s, then each line, followed by its band's maximum and minimum. */
export function chartData(at: readonly number[], lines: readonly ChartLine[]): uPlot.AlignedData {
  const columns = lines.flatMap(({ values, band }) => (band === undefined ? [values] : [values, band.max, band.min]));
  return [at.map((time) => time / 1000), ...columns.map((column) => [...column])];
}

/** What uPlot is told: gaps stay gaps, a lone value is a dot, the value axis begins at zero. */
export function chartOptions(setup: ChartSetup): uPlot.Options {
  const { host, unit } = setup;
  const axis: uPlot.Axis = {
    stroke: colour(host, "axis"),
    font: "11px 'Open Sans', 'Helvetica Neue', helvetica, arial, sans-serif",
    grid: { stroke: colour(host, "grid"), width: 1 },
    ticks: { show: false },
  };
  const series: uPlot.Series[] = [{}];
  const bands: NonNullable<uPlot.Options["bands"]> = [];
  for (const line of setup.lines) {
    series.push(lineSeries(host, line));
    if (line.band === undefined) continue;
    const hidden: uPlot.Series = { stroke: "transparent", width: 0, points: { show: false } };
    series.push(hidden, { ...hidden });
    bands.push({ series: [series.length - 2, series.length - 1], fill: `${lineColour(host, line.colour)}3d` });
  }
  return {
    width: setup.width,
    height: setup.height,
    padding: [10, 10, 0, 0],
    legend: { show: false },
    cursor: {
      y: false,
      drag: { x: true, y: false, setScale: false, dist: 6 },
      sync: { key: setup.group },
      points: { size: 7 },
    },
    scales: { x: { time: true, range: setup.window }, y: { range: (_plot, _min, max) => [0, topOf(max, setup.top)] } },
    axes: [
      { ...axis, size: 26, space: 70, values: (_plot, splits) => timeLabels(splits, setup.window(), timeZone) },
      {
        ...axis,
        size: 68,
        space: 32,
        values: (_plot, splits) => formatAxis(splits, unit),
        ...(unit === "bytes" ? { incrs: powersOfTwo } : {}),
      },
    ],
    series,
    bands,
    hooks: {
      setSelect: [
        (plot: uPlot) => {
          const { left, width } = plot.select;
          if (width <= 0) return;
          plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
          setup.onZoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
        },
      ],
      draw: [setup.drawOver],
      setCursor: [(plot: uPlot) => setup.onCursor((plot.cursor.left ?? -1) < 0 ? undefined : (plot.cursor.idx ?? undefined))],
    },
  };
}

const powersOfTwo = Array.from({ length: 52 }, (_, power) => 2 ** power);

function topOf(max: number | null, least: number | undefined): number {
  const wanted = Math.max(max ?? 0, least ?? 0);
  return wanted > 0 ? wanted * 1.06 : 1;
}

function lineSeries(host: Element, line: ChartLine): uPlot.Series {
  const stroke = lineColour(host, line.colour);
  return {
    label: line.label,
    stroke: line.style === "before" ? `${stroke}c0` : stroke,
    width: line.style === "before" ? 1 : line.style === "dots" ? 0 : 1.5,
    spanGaps: false,
    ...(line.style === "dashed" ? { dash: [5, 4] } : {}),
    ...(line.style === "before" ? { dash: [2, 2] } : {}),
    ...(line.style === "area" && line.band === undefined ? { fill: `${stroke}2e` } : {}),
    ...(line.style === "area" && line.band !== undefined ? { fill: `${stroke}1f` } : {}),
    points:
      line.style === "dots"
        ? { show: true, size: 6, fill: stroke }
        : { show: true, size: 3, filter: () => isolatedPoints(line.values) },
  };
}
