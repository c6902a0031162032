import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";
import { byText } from "#protocol/order.ts";
import { newestRelease } from "./changelog.ts";

/**
 * `npm run repository -- DIR --key FINGERPRINT [--debs DIR] [--url URL]`: adds packages to an apt repository, a folder for any web server, and signs it
 * with that key of the caller's gpg. Packages that are there already stay, so that apt can go back to them. But for the signatures the same packages
 * give the same bytes. The layout is the one of https://wiki.debian.org/DebianRepository/Format.
 */
const root = fileURLToPath(new URL("../../", import.meta.url));

/** A package that can't be added, or a key that can't sign. */
export class RepositoryError extends Error {}

export type RepositoryOptions = {
  dir: string;
  debs: readonly string[];
  /** When what is in it was released. */
  at: Date;
  /** Fingerprint of the key that signs. */
  key: string;
  /** Where it will be served: goes into proven.sources. */
  url: string;
  /** The caller's own, with `GNUPGHOME` where the key is elsewhere. */
  env?: NodeJS.ProcessEnv;
};

const suite = "stable";
const architectures = ["amd64", "arm64"] as const;
const pool = "pool/main/p/proven";
/** Its public key, by this name in the repository and below /usr/share/keyrings. */
export const keyring = "proven-archive-keyring.gpg";

type Packed = { path: string; name: string; version: string; architecture: string; stanza: string };

const sha256 = (bytes: Uint8Array | string) => createHash("sha256").update(bytes).digest("hex");

/** @throws RepositoryError */
export function writeRepository({ dir, debs, at, key, url, env = process.env }: RepositoryOptions): void {
  for (const deb of debs) addDeb(dir, deb);
  const packed = readdirSync(join(dir, pool))
    .filter((name) => name.endsWith(".deb"))
    .map((name) => readDeb(dir, join(pool, name)))
    .sort((a, b) => byText(a.path, b.path));
  const indexes = new Map<string, Uint8Array>();
  for (const architecture of architectures) {
    const fitting = packed.filter((one) => one.architecture === "all" || one.architecture === architecture);
    const text = Buffer.from(fitting.map(({ stanza }) => `${stanza}\n`).join(""));
    indexes.set(`main/binary-${architecture}/Packages`, text);
    indexes.set(`main/binary-${architecture}/Packages.gz`, gzipSync(text, { level: 9 }));
  }
  const [dist, made, old] = ["", ".new", ".old"].map((end) => join(dir, "dists", `${suite}${end}`)) as [string, string, string];
  for (const path of [made, old]) rmSync(path, { recursive: true, force: true });
  for (const [path, bytes] of indexes) write(join(made, path), bytes);
  write(join(made, "Release"), releaseText(indexes, at));
  sign(made, key, env); // what is served stays as it is when this fails
  if (existsSync(dist)) renameSync(dist, old);
  renameSync(made, dist);
  rmSync(old, { recursive: true, force: true });
  write(join(dir, keyring), gpg(["--export", key], env));
  write(join(dir, "proven.sources"), sourcesText(url));
}

/** For /etc/apt/sources.list.d (sources.list(5), deb822). */
const sourcesText = (url: string) => `Types: deb
URIs: ${url}
Suites: ${suite}
Components: main
Signed-By: /usr/share/keyrings/${keyring}
`;

/** One version is one file for ever: what apt has verified must not change below it. */
function addDeb(dir: string, deb: string): void {
  const target = join(dir, pool, basename(deb));
  if (existsSync(target) && sha256(readFileSync(target)) !== sha256(readFileSync(deb))) {
    throw new RepositoryError(`${basename(deb)} is there already with other contents: a new build needs a new version`);
  }
  mkdirSync(dirname(target), { recursive: true });
  copyFileSync(deb, target);
}

function readDeb(dir: string, path: string): Packed {
  const bytes = readFileSync(join(dir, path));
  const control = execFileSync("dpkg-deb", ["--field", join(dir, path)], { encoding: "utf8" }).trimEnd();
  const field = (name: string) => new RegExp(`^${name}: (.+)$`, "m").exec(control)?.[1] ?? "";
  const [name, version, architecture] = [field("Package"), field("Version"), field("Architecture")];
  if (name === "" || version === "" || architecture === "") throw new RepositoryError(`${path} is no package`);
  const stanza = `${control}\nFilename: ${path}\nSize: ${bytes.length}\nSHA256: ${sha256(bytes)}\n`;
  return { path, name, version, architecture, stanza };
}

function releaseText(indexes: ReadonlyMap<string, Uint8Array>, at: Date): string {
  const sums = [...indexes].map(([path, bytes]) => ` ${sha256(bytes)} ${String(bytes.length).padStart(8)} ${path}`);
  const fields = [
    "Origin: Proven",
    "Label: Proven",
    `Suite: ${suite}`,
    `Codename: ${suite}`,
    `Date: ${at.toUTCString().replace("GMT", "UTC")}`,
    `Architectures: ${architectures.join(" ")}`,
    "Components: main",
    "Description: Proven for Proxmox VE",
    "SHA256:",
  ];
  return `${[...fields, ...sums].join("\n")}\n`;
}

function sign(dist: string, key: string, env: NodeJS.ProcessEnv): void {
  const by = ["--local-user", key, "--digest-algo", "SHA512", "--armor"];
  const release = join(dist, "Release");
  gpg([...by, "--output", join(dist, "InRelease"), "--clear-sign", release], env);
  gpg([...by, "--output", join(dist, "Release.gpg"), "--detach-sign", release], env);
}

function gpg(args: readonly string[], env: NodeJS.ProcessEnv): Uint8Array {
  try {
    return execFileSync("gpg", ["--batch", "--quiet", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  } catch (cause) {
    const said = String((cause as { stderr?: Uint8Array }).stderr ?? cause).trim();
    throw new RepositoryError(`gpg can't sign: ${said}`, { cause });
  }
}

function write(path: string, bytes: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, bytes);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      key: { type: "string" },
      debs: { type: "string", default: join(root, "dist/deb") },
      url: { type: "string", default: "https://packages.example.com/proven" },
    },
  });
  const [dir] = positionals;
  if (dir === undefined || values.key === undefined) {
    console.error("usage: npm run repository -- DIR --key FINGERPRINT [--debs DIR] [--url URL]");
    process.exit(2);
  }
  const debs = readdirSync(values.debs)
    .filter((name) => name.endsWith(".deb"))
    .map((name) => join(values.debs, name));
  const { at } = newestRelease(readFileSync(join(root, "debian/changelog"), "utf8"));
  writeRepository({ dir, debs, at, key: values.key, url: values.url });
  console.log(`${debs.length} packages in ${dir}; ${keyring} and proven.sources are for who installs from it`);
}
