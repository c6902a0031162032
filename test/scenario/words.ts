/** A scenario line's words after its command. */
export type Words = readonly string[];

const units: Record<string, number> = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** `90s`, `5m`, `2h`, `7d`, ms. */
export function durationMs(text: string | undefined): number {
  const [, digits, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text ?? "") ?? [];
  if (digits === undefined || unit === undefined) throw new Error(`'${text}' is no duration: 90s, 5m, 2h, 7d`);
  return Number(digits) * (units[unit] ?? Number.NaN);
}

/** The word after `name`. */
export function after(words: Words, name: string): string | undefined {
  const index = words.indexOf(name);
  return index < 0 ? undefined : words[index + 1];
}

/** `prod,web` of `tags=prod,web`. */
export const option = (words: Words, name: string) => words.find((word) => word.startsWith(`${name}=`))?.slice(name.length + 1);
