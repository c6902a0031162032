import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import * as z from "zod";
import { softwareVersion } from "#protocol/version.ts";
import { parseConfig as parseAgentConfig } from "../../../agent/config.ts";
import { commands } from "../../../hub/cli/commands.ts";
import { storeCommands } from "../../../hub/cli/store-commands.ts";
import { parseConfig as parseHubConfig } from "../../../hub/config.ts";
import { newestRelease } from "../../../scripts/package/changelog.ts";
import { configManual, configText, TextsError } from "../../../scripts/package/config-text.ts";
import { copyrightText, LicenceError } from "../../../scripts/package/copyright.ts";
import { generatedFiles } from "../../../scripts/package/generate.ts";
import { nobody, publisherOf, signedBy } from "../../../scripts/package/publisher.ts";
import { schemaKeys } from "../../../scripts/package/schema-keys.ts";

const read = (path: string) => readFileSync(fileURLToPath(new URL(`../../../${path}`, import.meta.url)), "utf8");

test("configurations, their manual pages, the copyright file and the page of limits say what schemas, bundles and code say", async () => {
  for (const [path, text] of await generatedFiles()) {
    assert.equal(read(path), text, `${path}: run node --import tsx scripts/package/generate.ts`);
  }
});

test("the installed configurations change nothing, and stay valid when every default is switched on", () => {
  assert.deepEqual(parseAgentConfig(read("debian/conf/agent.toml")), parseAgentConfig(""));
  assert.deepEqual(parseHubConfig(read("debian/conf/hub.toml")), parseHubConfig(""));
  // [hub] has no defaults: who switches it on fills it in.
  const switchedOn = read("debian/conf/agent.toml").replace(/^#(\[(?!hub).*\]|\w+ = (?!"").+)$/gm, "$1");
  assert.match(switchedOn, /^port = 8421$/m);
  assert.deepEqual(parseAgentConfig(switchedOn), parseAgentConfig(""));
});

test("changelog, package.json and the programs have one version", () => {
  const { version } = newestRelease(read("debian/changelog"));
  assert.equal(version, softwareVersion);
  assert.equal((JSON.parse(read("package.json")) as { version: string }).version, version);
});

test("every command of the hub and the agent is in its manual page and in the completion", () => {
  const manual = read("debian/man/proven-hub.8").replace(/\\f.|\\|"/g, "");
  const completion = read("debian/completion/proven-hub");
  for (const name of [
    ...Object.keys(commands),
    ...Object.keys(storeCommands),
    "doctor",
    "setup",
    "certificate show",
    "certificate renew",
    "certificate settle",
    "join-key rotate",
    "deploy",
  ]) {
    assert.ok(manual.includes(name), `proven-hub(8): ${name}`);
    for (const word of name.split(" ")) assert.match(completion, new RegExp(`\\b${word}\\b`), `completion: ${word}`);
  }
  for (const word of ["join", "doctor", "key", "rotate", "restore-test", "clear-up"]) {
    assert.match(read("debian/man/proven-agent.8").replaceAll("\\-", "-"), new RegExp(`\\b${word}\\b`));
    assert.match(read("debian/completion/proven-agent"), new RegExp(`\\b${word}\\b`));
  }
});

const example = z.strictObject({
  name: z.string().default("a-b"),
  link: z.strictObject({ port: z.int().min(1).max(9).default(4), mode: z.enum(["x", "y"]).optional() }).prefault({}),
});
const file = {
  name: "e.toml",
  daemon: "e",
  keys: schemaKeys(example),
  texts: { name: "Who.", link: "Where.", "link.port": "Door.", "link.mode": "How." },
};

test("a commented configuration has every setting with its kind and its default", () => {
  assert.equal(
    configText(file).split("\n\n").slice(1).join("\n\n"),
    '# Who. (text)\n#name = "a-b"\n\n# Where.\n#[link]\n\n# Door. (whole number from 1 to 9)\n#port = 4\n\n# How. ("x", "y")\n#mode = ""\n',
  );
});

test("in a manual page hyphens are hyphens, and what has no default says so", () => {
  const page = configManual(file, { version: "1", date: "2026-01-02" });
  assert.match(page, /^\.B name\nWho\. A text\.\nDefault: "a\\-b"$/m);
  assert.match(page, /^\.B mode\nHow\. A "x", "y"\.\nNo default\.$/m);
});

test("a setting that nobody described, and a description of nothing, are errors that name them", () => {
  const texts = { name: "Who.", link: "Where.", "link.port": "Door.", "link.colour": "Red." };
  assert.throws(
    () => configText({ ...file, texts }),
    new TextsError("e.toml: without a text: link.mode; texts about nothing: link.colour"),
  );
});

test("a bundled library with a licence that nobody has looked at stops the packaging", () => {
  const library = { name: "l", version: "1", licence: "Beerware", copyright: ["Copyright 2020 Me"], text: "" };
  assert.throws(() => copyrightText([library]), LicenceError);
});

test("a changelog without an entry is no changelog", () => {
  assert.throws(() => newestRelease("nothing"), /does not begin with an entry/);
});

test("the sources name nobody as their publisher, and who builds with DEBFULLNAME and DEBEMAIL is named everywhere instead", () => {
  const publisher = publisherOf({ DEBFULLNAME: "Anna & Co $1", DEBEMAIL: "packages@anna.example" }) ?? "";
  assert.equal(publisher, "Anna & Co $1 <packages@anna.example>");
  assert.equal(publisherOf({}), undefined);
  for (const path of ["debian/control", "debian/changelog"]) {
    const signed = signedBy(read(path), publisher);
    assert.equal(signed.includes(nobody), false, path);
    assert.ok(signed.includes(publisher), path);
  }
  assert.equal(newestRelease(signedBy(read("debian/changelog"), publisher)).version, softwareVersion);
});

test("half a publisher, or one that would break a field, is refused", () => {
  assert.throws(() => publisherOf({ DEBFULLNAME: "Anna" }), /DEBEMAIL/);
  assert.throws(() => publisherOf({ DEBEMAIL: "a@b.example" }), /DEBFULLNAME/);
  assert.throws(() => publisherOf({ DEBFULLNAME: "A <b>", DEBEMAIL: "a@b.example" }), /DEBFULLNAME/);
  assert.throws(() => publisherOf({ DEBFULLNAME: "A", DEBEMAIL: "a@b.example\nPackage: x" }), /DEBEMAIL/);
  assert.throws(() => signedBy("Maintainer: Somebody", "Anna <a@b.example>"), /is to be replaced/);
});
