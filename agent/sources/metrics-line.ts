import { asNumber, asObject, asText, type JsonObject, parseJsonObject } from "../core/values.ts";
import { errorCode, fileProblem, type NowReader } from "./files.ts";

/**
 * pvestatd's whole status, written every ~10 s: `/run/pve/metrics`, line-delimited JSON, newest line first, half an hour of them (PullMetric.pm
 * in pve-manager `PVE/`). Private to PVE, so every section is checked for its shape, and who finds it changed reads `.rrd` instead.
 */
export const metricsPath = "/run/pve/metrics";

export const metricsSections = ["qemu", "lxc", "storage", "node"] as const;
export type MetricsSectionName = (typeof metricsSections)[number];

/** `data` by vmid or storage id (the node's: its own keys). `atMs`: when pvestatd gathered this section. */
export type MetricsSection = { atMs: number; data: JsonObject };
export type MetricsLine = Partial<Record<MetricsSectionName, MetricsSection>>;

const newline = 10;
const lineMaxBytes = 64 << 20;

export type MetricsRead =
  | { ok: true; line: MetricsLine; changed: readonly MetricsSectionName[] }
  | { ok: false; problem: string };

/** Reads the newest line only: the file grows to tens of MB. */
export function readMetricsLine(files: NowReader): MetricsRead {
  try {
    return parseMetricsLine(files.read(metricsPath, lineMaxBytes, newline));
  } catch (error) {
    const code = errorCode(error);
    const hint = code === "ENOENT" ? ", is pvestatd running?" : "";
    return { ok: false, problem: `${fileProblem(metricsPath, code)}${hint}` };
  }
}

/** `changed` names sections that are there but do not look as they did in PVE 9: nobody should guess what their values mean. */
export function parseMetricsLine(text: string): MetricsRead {
  const json = parseJsonObject(text);
  if (json === undefined) return { ok: false, problem: `${metricsPath}: the first line is not JSON` };
  const line: MetricsLine = {};
  const changed: MetricsSectionName[] = [];
  for (const name of metricsSections) {
    if (json[name] === undefined) continue;
    const section = parseSection(json[name]);
    if (section !== undefined && looksRight[name](section.data)) line[name] = section;
    else changed.push(name);
  }
  if (Object.keys(line).length === 0 && changed.length === 0) {
    return { ok: false, problem: `${metricsPath}: none of the known sections` };
  }
  return { ok: true, line, changed };
}

function parseSection(value: unknown): MetricsSection | undefined {
  const section = asObject(value);
  const data = asObject(section?.data);
  const atSec = asNumber(section?.timestamp);
  return data === undefined || !Number.isFinite(atSec) ? undefined : { atMs: atSec * 1000, data };
}

const isGuest = (entry: unknown) => {
  const guest = asObject(entry);
  return asText(guest?.status) !== undefined && Number.isFinite(asNumber(guest?.maxmem));
};
const isStorage = (entry: unknown) => {
  const storage = asObject(entry);
  return asText(storage?.type) !== undefined && Number.isFinite(asNumber(storage?.active));
};
const every = (test: (entry: unknown) => boolean) => (data: JsonObject) => Object.values(data).every(test);

const looksRight: Record<MetricsSectionName, (data: JsonObject) => boolean> = {
  qemu: every(isGuest),
  lxc: every(isGuest),
  storage: every(isStorage),
  node: () => true,
};
