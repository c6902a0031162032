import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

/** TypeScript sources below a folder, by their path in the repository. */
const sourcesIn = (folder: string) =>
  readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length));

/** Files of the repository whose values a file imports; types alone tie nothing together at run time. */
const importsOf = (path: string) =>
  [...readFileSync(join(root, path), "utf8").matchAll(/^(?:import|export) (?!type\b)[^;]*?from "(\.[^"]+)";/gm)].map(
    ([, to = ""]) => normalize(join(dirname(path), to)),
  );

test("no edge of the hub uses another one: what two of them need stands above both", () => {
  const edges = ["deploy", "http", "link", "mqtt", "senders", "store"].map((name) => `hub/${name}/`);
  const found = edges.flatMap((edge) =>
    sourcesIn(edge).flatMap((path) =>
      importsOf(path)
        .filter((to) => edges.some((other) => other !== edge && to.startsWith(other)))
        .map((to) => `${path} imports ${to}`),
    ),
  );
  assert.deepEqual(found, []);
});

test("agent, hub and panel don't use one another: what two of them need is in protocol", () => {
  const parts = ["agent/", "hub/", "ui-extension/", "test/", "scripts/"];
  const found = parts.slice(0, 3).flatMap((part) =>
    sourcesIn(part).flatMap((path) =>
      importsOf(path)
        .filter((to) => parts.some((other) => other !== part && to.startsWith(other)))
        .map((to) => `${path} imports ${to}`),
    ),
  );
  assert.deepEqual(found, []);
});
