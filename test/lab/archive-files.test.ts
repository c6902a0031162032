import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "../../agent/clock.ts";
import { readArchive } from "../../agent/integrity/archive-reading.ts";
import { archiveKindOf } from "../../agent/integrity/compression.ts";
import { nastyContainer, nastyVm, setUpRestores } from "../support/lab-restores.ts";
import { damagesOf } from "./vm-restore.ts";

test("a backup's file is a true archive, and each damage is in its bytes", async (context) => {
  const { lab, call } = await setUpRestores(context);
  const read = async (volid: string) => {
    const answer = await call("GET", `/storage/nfs1/content/${encodeURIComponent(volid)}`);
    assert.equal(answer.status, 200, answer.reason);
    const { path } = answer.data as { path: string };
    const kind = archiveKindOf(volid);
    assert.ok(kind !== undefined);
    const { damages, checksummed } = await readArchive(
      { path: join(lab.tree.root("pve1"), path), kind },
      systemClock,
      () => undefined,
    );
    return { damages, checksummed };
  };
  for (const planted of [nastyVm, { ...nastyVm, format: "vma" }, nastyContainer]) {
    const volid = lab.restores.plantBackup(planted);
    const { format } = lab.restores.archives.find(volid) ?? { format: "" };
    assert.deepEqual(await read(volid), { damages: [], checksummed: format !== "vma" }, format);
    for (const damage of damagesOf(format)) {
      lab.control.inject({ kind: "restore", fault: "archive", volid, damage });
      const { damages } = await read(volid);
      // One flipped byte of an uncompressed disk is what nothing can find.
      assert.equal(
        damages.length > 0,
        !(format === "vma" && damage === "flipped-data"),
        `${damage} in ${format}: ${damages.join()}`,
      );
    }
  }
});

test("a backup on the Backup Server has no file, and no file is written before somebody asks", async (context) => {
  const { lab, call } = await setUpRestores(context);
  assert.ok(!existsSync(join(lab.tree.root("pve1"), "mnt/pve/nfs1/dump")));
  const volid = lab.restores.plantBackup({ ...nastyVm, storage: "pbs1" });
  const answer = await call("GET", `/storage/pbs1/content/${encodeURIComponent(volid)}`);
  assert.deepEqual([answer.status, (answer.data as { path?: string }).path], [200, undefined]);
});
