import type { Log } from "./ports.ts";

const names = { 3: "error", 4: "warning", 5: "notice", 6: "info", 7: "debug" } as const;

/** Control characters would let a guest's name forge lines, or colour them; marks of direction would turn their words round. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
const clean = (text: string) => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, " ");

/** A value that can't break the line apart: quoted where it holds blanks or quotes. Line ends stay to be seen. */
function field(value: string | number): string {
  const text = String(value);
  return /^[^\s"=\p{Cc}]+$/u.test(text) ? clean(text) : clean(JSON.stringify(text));
}

const linesOf = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");

/**
 * Lines for the journal (`<6>message key=value`, the level as sd-daemon(3) says) or, for a person, with time and the level's name. `maxLevel`
 * 7 shows debug lines. Never give it a secret.
 */
export function createLog(options: {
  journal: boolean;
  write: (line: string) => void;
  now: () => number;
  maxLevel?: number;
}): Log {
  const { journal, write, now, maxLevel = 6 } = options;
  return (level, message, fields = {}) => {
    if (level > maxLevel) return;
    const oneLine = clean(linesOf(message).join("; "));
    const pairs = Object.entries(fields).map(([name, value]) => ` ${name}=${field(value)}`);
    const head = journal ? `<${level}>` : `${new Date(now()).toISOString()} ${names[level]} `;
    write(`${head}${oneLine}${pairs.join("")}\n`);
  };
}
