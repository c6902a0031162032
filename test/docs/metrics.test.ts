import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { restoreMetrics } from "#protocol/guest-metrics.ts";
import { remoteReadConfig } from "../../hub/senders/remote-read.ts";
import { remoteWriteConfig } from "../../hub/senders/remote-write/config.ts";

const root = fileURLToPath(new URL("../..", import.meta.url));
const doc = readFileSync(`${root}/docs/METRICS.md`, "utf8");
const code = readdirSync(`${root}/hub/core`)
  .filter((name) => name.startsWith("prometheus-"))
  .map((name) => readFileSync(`${root}/hub/core/${name}`, "utf8"))
  .join("\n");

test("docs: every exporter family the code writes is in the table, and no other is called present", () => {
  const written = new Set(code.match(/"pve_[a-z_]+"|\bpve_[a-z_]+(?=:)/g)?.map((name) => name.replaceAll('"', "")));
  const rows = [...doc.matchAll(/^\| `(pve_[a-z_]+)` +\| (yes|no)/gm)];
  const present = rows.filter(([, , here]) => here === "yes").map(([, name]) => name);
  assert.deepEqual(present.sort(), [...written].sort());
});

test("docs: what restore tests measure stands in the table with the names the catalogue gives it", () => {
  const rows = [...doc.matchAll(/^\| `(proven_restore_[a-z_]+)` +\| `([a-z_]+)`/gm)].map(([, family, metric]) => [
    metric,
    family,
  ]);
  assert.deepEqual(
    rows,
    restoreMetrics.map(({ name, prometheus }) => [name, prometheus]),
  );
});

test("docs: every setting of remote write is explained", () => {
  const missing = Object.keys(remoteWriteConfig.shape).filter((key) => !doc.includes(key));
  assert.deepEqual(missing, []);
  assert.deepEqual(
    Object.keys(remoteReadConfig.shape).filter((key) => !doc.includes(key)),
    [],
  );
});
