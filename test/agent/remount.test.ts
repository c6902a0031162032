import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { generate } from "selfsigned";
import { findHub } from "../../agent/hub-place.ts";
import { readText } from "../../agent/sources/files.ts";
import { PmxcfsSource } from "../../agent/sources/pmxcfs.ts";

/**
 * `systemctl restart pve-cluster` takes /etc/pve away and mounts it again: here with real mounts, in a mount namespace of its own, which the agent's
 * code reads through /proc.
 */
const possible = spawnSync("unshare", ["--mount", "--propagation=private", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).status === 0;
const skip = possible && existsSync("/dev/fuse") ? false : "needs the right to mount, and FUSE";
const fingerprint = Array(32).fill("AB").join(":");

async function mounts(t: TestContext) {
  const dir = mkdtempSync(join(tmpdir(), "proven-mounts-"));
  const script = `mkdir -p ${dir}/etc/pve && echo there && exec sleep infinity`;
  const command = ["--pdeathsig=KILL", "unshare", "--mount", "--propagation=private", "sh", "-c", script];
  const holder = spawn("setpriv", command, { stdio: ["ignore", "pipe", "inherit"] });
  await once(holder.stdout, "data");
  t.after(async () => {
    holder.kill("SIGKILL");
    await once(holder, "exit");
    rmSync(dir, { recursive: true, force: true });
  });
  const inside = (what: string) =>
    void execFileSync("nsenter", [`--target=${holder.pid}`, "--mount", "sh", "-e", "-c", `cd ${dir}\n${what}`]);
  return { root: `/proc/${holder.pid}/root${dir}`, inside };
}

/** pmxcfs as it is after a start: `startedAt` is what tells one run of it from the next. */
async function pmxcfsFiles(startedAt: number, vmids: readonly number[]): Promise<string> {
  const { cert } = await generate([{ name: "commonName", value: "CA" }], { keyType: "ec" });
  const ids = Object.fromEntries(vmids.map((vmid) => [vmid, { node: "pve1", type: "qemu", version: 1 }]));
  const files = {
    ".version": JSON.stringify({
      starttime: startedAt,
      clinfo: 1,
      vmlist: 1,
      "storage.cfg": 1,
      "user.cfg": 1,
      "corosync.conf": 1,
    }),
    ".members": JSON.stringify({ nodename: "pve1", version: 1 }),
    ".vmlist": JSON.stringify({ version: 1, ids }),
    "pve-root-ca.pem": cert,
    "proven/hub.json": JSON.stringify({ url: "wss://192.0.2.1:8420/agent", fingerprint }),
    ...Object.fromEntries(vmids.map((vmid) => [`nodes/pve1/qemu-server/${vmid}.conf`, `name: vm${vmid}\n`])),
  };
  const write = Object.entries(files).map(
    ([name, text]) => `mkdir -p $(dirname etc/pve/${name})\ncat >etc/pve/${name} <<'END'\n${text}\nEND`,
  );
  return ["mount -t tmpfs tmpfs etc/pve", ...write].join("\n");
}

test("an agent finds its hub and its guests again after pmxcfs was restarted, also when it died before it was unmounted", {
  skip,
}, async (t) => {
  const { root, inside } = await mounts(t);
  const files = { root, stateDir: join(root, "state"), configured: undefined };
  const pmxcfs = new PmxcfsSource(readText(root));
  const refreshed = async () => {
    await pmxcfs.refresh();
    return { guests: [...pmxcfs.guests.keys()], problem: pmxcfs.problem?.replace(root, "") };
  };
  inside(await pmxcfsFiles(1000, [100]));
  assert.equal((await pmxcfs.identify())?.node, "pve1");
  assert.deepEqual(await refreshed(), { guests: [100], problem: undefined });
  assert.equal((await findHub(files)).ok, true);

  inside("umount etc/pve");
  assert.deepEqual(await refreshed(), { guests: [100], problem: "/etc/pve/.version: missing, pmxcfs is not mounted" });
  assert.deepEqual([(await findHub(files)).ok, (await pmxcfs.identify())?.node], [false, "pve1"]);

  // A FUSE mount whose server is gone, as pmxcfs leaves one when it is killed.
  inside("exec 3<>/dev/fuse\nmount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 fuse etc/pve");
  assert.deepEqual(await refreshed(), { guests: [100], problem: "/etc/pve/.version: pmxcfs has ended" });
  const found = await findHub(files);
  assert.match(found.ok ? "" : found.problem, /hub\.json: pmxcfs has ended$/);

  inside(`umount -l etc/pve\n${await pmxcfsFiles(2000, [100, 101])}`);
  assert.deepEqual(await refreshed(), { guests: [100, 101], problem: undefined });
  const again = await findHub(files);
  assert.equal(again.ok && again.place.url, "wss://192.0.2.1:8420/agent");
});

test("while pmxcfs hangs the question for the hub waits, everything else goes on, and the answer comes with it", {
  skip,
}, async (t) => {
  const { root, inside } = await mounts(t);
  const files = { root, stateDir: join(root, "state"), configured: undefined };
  // A FUSE mount whose server says nothing, until it is ended: its file descriptor is held by a process of its own.
  const server = spawn("nsenter", [
    `--target=${/\d+/.exec(root)?.[0]}`,
    "--mount",
    "sh",
    "-c",
    `exec 3<>/dev/fuse; mount -i -t fuse -o fd=3,rootmode=40000,user_id=0,group_id=0 fuse ${root.replace(/^\/proc\/\d+\/root/, "")}/etc/pve; echo there; exec sleep infinity`,
  ]);
  t.after(() => server.kill("SIGKILL"));
  await once(server.stdout, "data");
  const asked = findHub(files);
  assert.equal(findHub(files), asked); // one reader that is stuck, not one more with each question
  const first = await Promise.race([asked, readText(root)("/state/none").then((file) => file.ok)]);
  assert.equal(first, false);
  server.kill("SIGKILL");
  await once(server, "exit");
  const found = await asked;
  assert.match(found.ok ? "" : found.problem, /where the hub is can't be read/);
  inside(`umount -l etc/pve\n${await pmxcfsFiles(1000, [])}`);
  assert.equal((await findHub(files)).ok, true);
});
