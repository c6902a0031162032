import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, test } from "node:test";
import { fileURLToPath } from "node:url";
import { pveTemplate } from "../support/template-file.ts";

const script = fileURLToPath(new URL("../../ui-extension/patch-template.sh", import.meta.url));
const loaderText = "/* the loader */\n";
const version = createHash("sha256").update(loaderText).digest("hex").slice(0, 12);
const anchor = '    <script type="text/javascript" src="/pve2/js/pvemanagerlib.js?ver=[% version %]"></script>\n';
const ours = `    <script type="text/javascript" src="/pve2/js/proven-host.js?ver=${version}"></script>\n`;
const patched = pveTemplate.replace(anchor, anchor + ours);

const roots: string[] = [];
after(() => {
  for (const root of roots) rmSync(root, { recursive: true, force: true });
});

/** The three places the script knows, below a directory of their own. */
function machine(template: string | Buffer | undefined) {
  const root = mkdtempSync(join(tmpdir(), "proven-patch-"));
  roots.push(root);
  const paths = {
    root,
    folder: join(root, "usr/share/pve-manager"),
    template: join(root, "usr/share/pve-manager/index.html.tpl"),
    loader: join(root, "usr/share/pve-manager/js/proven-host.js"),
    disabled: join(root, "etc/proven/ui-disabled"),
  };
  mkdirSync(dirname(paths.loader), { recursive: true });
  mkdirSync(dirname(paths.disabled), { recursive: true });
  writeFileSync(paths.loader, loaderText);
  if (template !== undefined) writeFileSync(paths.template, template);
  const run = (action: string, env: NodeJS.ProcessEnv = {}) =>
    spawnSync("sh", [script, action, "--root", root], { encoding: "utf8", env: { ...process.env, ...env } });
  const said = (action: string) => {
    const { status, stderr, stdout } = run(action);
    assert.deepEqual({ status, stdout }, { status: 0, stdout: "" });
    return stderr;
  };
  return { ...paths, run, said, text: () => readFileSync(paths.template, "utf8"), files: () => readdirSync(paths.folder).sort() };
}

test("a fresh template gets one line right after pvemanagerlib.js, and is byte for byte its own again after removal", () => {
  const pve = machine(pveTemplate);
  assert.equal(pve.said("apply"), "");
  assert.equal(pve.text(), patched);
  assert.equal(pve.said("remove"), "");
  assert.equal(pve.text(), pveTemplate);
  assert.deepEqual(pve.files(), ["index.html.tpl", "js"]);
});

test("runs that come together, as dpkg's trigger and the switch's service may, leave a whole template", async () => {
  const pve = machine(pveTemplate);
  const together = (...actions: string[]) =>
    Promise.all(actions.map((action) => once(spawn("sh", [script, action, "--root", pve.root], { stdio: "ignore" }), "exit")));
  for (let round = 0; round < 5; round++) {
    writeFileSync(pve.template, pveTemplate);
    await together("apply", "apply", "apply", "apply");
    assert.equal(pve.text(), patched);
    await together("remove", "apply", "remove", "apply");
    assert.ok([patched, pveTemplate].includes(pve.text()));
  }
  assert.deepEqual(pve.files(), ["index.html.tpl", "js"]);
});

test("a template that has the line already is not written again", () => {
  const pve = machine(pveTemplate);
  pve.said("apply");
  const { ino, mtimeMs } = statSync(pve.template);
  assert.equal(pve.said("apply"), "");
  assert.equal(statSync(pve.template).ino, ino);
  assert.equal(statSync(pve.template).mtimeMs, mtimeMs);
});

test("a new version of the loader replaces the old line", () => {
  const pve = machine(patched.replace(version, "0123456789ab"));
  assert.equal(pve.said("apply"), "");
  assert.equal(pve.text(), patched);
});

test("lines of other tools survive, wherever they stand", () => {
  const before = '    <script src="/pve2/js/discord-dark.js"></script>\n';
  const others = `${pveTemplate.replace(anchor, `${before}${anchor}    <script src="/pve2/js/pve-modkit.js"></script>\n`)}<script src="/x.js"></script>`;
  const pve = machine(others);
  pve.said("apply");
  assert.equal(pve.text(), others.replace(anchor, anchor + ours));
  pve.said("remove");
  assert.equal(pve.text(), others);
});

for (const [name, template, count] of [
  ["missing", pveTemplate.replace(anchor, ""), 0],
  ["doubled on two lines", pveTemplate.replace(anchor, anchor + anchor), 2],
  ["doubled on one line", pveTemplate.replace(anchor, `${anchor.trimEnd()}${anchor.trim()}\n`), 2],
] as const) {
  test(`an anchor that is ${name} leaves the template as it is, with one line that says why`, () => {
    const pve = machine(template);
    assert.equal(
      pve.said("apply"),
      `proven-ui: the line of pvemanagerlib.js is there ${count} times instead of once: ${pve.template} left as it is, no Proven tab\n`,
    );
    assert.equal(pve.text(), template);
    assert.deepEqual(pve.files(), ["index.html.tpl", "js"]);
  });
}

test("an anchor without an end of line is not touched: the removal could not give the same bytes back", () => {
  const pve = machine(pveTemplate.slice(0, pveTemplate.indexOf(anchor) + anchor.length - 1));
  const bytes = readFileSync(pve.template);
  assert.match(pve.said("apply"), /^proven-ui: the line of pvemanagerlib\.js has no end: .* left as it is\n$/);
  assert.deepEqual(readFileSync(pve.template), bytes);
});

test("our script on somebody else's line is theirs: nothing is changed", () => {
  const shared = pveTemplate.replace(anchor, `${anchor}${ours.trimEnd()}<script src="/y.js"></script>\n`);
  const pve = machine(shared);
  assert.match(pve.said("apply"), /^proven-ui: somebody else's line names proven-host\.js: /);
  assert.equal(pve.text(), shared);
});

for (const [name, template] of [
  ["with CRLF ends", Buffer.from(pveTemplate.replaceAll("\n", "\r\n"))],
  ["without an end of its last line", Buffer.from(pveTemplate.trimEnd())],
  ["with bytes that are no UTF-8", Buffer.concat([Buffer.from(pveTemplate), Buffer.from([0xff, 0xfe, 0xc3, 0x0a, 0x80])])],
] as const) {
  test(`a template ${name} comes back byte for byte`, () => {
    const pve = machine(template);
    assert.equal(pve.said("apply"), "");
    const bytes = readFileSync(pve.template);
    const line = Buffer.from(template.includes("\r\n") ? ours.replace("\n", "\r\n") : ours);
    const at = template.indexOf("\n", template.indexOf("pvemanagerlib.js")) + 1;
    assert.deepEqual(bytes, Buffer.concat([template.subarray(0, at), line, template.subarray(at)]));
    assert.equal(pve.said("remove"), "");
    assert.deepEqual(readFileSync(pve.template), template);
  });
}

test("the administrator's switch takes the line out and keeps it out, until the file is gone", () => {
  const pve = machine(patched);
  writeFileSync(pve.disabled, "");
  assert.equal(pve.said("apply"), "");
  assert.equal(pve.text(), pveTemplate);
  rmSync(pve.disabled);
  pve.said("apply");
  assert.equal(pve.text(), patched);
});

test("a gateway with another port is named in the line, and no more once it has the usual one", () => {
  const pve = machine(pveTemplate);
  const settings = join(pve.root, "etc/proven/agent.toml");
  const named = ours.replace('"></script>', '" data-port="9421"></script>');
  for (const [text, line] of [
    ['#port = 1\n[hub]\nport = 7\n[gateway]\nlisten = "::"\nport = 9421 # not 8421\n[outlet]\nport = 5\n', named],
    ["[gateway]\nport = 8421\n", ours],
    ["[gateway]\n  port=9421\n", named],
    ["[gateway]\r\nport = 9421\r\n", named],
    ["[gateway]\n#port = 8421\n", ours],
    ['[gateway]\nport = "><script>"\n', ours],
    ["gateway.port = 9421\n[hub]\nport = 7\n", named],
    ["hub.port = 9421\n[pve]\ngateway.port = 7\n", ours],
    ['gateway = { pve_port = 8007, port = 9421, listen = "::" } # port = 1\n', named],
    ["gateway = { pve_port = 8007 }\n", ours],
    ['[ gateway ] # the page\n"port" = 9_421\n[outlet] # port\nport = 5\n', named],
    ["[gateway]\npve_port = 9421\n", ours],
  ] as const) {
    writeFileSync(settings, text);
    assert.equal(pve.said("apply"), "");
    assert.equal(pve.text(), pveTemplate.replace(anchor, anchor + line), text);
  }
  writeFileSync(settings, "[gateway]\nport = 9421\n");
  pve.said("apply");
  assert.equal(pve.said("remove"), "");
  assert.equal(pve.text(), pveTemplate);
});

test("without the loader's file there is no line that would ask for it", () => {
  const pve = machine(patched);
  rmSync(pve.loader);
  assert.equal(pve.said("apply"), "");
  assert.equal(pve.text(), pveTemplate);
});

test("no web UI on this machine: said in one line, nothing made", () => {
  const pve = machine(undefined);
  assert.match(pve.said("apply"), /^proven-ui: no web UI here: .*index\.html\.tpl is missing\n$/);
  assert.deepEqual(pve.files(), ["js"]);
});

test("mode and owner stay, of a read-only file too", {
  skip: process.getuid?.() === 0 ? false : "giving files away needs root",
}, () => {
  const pve = machine(pveTemplate);
  chownSync(pve.template, 33, 34);
  chmodSync(pve.template, 0o444);
  assert.equal(pve.said("apply"), "");
  const { mode, uid, gid } = statSync(pve.template);
  assert.deepEqual({ mode: mode & 0o7777, uid, gid }, { mode: 0o444, uid: 33, gid: 34 });
  assert.equal(pve.text(), patched);
});

test("a folder that can't be written leaves the file alone", { skip: process.getuid?.() === 0 ? false : "needs root" }, () => {
  const pve = machine(pveTemplate);
  chmodSync(pve.root, 0o755);
  const { status, stderr } = spawnSync(
    "setpriv",
    ["--reuid=65534", "--clear-groups", "sh", script, "apply", "--root", pve.root],
    {
      encoding: "utf8",
    },
  );
  assert.equal(status, 0);
  assert.match(stderr, /proven-ui: cannot write beside .*index\.html\.tpl: left as it is\n$/);
  assert.equal(pve.text(), pveTemplate);
});

test("a template that is a link is changed where it really is", () => {
  const pve = machine(undefined);
  const real = join(pve.root, "real.tpl");
  writeFileSync(real, pveTemplate);
  symlinkSync(real, pve.template);
  assert.equal(pve.said("apply"), "");
  assert.equal(readFileSync(real, "utf8"), patched);
});

const everyRunUses = ["sed", "cmp", "chmod", "chown", "sync", "mv"];
test("killed at any command, the template is whole, and the next run finishes without leftovers", () => {
  for (const command of ["sed", "grep", "wc", "cut", "sha256sum", "head", "tail", "cmp", "chmod", "chown", "sync", "mv", "rm"]) {
    for (const [action, from, to] of [
      ["apply", pveTemplate, patched],
      ["remove", patched, pveTemplate],
    ] as const) {
      const pve = machine(from);
      const stubs = join(pve.root, "stubs");
      mkdirSync(stubs);
      writeFileSync(join(stubs, command), "#!/bin/sh\nkill -9 0\n", { mode: 0o755 });
      // A group of its own, so that the stub ends the script itself, not only a subshell of it.
      const { signal } = spawnSync("setsid", ["-w", "sh", script, action, "--root", pve.root], {
        env: { ...process.env, PATH: `${stubs}:${process.env.PATH}` },
      });
      if (everyRunUses.includes(command)) assert.equal(signal, "SIGKILL", `${command} was not reached`);
      assert.ok(pve.text() === from || pve.text() === to, `${action} killed by ${signal} at ${command}: the template is broken`);
      assert.equal(pve.said(action), "");
      assert.equal(pve.text(), to);
      assert.deepEqual(pve.files(), ["index.html.tpl", "js"], `leftovers of ${action}, killed at ${command}`);
      assert.equal(existsSync(`${pve.template}.proven-new.2`), false);
    }
  }
});

test("no or unknown word: a line of help, and still exit 0", () => {
  const { status, stderr } = spawnSync("sh", [script, "patch"], { encoding: "utf8" });
  assert.equal(status, 0);
  assert.equal(stderr, "proven-ui: usage: patch-ui apply|remove [--root DIR]\n");
});
