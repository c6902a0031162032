/**
 * How PVE's answers are read without trusting them: Perl sends numbers as strings (a regex made them), leaves unknown keys out, and a file may
 * be cut anywhere. What does not fit is NaN or undefined, never an exception.
 */

export type JsonObject = Readonly<Record<string, unknown>>;

export function asObject(value: unknown): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : undefined;
}

/** The objects of a list; no list has none. */
export function asObjects(value: unknown): JsonObject[] {
  return Array.isArray(value) ? value.map(asObject).filter((item) => item !== undefined) : [];
}

export function parseJsonObject(text: string): JsonObject | undefined {
  try {
    return asObject(JSON.parse(text));
  } catch {
    return undefined;
  }
}

/** A finite number, or a string that is one; else NaN. */
export function asNumber(value: unknown): number {
  if (typeof value === "number") return value;
  return typeof value === "string" && value !== "" ? Number(value) : Number.NaN;
}

/** PVE's booleans: `1`, `"1"`, `true`; absent is false. */
export function asFlag(value: unknown): boolean {
  return value === 1 || value === "1" || value === true;
}

/** A boolean in a configuration or a property string (pve-common `PVE/JSONSchema.pm` parse_boolean); undefined: it is none. */
export function parseBoolean(text: string | undefined): boolean | undefined {
  if (/^(?:1|on|yes|true)$/i.test(text ?? "")) return true;
  return /^(?:0|off|no|false)$/i.test(text ?? "") ? false : undefined;
}

/** A string that is not empty; else undefined. */
export function asText(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}

/** `a,b;c d` as PVE splits lists (`split_list` in pve-common `PVE/Tools.pm`). */
export function splitList(text: string | undefined): string[] {
  return text === undefined ? [] : text.split(/[,;\s\0]+/).filter((item) => item !== "");
}
