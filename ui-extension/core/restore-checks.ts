import type { Policy } from "#protocol/policy.ts";

/** One check of a policy as it is edited: the hub judges whether it is one (protocol/restore.ts `restoreCheckSchema`). */
export type EditedCheck = Policy["checks"][number]["checks"][number];
export type CheckRow = Policy["checks"][number];

/** `words`: a command with its arguments. */
export type CheckField = { name: string; type: "text" | "number" | "words" | "scheme"; optional: boolean; example: string };

const text = (name: string, example: string, optional = false): CheckField => ({ name, type: "text", optional, example });
const port = (example: string, optional: boolean): CheckField => ({ name: "port", type: "number", optional, example });
const command = (example: string): CheckField => ({ name: "command", type: "words", optional: false, example });

/** Kinds of checks with the fields each takes beside its name. */
export const checkKinds: Readonly<Record<string, readonly CheckField[]>> = {
  "agent-ping": [],
  exec: [command("systemctl is-active nginx"), text("text", "active", true)],
  filesystems: [],
  icmp: [],
  tcp: [port("22", false)],
  http: [
    { name: "scheme", type: "scheme", optional: false, example: "http" },
    text("path", "/"),
    port("80", true),
    text("host", "shop.example.org", true),
    { name: "status", type: "number", optional: true, example: "200" },
    text("text", "Welcome", true),
  ],
  tls: [port("443", false), text("serverName", "shop.example.org", true)],
  dns: [text("query", "example.org"), text("answer", "192.0.2.1", true), port("53", true)],
  ssh: [text("user", "root"), text("secret", "web-key"), text("command", "uptime"), text("text", "up", true), port("22", true)],
  postgresql: [port("5432", true)],
  mysql: [port("3306", true)],
  process: [text("process", "nginx")],
  service: [text("unit", "nginx.service")],
  script: [text("script", "shop.sh")],
};

/** A check to begin with. */
export const blankCheck = (kind: string): EditedCheck => ({
  kind,
  name: kind,
  ...Object.fromEntries(
    (checkKinds[kind] ?? [])
      .filter(({ optional }) => !optional)
      .map(({ name, type, example }) => [
        name,
        type === "number" ? Number(example) : type === "words" ? wordsOf(example) : example,
      ]),
  ),
});

/** The check with a field as it was typed; an empty optional one is left out. */
export function withCheckField(check: EditedCheck, { name, type, optional }: CheckField, typed: string): EditedCheck {
  const { [name]: _, ...rest } = check;
  const value = typed.trim();
  if (value === "" && optional) return { ...rest, kind: check.kind, name: check.name };
  const parsed = type === "number" ? Number(value) : type === "words" ? wordsOf(value) : typed;
  return { ...check, [name]: parsed };
}

export function checkFieldText(check: EditedCheck, { name, type }: CheckField): string {
  const value = check[name];
  if (type === "words") return Array.isArray(value) ? textOfWords(value.map(String)) : "";
  return value === undefined ? "" : String(value);
}

/** A command in one line; a word with a space or quote in it stands in quotes, as JSON writes it. */
export const textOfWords = (words: readonly string[]): string =>
  words.map((word) => (/^[^\s"\\]+$/.test(word) ? word : JSON.stringify(word))).join(" ");

/** The words of such a line. An open quote ends with it. */
export const wordsOf = (line: string): string[] =>
  [...line.matchAll(/"(?:[^"\\]|\\.)*"|\S+/g)].map(([word]) => {
    if (!word.startsWith('"')) return word;
    try {
      return String(JSON.parse(word));
    } catch {
      return word;
    }
  });
