import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { agentOptions, browserModule, common, hubOptions } from "../build-options.ts";

/** A library whose code is in a bundle of ours. */
export type Library = {
  name: string;
  version: string;
  /** As its package.json says it, SPDX. */
  licence: string;
  /** Its licence file's lines about it; where it has none, who its package.json names. */
  copyright: string[];
  /** Its licence file; undefined: it has none. */
  text: string | undefined;
};

type Manifest = {
  name: string;
  version: string;
  license?: string;
  licenses?: { type: string }[];
  author?: string | { name?: string };
};

const root = fileURLToPath(new URL("../../", import.meta.url));

const authorName = (author: string | { name?: string } | undefined) => (typeof author === "object" ? author.name : author);

const quiet = { write: false, metafile: true, sourcemap: false } as const;

/** What `import "lmdb"` loads, paths below the project's folder: it is in no bundle. */
export async function lmdbFiles(): Promise<string[]> {
  const entryPoints = [join(root, "node_modules/lmdb/node-index.js")];
  const { metafile } = await build({ ...common, ...quiet, platform: "node", format: "esm", entryPoints, outdir: "out" });
  return Object.keys(metafile.inputs).map((path) => path.slice(path.lastIndexOf("node_modules/")));
}

/** From what the bundles are really made of, by name. */
export async function bundledLibraries(): Promise<Library[]> {
  const paths = await lmdbFiles();
  for (const options of [
    { ...agentOptions, outdir: "out" },
    { ...hubOptions, outdir: "out" },
    { ...browserModule, entryPoints: [join(root, "ui-extension/standalone.ts")], outdir: "out" },
    { ...browserModule, entryPoints: [join(root, "ui-extension/host-panel.ts")], outdir: "out" },
  ]) {
    paths.push(...Object.keys((await build({ ...options, ...quiet })).metafile.inputs));
  }
  const folders = new Set<string>();
  for (const path of paths) {
    const folder = /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];
    if (folder !== undefined) folders.add(folder);
  }
  const found = new Map([...folders].map(readLibrary).map((library) => [`${library.name} ${library.version}`, library]));
  return [...[...found.keys()].sort().flatMap((key) => found.get(key) ?? []), ...inAddon()];
}

function readLibrary(folder: string): Library {
  const dir = join(root, folder);
  const manifest = JSON.parse(readFileSync(join(dir, "package.json"), "utf8")) as Manifest;
  const file = readdirSync(dir).find((name) => /^(licen[cs]e|copying)(\.|-|$)/i.test(name));
  const text = file === undefined || !existsSync(join(dir, file)) ? undefined : readFileSync(join(dir, file), "utf8");
  const lines = (text ?? "").split(/\r?\n/).map((line) => line.replace(/^[\s*#/]+/, "").trim());
  const copyright = [...new Set(lines.filter((line) => /^(copyright\b|\(c\) )[^a-z]*\d{4}|^copyright \(c\)/i.test(line)))];
  const { name, version, licenses, license = licenses?.[0]?.type ?? "unknown", author } = manifest;
  const holders = copyright.length > 0 ? copyright : [`Copyright ${authorName(author) ?? `the authors of ${name}`}`];
  return { name, version, licence: license, copyright: holders, text };
}

/** C libraries in lmdb's native addon; their sources and licences come with it. */
function inAddon(): Library[] {
  const text = (path: string) => readFileSync(join(root, "node_modules/lmdb/dependencies", path), "utf8");
  const version = "as in lmdb's addon";
  return [
    {
      name: "liblmdb",
      version,
      licence: "OLDAP-2.8",
      copyright: ["Copyright 2011-2021 Howard Chu, Symas Corp."],
      text: text("lmdb/libraries/liblmdb/LICENSE"),
    },
    {
      name: "lz4",
      version,
      licence: "BSD-2-Clause",
      copyright: ["Copyright (c) 2011-2020, Yann Collet"],
      text: text("lz4/lib/LICENSE"),
    },
  ];
}
