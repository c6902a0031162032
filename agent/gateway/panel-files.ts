import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { extname, join, sep } from "node:path";

export type PanelFile = { bytes: Buffer; type: string; etag: string };

const types: Readonly<Record<string, string>> = {
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".woff2": "font/woff2",
};

/** A file of the panel as the package proven-pve-ui installs them; undefined: not there, or none of them. `name`: what follows `/panel/`. */
export async function readPanelFile(dir: string, name: string): Promise<PanelFile | undefined> {
  const type = types[extname(name)];
  if (type === undefined || !/^[A-Za-z0-9][A-Za-z0-9._/-]{0,200}$/.test(name) || name.includes("..")) return undefined;
  const path = join(dir, name);
  if (!path.startsWith(dir.endsWith(sep) ? dir : dir + sep)) return undefined;
  try {
    const bytes = await readFile(path);
    return { bytes, type, etag: `"${createHash("sha256").update(bytes).digest("hex").slice(0, 32)}"` };
  } catch {
    return undefined;
  }
}
