import assert from "node:assert/strict";
import { execFile, execFileSync } from "node:child_process";
import { once } from "node:events";
import { createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { RepositoryError, writeRepository } from "../../scripts/package/repository.ts";
import { newSigningKey, type SigningKey } from "../support/signing-key.ts";

const run = promisify(execFile);
const missing = ["/usr/bin/apt-get", "/usr/bin/gpg", "/usr/bin/gpgv", "/usr/bin/dpkg-deb"].find((path) => !existsSync(path));
const skip = missing === undefined ? false : `needs ${missing}`;
const at = new Date("2026-11-23T08:00:00Z");

describe("an apt repository of the packages", { skip }, () => {
  const dir = mkdtempSync(join(tmpdir(), "proven-repository-"));
  const repository = join(dir, "repository");
  let key: SigningKey;
  let url = "";
  const server = createServer((request, response) => {
    const path = join(repository, new URL(request.url ?? "/", "http://localhost").pathname);
    const file = createReadStream(path);
    file.on("error", () => response.writeHead(404).end());
    file.on("open", () => file.pipe(response));
  });

  before(async () => {
    key = newSigningKey("publisher");
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  after(() => {
    server.close();
    server.closeAllConnections();
    key.remove();
    rmSync(dir, { recursive: true, force: true });
  });

  /** A package with nothing in it but what tells two apart. */
  function deb(name: string, version: string, architecture: string, contents = version): string {
    const tree = join(dir, "trees", `${name}-${version}-${contents}`);
    mkdirSync(join(tree, "DEBIAN"), { recursive: true });
    mkdirSync(join(tree, "usr/share", name), { recursive: true });
    writeFileSync(join(tree, "usr/share", name, "text"), contents);
    const fields = [`Package: ${name}`, `Version: ${version}`, `Architecture: ${architecture}`];
    const rest = ["Maintainer: Test <test@proven.invalid>", "Description: test", " More of it."];
    writeFileSync(join(tree, "DEBIAN/control"), `${[...fields, ...rest].join("\n")}\n`);
    const out = join(dir, "debs", contents);
    mkdirSync(out, { recursive: true });
    const path = join(out, `${name}_${version}_${architecture}.deb`);
    execFileSync("dpkg-deb", ["--root-owner-group", "-Znone", "-b", tree, path], { stdio: "ignore" });
    return path;
  }

  const publish = (debs: readonly string[], to = repository, by = key) =>
    writeRepository({ dir: to, debs, at, key: by.fingerprint, url, env: by.env });

  /** apt as on a machine of its own, where nothing is installed; it knows the repository by the files that lie in it. */
  function machine(name: string) {
    const home = join(dir, name);
    for (const folder of ["etc/sources.list.d", "state/lists/partial", "cache/archives/partial", "log"])
      mkdirSync(join(home, folder), { recursive: true });
    writeFileSync(join(home, "status"), "");
    const keyring = join(home, "keyring.gpg");
    writeFileSync(keyring, readFileSync(join(repository, "proven-archive-keyring.gpg")));
    const sources = readFileSync(join(repository, "proven.sources"), "utf8").replace(/^Signed-By: .*$/m, `Signed-By: ${keyring}`);
    writeFileSync(join(home, "etc/sources.list.d/proven.sources"), sources);
    const options = {
      "Dir::Etc": join(home, "etc"),
      "Dir::State": join(home, "state"),
      "Dir::State::status": join(home, "status"),
      "Dir::Cache": join(home, "cache"),
      "Dir::Log": join(home, "log"),
      "APT::Architecture": "amd64",
      "APT::Architectures": "amd64",
      "APT::Sandbox::User": "root",
      "Acquire::Languages": "none",
      "Acquire::http::Proxy": "false",
      "APT::Update::Error-Mode": "any",
    };
    const flags = Object.entries(options).flatMap(([option, value]) => ["-o", `${option}=${value}`]);
    return (program: string, ...args: string[]) =>
      run(program, [...flags, ...args], { cwd: home, env: { PATH: process.env.PATH, LC_ALL: "C" } });
  }

  test("apt takes a package from it, the newest one or the one that is asked for", async () => {
    publish([deb("proven-agent", "1.0", "all"), deb("proven-hub", "1.0", "amd64"), deb("proven-hub", "1.0", "arm64")]);
    publish([deb("proven-agent", "1.1", "all")]);
    const apt = machine("one");
    await apt("apt-get", "update");
    const { stdout } = await apt("apt-cache", "madison", "proven-agent", "proven-hub");
    assert.deepEqual(
      [...stdout.matchAll(/^ *(\S+) \| +(\S+) \|/gm)].map(([, name, version]) => `${name} ${version}`),
      ["proven-agent 1.1", "proven-agent 1.0", "proven-hub 1.0"],
    );
    const simulated = await apt("apt-get", "install", "--simulate", "proven-agent");
    assert.match(simulated.stdout, /^Inst proven-agent \(1\.1 Proven:stable \[all\]\)$/m);
    await apt("apt-get", "download", "proven-agent=1.0");
    assert.deepEqual(
      readFileSync(join(dir, "one/proven-agent_1.0_all.deb")),
      readFileSync(join(dir, "debs/1.0/proven-agent_1.0_all.deb")),
    );
  });

  test("apt refuses what somebody else has signed, and what was changed after it was signed", async () => {
    const stranger = newSigningKey("stranger");
    const apt = machine("two");
    const lists = join(repository, "dists/stable");
    const kept = new Map(
      readdirSync(lists, { recursive: true, encoding: "utf8" }).flatMap((name) => {
        const path = join(lists, name);
        return /Release|Packages/.test(name) ? [[path, readFileSync(path)] as const] : [];
      }),
    );
    publish([], repository, stranger);
    await assert.rejects(apt("apt-get", "update"), /NO_PUBKEY|not signed/);
    for (const [path, bytes] of kept) writeFileSync(path, bytes);
    const inRelease = join(lists, "InRelease");
    writeFileSync(inRelease, readFileSync(inRelease, "utf8").replace("Label: Proven", "Label: Praven"));
    await assert.rejects(apt("apt-get", "update"), /BADSIG|not signed|invalid/);
    for (const [path, bytes] of kept) writeFileSync(path, bytes);
    await apt("apt-get", "update");
    stranger.remove();
  });

  test("a version is one file for ever, and the same packages give the same bytes but for the signatures", () => {
    const [agent, hub] = [deb("proven-agent", "2.0", "all"), deb("proven-hub", "2.0", "amd64")];
    const [one, two] = [join(dir, "first"), join(dir, "second")];
    publish([agent, hub], one);
    publish([hub], two);
    publish([agent], two);
    const files = (of: string) =>
      readdirSync(of, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && !/^(InRelease|Release\.gpg)$/.test(entry.name))
        .map((entry) => [
          join(entry.parentPath, entry.name).slice(of.length),
          readFileSync(join(entry.parentPath, entry.name), "latin1"),
        ])
        .sort(([a = ""], [b = ""]) => (a < b ? -1 : 1));
    assert.deepEqual(files(two), files(one));
    assert.throws(() => publish([deb("proven-agent", "2.0", "all", "other")], two), RepositoryError);
  });

  test("a key that isn't there is an error that says so", () => {
    const unknown = { ...key, fingerprint: "0".repeat(40) };
    assert.throws(() => publish([], repository, unknown), /^Error: gpg can't sign: .*No secret key/s);
    assert.deepEqual(readdirSync(join(repository, "dists")), ["stable", "stable.new"]);
    assert.ok(existsSync(join(repository, "dists/stable/InRelease")), "what is served is as it was");
  });
});
