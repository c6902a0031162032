import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build, type Metafile } from "esbuild";
import { agentOptions, common, hubOptions } from "../build-options.ts";
import { bundleEmbedded, bundleStandalone } from "../panel-build.ts";
import { libraryFolder, sourcesIn } from "./contents.ts";
import type { Locked } from "./sbom.ts";

/** A library whose code is in a package of ours. */
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

/** What `require("lmdb")` loads: it is in no bundle, but installed file by file. */
export async function lmdbAccount(): Promise<Metafile> {
  const entryPoints = [join(root, "node_modules/lmdb/dist/index.cjs")];
  return (await build({ ...common, ...quiet, platform: "node", format: "esm", entryPoints, outdir: "out" })).metafile;
}

/** From what the bundles are really made of, by name. */
export async function bundledLibraries(): Promise<Library[]> {
  const paths = Object.keys((await lmdbAccount()).inputs);
  const daemons = [
    await build({ ...agentOptions, ...quiet, outdir: "out" }),
    await build({ ...hubOptions, ...quiet, outdir: "out" }),
  ];
  const panels = [await bundleStandalone({ sourcemap: false }), await bundleEmbedded({ sourcemap: false })];
  for (const made of [...daemons.map(({ metafile }) => metafile), ...panels.flatMap((panel) => panel.made)]) {
    for (const sources of sourcesIn(made).values()) paths.push(...sources);
  }
  const folders = new Set(paths.flatMap((path) => libraryFolder(path) ?? []));
  const found = new Map([...folders].map(readLibrary).map((library) => [`${library.name} ${library.version}`, library]));
  return [...[...found.keys()].sort().flatMap((key) => found.get(key) ?? []), ...addonLibraries().values()];
}

/** The one in this folder below the project's. */
export function readLibrary(folder: string): Library {
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

/** What the lock file says, by folder; the project itself is "". */
export function lockedLibraries(): Map<string, Locked> {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as { packages: Record<string, Locked> };
  return new Map(Object.entries(lock.packages));
}

/** C libraries in lmdb's native addon, by the folder of their sources, which come with it together with their licences. */
export function addonLibraries(): Map<string, Library> {
  const folder = "node_modules/lmdb/dependencies";
  const text = (path: string) => readFileSync(join(root, folder, path), "utf8");
  const version = (header: string, macro: string) =>
    [...text(header).matchAll(new RegExp(`^#define ${macro}_VERSION_(?:MAJOR|MINOR|PATCH|RELEASE)\\s+(\\d+)`, "gm"))]
      .map(([, number]) => number)
      .join(".");
  const lmdb = "lmdb/libraries/liblmdb";
  return new Map([
    [
      `${folder}/${lmdb}`,
      {
        name: "liblmdb",
        version: version(`${lmdb}/lmdb.h`, "MDB"),
        licence: "OLDAP-2.8",
        copyright: ["Copyright 2011-2021 Howard Chu, Symas Corp."],
        text: text(`${lmdb}/LICENSE`),
      },
    ],
    [
      `${folder}/lz4`,
      {
        name: "lz4",
        version: version("lz4/lib/lz4.h", "LZ4"),
        licence: "BSD-2-Clause",
        copyright: ["Copyright (c) 2011-2020, Yann Collet"],
        text: text("lz4/lib/LICENSE"),
      },
    ],
  ]);
}
