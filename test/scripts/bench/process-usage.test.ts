import assert from "node:assert/strict";
import { test } from "node:test";
import { countForks } from "../../../scripts/bench/fork-trace.ts";
import { parseCpuSec } from "../../../scripts/bench/process-usage.ts";

test("a command name with blanks and parentheses does not move the times", () => {
  const stat = "42 (a (b) c) S 1 42 42 0 -1 4194560 100 0 0 0 150 50 25 5 20 0 11 0 100 1000 10";
  assert.deepEqual(parseCpuSec(stat), { own: 2, endedChildren: 0.3 });
});

test("threads and what a child does itself are not counted as forks", () => {
  const trace = [
    "2753  clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|CLONE_CHILD_SETTID|SIGCHLD, child_tidptr=0x7f861c62df50) = 3753",
    '3753  execve("/usr/sbin/zpool", ["zpool", "list"], 0x188f16e0 /* 2 vars */) = 0',
    "2753  clone3({flags=CLONE_VM|CLONE_FS|CLONE_FILES|CLONE_THREAD|CLONE_SYSVSEM, exit_signal=0}, 88) = 3754",
    "3753  vfork() = 3760",
    "2754  vfork() = 3761",
    "2753  wait4(-1, NULL, WNOHANG, NULL) = 0",
  ].join("\n");
  assert.equal(countForks(trace, [2753, 2754]), 2);
});
