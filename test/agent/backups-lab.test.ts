import assert from "node:assert/strict";
import { test } from "node:test";
import { type Backups, backupsSchema } from "#protocol/backups.ts";
import { pastBackups, volidOf } from "../lab/backups.ts";
import { startTestLab } from "../support/lab-client.ts";
import { startLabCollector } from "../support/lab-collector.ts";
import { temporaryDir } from "../support/temporary-dir.ts";

test("a node of the lab tells every backup of its storages, each with its owner and whose it is", async (context) => {
  const { lab, clock } = await startTestLab(context, { nodes: 1, guests: 6 });
  const stateDir = temporaryDir(context);
  const backups = {
    stateDir,
    log: () => undefined,
    enabled: false,
    bytesPerSec: 1,
    readArchive: async () => assert.fail("no sums are taken"),
  };
  const { collector, tickUntil } = startLabCollector(context, lab, clock, "pve1", { backups });
  const heard: Backups[] = [];
  collector.backups?.listen((part) => heard.push(backupsSchema.parse(part)) > 0);
  const last = (storage: string, namespace?: string) =>
    heard.findLast((set) => set.storage === storage && set.datastore?.namespace === namespace);
  await tickUntil(() => last("local") !== undefined);
  assert.equal(last("nfs1"), undefined, "shared ones are another agent's");
  const dutiesAt = clock.now();
  collector.setDuties(["cluster", "shared-storage", "backup-jobs"]);
  await tickUntil(
    () => last("pbs1", "pve/archive") !== undefined && last("nfs1")?.backups.some(({ guest }) => guest !== undefined) === true,
  );
  assert.ok(clock.now() - dutiesAt < 300_000, "a new duty does not wait for the next listing");
  const saved = (storage: string) =>
    pastBackups(lab.world, clock.now())
      .filter((backup) => backup.storage === storage)
      .map(volidOf)
      .sort();
  const [nfs, pbs] = [last("nfs1") as Backups, last("pbs1", "pve") as Backups];
  assert.ok(saved("nfs1").length > 5 && saved("pbs1").length > 5);
  assert.deepEqual([nfs.shared, nfs.problem, nfs.backups.map(({ volid }) => volid)], [true, undefined, saved("nfs1")]);
  assert.deepEqual(
    pbs.backups.map(({ volid }) => volid),
    saved("pbs1"),
  );
  assert.deepEqual([...new Set(pbs.backups.map(({ owner }) => owner))], ["monitor@pbs!pve"]);
  assert.deepEqual(last("pbs1", "")?.backups, []);
  assert.deepEqual(last("local"), { storage: "local", shared: false, at: last("local")?.at, part: 1, parts: 1, backups: [] });
});
