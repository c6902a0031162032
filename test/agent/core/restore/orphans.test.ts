import assert from "node:assert/strict";
import { test } from "node:test";
import { mountsBelow, orphansOf, parseProcessStat } from "../../../../agent/core/restore/orphans.ts";

/** A line of /proc/<pid>/stat. */
const stat = (pid: number, name: string, session: number, startTicks: number, state = "S") =>
  `${pid} (${name}) ${state} 1 ${pid} ${session} 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 ${startTicks} 9 10`;
const processOf = (...of: Parameters<typeof stat>) => parseProcessStat(stat(...of)) ?? assert.fail();

test("a process is read whatever its name holds; what is cut is none", () => {
  const read = { pid: 42, session: 7, startTicks: 1000, state: "S" };
  for (const name of ["vma", "a) R 1 1 1", "(x", ""]) assert.deepEqual(parseProcessStat(stat(42, name, 7, 1000)), read);
  for (const text of ["", "42", "42 (vma)", "42 (vma) S 1 42 7", "x (vma) S 1 42 7 0 -1 4 1 2 3 4 5 6 7 8 20 0 1 0 1000"]) {
    assert.equal(parseProcessStat(text), undefined, text);
  }
});

test("what a killed restore left running is its session's, began no earlier than it, and is not the dead worker itself", () => {
  const worker = { pid: 500, pstart: 1000 };
  const left = [processOf(501, "vma", 500, 1000), processOf(502, "zstd", 500, 1010)];
  const others = [processOf(503, "older", 500, 999), processOf(504, "bash", 400, 2000), processOf(400, "init", 400, 1)];
  assert.deepEqual(orphansOf(worker, [...left, ...others]), [501, 502]);
  assert.deepEqual(orphansOf(worker, [...left, processOf(500, "task UPID", 500, 1000, "Z")]), [501, 502]);
});

test("while the worker lives nothing of its session is touched: Proxmox VE ends it", () => {
  const all = [processOf(500, "task UPID", 500, 1000), processOf(501, "vma", 500, 1000)];
  assert.deepEqual(orphansOf({ pid: 500, pstart: 1000 }, all), []);
});

test("mounts below a folder come the innermost first, the folder's own the last, and no neighbour's", () => {
  const mounts = [
    "/dev/a /var/lib/lxc/9230/rootfs ext4 rw 0 0",
    "/dev/b /var/lib/lxc/9230/rootfs/with\\040space ext4 rw 0 0",
    "/dev/c /var/lib/lxc/92301/rootfs ext4 rw 0 0",
    "/dev/d / ext4 rw 0 0",
    "",
  ].join("\n");
  assert.deepEqual(mountsBelow(mounts, "/var/lib/lxc/9230/rootfs"), [
    "/var/lib/lxc/9230/rootfs/with space",
    "/var/lib/lxc/9230/rootfs",
  ]);
});
