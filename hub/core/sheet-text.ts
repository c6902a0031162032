import type { ReportLanguage } from "#protocol/report.ts";

/** Numbers as pages print them. */

export const utcText = (at: number) => `${isoOf(at).slice(0, 19).replace("T", " ")} UTC`;
export const dayText = (at: number) => isoOf(at).slice(0, 10);

function isoOf(at: number): string {
  return new Date(at).toISOString();
}

/** `3 min 12 s`. */
export function spanText(ms: number): string {
  const sec = Math.round(ms / 1000);
  if (sec < 60) return `${sec} s`;
  if (sec < 3600) return `${Math.floor(sec / 60)} min ${sec % 60} s`;
  const min = Math.round(sec / 60);
  return min < 2880 ? `${Math.floor(min / 60)} h ${min % 60} min` : `${Math.round(min / 1440)} d`;
}

const units = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** Powers of 1000, three figures. */
export function sizeText(bytes: number): string {
  let at = 0;
  let value = bytes;
  while (value >= 999.5 && at < units.length - 1) {
    value /= 1000;
    at++;
  }
  return `${at === 0 || value >= 100 ? Math.round(value) : value.toPrecision(3)} ${units[at]}`;
}

const measureNames: Readonly<Record<string, Readonly<Record<ReportLanguage, string>>>> = {
  restoreSpeed: { en: "restore speed", it: "velocità di ripristino" },
  heartbeatMs: { en: "first sign of life", it: "primo segno di vita" },
  serviceMs: { en: "services", it: "servizi" },
  sequentialRead: { en: "sequential reads", it: "letture sequenziali" },
  randomRead: { en: "random reads", it: "letture casuali" },
};

/** What a measure of a restore test is called. */
export const measureName = (measure: string, language: ReportLanguage): string => measureNames[measure]?.[language] ?? measure;
