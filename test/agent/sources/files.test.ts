import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { isJson, NowReader, readText } from "../../../agent/sources/files.ts";
import { temporaryDir } from "../../support/temporary-dir.ts";

test("a file is read whole, whatever its size, and a missing one says so", async (context) => {
  const root = temporaryDir(context);
  const read = readText(root);
  for (const size of [0, 1, 8191, 8192, 8193, 100_000]) {
    const text = `${"ä".repeat(size >> 1)}${size % 2 === 1 ? "x" : ""}`;
    writeFileSync(join(root, "file"), text);
    assert.deepEqual(await read("/file"), { ok: true, text });
    assert.deepEqual(await read("/file", undefined, () => true), { ok: true, text });
  }
  assert.deepEqual(await read("/none"), { ok: false, code: "ENOENT" });
  assert.deepEqual(await read("/file", 10), { ok: true, text: "äääää" });
});

test("files that are read at the same time don't get into each other", async (context) => {
  const root = temporaryDir(context);
  const names = Array.from({ length: 20 }, (_, index) => `file${index}`);
  for (const name of names) writeFileSync(join(root, name), name.repeat(500));
  const found = await Promise.all(names.map((name) => readText(root)(`/${name}`)));
  assert.deepEqual(
    found,
    names.map((name) => ({ ok: true, text: name.repeat(500) })),
  );
});

test("however many wait for a pmxcfs that hangs, other files are read, and all of them have their answer in the end", async (context) => {
  const root = temporaryDir(context);
  const read = readText(root);
  mkdirSync(join(root, "etc/pve"), { recursive: true });
  writeFileSync(join(root, "spool"), "samples");
  const names = Array.from({ length: 6 }, (_, index) => `/etc/pve/file${index}`);
  execFileSync(
    "mkfifo",
    names.map((name) => join(root, name)),
  );
  const asked = names.map((name) => read(name)); // opening one for reading waits for a writer, on a thread of the pool
  assert.deepEqual(await read("/spool"), { ok: true, text: "samples" });
  const writers = await Promise.all(names.map((name) => open(join(root, name), "r+"))); // which waits for nobody
  assert.deepEqual(
    (await Promise.all(asked)).map((file) => file.ok || file.code),
    names.map(() => "ESPIPE"),
    "each was opened at last, and is no file with offsets",
  );
  for (const writer of writers) await writer.close();
});

test("only a whole JSON object counts as whole", () => {
  assert.deepEqual(['{"a":{"b":1}}\n', '{"a":{"b":1}', "", "[1]", "name: web"].map(isJson), [true, false, false, false, false]);
});

test("the first line of a file is read up to its end, and no further", (context) => {
  const root = temporaryDir(context);
  const line = "x".repeat(200_000);
  writeFileSync(join(root, "file"), `${line}\n${line}\n`);
  const reader = new NowReader(root);
  const { bytes, length } = reader.readBytes("/file", 1 << 20, 10);
  assert.equal(bytes.toString("utf8", 0, length), line);
  assert.equal(reader.read("/file").length, 400_002);
  assert.equal(reader.read("/file", 5), "xxxxx");
});
