import type { ChartLine } from "../core/charts.ts";
import { chartCsv } from "../core/csv.ts";
import { lineColour } from "./chart-options.ts";
import { download } from "./download.ts";

/** The chart's values, as they are drawn, with times in UTC. */
export function saveCsv(name: string, at: readonly number[], lines: readonly ChartLine[]): void {
  const text = chartCsv(at, lines, (time) => new Date(time).toISOString());
  download(name, new Blob([text], { type: "text/csv;charset=utf-8" }));
}

const headPx = 52;

/** The chart as it is seen, under its title and legend. */
export function savePng(
  name: string,
  host: Element,
  plot: HTMLCanvasElement,
  heading: string,
  lines: readonly ChartLine[],
): void {
  const ratio = plot.width / Math.max(1, plot.clientWidth);
  const canvas = document.createElement("canvas");
  canvas.width = plot.width;
  canvas.height = plot.height + headPx * ratio;
  const context = canvas.getContext("2d");
  if (context === null) return;
  const colour = (property: string) => getComputedStyle(host).getPropertyValue(property).trim();
  context.fillStyle = colour("--pv-panel");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.scale(ratio, ratio);
  context.fillStyle = colour("--pv-text");
  context.font = "600 14px sans-serif";
  context.fillText(heading, 10, 20);
  context.font = "12px sans-serif";
  let left = 10;
  for (const line of lines) {
    context.fillStyle = lineColour(host, line.colour);
    context.fillRect(left, 34, 12, line.style === "area" ? 9 : 3);
    context.fillStyle = colour("--pv-text");
    context.fillText(line.label, left + 17, 42);
    left += context.measureText(line.label).width + 36;
  }
  context.setTransform(1, 0, 0, 1, 0, 0);
  context.drawImage(plot, 0, headPx * ratio);
  canvas.toBlob((content) => {
    if (content !== null) download(name, content);
  }, "image/png");
}
