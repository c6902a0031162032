import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";

const folder = mkdtempSync(join(tmpdir(), "proven-ext-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const ext = fileURLToPath(new URL("../support/pve-shell/ext.ts", import.meta.url));
const program = `import { extFiles } from ${JSON.stringify(ext)}; console.log(JSON.stringify(extFiles((line) => console.log(line))));`;

test("where Ext JS can't be fetched the reason is said, and nothing half-made stays in the cache", () => {
  const [stubs, cache] = [join(folder, "stubs"), join(folder, "cache")];
  mkdirSync(stubs);
  writeFileSync(join(stubs, "npm"), "#!/bin/sh\necho 'npm error network request failed' >&2\nexit 1\n", { mode: 0o755 });
  const { stdout } = spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", program], {
    env: { ...process.env, PROVEN_EXT: cache, PATH: `${stubs}:${process.env.PATH}` },
    encoding: "utf8",
  });
  assert.deepEqual(stdout.trim().split("\n"), [
    `fetching Ext JS 6.2.0 from the npm registry (120 MB, once; kept in ${cache}) …`,
    '{"problem":"npm pack extjs-gpl failed: npm error network request failed"}',
  ]);
  assert.deepEqual(readdirSync(cache), []);
});
