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
