import type { Log } from "./ports.ts";

const names = { 3: "error", 4: "warning", 5: "notice", 6: "info", 7: "debug" } as const;

/** A value that can't break the line apart: quoted where it holds blanks, quotes or control characters. */
function field(value: string | number): string {
  const text = String(value);
  return /^[^\s"=\p{Cc}]+$/u.test(text) ? text : JSON.stringify(text);
}

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
    const oneLine = message.replace(/\s*\n\s*/g, "; ");
    const pairs = Object.entries(fields).map(([name, value]) => ` ${name}=${field(value)}`);
    const head = journal ? `<${level}>` : `${new Date(now()).toISOString()} ${names[level]} `;
    write(`${head}${oneLine}${pairs.join("")}\n`);
  };
}
