import type { Section } from "./route.ts";

/** What a key does, anywhere in the panel but in a field. `go`: after `g`. */
export type Command = { do: "search" | "shortcuts" | "home" } | { do: "section"; section: Section };

const afterG: Readonly<Record<string, Command>> = {
  o: { do: "home" },
  g: { do: "section", section: "guests" },
  p: { do: "section", section: "proofs" },
  y: { do: "section", section: "policies" },
  a: { do: "section", section: "alerts" },
  r: { do: "section", section: "rules" },
  s: { do: "section", section: "silences" },
  n: { do: "section", section: "routes" },
  e: { do: "section", section: "events" },
  t: { do: "section", section: "screen" },
};
/** As the overview of shortcuts lists them. */
export const shortcutSections: readonly [key: string, section: Section][] = Object.entries(afterG).flatMap(([key, command]) =>
  command.do === "section" ? [[key, command.section] as [string, Section]] : [],
);

export type Key = { key: string; ctrl: boolean; alt: boolean; meta: boolean; inField: boolean };
/** Whether a `g` was pressed and waits for the second key. */
export type Waiting = boolean;

/** What a key means now. Ctrl-K works in fields too; all others leave what is typed alone. */
export function commandOf(
  { key, ctrl, alt, meta, inField }: Key,
  waiting: Waiting,
): { command: Command | undefined; waiting: Waiting } {
  const isCtrlK = key.toLowerCase() === "k" && ctrl !== meta && (ctrl || meta) && !alt;
  if (isCtrlK) return { command: { do: "search" }, waiting: false };
  if (inField || ctrl || alt || meta) return { command: undefined, waiting: false };
  if (waiting) return { command: afterG[key], waiting: false };
  if (key === "/") return { command: { do: "search" }, waiting: false };
  if (key === "?") return { command: { do: "shortcuts" }, waiting: false };
  return { command: undefined, waiting: key === "g" };
}
