import { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";
import { agentOptions, hostOptions, hubOptions } from "../build-options.ts";
import { bundleEmbedded, bundleStandalone } from "../panel-build.ts";
import { type Architecture, readAddon } from "./addon.ts";
import { addAddon, addonPath, billsOfMaterials, type PackageName } from "./bills.ts";
import { newestRelease } from "./changelog.ts";
import { addBundles, addFiles, type Contents, libraryFolder } from "./contents.ts";
import { lmdbAccount } from "./libraries.ts";

/**
 * `node --import tsx scripts/package/files.ts DIR`: everything that the Debian packages hold and that has to be made, below an empty DIR.
 * debian/*.install say what goes where. Nothing here depends on time, place or order: the same sources give the same bytes.
 */
const root = fileURLToPath(new URL("../../", import.meta.url));

/** Source maps would triple the packages, and name files that nobody has. */
const packed = { sourcemap: false, metafile: true } satisfies BuildOptions;

const [libDir, shareDir] = ["/usr/lib/proven", "/usr/share"];

export async function packageFiles(out: string, architecture: Architecture = "amd64"): Promise<void> {
  const release = newestRelease(readFileSync(join(root, "debian/changelog"), "utf8"));
  const contents = { "proven-agent": new Map(), "proven-hub": new Map(), "proven-pve-ui": new Map() } satisfies Record<
    PackageName,
    Contents
  >;
  const agent = await build({ ...agentOptions, ...packed, outdir: out });
  addBundles(contents["proven-agent"], [{ made: agent.metafile, outdir: out, installed: libDir }]);
  const hub = await build({ ...hubOptions, ...packed, outdir: out });
  addBundles(contents["proven-hub"], [{ made: hub.metafile, outdir: out, installed: libDir }]);
  await packLmdb(join(out, "node_modules"), architecture, contents["proven-hub"]);
  const loader = await build({ ...hostOptions, ...packed, outfile: join(out, "pve-manager/js/proven-host.js") });
  addBundles(contents["proven-pve-ui"], [{ made: loader.metafile, outdir: out, installed: shareDir }]);
  for (const { files, made } of [await bundleStandalone(packed), await bundleEmbedded(packed)]) {
    for (const [name, bytes] of files) write(join(out, "panel", name), bytes);
    const panel = (installed: string) => made.map((metafile) => ({ made: metafile, outdir: "/", installed }));
    addBundles(contents["proven-hub"], panel(`${shareDir}/proven-hub`));
    addBundles(contents["proven-pve-ui"], panel(`${shareDir}/proven`));
  }
  for (const [path, text] of billsOfMaterials(contents, release)) write(join(out, path), text);
  copy("ui-extension/patch-template.sh", join(out, "patch-ui"), 0o755);
  for (const name of ["proven-agent", "proven-hub"]) copy(`systemd/${name}.sh`, join(out, "sbin", name), 0o755);
  cpSync(join(root, "debian/man"), join(out, "man"), { recursive: true });
}

/**
 * lmdb and what it needs as they are, file by file: ordered-binary builds code with `eval` that names its module's variables, and a bundler gives
 * those other names. The addon is the one for any Node with Node-API, where lmdb looks first.
 */
async function packLmdb(out: string, architecture: Architecture, contents: Contents): Promise<void> {
  const account = await lmdbAccount();
  const folders = new Set<string>();
  for (const path of Object.keys(account.inputs)) {
    const folder = libraryFolder(path) ?? "";
    if (!path.startsWith("node_modules/")) throw new Error(`${path} lies elsewhere: node_modules must be a folder here, no link`);
    const name = folder.slice("node_modules/".length);
    folders.add(name);
    copy(path, join(out, path.replace(folder, name)), 0o644);
  }
  for (const name of folders) copy(`node_modules/${name}/package.json`, join(out, name, "package.json"), 0o644);
  write(join(out, addonPath), readAddon(architecture));
  addFiles(contents, account, (path) => `${libDir}/${path}`);
  addAddon(contents, architecture, `${libDir}/node_modules`);
}

function write(path: string, bytes: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

function copy(from: string, to: string, mode: number): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(join(root, from), to);
  chmodSync(to, mode);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [out] = process.argv.slice(2);
  if (out === undefined) {
    console.error("name the folder to fill");
    process.exit(2);
  }
  rmSync(resolve(out), { recursive: true, force: true });
  await packageFiles(resolve(out));
}
