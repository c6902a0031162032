import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { Architecture } from "./addon.ts";
import { newestRelease } from "./changelog.ts";
import { packageFiles } from "./files.ts";
import { publisherOf, signedBy } from "./publisher.ts";

/**
 * `npm run deb [-- --arch amd64|arm64] [-- --version 0.1.1~test1] [-- --out DIR]`: the Debian packages, into dist/deb. Built in a folder of its own with
 * debian/, systemd/ and what scripts/package/files.ts makes; the same sources give the same bytes, wherever and whenever. Who publishes them sets
 * DEBFULLNAME and DEBEMAIL (publisher.ts).
 */
const root = fileURLToPath(new URL("../../", import.meta.url));

/** The build ended with an error, and has said why. */
export class PackageError extends Error {}

export type DebOptions = {
  out: string;
  architecture?: Architecture;
  /** Another than the changelog's, for tests of upgrades. */
  version?: string;
  /** What `packageFiles` has already made; default: made now. */
  files?: string;
  /** `Name <address>` of who publishes them; default: nobody does. */
  publisher?: string | undefined;
};

/** Paths of the packages. @throws PackageError */
export async function buildDebs({ out, architecture = "amd64", version, files, publisher }: DebOptions): Promise<string[]> {
  const folder = mkdtempSync(join(tmpdir(), "proven-deb-"));
  try {
    const tree = join(folder, "proven");
    mkdirSync(tree);
    for (const part of ["debian", "systemd"])
      cpSync(join(root, part), join(tree, part), { recursive: true, verbatimSymlinks: true });
    for (const name of publisher === undefined ? [] : ["debian/control", "debian/changelog"]) {
      writeFileSync(join(tree, name), signedBy(readFileSync(join(tree, name), "utf8"), publisher ?? ""));
    }
    if (files === undefined) await packageFiles(join(tree, "build"), architecture);
    else cpSync(files, join(tree, "build"), { recursive: true });
    const release = newestRelease(readFileSync(join(root, "debian/changelog"), "utf8"));
    pack(tree, { architecture, version: version ?? release.version, at: release.at });
    mkdirSync(out, { recursive: true });
    const debs = readdirSync(folder).filter((name) => name.endsWith(".deb"));
    for (const name of debs) copyFileSync(join(folder, name), join(out, name));
    return debs.sort().map((name) => join(out, name));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

type Packing = { architecture: Architecture; version: string; at: Date };

/** debhelper's steps, as dpkg-buildpackage runs them, with a clean environment. */
function pack(tree: string, { architecture, version, at }: Packing): void {
  const env = {
    PATH: "/usr/sbin:/usr/bin:/sbin:/bin",
    HOME: tree,
    LC_ALL: "C.UTF-8",
    TZ: "UTC",
    SOURCE_DATE_EPOCH: String(at.getTime() / 1000),
    DEB_BUILD_OPTIONS: "nocheck",
    DEB_PROVEN_VERSION: version,
  };
  // -d: it would want a C compiler, of which nothing here has a use. What is needed scripts/bootstrap.mjs installs.
  const command = ["-b", "-uc", "-us", "-nc", "-d", `--host-arch=${architecture}`];
  const { status, stdout, stderr, error } = spawnSync("sh", ["-c", 'umask 022; exec dpkg-buildpackage "$@"', "sh", ...command], {
    cwd: tree,
    env,
    encoding: "utf8",
    maxBuffer: 32 << 20,
  });
  if (error !== undefined) throw new PackageError(`dpkg-buildpackage can't be run: ${error.message}`);
  if (status !== 0) throw new PackageError(`dpkg-buildpackage ended with ${status}\n${stdout}\n${stderr}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values } = parseArgs({
    options: { arch: { type: "string", default: "amd64" }, version: { type: "string" }, out: { type: "string" } },
  });
  const { arch, version, out = join(root, "dist/deb") } = values;
  if (arch !== "amd64" && arch !== "arm64") {
    console.error("--arch: amd64 or arm64");
    process.exit(2);
  }
  const publisher = publisherOf(process.env);
  if (publisher === undefined)
    console.log("DEBFULLNAME and DEBEMAIL are not set: the packages say that nobody has published them");
  const debs = await buildDebs({ out, architecture: arch, ...(version === undefined ? {} : { version }), publisher });
  for (const path of debs) console.log(`${(statSync(path).size / 1000).toFixed(0).padStart(6)} kB  ${path}`);
}
