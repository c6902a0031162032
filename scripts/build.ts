import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { build } from "esbuild";
import { agentOptions, hostOptions, hubOptions } from "./build-options.ts";
import { bundleEmbedded, bundleStandalone, type PanelBundle } from "./panel-build.ts";

/**
 * `npm run build [-- PART …]`: esbuild bundles into dist/: `agent` → dist/agent.mjs and `hub` → dist/hub.mjs with, in dist/agent/ and
 * dist/hub/, what they load when they first need it (lmdb's native addon stays outside),
 * `panel` → dist/panel/, `embedded` → dist/panel/host-panel.js and host-marks.js, `host` → dist/host.js. Writes dist/sizes.json (bytes, plain
 * and gzip; of the panel what its first page loads) and fails when a bundle passes its bound.
 */
const root = dirname(dirname(fileURLToPath(import.meta.url)));
const dist = join(root, "dist");

/** Largest gzip size of each part, bytes. */
const gzipMax = { agent: 100_000, hub: 750_000, panel: 90_000, embedded: 90_000, host: 2_000 };
export type Part = keyof typeof gzipMax;

/** Each builds below `out` and returns the paths from there of what is loaded first. */
const parts: Record<Part, (out: string) => Promise<string[]>> = {
  async agent(out) {
    await build({ ...agentOptions, outdir: out });
    return ["agent.mjs"];
  },
  async hub(out) {
    await build({ ...hubOptions, outdir: out });
    return ["hub.mjs"];
  },
  panel: async (out) => writePanel(out, await bundleStandalone()),
  embedded: async (out) => writePanel(out, await bundleEmbedded()),
  async host(out) {
    await build({ ...hostOptions, outfile: join(out, "host.js") });
    return ["host.js"];
  },
};

function writePanel(out: string, { files, firstLoad }: PanelBundle): string[] {
  for (const [name, bytes] of files) {
    const path = join(out, "panel", name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, bytes);
  }
  return firstLoad.map((name) => `panel/${name}`);
}

/** Moves all files of a finished build into dist/, each in one step: what runs from there meanwhile never sees half a file. */
function publish(staged: string): void {
  for (const entry of readdirSync(staged, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const from = join(entry.parentPath, entry.name);
    const to = join(dist, relative(staged, from));
    mkdirSync(dirname(to), { recursive: true });
    renameSync(from, to);
  }
  rmSync(staged, { recursive: true });
}

/** Pieces of earlier builds; a daemon or page that still runs from one may want its pieces for a day. */
function dropOldPieces(now: number): void {
  const dayMs = 86_400_000;
  for (const dir of [join(dist, "agent"), join(dist, "hub"), join(dist, "panel/chunks")]) {
    for (const name of existsSync(dir) ? readdirSync(dir) : []) {
      if (now - statSync(join(dir, name)).mtimeMs > dayMs) rmSync(join(dir, name));
    }
  }
}

/** Builds the parts, prints their sizes and writes dist/sizes.json. False: one passed its bound. */
export async function buildParts(wanted: readonly Part[]): Promise<boolean> {
  const staged = join(dist, `.${process.pid}`);
  mkdirSync(staged, { recursive: true });
  const sizesPath = join(dist, "sizes.json");
  const sizes: Record<string, { bytes: number; gzip: number }> = existsSync(sizesPath)
    ? JSON.parse(readFileSync(sizesPath, "utf8"))
    : {};
  let fits = true;
  for (const name of wanted) {
    const first = (await parts[name](staged)).map((path) => readFileSync(join(staged, path)));
    const bytes = first.reduce((sum, file) => sum + file.length, 0);
    const gzip = first.reduce((sum, file) => sum + gzipSync(file).length, 0);
    sizes[name] = { bytes, gzip };
    const over = gzip > gzipMax[name];
    if (over) fits = false;
    const verdict = over ? `, over its bound of ${gzipMax[name] / 1000} kB` : "";
    console.log(`${name.padEnd(6)} ${(bytes / 1000).toFixed(1)} kB, ${(gzip / 1000).toFixed(1)} kB gzip${verdict}`);
  }
  writeFileSync(join(staged, "sizes.json"), `${JSON.stringify(sizes, null, 2)}\n`);
  publish(staged);
  dropOldPieces(Date.now());
  return fits;
}

const isPart = (name: string): name is Part => Object.hasOwn(parts, name);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const named = process.argv.slice(2);
  const unknown = named.find((name) => !isPart(name));
  if (unknown !== undefined) {
    console.error(`no part ${unknown}: one of ${Object.keys(parts).join(", ")}`);
    process.exit(2);
  }
  const all = Object.keys(parts).filter(isPart);
  if (!(await buildParts(named.length > 0 ? named.filter(isPart) : all))) process.exit(1);
}
