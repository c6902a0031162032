import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** Debian packages that are run beside us, and the program of each. */
const programs = {
  prometheus: "prometheus",
  "victoria-metrics": "victoria-metrics",
  "prometheus-node-exporter": "prometheus-node-exporter",
} as const;
export type PeerPackage = keyof typeof programs;

export type FoundPeer = { ok: true; path: string; version: string } | { ok: false; problem: string };

const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "proven/peers");

function run(file: string, args: readonly string[]): { ok: boolean; text: string } {
  const { status, stdout, stderr, error } = spawnSync(file, args, { cwd: cache, encoding: "utf8", timeout: 180_000 });
  return { ok: status === 0, text: error?.message ?? `${stdout}${stderr}`.trim() };
}

/** Of `NAME_VERSION_ARCH.deb`; a colon of the version's epoch stands as %3a. */
function packageFile(name: PeerPackage): { file: string; version: string } | undefined {
  const file = readdirSync(cache).find((entry) => entry.startsWith(`${name}_`) && entry.endsWith(".deb"));
  return file === undefined ? undefined : { file, version: file.split("_")[1] ?? "?" };
}

function download(name: PeerPackage): string | undefined {
  const first = run("apt-get", ["download", name]);
  if (first.ok) return undefined;
  // On a fresh image the package lists are empty, and only root may fetch them.
  run("apt-get", ["update", "-q"]);
  const second = run("apt-get", ["download", name]);
  return second.ok ? undefined : (second.text.split("\n").at(-1) ?? "apt-get download failed");
}

/**
 * The package's program, fetched with `apt-get download` and unpacked (not installed: no service is started) below
 * `~/.cache/proven/peers`. An installed program is not used, so that the version is the one the table names.
 */
export function findPeer(name: PeerPackage): FoundPeer {
  if (!existsSync("/usr/bin/apt-get") || !existsSync("/usr/bin/dpkg")) return { ok: false, problem: "no apt-get here" };
  mkdirSync(cache, { recursive: true });
  if (packageFile(name) === undefined) {
    const problem = download(name);
    if (problem !== undefined) return { ok: false, problem };
  }
  const found = packageFile(name);
  if (found === undefined) return { ok: false, problem: `no package file of ${name}` };
  const root = join(cache, `${name}-${found.version}`);
  const path = join(root, "usr/bin", programs[name]);
  if (!existsSync(path)) {
    const unpacked = run("dpkg", ["-x", found.file, root]);
    if (!unpacked.ok) return { ok: false, problem: `dpkg -x ${found.file}: ${unpacked.text}` };
  }
  return existsSync(path)
    ? { ok: true, path, version: found.version }
    : { ok: false, problem: `${name} holds no ${programs[name]}` };
}
