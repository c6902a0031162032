import type uPlot from "uplot";
import type { MarkPlace } from "../core/marks.ts";

const colours: Record<MarkPlace["severity"], string> = { info: "--pv-axis", warning: "--pv-warn", critical: "--pv-crit" };
/** Each severity has a shape of its own on top: none is told by colour alone. */
const sizePx = 5;

/** Draws a line and a head for each place where something happened. */
export function drawMarks(plot: uPlot, host: Element, places: readonly MarkPlace[]): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  const style = getComputedStyle(host);
  ctx.save();
  for (const { at, severity } of places) {
    const x = Math.round(plot.valToPos(at / 1000, "x", true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    ctx.strokeStyle = style.getPropertyValue(colours[severity]).trim();
    ctx.fillStyle = ctx.strokeStyle;
    ctx.globalAlpha = severity === "info" ? 0.55 : 0.9;
    ctx.lineWidth = ratio;
    ctx.setLineDash(severity === "critical" ? [] : [2 * ratio, 3 * ratio]);
    ctx.beginPath();
    ctx.moveTo(x, bbox.top);
    ctx.lineTo(x, bbox.top + bbox.height);
    ctx.stroke();
    ctx.globalAlpha = 1;
    head(ctx, severity, x, bbox.top, sizePx * ratio);
  }
  ctx.restore();
}

function head(ctx: CanvasRenderingContext2D, severity: MarkPlace["severity"], x: number, y: number, size: number): void {
  ctx.setLineDash([]);
  ctx.beginPath();
  if (severity === "info") ctx.arc(x, y, size * 0.55, 0, 7);
  else if (severity === "warning") {
    ctx.moveTo(x, y - size);
    ctx.lineTo(x + size, y + size * 0.8);
    ctx.lineTo(x - size, y + size * 0.8);
  } else ctx.rect(x - size * 0.8, y - size * 0.8, size * 1.6, size * 1.6);
  ctx.fill();
}
