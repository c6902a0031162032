import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * What a container needs that a node of Proxmox VE has in any case; our own packages' dependencies among it, and the allocator that the hub
 * recommends, so that their installation needs no mirror.
 */
const packages = ["systemd-sysv", "dbus", "nodejs", "iproute2", "procps", "ca-certificates", "libjemalloc2"];
const cache = join(homedir(), ".cache/proven");
const tar = join(cache, `trixie-${createHash("sha256").update(packages.join()).digest("hex").slice(0, 8)}.tar`);

export type Found = { ok: true; path: string } | { ok: false; problem: string };

/** Why containers can't run here; undefined: they can. */
export function hostProblem(): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  for (const [program, name] of [
    ["systemd-nspawn", "systemd-container"],
    ["debootstrap", "debootstrap"],
    ["dh", "debhelper"],
    ["dh_bash-completion", "bash-completion"],
    ["gpg", "gnupg"],
    ["ip", "iproute2"],
  ] as const) {
    if (spawnSync("which", [program]).status !== 0) return `needs ${program} (${name})`;
  }
  return undefined;
}

/** Debian 13 as a tar file, made once and kept. Needs a Debian mirror then. */
export function trixieTar(): Found {
  if (existsSync(tar)) return { ok: true, path: tar };
  mkdirSync(cache, { recursive: true });
  const dir = join(cache, `trixie.${process.pid}`);
  try {
    const made = spawnSync("debootstrap", ["--variant=minbase", `--include=${packages.join(",")}`, "trixie", dir], {
      encoding: "utf8",
    });
    if (made.status !== 0) return { ok: false, problem: `debootstrap: ${(made.stdout ?? "").trim().split("\n").at(-1)}` };
    const packed = spawnSync("tar", [
      "-C",
      dir,
      "--exclude=./var/cache/apt/archives/*.deb",
      "--exclude=./dev/*",
      "-cf",
      `${tar}.new`,
      ".",
    ]);
    if (packed.status !== 0) return { ok: false, problem: `tar: ${packed.stderr}` };
    renameSync(`${tar}.new`, tar);
    return { ok: true, path: tar };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

/** Unpacks it below `dir`, for containers to share read-only. */
export function unpack(path: string, dir: string): void {
  mkdirSync(dir, { recursive: true });
  const { status, stderr } = spawnSync("tar", ["-C", dir, "-xf", path], { encoding: "utf8" });
  if (status !== 0) throw new Error(`tar: ${stderr}`);
  rmSync(join(dir, "etc/hostname"), { force: true }); // debootstrap took this machine's
}
