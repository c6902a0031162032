import assert from "node:assert/strict";
import { linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { writePrivate } from "../../agent/private-file.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

test("a private file is written anew, whatever link somebody put in its place", (t) => {
  const dir = temporaryDir(t);
  const foreign = join(dir, "foreign");
  writeFileSync(foreign, "foreign", { mode: 0o644 });
  const file = join(dir, "agent.key");
  symlinkSync(foreign, `${file}.${process.pid}.tmp`);
  writePrivate(file, "secret");
  assert.equal(readFileSync(foreign, "utf8"), "foreign");
  assert.equal(readFileSync(file, "utf8"), "secret");
  assert.equal(statSync(file).mode & 0o777, 0o600);

  rmSync(file);
  linkSync(foreign, file);
  writePrivate(file, "secret");
  rmSync(file);
  symlinkSync(foreign, file);
  writePrivate(file, "secret");
  assert.equal(lstatSync(file).isSymbolicLink(), false);
  assert.equal(readFileSync(foreign, "utf8"), "foreign");
});

test("a private file that can't be written leaves nothing: an agent that is started again and again on a full disk would fill its folder", (t) => {
  const dir = temporaryDir(t);
  mkdirSync(join(dir, "agent.key"));
  assert.throws(() => writePrivate(join(dir, "agent.key"), "secret"));
  assert.deepEqual(readdirSync(dir), ["agent.key"]);
});
