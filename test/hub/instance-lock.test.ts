import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { statSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { lockInstance } from "../../hub/instance-lock.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

test("only one hub works on a state directory, and the next may when it is gone", (t) => {
  const dir = temporaryDir(t);
  const lock = lockInstance(dir);
  assert.equal(lockInstance(join(dir, ".")), undefined);
  lock?.release();
  const next = lockInstance(dir);
  assert.ok(next);
  next.release();
});

test("a hub that is killed leaves its lock to the next one", async (t) => {
  const dir = temporaryDir(t);
  const module = fileURLToPath(new URL("../../hub/instance-lock.ts", import.meta.url));
  const program = `import { lockInstance } from ${JSON.stringify(module)};
    if (lockInstance(${JSON.stringify(dir)}) !== undefined) console.log("locked");
    setInterval(() => undefined, 60_000);`;
  const hub = spawn(process.execPath, ["--import", "tsx", "--input-type=module", "--eval", program], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const [line] = await once(hub.stdout, "data");
  assert.equal(String(line), "locked\n");
  assert.equal(lockInstance(dir), undefined);
  hub.kill("SIGKILL");
  await once(hub, "exit");
  assert.ok(lockInstance(dir));
});

test("nobody but the directory's owner can take the lock, and no link is followed to where it lies", (t) => {
  const dir = temporaryDir(t);
  lockInstance(dir)?.release();
  assert.equal(statSync(join(dir, "lock")).mode & 0o777, 0o600);
  const other = temporaryDir(t);
  symlinkSync(join(dir, "lock"), join(other, "lock"));
  assert.throws(() => lockInstance(other), { code: "ELOOP" });
});
