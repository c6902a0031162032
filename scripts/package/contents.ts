import { relative, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import type { Metafile } from "esbuild";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** What went where: a bundle, the folder that it was written to, and where a package installs that folder. */
export type Bundle = { made: Metafile; outdir: string; installed: string };

/** A library's folder below the project's (`node_modules/ws`) → installed files that hold code of it, and folders of the libraries it imports. */
export type Contents = Map<string, { files: Set<string>; needs: Set<string> }>;

/** Folder of the library that a source file is of; undefined: it is ours. */
export const libraryFolder = (path: string) =>
  /^(?:.*?\/)?(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(path)?.[1];

/** Sources of which code is in each output: what esbuild read and found unused is not in it. */
export function sourcesIn(made: Metafile): Map<string, string[]> {
  return new Map(
    Object.entries(made.outputs).map(([output, { inputs }]) => [
      output,
      Object.entries(inputs).flatMap(([path, { bytesInOutput }]) => (bytesInOutput > 0 ? path : [])),
    ]),
  );
}

/** Adds to `contents` what is in these bundles. */
export function addBundles(contents: Contents, bundles: readonly Bundle[]): void {
  for (const { made, outdir, installed } of bundles) {
    for (const [output, sources] of sourcesIn(made)) {
      const file = `${installed}/${relative(outdir, resolve(root, output))}`;
      for (const path of sources) addSource(contents, made, path, file);
    }
  }
}

/** Adds sources that are installed as they are, one file each. */
export function addFiles(contents: Contents, made: Metafile, installedAt: (path: string) => string): void {
  for (const path of Object.keys(made.inputs)) addSource(contents, made, path, installedAt(path));
}

function addSource(contents: Contents, made: Metafile, path: string, file: string): void {
  const folder = libraryFolder(path);
  if (folder === undefined) return;
  const library = contents.get(folder) ?? { files: new Set(), needs: new Set() };
  contents.set(folder, library);
  library.files.add(file);
  for (const { path: imported } of made.inputs[path]?.imports ?? []) {
    const other = libraryFolder(imported);
    if (other !== undefined && other !== folder) library.needs.add(other);
  }
}
