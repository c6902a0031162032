import { chmodSync, copyFileSync, cpSync, mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { type BuildOptions, build } from "esbuild";
import { agentOptions, daemon, hostOptions, hubOptions } from "../build-options.ts";
import { bundleEmbedded, bundleStandalone } from "../panel-build.ts";

/**
 * `node --import tsx scripts/package/files.ts DIR`: everything that the Debian packages hold and that has to be made, below an empty DIR.
 * debian/*.install say what goes where. Nothing here depends on time, place or order: the same sources give the same bytes.
 */
const root = fileURLToPath(new URL("../../", import.meta.url));

/** Source maps would triple the packages, and name files that nobody has. */
const packed = { sourcemap: false, metafile: false } satisfies BuildOptions;

/** Architectures with a prebuilt addon, as Debian calls them. */
const addons = { amd64: "lmdb-linux-x64", arm64: "lmdb-linux-arm64" } as const;
export type Architecture = keyof typeof addons;

export async function packageFiles(out: string, architecture: Architecture = "amd64"): Promise<void> {
  await build({ ...agentOptions, ...packed, outdir: out });
  await build({ ...hubOptions, ...packed, outdir: out });
  await build({ ...hostOptions, ...packed, outfile: join(out, "pve-manager/js/proven-host.js") });
  await packLmdb(join(out, "node_modules/lmdb"), architecture);
  for (const { files } of [await bundleStandalone(packed), await bundleEmbedded(packed)]) {
    for (const [name, bytes] of files) write(join(out, "panel", name), bytes);
  }
  copyProgram("ui-extension/patch-template.sh", join(out, "patch-ui"));
  for (const name of ["proven-agent", "proven-hub"]) copyProgram(`systemd/${name}.sh`, join(out, "sbin", name));
  cpSync(join(root, "debian/man"), join(out, "man"), { recursive: true });
}

/** Its JavaScript as one module, and beside it, where it looks first, the addon for any Node with Node-API. */
async function packLmdb(out: string, architecture: Architecture): Promise<void> {
  await build({
    ...daemon,
    ...packed,
    entryPoints: [join(root, "node_modules/lmdb/node-index.js")],
    outfile: join(out, "index.js"),
  });
  write(join(out, "package.json"), `${JSON.stringify({ name: "lmdb", type: "module", exports: "./index.js" })}\n`);
  const addon = join(out, "build/Release/lmdb.node");
  mkdirSync(dirname(addon), { recursive: true });
  copyFileSync(join(root, "node_modules/@lmdb", addons[architecture], "node.napi.glibc.node"), addon);
  chmodSync(addon, 0o644);
}

function write(path: string, bytes: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

function copyProgram(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  copyFileSync(join(root, from), to);
  chmodSync(to, 0o755);
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
