import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { metadataProblem, thinMetadataProblem } from "../../../agent/restore/thin-metadata.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

const gib = 2 ** 30;
const pool = { vg: "pve", lv: "data", size: 1000 * gib, data: 0.5, metadata: 0.4, metadataSize: gib, provisioned: 0 };

test("a thin pool whose metadata a test would fill takes none: the guests of production would stop with it", () => {
  assert.equal(metadataProblem("local-lvm", pool, 500 * gib), undefined);
  assert.match(metadataProblem("local-lvm", pool, 650 * gib) ?? "", /pve\/data, whose metadata is 40 % full and would be 92 %:/);
  assert.match(metadataProblem("local-lvm", { ...pool, metadata: 0.93 }, gib) ?? "", /is 93 % full/);
  assert.equal(metadataProblem("local-lvm", { ...pool, data: 0, metadata: 0.01 }, 500 * gib), undefined);
});

test("a pool that holds next to nothing takes a test: what its metadata has used from the start is not what data costs", () => {
  const fresh = { ...pool, size: 340 * gib, data: 0.001, metadata: 0.005, metadataSize: 3.4 * gib };
  assert.equal(metadataProblem("local-lvm", fresh, 200 * gib), undefined);
  const tight = { ...fresh, metadataSize: gib / 8 };
  assert.match(metadataProblem("local-lvm", { ...tight, data: 0 }, 200 * gib) ?? "", /is 1 % full and would be 157 %:/);
});

test("only a storage on a thin pool is asked for it, and one that nobody can look into takes no test", async (t) => {
  const root = temporaryDir(t);
  mkdirSync(join(root, "etc/pve"), { recursive: true });
  const sections = "dir: local\n\tpath /var/lib/vz\n\nlvmthin: local-lvm\n\tthinpool data\n\tvgname pve\n";
  writeFileSync(join(root, "etc/pve/storage.cfg"), sections);
  const report = {
    lv: [{ vg_name: "pve", lv_name: "data", lv_attr: "twi-aotz--", lv_size: "1000", data_percent: "10", metadata_percent: "95" }],
  };
  const asked: string[] = [];
  const run = (stdout: string) => async (file: string) => {
    asked.push(file);
    return { ok: true as const, code: 0, stdout, stderr: "" };
  };
  const told = (storage: string, stdout: string) => thinMetadataProblem({ root, run: run(stdout) }, storage, 1);
  assert.equal(await told("local", ""), undefined);
  assert.deepEqual(asked, []);
  assert.match((await told("local-lvm", JSON.stringify({ report: [report] }))) ?? "", /whose metadata is 95 % full/);
  assert.equal(await told("local-lvm", "{}"), "How full the metadata of local-lvm is can't be read");
});
