import assert from "node:assert/strict";
import { test } from "node:test";
import type { RunCommand } from "../../../agent/ports.ts";
import { createHostCommand } from "../../../agent/pve/host-command.ts";

/** What was run, as one line each. */
function recorded(confined: boolean): { lines: string[]; run: RunCommand } {
  const lines: string[] = [];
  const run: RunCommand = async (file, args, { timeoutMs } = {}) => {
    lines.push(`${[file, ...args].join(" ")} (${timeoutMs} ms)`);
    return { ok: true, stdout: "", stderr: "", code: 0 };
  };
  return { lines, run: createHostCommand(run, confined) };
}

test("in its service the agent has systemd run what needs the node itself, for no longer than asked", async () => {
  const { lines, run } = recorded(true);
  await run("pct", ["exec", "9100", "--", "true"], { timeoutMs: 2500 });
  await run("umount", ["/var/lib/lxc/9100/rootfs"], { timeoutMs: 30_000 });
  const common =
    "systemd-run --quiet --pipe --wait --collect --setenv=LC_ALL=C.UTF-8 --property=LogLevelMax=warning --property=RuntimeMaxSec";
  assert.deepEqual(lines, [
    `${common}=3 --property=TimeoutStopSec=5 -- pct exec 9100 -- true (2500 ms)`,
    `${common}=30 --property=TimeoutStopSec=5 -- umount /var/lib/lxc/9100/rootfs (30000 ms)`,
  ]);
});

test("what a check has its shell work out is left to that shell: systemd puts nothing in for it", async () => {
  const { lines, run } = recorded(true);
  await run("pct", ["exec", "9100", "--", "sh", "-c", `n=$(ls | wc -l); [ \${n} -gt $$ ]`, "$HOME"], { timeoutMs: 2500 });
  assert.match(lines[0] ?? "", / -- sh -c n=\$\$\(ls \| wc -l\); \[ \$\$\{n\} -gt \$\$\$\$ \] \$\$HOME \(2500 ms\)$/);
});

test("everything else runs in the service, and in an administrator's shell all of it runs as it is", async () => {
  const [confined, free] = [recorded(true), recorded(false)];
  await confined.run("kill", ["-TERM", "17"], { timeoutMs: 5000 });
  await free.run("pct", ["exec", "9100", "--", "true"], { timeoutMs: 2500 });
  assert.deepEqual(confined.lines, ["kill -TERM 17 (5000 ms)"]);
  assert.deepEqual(free.lines, ["pct exec 9100 -- true (2500 ms)"]);
});
