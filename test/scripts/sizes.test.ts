import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { bundleEmbedded, bundleStandalone } from "../../scripts/panel-build.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** Largest size on the wire, bytes of gzip; of the panel what is loaded before its first page is seen. */
const bounds: [part: string, gzipMax: number][] = [
  ["host", 4_000],
  ["panel", 90_000],
  ["embedded", 90_000],
  ["agent", 100_000],
  ["hub", 750_000],
];

test("npm run build writes dist/sizes.json with the plain and the gzip size of each part, all within their bounds", () => {
  const { status, stderr } = spawnSync("node", ["--import", "tsx", "scripts/build.ts"], { cwd: root, encoding: "utf8" });
  assert.equal(status, 0, stderr);
  const sizes: Record<string, { bytes: number; gzip: number }> = JSON.parse(readFileSync(`${root}dist/sizes.json`, "utf8"));
  for (const [part, gzipMax] of bounds) {
    const { bytes = 0, gzip = 0 } = sizes[part] ?? {};
    assert.ok(gzip > 500 && gzip < gzipMax, `${part}: ${gzip} B gzip, at most ${gzipMax}`);
    assert.ok(bytes > gzip, `${part}: ${bytes} B`);
  }
});

test("editors, charts, search and the wall screen are no part of the first load, nor are they lost", async () => {
  for (const { files, firstLoad } of await Promise.all([
    bundleStandalone({ sourcemap: false }),
    bundleEmbedded({ sourcemap: false }),
  ])) {
    const text = (name: string) => new TextDecoder().decode(files.get(name));
    const early = firstLoad.map(text).join("\n");
    const all = [...files.keys()]
      .filter((name) => name.endsWith(".js"))
      .map(text)
      .join("\n");
    for (const element of [
      "proven-rule",
      "proven-receiver-form",
      "proven-route-form",
      "proven-window-form",
      "proven-chart",
      "proven-search",
      "proven-screen",
    ]) {
      const definition = `customElements.define("${element}"`;
      assert.ok(!early.includes(definition), `${element} is loaded at first`);
      assert.ok(all.includes(definition), `${element} is in no file`);
    }
  }
});

test("the page names its early pieces, and the service worker keeps every file that the page may load", async () => {
  const { files, firstLoad } = await bundleStandalone({ sourcemap: false });
  const html = new TextDecoder().decode(files.get("index.html"));
  for (const name of firstLoad.slice(1)) assert.ok(html.includes(`<link rel="modulepreload" href="${name}" />`), name);
  const worker = new TextDecoder().decode(files.get("service-worker.js"));
  for (const name of files.keys()) {
    if (name !== "index.html" && name !== "service-worker.js") assert.ok(worker.includes(`"${name}`), `${name} is not kept`);
  }
});
