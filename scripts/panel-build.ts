import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build, type Metafile } from "esbuild";
import { browserModule } from "./build-options.ts";

/** The panel as browsers get it, by the path below its folder. */
export type PanelFiles = Map<string, Uint8Array>;
/** `firstLoad`: scripts that are fetched before anything is seen, the entry first; the others when a page needs them. `made`: esbuild's account of it. */
export type PanelBundle = { files: PanelFiles; firstLoad: string[]; made: Metafile[] };

const accounts = (...results: { metafile?: Metafile | undefined }[]) => results.flatMap(({ metafile }) => metafile ?? []);

const source = fileURLToPath(new URL("../ui-extension/", import.meta.url));
const outdir = "/panel";

/** Names of pieces hold the hash of what is in them: a piece never changes, and may be kept for ever. */
const pieces = { splitting: true, chunkNames: "chunks/[name]-[hash]", outdir, write: false } satisfies BuildOptions;

async function bundle(entry: string, file: string, options: BuildOptions): Promise<PanelBundle> {
  const result = await build({ ...browserModule, ...options, ...pieces, entryPoints: { [entry]: join(source, file) } });
  const files = new Map(result.outputFiles?.map(({ path, contents }) => [path.slice(outdir.length + 1), contents]));
  return { files, firstLoad: firstLoadOf(result.metafile, `${entry}.js`), made: accounts(result) };
}

/** The entry and what it imports at once, and so on. */
function firstLoadOf(metafile: Metafile | undefined, entry: string): string[] {
  const outputs = new Map(
    Object.entries(metafile?.outputs ?? {}).map(([path, output]) => [path.split(`${outdir}/`)[1] ?? path, output]),
  );
  const found = new Set([entry]);
  for (const name of found) {
    for (const { path, kind } of outputs.get(name)?.imports ?? []) {
      if (kind === "import-statement") found.add(path.split(`${outdir}/`)[1] ?? path);
    }
  }
  return [...found];
}

const versionOf = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex").slice(0, 12);

/** The page of its own, as the hub serves it: its scripts, its statics, and the service worker that keeps all of them for when there is no hub. */
export async function bundleStandalone(options: BuildOptions = {}): Promise<PanelBundle> {
  const { files, firstLoad, made } = await bundle("panel", "standalone.ts", options);
  const folder = join(source, "static");
  for (const name of readdirSync(folder)) files.set(name, new Uint8Array(readFileSync(join(folder, name))));
  const [entry = "", ...early] = firstLoad;
  const preloads = early.map((name) => `<link rel="modulepreload" href="${name}" />`).join("\n    ");
  const html = readFileSync(join(source, "standalone.html"), "utf8")
    .replaceAll("panel.js", `panel.js?v=${versionOf(files.get(entry) ?? "")}`)
    .replace("<!-- early -->", preloads);
  files.set("index.html", new TextEncoder().encode(html));
  const kept = [...files.keys()].filter((name) => !name.endsWith(".map") && name !== "index.html");
  const shell = kept.map((name) => (name === entry ? `panel.js?v=${versionOf(files.get(entry) ?? "")}` : name)).sort();
  const version = versionOf(kept.map((name) => versionOf(files.get(name) ?? "")).join(" ") + versionOf(html));
  const worker = await build({
    ...browserModule,
    ...options,
    write: false,
    outdir,
    entryPoints: { "service-worker": join(source, "worker/service-worker.ts") },
    define: { shellFiles: JSON.stringify(shell), shellVersion: JSON.stringify(version) },
  });
  for (const { path, contents } of worker.outputFiles) files.set(path.slice(outdir.length + 1), contents);
  return { files, firstLoad, made: [...made, ...accounts(worker)] };
}

/** What the loader in Proxmox VE's page fetches from the gateway: the panel in a tab, and the marks on PVE's own pages. */
export async function bundleEmbedded(options: BuildOptions = {}): Promise<PanelBundle> {
  const panel = await bundle("host-panel", "host/panel.ts", options);
  const marks = await build({
    ...browserModule,
    ...options,
    write: false,
    outdir,
    entryPoints: { "host-marks": join(source, "host/marks.ts") },
  });
  for (const { path, contents } of marks.outputFiles) panel.files.set(path.slice(outdir.length + 1), contents);
  panel.made.push(...accounts(marks));
  return panel;
}
