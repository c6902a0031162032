import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Packages with lmdb's prebuilt addon, by architecture as Debian calls it. */
const packages = { amd64: "@lmdb/lmdb-linux-x64", arm64: "@lmdb/lmdb-linux-arm64" } as const;
export type Architecture = keyof typeof packages;

/** Name of the package in the registry. */
export const addonPackage = (architecture: Architecture): string => packages[architecture];

/** Of those in the package the one for any Node with Node-API, and Debian's C library. */
const file = "node.napi.glibc.node";

/** The registry's package is not the one that the lock file names. */
export class AddonError extends Error {}

/** The addon's bytes: npm installed this machine's own; another architecture's comes from the registry, as the lock file names it. */
export function readAddon(architecture: Architecture): Uint8Array {
  const name = packages[architecture];
  const installed = join(root, "node_modules", name, file);
  return existsSync(installed) ? readFileSync(installed) : fetchAddon(name);
}

type LockFile = { packages: Record<string, { version: string; integrity: string } | undefined> };

function fetchAddon(name: string): Uint8Array {
  const locked = (JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as LockFile).packages[`node_modules/${name}`];
  if (locked === undefined) throw new AddonError(`${name} is not in package-lock.json`);
  const dir = mkdtempSync(join(tmpdir(), "proven-addon-"));
  try {
    execFileSync("npm", ["pack", "--silent", `${name}@${locked.version}`], { cwd: dir, stdio: ["ignore", "ignore", "inherit"] });
    const [tarball = ""] = readdirSync(dir);
    const bytes = readFileSync(join(dir, tarball));
    const seen = `sha512-${createHash("sha512").update(bytes).digest("base64")}`;
    if (seen !== locked.integrity) throw new AddonError(`${name} ${locked.version}: ${seen} instead of ${locked.integrity}`);
    execFileSync("tar", ["-C", dir, "-xzf", join(dir, tarball), `package/${file}`]);
    return readFileSync(join(dir, "package", file));
  } finally {
    rmSync(dir, { recursive: true });
  }
}
