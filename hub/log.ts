import type { Log, LogFields } from "./ports.ts";

const words: Record<number, string> = { 3: "error", 4: "warning", 5: "notice", 6: "info", 7: "debug" };

/** Control characters would let a sender forge lines of the journal, or colour them; marks of direction would turn their words round. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
const clean = (text: string) => text.replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/g, " ");

function formatField(value: string | number): string {
  const text = clean(String(value));
  return /[\s"=]/.test(text) || text === "" ? JSON.stringify(text) : text;
}

/** One line: `message key=value …`; values with blanks are quoted, undefined ones left out. */
export function formatLine(message: string, fields: LogFields = {}): string {
  const pairs = Object.entries(fields).flatMap(([key, value]) => (value === undefined ? [] : [`${key}=${formatField(value)}`]));
  return [clean(message), ...pairs].join(" ");
}

/**
 * Writes to stderr, so that stdout holds nothing but the line that says the hub is ready. Under systemd (`JOURNAL_STREAM` is set) each line
 * begins with `<level>`, which the journal takes for the priority (sd-daemon(3)); on a terminal with its word.
 */
export function openLog(write: (line: string) => void, options: { journal: boolean; maxLevel?: number }): Log {
  const { journal, maxLevel = 6 } = options;
  return (level, message, fields) => {
    if (level > maxLevel) return;
    write(`${journal ? `<${level}>` : `${words[level]}: `}${formatLine(message, fields)}\n`);
  };
}

/** What a thrown value says, its causes included: for the journal, never for a client. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? "" : ` (caused by: ${describeError(error.cause)})`;
  return `${error.stack ?? error.message}${cause}`;
}
