import type { SettingKey } from "./schema-keys.ts";

export type ConfigFile = {
  /** `agent.toml` */
  name: string;
  /** `proven-agent` */
  daemon: string;
  keys: readonly SettingKey[];
  texts: Readonly<Record<string, string>>;
};

/** A setting, or a table, that nobody has described; or a text about nothing. */
export class TextsError extends Error {}

type Table = { name: string; keys: SettingKey[] };

function tablesOf(keys: readonly SettingKey[]): Table[] {
  const tables = new Map<string, SettingKey[]>([["", []]]);
  for (const key of keys) {
    const name = key.path.split(".").slice(0, -1).join(".");
    tables.set(name, [...(tables.get(name) ?? []), key]);
  }
  return [...tables].map(([name, ofTable]) => ({ name, keys: ofTable }));
}

/** @throws TextsError when texts and keys are not about the same settings. */
export function checkTexts({ name, keys, texts }: ConfigFile): void {
  const wanted = new Set([...keys.map(({ path }) => path), ...tablesOf(keys).map((table) => table.name)]);
  wanted.delete("");
  const silent = [...wanted].filter((path) => texts[path] === undefined);
  const idle = Object.keys(texts).filter((path) => !wanted.has(path));
  if (silent.length + idle.length === 0) return;
  throw new TextsError(
    `${name}: without a text: ${silent.join(", ") || "none"}; texts about nothing: ${idle.join(", ") || "none"}`,
  );
}

const leaf = (path: string) => path.split(".").at(-1) ?? path;

/** A line of the file: a comment with the default, or with nothing where there is none. */
const assignment = ({ path, standard }: SettingKey) => `#${leaf(path)} = ${standard ?? '""'}`;

/** The file as it is installed: every setting with its default, all of it commented out. */
export function configText(file: ConfigFile): string {
  checkTexts(file);
  const { name, daemon, keys, texts } = file;
  const sections = tablesOf(keys).map((table) => {
    const settings = table.keys.map((key) => `# ${texts[key.path]} (${key.type})\n${assignment(key)}\n`);
    const head = table.name === "" ? [] : [`# ${texts[table.name]}\n#[${table.name}]\n`];
    return [...head, ...settings].join("\n");
  });
  const about = [
    `# ${name} of ${daemon}; ${daemon}.toml(5) tells more.`,
    "# Every setting is here with its default. Take the # away from what you change, and from the [table] above it.",
    `# An unknown key is an error. After a change: ${daemon} doctor, then systemctl restart ${daemon}.`,
  ];
  return `${about.join("\n")}\n\n${sections.join("\n")}`;
}

/** For roff: no line may begin with a control character, no backslash or hyphen be taken for something else. */
export const roff = (text: string) =>
  text
    .replaceAll("\\", "\\e")
    .replaceAll("-", "\\-")
    .replace(/^(['.])/gm, "\\&$1");

/** The manual page of the file, section 5. `version` and `date` come from the changelog. */
export function configManual(file: ConfigFile, { version, date }: { version: string; date: string }): string {
  checkTexts(file);
  const { name, daemon, keys, texts } = file;
  const settings = tablesOf(keys).flatMap((table) => [
    table.name === "" ? ".SH SETTINGS" : `.SS [${table.name}]\n${roff(texts[table.name] ?? "")}`,
    ...table.keys.map(({ path, type, standard }) => {
      const otherwise = standard === undefined ? "No default." : `Default: ${roff(standard)}`;
      return `.TP\n.B ${leaf(path)}\n${roff(texts[path] ?? "")} A ${roff(type)}.\n${otherwise}`;
    }),
  ]);
  return `${[
    `.TH ${daemon.toUpperCase()}.TOML 5 ${date} "Proven ${version}" "Proven"`,
    ".SH NAME",
    `${daemon}.toml \\- configuration of ${roff(daemon)}`,
    ".SH SYNOPSIS",
    `/etc/proven/${name}`,
    ".SH DESCRIPTION",
    "A TOML file. Every setting may be left out. An unknown key is an error, and the message names the nearest known one.",
    `After a change: ${roff(daemon)} doctor, then systemctl restart ${roff(daemon)}.`,
    ...settings,
    ".SH SEE ALSO",
    `.BR ${roff(daemon)} (8)`,
  ].join("\n")}\n`;
}
