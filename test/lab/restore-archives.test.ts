import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { test } from "node:test";
import { nastyVm, setUpRestores } from "../support/lab-restores.ts";
import { archivePath, type Damage } from "./archives.ts";
import type { Lab } from "./lab.ts";

const nets = { net0: "virtio,bridge=sandbox0,link_down=1", net1: "e1000,bridge=sandbox0,link_down=1" };
const signal =
  /^command 'set -o pipefail && vma extract -v -r \S+\.fifo \/mnt\/pve\/nfs1\/dump\/\S+\.vma \S+' failed: got signal 5$/;
const code = (number: number) => new RegExp(`^command 'set -o pipefail && zstd -q -d -c .* failed: exit code ${number}$`);
const timeout = /failed: got timeout reading VMA header - corrupted\?$/;

/** The table of real outcomes: form, format, end status, a line of the log, configuration that is left. */
const outcomes: [Damage, "vma" | "vma.zst", RegExp, string | undefined, RegExp][] = [
  ["flipped-data", "vma", /^OK$/, undefined, /^lock: create$/m],
  [
    "cut-at-extent",
    "vma",
    signal,
    "vma: restore failed - detected missing cluster 3630 for stream drive-scsi0",
    /^memory: 128\n$/,
  ],
  ["cut-last-byte", "vma", signal, "vma: restore failed - read short extent (511 bytes)", /^memory: 128\n$/],
  ["cut-half", "vma", signal, "vma: restore failed - short vma extent (1504768 < 3801600)", /^memory: 128\n$/],
  ["only-header", "vma", signal, "vma: restore failed - read short extent (32 bytes)", /^memory: 128\n$/],
  ["flipped-extent-header", "vma", signal, "vma: restore failed - wrong vma extent header chechsum", /^memory: 128\n$/],
  ["appended", "vma", signal, "vma: restore failed - wrong vma extent header chechsum", /^memory: 128\n$/],
  ["wrong-magic", "vma", timeout, "vma: not a vma file - wrong magic number", /^$/],
  ["flipped-header", "vma", timeout, "vma: wrong vma header chechsum", /^$/],
  ["empty", "vma", timeout, "vma: can't read vma header - got EOF", /^$/],
  ["cut-half", "vma.zst", code(133), "vma: restore failed - short vma extent (116707 < 3801600)", /^memory: 128\n$/],
  ["cut-tail", "vma.zst", code(1), undefined, /^memory: 128\n$/],
  ["flipped-data", "vma.zst", code(133), "vma: restore failed - short vma extent (585880 < 655872)", /^memory: 128\n$/],
];

test("every damaged archive ends as it did on a real node", async (context) => {
  const { lab, clock, read, restoreVm, status, done, log } = await setUpRestores(context);
  for (const [index, [damage, format, end, line, left]] of outcomes.entries()) {
    const volid = lab.restores.plantBackup({ ...nastyVm, format, at: nastyVm.at + index * 1000 });
    lab.control.inject({ kind: "restore", fault: "archive", volid, damage });
    const vmid = 9420 + index;
    const upid = await restoreVm(volid, nets, vmid);
    const what = `${damage} in ${format}`;
    if (end === timeout) {
      await clock.advance(59_000);
      assert.equal(await status(upid), undefined, `${what}: PVE waits a minute for the header`);
    }
    assert.match((await done(upid)) ?? "", end, what);
    if (line !== undefined) assert.ok(log(upid).includes(line), `${what}: ${log(upid).join("\n")}`);
    assert.match(read("pve1", `etc/pve/nodes/pve1/qemu-server/${vmid}.conf`), left, what);
    const volumes = lab.world.volumes.of(vmid, "pve1");
    if (end.source === "^OK$") {
      assert.deepEqual([...new Set(volumes.map(({ damage: state }) => state))], ["different"], what);
      continue;
    }
    assert.deepEqual(volumes, [], what);
    assert.equal(
      log(upid).at(-2),
      `error before or during data restore, some or all disks were not completely restored. VM ${vmid} state is NOT cleaned up.`,
      what,
    );
  }
});

test("a damage that was never seen in an archive of that format is no fault", async (context) => {
  const { lab } = await setUpRestores(context);
  const volid = lab.restores.plantBackup(nastyVm);
  assert.throws(
    () => lab.control.inject({ kind: "restore", fault: "archive", volid, damage: "wrong-magic" }),
    /wrong-magic was never seen in a vma\.zst; cut-half, cut-tail, flipped-data were/,
  );
});

function run(lab: Lab, name: string, argv: readonly string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(join(lab.tree.root("pve1"), "bin", name), argv, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}

test("vma verify misses a flipped byte and a cut at an extent's border; list and config read the header only", async (context) => {
  const { lab } = await setUpRestores(context);
  const volid = lab.restores.plantBackup({ ...nastyVm, format: "vma" });
  const path = archivePath(volid);
  const damage = (form: Damage) => lab.control.inject({ kind: "restore", fault: "archive", volid, damage: form });
  const verify = async () => {
    const { code: end, stdout, stderr } = await run(lab, "vma", ["verify", path]);
    return [end, stdout + stderr];
  };
  assert.deepEqual(await verify(), [0, ""]);
  const listed = (await run(lab, "vma", ["list", path])).stdout.split("\n");
  assert.deepEqual(listed.slice(2, 4), [
    "DEV: dev_id=1 size: 268435456 devname: drive-scsi0",
    "DEV: dev_id=2 size: 1073741824 devname: drive-scsi2",
  ]);
  damage("flipped-data");
  assert.deepEqual(await verify(), [0, ""]);
  damage("cut-at-extent");
  assert.deepEqual(await verify(), [0, ""]);
  damage("cut-last-byte");
  assert.deepEqual(await verify(), [133, "vma: verify failed - read short extent (511 bytes)\n"]);
  damage("wrong-magic");
  assert.deepEqual([(await run(lab, "vma", ["config", path])).code, (await verify())[0]], [133, 133]);
});

test("zstd -t finds every damage of a compressed archive, and vma cannot read one", async (context) => {
  const { lab } = await setUpRestores(context);
  const volid = lab.restores.plantBackup(nastyVm);
  const path = archivePath(volid);
  const good = await run(lab, "zstd", ["-t", path]);
  assert.equal(good.code, 0);
  assert.match(good.stderr, /\.vma\.zst: \d+ bytes \n$/);
  lab.control.inject({ kind: "restore", fault: "archive", volid, damage: "cut-tail" });
  assert.deepEqual(await run(lab, "zstd", ["-t", path]), {
    code: 1,
    stdout: "",
    stderr: `${path} : Read error (39) : premature end \n`,
  });
  assert.deepEqual(await run(lab, "vma", ["list", path]), {
    code: 133,
    stdout: "",
    stderr: "vma: not a vma file - wrong magic number\n",
  });
});

test("extractconfig gives the configuration with its disks; of a broken header and an unknown volume nothing", async (context) => {
  const { lab, call } = await setUpRestores(context);
  const volid = lab.restores.plantBackup({ ...nastyVm, format: "vma" });
  const text = String((await call("GET", "/vzdump/extractconfig", { volume: volid })).data);
  assert.ok(text.startsWith("#production text\naffinity: 0\n"));
  assert.ok(
    text.endsWith("\n\n#qmdump#map:scsi0:drive-scsi0:local-zfs:raw:\n#qmdump#map:scsi2:drive-scsi2:local-zfs:raw:"),
    text,
  );
  lab.control.inject({ kind: "restore", fault: "archive", volid, damage: "flipped-header" });
  assert.equal((await call("GET", "/vzdump/extractconfig", { volume: volid })).status, 500);
  const unknown = await call("GET", "/vzdump/extractconfig", { volume: "nfs1:backup/vzdump-qemu-1-2020_01_01-00_00_00.vma" });
  assert.deepEqual(
    [unknown.status, unknown.reason],
    [500, "volume 'nfs1:backup/vzdump-qemu-1-2020_01_01-00_00_00.vma' does not exist"],
  );
});

test("a chunk that the Backup Server has lost ends the restore, and its volumes are gone", async (context) => {
  const { lab, restoreVm, done } = await setUpRestores(context);
  const volid = lab.restores.plantBackup({ ...nastyVm, storage: "pbs1" });
  lab.control.inject({ kind: "restore", fault: "archive", volid, damage: "missing-chunk" });
  assert.match((await done(await restoreVm(volid, nets))) ?? "", /pbs-restore .* failed: exit code 255$/);
  assert.deepEqual(lab.world.volumes.list(), []);
});
