import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";
import { testHub } from "../support/test-hub.ts";

const root = join(import.meta.dirname, "../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const documents = [
  "README.md",
  "CONTRIBUTING.md",
  ...readdirSync(join(root, "docs")).flatMap((name) => (name.endsWith(".md") ? [`docs/${name}`] : [])),
];

/** What `pattern` finds in each document, its first group, with the document's name. */
function found(pattern: RegExp): { document: string; what: string }[] {
  return documents.flatMap((document) => [...read(document).matchAll(pattern)].map(([, what = ""]) => ({ document, what })));
}

const wrong = (all: readonly { document: string; what: string }[], isThere: (what: string, document: string) => boolean) =>
  all.filter(({ document, what }) => !isThere(what, document)).map(({ document, what }) => `${document}: ${what}`);

/** A heading's name in a link, as git forges make it. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^a-z0-9 -]/g, "")
    .replaceAll(" ", "-");
const anchors = (text: string) => [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) => anchorOf(heading));

test("every link and picture of the documents leads to a file, and to a heading that is there", () => {
  const links = found(/\]\(([^)\s]+)\)/g).filter(({ what }) => !/^https?:/.test(what));
  assert.ok(links.length > 40, `${links.length} links`);
  const isThere = (what: string, document: string) => {
    const [file = "", anchor] = what.split("#");
    const path = file === "" ? document : normalize(join(dirname(document), file));
    return existsSync(join(root, path)) && (anchor === undefined || anchors(read(path)).includes(anchor));
  };
  assert.deepEqual(wrong(links, isThere), []);
});

test("every path of the repository that a document names is there", () => {
  const paths = found(/`((?:agent|hub|protocol|ui-extension|scripts|test|systemd|debian|docs)\/[\w./*-]+)`/g);
  assert.ok(paths.length > 150, `${paths.length} paths`);
  const isThere = (path: string) => {
    const [before = "", after] = path.split("*");
    if (after === undefined) return existsSync(join(root, path));
    const folder = before.slice(0, before.lastIndexOf("/"));
    const begin = before.slice(folder.length + 1);
    return (
      existsSync(join(root, folder)) &&
      readdirSync(join(root, folder)).some((name) => name.startsWith(begin) && name.endsWith(after))
    );
  };
  assert.deepEqual(wrong(paths, isThere), []);
});

test("every command that a document names is there", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const ofNpm = found(/\bnpm run ([a-z:]+)/g);
  assert.deepEqual(
    wrong(ofNpm, (name) => name in scripts),
    [],
  );
  for (const program of ["proven-hub", "proven-agent"]) {
    const manual = read(`debian/man/${program}.8`).replace(/\\f.|\\|"/g, "");
    const commands = found(
      new RegExp(`(?:\`|^ {4}|&& )${program} ((?:[a-z][a-z-]*|--[a-z-]+)(?: [a-z][a-z-]*(?![a-z@:-]))?)`, "gm"),
    );
    assert.ok(commands.length > 5, `${program}: ${commands.length} commands`);
    assert.deepEqual(
      wrong(commands, (command) => manual.includes(command)),
      [],
    );
  }
});

test("every operation of the API that a document names is there", async (t) => {
  const { app, newKey } = testHub(t);
  const headers = { authorization: `Bearer ${newKey("read")}` };
  const { paths } = (await (await app.request("https://hub/api/v1/openapi.json", { headers })).json()) as {
    paths: Record<string, Record<string, unknown>>;
  };
  const shape = (path: string) => path.replace(/[{<][^}>]+[}>]/g, "…");
  const known = new Set(
    Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${shape(path)}`),
    ),
  );
  const named = found(/((?:GET|POST|PUT|PATCH|DELETE) \/api\/v1\/[a-z0-9/{}<>.-]+)/gi);
  assert.ok(named.length > 15, `${named.length} operations`);
  assert.deepEqual(
    wrong(named, (operation) => known.has(shape(operation))),
    [],
  );
});
