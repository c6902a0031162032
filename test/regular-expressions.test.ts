import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

const root = join(import.meta.dirname, "..");
const length = 20_000;
/** Several times what any of them takes that reads a text once; one that goes back over it takes seconds. */
const longestMs = 100;

/** What is matched comes from a node's own configuration or from us, and is a hundred characters at most. */
const ownTexts = new Set(["=+$", "\\/+$"]);

function sources(): string[] {
  return ["hub", "agent", "protocol"].flatMap((part) =>
    readdirSync(join(root, part), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => readFileSync(join(root, part, name), "utf8")),
  );
}

/** Literals in these texts; what looks like one and isn't does no harm. */
function expressions(): Map<string, RegExp> {
  const literal =
    /(?<=[=(,:!&|?[\s])\/((?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n*[])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\\n[])*)\/([dgimsuvy]*)/g;
  const found = new Map<string, RegExp>();
  for (const text of sources()) {
    for (const [, source = "", flags = ""] of text.matchAll(literal)) {
      try {
        found.set(source, new RegExp(source, flags.replace(/[gy]/g, "")));
      } catch {
        // Two divisions in one line.
      }
    }
  }
  return found;
}

/** What it may begin with, then one character of its own ever again, then one that fits nowhere. */
function attacksOn({ source }: RegExp): string[] {
  const characters = new Set([...' a0.-/:\t\n,="', ...source.replace(/\\[a-zA-Z]/g, "")]);
  const begin = (/^\^?((?:[A-Za-z0-9 :=]|\\[^A-Za-z0-9])+)/.exec(source)?.[1] ?? "").replace(/\\(.)/g, "$1");
  return [...characters].flatMap((character) => {
    const run = character.repeat(length);
    return [`${run}\u0001`, ...(begin === "" ? [] : [`${begin}${run}\u0001`])];
  });
}

function usedMs(expression: RegExp, text: string): number {
  const before = process.cpuUsage();
  expression.exec(text);
  return process.cpuUsage(before).user / 1000;
}

test("no regular expression takes the square of what it reads", () => {
  const all = expressions();
  assert.ok(all.size > 150, `${all.size} expressions`);
  const slow: string[] = [];
  for (const [source, expression] of all) {
    if (ownTexts.has(source)) continue;
    // Thrice, since the processor may have been busy with something else.
    const isSlow = attacksOn(expression).some((text) => [1, 2, 3].every(() => usedMs(expression, text) > longestMs));
    if (isSlow) slow.push(source);
  }
  assert.deepEqual(slow, []);
});
