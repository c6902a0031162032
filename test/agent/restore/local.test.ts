import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { test } from "node:test";
import { type LocalTest, runLocally } from "../../../agent/restore/local.ts";
import { plantTest, type RestoreNode, startRestoreNode } from "../../support/restore-node.ts";

const wanted: LocalTest = { guest: 900, backup: undefined, storage: undefined, keepSec: 0, dryRun: false };

function runIt(node: RestoreNode, order: Partial<LocalTest> = {}, signal = new AbortController().signal) {
  let text = "";
  const write = (more: string) => {
    text += more;
  };
  const ended = runLocally({ ...wanted, ...order }, { restore: node.ports, dir: node.dir, write, signal });
  return node.drive(ended.then((code) => ({ code, text })));
}

test("a dry run at the node prints every call, and changes nothing", async (t) => {
  const node = await startRestoreNode(t);
  const { volid } = plantTest(node, "qemu").backup;
  const before = node.lab.restores.inventory();
  const { code, text } = await runIt(node, { dryRun: true });
  assert.equal(code, 0);
  const lines = text.split("\n");
  assert.deepEqual(lines.slice(0, 2), [
    `Restore test of VM 900 from ${volid}`,
    "as guest 990000 on local-lvm, 4.0 GiB. Nothing was done.",
  ]);
  assert.ok(lines.includes('                  net0="virtio=BC:24:11:00:00:01,bridge=sandbox,link_down=1"'));
  assert.ok(lines.includes("  hookscript: runs on the host"));
  assert.deepEqual([node.lab.restores.inventory(), readdirSync(node.dir)], [before, []]);
});

test("a test at the node takes the newest backup, prints its steps and its verdict, and owes the hub nothing", async (t) => {
  const node = await startRestoreNode(t);
  plantTest(node, "lxc");
  const before = node.lab.restores.inventory();
  const { code, text } = await runIt(node, { guest: 901 });
  assert.match(text, /^locate {8}passed/m);
  assert.match(text, /^destroy {7}passed/m);
  assert.match(text, /^PASSED, level boots: The backup is good: it restores and boots/m);
  assert.deepEqual([code, node.lab.restores.inventory()], [0, before]);
  assert.match(readdirSync(node.dir).join(), /^[0-9a-f-]{36}\.done$/);
});

test("Ctrl-C ends the test and removes its guest", async (t) => {
  const node = await startRestoreNode(t);
  plantTest(node, "qemu");
  const before = node.lab.restores.inventory();
  node.lab.control.inject({ kind: "restore", fault: "hang" });
  const stop = new AbortController();
  node.lab.schedule.at(node.clock.now() + 8000, () => stop.abort());
  const { code, text } = await runIt(node, {}, stop.signal);
  assert.match(text, /^CANCELLED, level bytes: Cancelled$/m);
  assert.deepEqual([code, node.lab.restores.inventory()], [1, before]);
});

test("a guest without a backup is told", async (t) => {
  const node = await startRestoreNode(t);
  assert.deepEqual(await runIt(node, { guest: 4711 }), { code: 2, text: "No backup of 4711 is seen here\n" });
  plantTest(node, "qemu");
  const { text } = await runIt(node, { backup: "nfs1:backup/none" });
  assert.equal(text, "There is no backup nfs1:backup/none of 900\n");
});
