import assert from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { chmodSync, readFileSync } from "node:fs";
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

test("a command that no signal ends is not started a second time while it is there", async (context) => {
  const node = new RecordedNode(context, { pve: false });
  node.write("bin/lvs", `#!/bin/sh\necho started >>${node.root}/starts\nexec sleep 1000 >/dev/null 2>&1\n`);
  chmodSync(join(node.root, "bin/lvs"), 0o755);
  const left: ChildProcess[] = [];
  const lab = createRunCommand({ path: `${node.root}/bin:/usr/bin:/bin`, kill: (child) => left.push(child) });
  const starts = () => readFileSync(join(node.root, "starts"), "utf8").trim().split("\n").length;
  const silent = { ok: false, problem: "lvs: no answer within 200 ms" };
  assert.deepEqual(await lab("lvs", ["-o", "all"], { timeoutMs: 200 }), silent);
  assert.deepEqual(await lab("lvs", ["-o", "all"], { timeoutMs: 200 }), silent);
  assert.deepEqual([starts(), left.length], [1, 1]);
  assert.deepEqual(await lab("lvs", ["another"], { timeoutMs: 200 }), silent, "another question is another command");
  assert.deepEqual([starts(), left.length], [2, 2]);
  for (const child of left) {
    child.ref(); // nobody else waits for it
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  assert.deepEqual(await lab("lvs", ["-o", "all"], { timeoutMs: 200 }), silent);
  assert.deepEqual([starts(), left.length], [3, 3], "its end makes room for the next");
  left.at(-1)?.kill("SIGKILL");
});

test("a command that ended, but whose child holds on to its output, is started again the next time", async (context) => {
  const node = new RecordedNode(context, { pve: false });
  node.write("bin/tool", `#!/bin/sh\necho started >>${node.root}/starts\nsleep 1 &\n`);
  chmodSync(join(node.root, "bin/tool"), 0o755);
  const lab = createRunCommand({ path: `${node.root}/bin:/usr/bin:/bin` });
  await lab("tool", [], { timeoutMs: 300 });
  await lab("tool", [], { timeoutMs: 300 });
  assert.equal(readFileSync(join(node.root, "starts"), "utf8"), "started\nstarted\n");
});

test("endless output ends at its limit", async () => {
  assert.deepEqual(await run("yes", [], { maxBytes: 1000 }), { ok: false, problem: "yes: more than 1000 bytes of output" });
});
