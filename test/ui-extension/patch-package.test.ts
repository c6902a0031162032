import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { pveTemplate } from "../support/template-file.ts";

/** Real dpkg on a root directory of its own: triggers, upgrades and removal as they come on a node. */
const skip = existsSync("/usr/bin/dpkg-deb") && process.getuid?.() === 0 ? false : "needs dpkg and root";
const project = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "proven-dpkg-"));
after(() => rmSync(folder, { recursive: true, force: true }));

type Content = Record<string, string | { file: string }>;

/** A .deb of these files and maintainer scripts. */
function makeDeb(name: string, version: string, files: Content, control: Content): string {
  const tree = join(folder, `${name}-${version}`);
  mkdirSync(join(tree, "DEBIAN"), { recursive: true });
  for (const [path, content] of [
    ...Object.entries(files),
    ...Object.entries(control).map(([key, value]) => [`DEBIAN/${key}`, value] as const),
  ]) {
    const full = join(tree, path);
    mkdirSync(dirname(full), { recursive: true });
    if (typeof content === "string") writeFileSync(full, content);
    else cpSync(content.file, full);
    chmodSync(full, /DEBIAN\/p|patch-ui/.test(path) ? 0o755 : 0o644);
  }
  const fields = [
    `Package: ${name}`,
    `Version: ${version}`,
    "Architecture: all",
    "Maintainer: Test <test@example.invalid>",
    "Description: test",
  ];
  writeFileSync(join(tree, "DEBIAN/control"), `${fields.join("\n")}\n`);
  const deb = `${tree}.deb`;
  const { status, stderr } = spawnSync("dpkg-deb", ["--root-owner-group", "-Znone", "-b", tree, deb], { encoding: "utf8" });
  assert.equal(status, 0, stderr);
  return deb;
}

const manager = (version: string, template: string) =>
  makeDeb(
    "pve-manager",
    version,
    { "usr/share/pve-manager/index.html.tpl": template, "usr/share/pve-manager/js/pvemanagerlib.js": "" },
    {},
  );
const maintainer = (kind: string) => ({ file: join(project, `debian/proven-pve-ui.${kind}`) });
const ui = (version: string, loader: string) =>
  makeDeb(
    "proven-pve-ui",
    version,
    {
      "usr/lib/proven/patch-ui": { file: join(project, "ui-extension/patch-template.sh") },
      "usr/share/pve-manager/js/proven-host.js": loader,
    },
    {
      triggers: maintainer("triggers"),
      postinst: maintainer("postinst"),
      prerm: maintainer("prerm"),
      postrm: maintainer("postrm"),
    },
  );

function node(name: string) {
  const root = join(folder, name);
  mkdirSync(join(root, "var/lib/dpkg/updates"), { recursive: true });
  mkdirSync(join(root, "var/lib/dpkg/info"), { recursive: true });
  writeFileSync(join(root, "var/lib/dpkg/status"), "");
  const template = join(root, "usr/share/pve-manager/index.html.tpl");
  const dpkg = (...args: string[]) => {
    const options = [`--root=${root}`, `--log=${join(root, "log")}`, "--force-script-chrootless", "--force-depends"];
    const { status, stdout, stderr } = spawnSync("dpkg", [...options, ...args], { encoding: "utf8" });
    assert.equal(status, 0, `dpkg ${args.join(" ")}: ${stdout}${stderr}`);
    return stderr;
  };
  return { root, dpkg, text: () => readFileSync(template, "utf8") };
}

/** Versions of our line in a template; a template without is `[]`. */
const lines = (text: string) => [...text.matchAll(/proven-host\.js\?ver=(\w+)/g)].map(([, version]) => version);
const hash = (text: string) => createHash("sha256").update(text).digest("hex").slice(0, 12);
const newTemplate = pveTemplate.replace("<title>", "<title>new ");

test("dpkg brings a fresh template with each upgrade of pve-manager, and the line is there again after the same run", {
  skip,
}, () => {
  const [pve1, pve2, ui1, ui2] = [
    manager("9.2.11", pveTemplate),
    manager("9.2.12", newTemplate),
    ui("1.0", "one"),
    ui("1.1", "two"),
  ];
  for (const [name, first, second] of [
    ["manager-first", pve1, ui1],
    ["ui-first", ui1, pve1],
  ] as const) {
    const { dpkg, text, root } = node(name);
    dpkg("-i", first);
    dpkg("-i", second);
    assert.deepEqual(lines(text()), [hash("one")]);
    dpkg("-i", pve2);
    assert.match(text(), /<title>new /);
    assert.deepEqual(lines(text()), [hash("one")]);
    dpkg("-i", pve1);
    assert.deepEqual(lines(text()), [hash("one")]);
    dpkg("-i", ui2);
    assert.deepEqual(lines(text()), [hash("two")]);
    dpkg("-i", pve2, ui1);
    assert.deepEqual(lines(text()), [hash("one")]);
    mkdirSync(join(root, "etc/proven"), { recursive: true });
    writeFileSync(join(root, "etc/proven/ui-disabled"), "");
    dpkg("-i", pve2);
    assert.equal(text(), newTemplate);
    dpkg("--remove", "proven-pve-ui");
    assert.equal(existsSync(join(root, "etc/proven/ui-disabled")), true);
    dpkg("--purge", "proven-pve-ui");
    assert.equal(existsSync(join(root, "etc/proven")), false);
  }
});

test("removal gives the package's own bytes back, and later upgrades of pve-manager are left alone", { skip }, () => {
  const { dpkg, text } = node("removal");
  dpkg("-i", manager("9.2.11", pveTemplate), ui("1.0", "one"));
  assert.deepEqual(lines(text()), [hash("one")]);
  dpkg("--remove", "proven-pve-ui");
  assert.equal(text(), pveTemplate);
  dpkg("-i", manager("9.2.12", newTemplate));
  assert.equal(text(), newTemplate);
});

test("a pve-manager whose page has no such anchor is configured in full, without our line", { skip }, () => {
  const { dpkg, text } = node("anchorless");
  const changed = pveTemplate.replaceAll("pvemanagerlib", "newmanagerlib");
  dpkg("-i", manager("9.2.11", pveTemplate), ui("1.0", "one"));
  assert.match(dpkg("-i", manager("10.0", changed)), /proven-ui: the line of pvemanagerlib\.js is there 0 times instead of once/);
  assert.equal(text(), changed);
});

test("pve-manager removed before us: our removal still ends well", { skip }, () => {
  const { dpkg, root } = node("orphan");
  dpkg("-i", manager("9.2.11", pveTemplate), ui("1.0", "one"));
  dpkg("--remove", "pve-manager");
  assert.match(dpkg("--purge", "proven-pve-ui"), /proven-ui: no web UI here/);
  assert.equal(existsSync(join(root, "usr/lib/proven/patch-ui")), false);
});
