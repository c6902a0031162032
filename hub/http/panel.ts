import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { extname, join, resolve, sep } from "node:path";
import { BoundedMap } from "../core/limits.ts";
import type { HubApp, HubContext } from "./env.ts";

const types: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".json": "application/json",
  ".map": "application/json",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
};

const missingPage = `<!doctype html><meta charset="utf-8"><title>Proven</title>
<h1>The panel is not built</h1><p>Run <code>npm run build</code>, or name its directory as <code>panel</code> in the hub's configuration.</p>
<p>The hub itself works: its API is at <a href="/api/v1/openapi.json">/api/v1</a>.</p>`;

type File = { bytes: Uint8Array<ArrayBuffer>; hash: string; mtimeMs: number };

/**
 * The standalone panel's files. A name asked with the hash of its content (`panel.js?v=…`) may be kept for ever, everything else is asked again
 * with its ETag; index.html, which names the hashes, is not kept at all.
 */
export function panelRoutes(app: HubApp, dir: string): void {
  const files = new BoundedMap<string, File>(200);
  app.get("*", async (c) => {
    const path = c.req.path === "/" ? "/index.html" : c.req.path;
    const file = await readPanelFile(files, dir, path);
    if (file !== undefined) return answerFile(c, path, file);
    if (path === "/index.html") return c.html(missingPage, 503, { "Cache-Control": "no-store" });
    return c.notFound();
  });
}

function answerFile(c: HubContext, path: string, { bytes, hash }: File): Response {
  const etag = `"${hash}"`;
  const version = c.req.query("v") ?? "";
  const named = version.length >= 8 && hash.startsWith(version);
  // A piece's name holds the hash of what is in it.
  const isPiece = /^\/chunks\/[\w.-]+-[A-Z0-9]{8}\.js$/.test(path);
  const cache = path === "/index.html" ? "no-store" : named || isPiece ? "public, max-age=31536000, immutable" : "no-cache";
  const headers = { ETag: etag, "Cache-Control": cache, "Content-Type": types[extname(path)] ?? "application/octet-stream" };
  if (c.req.header("If-None-Match") === etag) return c.body(null, 304, headers);
  return c.body(bytes, 200, headers);
}

/** Undefined: no such file, or none below `dir`. */
async function readPanelFile(files: BoundedMap<string, File>, dir: string, path: string): Promise<File | undefined> {
  const root = resolve(dir);
  const full = join(root, path);
  if (!full.startsWith(root + sep) || path.includes("\0") || /(^|[/\\])\./.test(path)) return undefined;
  try {
    const { mtimeMs } = await stat(full);
    const known = files.get(full);
    if (known?.mtimeMs === mtimeMs) return known;
    const bytes = new Uint8Array(await readFile(full));
    const file = { bytes, hash: createHash("sha256").update(bytes).digest("hex"), mtimeMs };
    files.set(full, file);
    return file;
  } catch {
    return undefined;
  }
}
