import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, renameSync, rmSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** A directory with `ext-all.js`, `theme-crisp/` and `font-awesome/`, or why there is none: tests skip with that reason. */
export type ExtFiles = { dir: string; problem?: undefined } | { dir?: undefined; problem: string };

const version = "6.2.0";
const cache = process.env.PROVEN_EXT ?? join(homedir(), ".cache/proven/ext");

/** What of the package is kept: 9 of its 600 MB. Proxmox VE itself has Ext JS 7.0, which nobody publishes on a registry. */
const kept = {
  "package/build/ext-all.js": "ext-all.js",
  "package/build/classic/theme-crisp/resources": "theme-crisp",
  "package/build/packages/font-awesome/resources": "font-awesome",
  "package/LICENSE": "LICENSE",
};

/** Ext JS (GPL) from the cache, else from the npm registry: 120 MB once. `say` is told before the download. */
export function extFiles(say: (line: string) => void = () => {}): ExtFiles {
  const dir = join(cache, version);
  if (existsSync(join(dir, "ext-all.js"))) return { dir };
  say(`fetching Ext JS ${version} from the npm registry (120 MB, once; kept in ${cache}) …`);
  const staged = join(cache, `.${process.pid}`);
  try {
    mkdirSync(join(staged, "kept"), { recursive: true });
    const packed = spawnSync("npm", ["pack", `extjs-gpl@${version}`, "--silent"], {
      cwd: staged,
      encoding: "utf8",
      timeout: 300_000,
    });
    if (packed.status !== 0) return { problem: `npm pack extjs-gpl failed: ${lastLine(packed.stderr)}` };
    const unpacked = spawnSync("tar", ["xzf", `extjs-gpl-${version}.tgz`, ...Object.keys(kept)], {
      cwd: staged,
      encoding: "utf8",
    });
    if (unpacked.status !== 0) return { problem: `the package extjs-gpl has not what is needed: ${lastLine(unpacked.stderr)}` };
    for (const [from, to] of Object.entries(kept)) renameSync(join(staged, from), join(staged, "kept", to));
    if (!existsSync(dir)) renameSync(join(staged, "kept"), dir);
    return { dir };
  } catch (cause) {
    return { problem: `no Ext JS: ${cause instanceof Error ? cause.message : String(cause)}` };
  } finally {
    rmSync(staged, { recursive: true, force: true });
  }
}

const lastLine = (text: string) => text.trim().split("\n").at(-1) ?? "no message";
