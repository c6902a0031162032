import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { after, before, describe, test } from "node:test";
import { buildDebs } from "../../scripts/package/deb.ts";

type Bill = {
  metadata: { component: { name: string } };
  components: {
    "bom-ref": string;
    group?: string;
    name: string;
    version: string;
    licenses: unknown[];
    properties: { value: string }[];
  }[];
  dependencies: { ref: string; dependsOn: string[] }[];
};

const missing = ["dh", "dh_bash-completion"].find((name) => !existsSync(`/usr/bin/${name}`));
const skip = missing === undefined ? false : `needs ${missing} (debhelper, bash-completion)`;

describe("Debian packages", { skip }, () => {
  const dir = mkdtempSync(join(tmpdir(), "proven-packages-"));
  let debs: string[];

  const root = join(dir, "root");

  before(async () => {
    debs = await buildDebs({ out: join(dir, "one") });
    for (const deb of debs) execFileSync("dpkg-deb", ["--extract", deb, root]);
  });
  after(() => rmSync(dir, { recursive: true, force: true }));

  const hashes = (paths: readonly string[]) =>
    paths.map((path) => `${basename(path)} ${createHash("sha256").update(readFileSync(path)).digest("hex")}`);

  test("the same sources give the same bytes, in another place and at another time", async () => {
    assert.deepEqual(
      debs.map((path) => basename(path)),
      ["proven-agent_0.1.0_all.deb", "proven-hub_0.1.0_amd64.deb", "proven-pve-ui_0.1.0_all.deb"],
    );
    assert.deepEqual(hashes(await buildDebs({ out: join(dir, "two") })), hashes(debs));
  });

  test("lintian has nothing to say", { skip: existsSync("/usr/bin/lintian") ? false : "needs lintian" }, () => {
    const { stdout } = spawnSync("lintian", ["--allow-root", "--fail-on=none", ...debs], { encoding: "utf8" });
    assert.equal(stdout.trim(), "");
  });

  test("every file belongs to root, nobody else may write it, and no source map or test is among them", () => {
    for (const deb of debs) {
      const lines = execFileSync("dpkg-deb", ["--contents", deb], { encoding: "utf8" }).trim().split("\n");
      const wrong = lines.filter(
        (line) =>
          !/^[d-]rwxr-xr-x root\/root|^-rw-r--r-- root\/root|^lrwxrwxrwx root\/root/.test(line) ||
          /\.map$|\.ts$|\/test\//.test(line),
      );
      assert.deepEqual(wrong, [], basename(deb));
    }
  });

  test("each package's bill of materials names what is in it, and debian/copyright names the same libraries", () => {
    const named = new Set<string>();
    for (const name of ["proven-agent", "proven-hub", "proven-pve-ui"]) {
      const bill = JSON.parse(readFileSync(join(root, "usr/share/doc", name, "sbom.cdx.json"), "utf8")) as Bill;
      assert.equal(bill.metadata.component.name, name);
      const refs = new Set([name, ...bill.components.map((one) => one["bom-ref"])]);
      assert.equal(refs.size, bill.components.length + 1);
      assert.deepEqual(new Set(bill.dependencies.map(({ ref }) => ref)), refs);
      for (const { dependsOn } of bill.dependencies) for (const ref of dependsOn) assert.ok(refs.has(ref), ref);
      for (const { group, name: bare, version, licenses, properties } of bill.components) {
        assert.equal(licenses.length, 1, bare);
        for (const { value } of properties) assert.ok(existsSync(join(root, value)), `${bare}: ${value}`);
        if (group !== "@lmdb") named.add(`${group === undefined ? "" : `${group}/`}${bare} ${version}`);
      }
    }
    assert.ok(named.size > 50, `${named.size} libraries`);
    const copyright = readFileSync(join(root, "usr/share/doc/proven-hub/copyright"), "utf8");
    assert.deepEqual(
      [...named].sort(),
      [...copyright.matchAll(/^Comment: (\S+ \S+), in the bundles/gm)].map(([, library]) => library).sort(),
    );
  });

  test("the hub of the package opens its stores with the addon that is in it", () => {
    const config = join(dir, "hub.toml");
    writeFileSync(config, `state = "${dir}/state"\n`);
    const output = execFileSync(process.execPath, [join(root, "usr/lib/proven/hub.mjs"), "--check", "--config", config], {
      encoding: "utf8",
    });
    assert.match(output, /^state {3}\S+: ok, 0 audited changes$/m);
    assert.match(output, /^series {2}series store: nothing is damaged$/m);
    assert.match(output, new RegExp(`^panel   ${root}/usr/lib/proven/panel$`, "m"));
  });
});
