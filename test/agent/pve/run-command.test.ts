import assert from "node:assert/strict";
import { chmodSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createRunCommand } from "../../../agent/pve/run-command.ts";
import { RecordedNode } from "../../support/recorded-node.ts";

const run = createRunCommand({ path: "/usr/bin:/bin" });

test("a command's output and exit code are its result, a failure too", async () => {
  assert.deepEqual(await run("echo", ["a", "b c"]), { ok: true, stdout: "a b c\n", stderr: "", code: 0 });
  const failed = await run("ls", ["/no/such/place"]);
  assert.deepEqual(failed.ok && [failed.code, failed.stderr.includes("No such file")], [2, true]);
});

test("no shell looks at the arguments", async () => {
  const result = await run("echo", ["$(id)", "; reboot", "*"]);
  assert.deepEqual(result, { ok: true, stdout: "$(id) ; reboot *\n", stderr: "", code: 0 });
});

test("a command that is not installed is a result with its name", async () => {
  assert.deepEqual(await run("zpool-that-is-not-there", []), { ok: false, problem: "zpool-that-is-not-there: not installed" });
});

test("programs are looked up in the given path alone", async (context) => {
  const node = new RecordedNode(context, { pve: false });
  node.write("bin/zpool", "#!/bin/sh\necho from the lab\n");
  chmodSync(join(node.root, "bin/zpool"), 0o755);
  const lab = createRunCommand({ path: join(node.root, "bin") });
  assert.deepEqual(await lab("zpool", []), { ok: true, stdout: "from the lab\n", stderr: "", code: 0 });
  assert.deepEqual(await lab("ls", []), { ok: false, problem: "ls: not installed" });
});

test("a command that hangs is killed at its time", async () => {
  assert.deepEqual(await run("sleep", ["1000"], { timeoutMs: 50 }), { ok: false, problem: "sleep: no answer within 50 ms" });
});

test("endless output ends at its limit", async () => {
  assert.deepEqual(await run("yes", [], { maxBytes: 1000 }), { ok: false, problem: "yes: more than 1000 bytes of output" });
});
