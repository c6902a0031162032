import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
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

test("docs: every setting of remote write is explained", () => {
  const missing = Object.keys(remoteWriteConfig.shape).filter((key) => !doc.includes(key));
  assert.deepEqual(missing, []);
  assert.deepEqual(
    Object.keys(remoteReadConfig.shape).filter((key) => !doc.includes(key)),
    [],
  );
});
