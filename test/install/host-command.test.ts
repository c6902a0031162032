import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { systemdRun } from "../../agent/pve/host-command.ts";
import { Container } from "./container.ts";
import { Network } from "./network.ts";
import { writing } from "./node-scripts.ts";
import { hostProblem, trixieTar, unpack } from "./rootfs.ts";
import { changeUnit, stepsOfUnit } from "./units.ts";

const impossible = hostProblem();
const rootfs = impossible === undefined ? trixieTar() : { ok: false as const, problem: impossible };

const words = (file: string, ...args: string[]) => ["systemd-run", ...systemdRun(file, args, 20_000)];

/** As the agent starts it, with words that the shell leaves alone. */
const asIs = (file: string, ...args: string[]) =>
  words(file, ...args)
    .map((word) => `'${word}'`)
    .join(" ");

/** The same, but the shell puts in what `$guest` is. */
const onNode = (file: string, ...args: string[]) =>
  words(file, ...args)
    .map((word) => `"${word.replaceAll("$$", "$")}"`)
    .join(" ");

/** What a restore test does to a container, and after a killed restore. */
const steps = `
guest=$(pgrep -x sleep)
if nsenter --target=$guest --pid --uts --ipc true; then exit 1; fi
[ "$(echo what came in | ${onNode("nsenter", "--target=$guest", "--pid", "--uts", "--ipc", "cat")})" = "what came in" ]
code=0; ${onNode("sh", "-c", "exit 7")} || code=$?
[ "$(${asIs("sh", "-c", `n=7; echo "\${n} $(echo inside) $1"`, "sh", "$HOME")})" = '7 inside $HOME' ]
[ $code = 7 ]
[ ! -e /var/tmp/vzdumptmp17 ]
${onNode("rm", "-rf", "--", "/var/tmp/vzdumptmp17", "/var/tmp/vzdumptmp17.fifo")}
${onNode("umount", "/mnt")}
echo all of it`;

/** The node's side: a process in namespaces of its own, as a container's, and what a killed restore leaves. */
const before = `
mkdir /var/tmp/vzdumptmp17 && mkfifo /var/tmp/vzdumptmp17.fifo
mount -t tmpfs tmpfs /mnt
unshare --pid --uts --ipc --fork --mount-proc sleep 600 >/dev/null 2>&1 &
until pgrep -x sleep >/dev/null; do :; done`;

test("from within its unit the agent reaches a container, and clears away on the node itself", {
  skip: rootfs.ok ? false : rootfs.problem,
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), "proven-host-command-"));
  const network = new Network(`provenhc${process.pid}`);
  const base = join(dir, "base");
  unpack(rootfs.ok ? rootfs.path : "", base);
  const unit = "proven-agent";
  copyFileSync(`systemd/${unit}.service`, join(base, `etc/systemd/system/${unit}.service`));
  const netns = network.connect("node", "192.168.52.11");
  const node = new Container({ name: "node", dir, base, netns, binds: {} });
  try {
    await node.boot();
    await node.run("sh", "-e", "-c", `${before}\n${writing("/etc/proven/steps", steps)}`);
    await changeUnit(node, unit, stepsOfUnit);
    const ran = await node.try("systemctl", "restart", unit);
    const said = await node.run("journalctl", `--unit=${unit}`, "--no-pager", "--output=cat");
    assert.equal(ran.code, 0, said);
    assert.match(said, /^all of it$/m);
    assert.equal((await node.try("mountpoint", "-q", "/mnt")).code, 32, "it is unmounted on the node, not in the service alone");
    assert.equal((await node.run("sh", "-c", "ls /var/tmp | grep vzdumptmp || true")).trim(), "");
    const journal = await node.run("journalctl", "--no-pager", "--output=cat");
    assert.doesNotMatch(journal, /Started run-/, "no line in the journal for each of them");
  } finally {
    await node.stop();
    network.remove();
    rmSync(dir, { recursive: true, force: true });
  }
});
