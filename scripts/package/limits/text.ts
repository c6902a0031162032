import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { constantIn } from "./constant.ts";
import { type Limit, sections, type Unit } from "./table.ts";

/** docs/LIMITS.md: every bound with its value as the code has it. scripts/package/generate.ts writes it. */
const root = fileURLToPath(new URL("../../../", import.meta.url));

export const limitsPath = "docs/LIMITS.md";

const grouped = (value: number) => value.toLocaleString("en-US");

/** The largest unit in which it is a whole number. */
function inWhole(value: number, units: readonly [name: string, size: number][]): string {
  const [name, size] = units.find(([, one]) => value % one === 0) ?? ["", 1];
  return `${grouped(value / size)} ${name}`.trim();
}

const bytes = [
  ["GiB", 2 ** 30],
  ["MiB", 2 ** 20],
  ["KiB", 2 ** 10],
  ["bytes", 1],
] as const;
const times = [
  ["days", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
  ["ms", 1],
] as const;

/** A day or an hour alone reads better than as one of it; so it is with whole minutes. */
export function written(value: number, unit: Unit): string {
  if (unit === "bytes")
    return inWhole(
      value,
      bytes.map(([name, size]) => [name, size]),
    );
  if (unit === "ms" || unit === "sec") {
    const ms = unit === "sec" ? value * 1000 : value;
    return inWhole(
      ms,
      times.map(([name, size]) => [name, size] as [string, number]).filter(([, size]) => size === 1 || ms > size),
    );
  }
  if (unit === "count") return grouped(value);
  return `${grouped(value)} ${unit === "chars" ? "characters" : unit}`;
}

const row = ({ what, unit, file, name, beyond }: Limit) =>
  `| ${what} | ${written(constantIn(file, name), unit)} | ${beyond} | \`${name}\` in \`${file}\` |`;

/** The document. @throws ConstantError for a constant that has moved. */
export function limitsText(): string {
  const parts = sections.map(({ title, limits }) =>
    [`## ${title}`, "", "| bound | value | beyond it | where |", "| --- | --- | --- | --- |", ...limits.map(row)].join("\n"),
  );
  const head = [
    "# Limits",
    "",
    "Every connection, message, query and queue is bounded, so that whoever sends too much, or too slowly, harms himself only. This page is made from the",
    "code by `node --import tsx scripts/package/generate.ts`; a test holds it to it. What can be set is in `proven-hub.toml(5)` and `proven-agent.toml(5)`.",
  ];
  return formatted(`${head.join("\n")}\n\n${parts.join("\n\n")}\n`);
}

/** As the repository's formatter writes it. */
function formatted(text: string): string {
  const biome = join(root, "node_modules/.bin/biome");
  const { status, stdout, stderr } = spawnSync(biome, ["format", `--stdin-file-path=${limitsPath}`], {
    cwd: root,
    input: text,
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`biome: ${stderr}`);
  return stdout;
}
