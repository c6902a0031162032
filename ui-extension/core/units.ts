/** How a number is written for people; the catalogue's units joined with `per second` where a counter is shown as a rate. */
export type DisplayUnit = "percent" | "bytes" | "bytesPerSecond" | "perSecond" | "milliseconds" | "seconds" | "celsius" | "count";

type Scale = { divisor: number; suffix: string };

const binary: readonly Scale[] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"].map((suffix, power) => ({
  divisor: 1024 ** power,
  suffix,
}));
const decimalRate: readonly Scale[] = ["B/s", "kB/s", "MB/s", "GB/s", "TB/s"].map((suffix, power) => ({
  divisor: 1000 ** power,
  suffix,
}));
const perSecond: readonly Scale[] = ["/s", "k/s", "M/s"].map((suffix, power) => ({ divisor: 1000 ** power, suffix }));
const milliseconds: readonly Scale[] = [
  { divisor: 0.001, suffix: "µs" },
  { divisor: 1, suffix: "ms" },
  { divisor: 1000, suffix: "s" },
];
const one: Scale = { divisor: 1, suffix: "" };
const hundredth: Scale = { divisor: 0.01, suffix: "%" };

/** The largest scale in which `size` is at least one, so that a whole axis is labelled in one unit. */
function scaleFor(unit: DisplayUnit, size: number): Scale {
  switch (unit) {
    case "percent":
      return hundredth;
    case "count":
      return one;
    case "seconds":
      return { divisor: 1, suffix: "s" };
    case "celsius":
      return { divisor: 1, suffix: "°C" };
    case "bytes":
      return largest(binary, size);
    case "bytesPerSecond":
      return largest(decimalRate, size);
    case "perSecond":
      return largest(perSecond, size);
    case "milliseconds":
      return largest(milliseconds, size);
  }
}

function largest(scales: readonly Scale[], size: number): Scale {
  const fits = scales.findLast((scale) => Math.abs(size) >= scale.divisor) ?? scales[0] ?? one;
  // "0 µs" and "0 B" read worse than nothing measured in the usual unit.
  return size === 0 ? (scales.find((scale) => scale.divisor === 1) ?? fits) : fits;
}

/** Three figures at most: `1.23`, `41.5`, `128`. A limit may lie a hair below its whole number, as what is counted reaches it by fractions. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  const digits = size >= 99.95 || Math.abs(value - Math.round(value)) < 1e-6 ? 0 : size >= 9.995 ? 1 : 2;
  return value.toFixed(digits);
}

/** `0.417` → `41.7 %`. Whole percents from ten upwards: nobody acts on a tenth there. */
export function formatPercent(ratio: number): string {
  const percent = ratio * 100;
  const digits = percent === 0 || percent >= 9.95 ? 0 : 1;
  return `${percent.toFixed(digits)} %`;
}

/** A value in its unit; `percent` takes a ratio, `milliseconds` milliseconds, bytes bytes. */
export function formatValue(value: number, unit: DisplayUnit): string {
  if (unit === "percent") return formatPercent(value);
  if (unit === "seconds") return formatSpan(value);
  const scale = scaleFor(unit, value);
  const number = formatNumber(value / scale.divisor);
  return scale.suffix === "" ? number : `${number} ${scale.suffix}`;
}

/** Labels of an axis: one unit for all, as few digits as tell neighbours apart. */
export function formatAxis(ticks: readonly number[], unit: DisplayUnit): string[] {
  const size = Math.max(0, ...ticks.map(Math.abs));
  const scale = scaleFor(unit, size);
  const scaled = ticks.map((tick) => tick / scale.divisor);
  const digits =
    [0, 1, 2].find((count) => scaled.every((value) => Math.abs(value * 10 ** count - Math.round(value * 10 ** count)) < 1e-6)) ??
    3;
  return scaled.map((value) => `${trimZeros(value.toFixed(digits))} ${scale.suffix}`.trim());
}

const trimZeros = (text: string) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

/** A length of time in its two largest units: `12 d 4 h`, `4 h 10 min`, `42 s`. */
export function formatDuration(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  const [days, hours, minutes] = [Math.floor(whole / 86_400), Math.floor(whole / 3600) % 24, Math.floor(whole / 60) % 60];
  if (days > 0) return hours > 0 && days < 100 ? `${days} d ${hours} h` : `${days} d`;
  if (hours > 0) return minutes > 0 ? `${hours} h ${minutes} min` : `${hours} h`;
  return minutes > 0 ? `${minutes} min` : `${whole} s`;
}

/** How long something took, to the second below an hour: `3 min 12 s`. */
export function formatSpan(seconds: number): string {
  const whole = Math.max(0, Math.round(seconds));
  const rest = whole % 60;
  return whole < 60 || whole >= 3600 || rest === 0 ? formatDuration(whole) : `${Math.floor(whole / 60)} min ${rest} s`;
}

/** `12.4 of 64.0 GiB`: both in the unit of the whole. */
export function formatShare(used: number, total: number): { used: string; total: string } {
  const scale = scaleFor("bytes", total);
  return {
    used: formatNumber(used / scale.divisor),
    total: `${formatNumber(total / scale.divisor)} ${scale.suffix}`,
  };
}
