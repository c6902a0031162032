import assert from "node:assert/strict";
import { appendFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseTaskLine, TaskSource } from "../../../agent/sources/tasks.ts";
import { settle } from "../../support/fake-clock.ts";
import { RecordedNode, recordedAt } from "../../support/recorded-node.ts";

const folder = "var/log/pve/tasks";
const upid = (start: string, vmid = 100) => `UPID:pve1:000001BA:0006B14B:${start}:vzdump:${vmid}:root@pam:`;
const sec = (hex: string) => Number.parseInt(hex, 16) * 1000;
const at = sec("6B03A400");

test("a task's status goes to the end of its line, and a running one has none", () => {
  assert.deepEqual(parseTaskLine(`${upid("6B03A3BC")} 1 6B03A3C6 unable to get PID for CT 200 (not running?)`, "active"), {
    upid: upid("6B03A3BC"),
    endedAt: sec("6B03A3C6"),
    status: "unable to get PID for CT 200 (not running?)",
  });
  assert.deepEqual(parseTaskLine(`${upid("6B03A3BC")} 0`, "active"), { upid: upid("6B03A3BC") });
  assert.deepEqual(parseTaskLine(`${upid("6B03A3BC")} 6B03A3C6 WARNINGS: 2`, "index")?.status, "WARNINGS: 2");
  assert.equal(parseTaskLine("UPID:pve1:nonsense 0", "active"), undefined);
});

test("the recorded lists give each task of the last day once", async (context) => {
  const node = new RecordedNode(context);
  const source = new TaskSource(node.root);
  const tasks = await source.read(recordedAt);
  const upids = tasks.map((task) => task.upid);
  assert.equal(new Set(upids).size, upids.length);
  assert.equal(source.problem, undefined);
  const lines = new Set(
    `${node.read(`${folder}/index`)}${node.read(`${folder}/active`)}`.split("\n").map((line) => line.split(" ")[0]),
  );
  assert.deepEqual(new Set(upids), new Set([...lines].filter((line) => line !== "")));
  assert.deepEqual(await source.read(recordedAt), []);
});

test("a task is told when it starts and again when it ends", async (context) => {
  const node = new RecordedNode(context, { pve: false });
  const source = new TaskSource(node.root);
  node.write(`${folder}/index`, "");
  node.write(`${folder}/active`, `${upid("6B03A3FF")} 0\n`);
  assert.deepEqual(await source.read(at), [{ upid: upid("6B03A3FF") }]);
  node.write(`${folder}/active`, `${upid("6B03A3FF")} 1 6B03A400 OK\n`);
  appendFileSync(join(node.root, folder, "index"), `${upid("6B03A3FF")} 6B03A400 OK\n`);
  assert.deepEqual(await source.read(at), [{ upid: upid("6B03A3FF"), endedAt: at, status: "OK" }]);
  assert.deepEqual(await source.read(at), []);
});

test("a line that is still being written is read when it is whole", async (context) => {
  const node = new RecordedNode(context, { pve: false });
  const source = new TaskSource(node.root);
  node.write(`${folder}/index`, `${upid("6B03A3FF")} 6B03A400 job er`);
  assert.deepEqual(await source.read(at), []);
  appendFileSync(join(node.root, folder, "index"), "rors\n");
  assert.deepEqual(await source.read(at), [{ upid: upid("6B03A3FF"), endedAt: at, status: "job errors" }]);
});

test("the index is rotated between two looks: no task is missed and none told twice", async (context) => {
  const node = new RecordedNode(context, { pve: false });
  const source = new TaskSource(node.root);
  const index = join(node.root, folder, "index");
  node.write(`${folder}/index`, `${upid("6B03A3F0", 101)} 6B03A3F1 OK\n`);
  assert.equal((await source.read(at)).length, 1);
  appendFileSync(index, `${upid("6B03A3F2", 102)} 6B03A3F3 OK\n`);
  renameSync(index, `${index}.1`);
  node.write(`${folder}/index`, `${upid("6B03A3F4", 103)} 6B03A3F5 OK\n`);
  assert.deepEqual(
    (await source.read(at)).map((task) => task.upid),
    [upid("6B03A3F2", 102), upid("6B03A3F4", 103)],
  );
  assert.deepEqual(await source.read(at), []);
});

test("tasks that ended more than a day ago are history", async (context) => {
  const node = new RecordedNode(context, { pve: false });
  node.write(`${folder}/index`, `${upid("6B024000", 101)} 6B024001 OK\n${upid("6B03A3F0", 102)} 6B03A3F1 OK\n`);
  assert.deepEqual(
    (await new TaskSource(node.root).read(at)).map((task) => task.upid),
    [upid("6B03A3F0", 102)],
  );
});

test("a node that never ran a task has no problem; one without the folder has", async (context) => {
  const node = new RecordedNode(context, { pve: false });
  const missing = new TaskSource(node.root);
  assert.deepEqual(await missing.read(at), []);
  assert.equal(missing.problem, "/var/log/pve/tasks: missing");
  node.write(`${folder}/0/unrelated`, "");
  const fresh = new TaskSource(node.root);
  assert.deepEqual(await fresh.read(at), []);
  assert.equal(fresh.problem, undefined);
});

test("a watched list is looked at when something in its folder moved, and is not missed", async (context) => {
  const node = new RecordedNode(context, { pve: false });
  node.write(`${folder}/index`, "");
  const source = new TaskSource(node.root, true);
  context.after(() => source.close());
  assert.deepEqual(await source.read(at), []);
  appendFileSync(join(node.root, folder, "index"), `${upid("6B03A3FF")} 6B03A400 OK\n`);
  let told = await source.read(at);
  for (let looks = 0; told.length === 0 && looks < 1000; looks++) {
    await settle();
    told = await source.read(at);
  }
  assert.deepEqual(told, [{ upid: upid("6B03A3FF"), endedAt: at, status: "OK" }]);
});
