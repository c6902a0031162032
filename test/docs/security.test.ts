import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "../..");

const sources = readdirSync(join(root, "test"), { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".ts"))
  .map((name) => readFileSync(join(root, "test", name), "utf8"));

/** Rows of the tables, their cells trimmed, without the headings. */
function rows(): string[][] {
  const lines = readFileSync(join(root, "docs/SECURITY.md"), "utf8").split("\n");
  return lines
    .filter((line, index) => /^\|.*\|$/.test(line) && !/^\| -/.test(line) && !/^\| -/.test(lines[index + 1] ?? ""))
    .map((line) =>
      line
        .slice(1, -1)
        .split("|")
        .map((cell) => cell.trim()),
    );
}

const escaped = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

/** Names that a file gives its tests as a template, `${name} is refused`: what is filled in must stand somewhere, too. */
function fitsTemplate(source: string, name: string): boolean {
  return [...source.matchAll(/\b(?:test|it)\(\s*`([^`]*\$\{[^`]*)`/g)].some(([, template = ""]) => {
    const pattern = template
      .split(/\$\{[^}]*\}/)
      .map(escaped)
      .join("(.+?)");
    const filled = new RegExp(`^${pattern}$`).exec(name)?.slice(1);
    return filled?.every((text) => sources.some((one) => one.includes(`"${text}"`)) || /^\d+$/.test(text)) === true;
  });
}

const isThere = (name: string) => sources.some((source) => source.includes(`"${name}"`) || fitsTemplate(source, name));

test("every row of the threat model names a test that is there by that name", () => {
  const all = rows();
  assert.ok(all.length > 60, `${all.length} rows`);
  assert.deepEqual(
    all.filter((cells) => cells.some((cell) => cell === "")),
    [],
    "a cell is empty",
  );
  assert.deepEqual(
    all.map((cells) => cells.at(-1) ?? "").filter((name) => !isThere(name)),
    [],
  );
});
