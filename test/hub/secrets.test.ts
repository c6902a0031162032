import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { Secrets } from "../../hub/secrets.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

test("secrets outlive the process in a file that only its owner can read", (t) => {
  const dir = temporaryDir(t);
  new Secrets(dir).change({ "receiver/a/token": "one", "receiver/b/token": "two" });
  const file = join(dir, "secrets.json");
  assert.equal(statSync(file).mode & 0o777, 0o600);
  chmodSync(file, 0o644);
  const again = new Secrets(dir);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(again.get("receiver/a/token"), "one");
  again.change({ "receiver/a/token": undefined });
  assert.equal(new Secrets(dir).has("receiver/a/token"), false);
});

test("secrets of receivers that are gone are removed, the hub's own are kept", (t) => {
  const secrets = new Secrets(temporaryDir(t));
  secrets.change({ "receiver/a/token": "one", "receiver/b/token": "two", "vapid/private": "three" });
  secrets.prune("receiver/", (name) => name === "receiver/b/token");
  assert.deepEqual(
    ["receiver/a/token", "receiver/b/token", "vapid/private"].map((name) => secrets.has(name)),
    [false, true, true],
  );
});

test("a missing secret is named, a broken file is refused with a remedy; neither shows a value", (t) => {
  const dir = temporaryDir(t);
  assert.throws(
    () => new Secrets(dir).get("receiver/a/token"),
    /^Error: the secret receiver\/a\/token is missing: set it again$/,
  );
  writeFileSync(join(dir, "secrets.json"), '{"receiver/a/token": "hunter2');
  assert.throws(
    () => new Secrets(dir),
    (error: Error) => /Restore it from a backup/.test(error.message) && !error.message.includes("hunter2"),
  );
});

test("a disk that takes a part of the file only keeps the one that was there, and the caller hears of it", (t) => {
  const dir = temporaryDir(t);
  new Secrets(dir).change({ "receiver/a/token": "one" });
  const program = `
    const { Secrets } = await import(${JSON.stringify(new URL("../../hub/secrets.ts", import.meta.url).href)});
    const { existsSync } = await import("node:fs");
    process.on("SIGXFSZ", () => undefined);
    try {
      new Secrets(process.argv[1]).change({ "receiver/b/token": "x".repeat(100_000) });
      console.log("taken");
    } catch (error) {
      console.log(error.code);
    }`;
  const limited = ["--fsize=4096", process.execPath, "--import", "tsx", "--input-type=module", "-e", program, dir];
  const { stdout } = spawnSync("prlimit", limited, { encoding: "utf8", env: { ...process.env, TSX_DISABLE_CACHE: "1" } });
  assert.equal(stdout.trim(), "EFBIG");
  assert.equal(new Secrets(dir).get("receiver/a/token"), "one");
});
