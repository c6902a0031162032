import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../agent/clock.ts";
import { createVerifyPbs } from "../../agent/integrity/check-integrity.ts";
import { parsePbsVolid, verifyOnPbs } from "../../agent/integrity/pbs-verify.ts";
import { createPbsApi } from "../../agent/pbs/client.ts";
import { nastyVm, setUpRestores } from "../support/lab-restores.ts";
import { pbsToken } from "./pbs.ts";

/** A backup on the Backup Server, and the agent's own way to have it verified. */
async function setUp(context: Parameters<typeof setUpRestores>[0]) {
  const { lab, clock } = await setUpRestores(context);
  const volid = lab.restores.plantBackup({ ...nastyVm, storage: "pbs1" });
  const { secrets } = lab;
  const place = {
    server: "127.0.0.1",
    port: Number(new URL(lab.places().pbs).port),
    fingerprint: secrets.pbsFingerprint.toUpperCase(),
  };
  // Its patience is of real time: the lab's passes faster than a handshake.
  const api = createPbsApi(place, { user: pbsToken, secret: secrets.pbsSecret }, systemClock);
  const snapshot = parsePbsVolid(volid);
  assert.ok(snapshot !== undefined);
  const { signal } = new AbortController();
  const drive = async <T>(work: Promise<T>): Promise<T> => {
    let over = false;
    const verdict = work.finally(() => {
      over = true;
    });
    while (!over) await clock.advance(250);
    return verdict;
  };
  const verify = () => drive(verifyOnPbs({ api, clock }, { store: "main", namespace: "pve", snapshot }, signal));
  const verifySet = (what: Omit<Parameters<ReturnType<typeof createVerifyPbs>>[0], "storage">) => {
    const own = createVerifyPbs({ root: lab.tree.root("pve1"), clock, connectPbs: () => api });
    return drive(own({ storage: "pbs1", ...what }, signal));
  };
  return { lab, volid, verify, verifySet };
}

test("the Backup Server verifies a snapshot, and its list says so afterwards", async (context) => {
  const { lab, volid, verify } = await setUp(context);
  const { state, by, log, reason } = await verify();
  assert.deepEqual([state, by, log.at(-1)], ["verified", "pbs-verify", "TASK OK"], reason);
  assert.equal(lab.restores.archives.find(volid)?.backup.verification?.state, "ok");
});

test("a missing chunk fails the verification of its snapshot", async (context) => {
  const { lab, volid, verify } = await setUp(context);
  lab.control.inject({ kind: "restore", fault: "archive", volid, damage: "missing-chunk" });
  const { state, reason, log } = await verify();
  assert.equal(state, "damaged");
  assert.match(reason, /verification failed - please check the log for details/);
  assert.ok(log.some((line) => line.startsWith("can't verify chunk, load failed")));
});

test("all backups of a guest are verified together, and each has its verdict", async (context) => {
  const { lab, volid, verifySet } = await setUp(context);
  const second = lab.restores.plantBackup({ ...nastyVm, storage: "pbs1", at: nastyVm.at - 86_400_000 });
  lab.control.inject({ kind: "restore", fault: "archive", volid: second, damage: "missing-chunk" });
  const group = { type: "qemu", vmid: nastyVm.vmid } as const;
  const { state, reason, snapshots = [] } = await verifySet({ group });
  assert.deepEqual([state, reason], ["damaged", `1 of ${snapshots.length} backups are damaged: ${second}`]);
  assert.deepEqual(snapshots[0], { storage: "pbs1", volid: second, state: "damaged" });
  assert.ok(snapshots.some((one) => one.volid === volid && one.state === "verified"));
});

test("a namespace and the whole datastore are verified, each backup that a storage here shows with its verdict", async (context) => {
  const { volid, verifySet } = await setUp(context);
  for (const what of [{}, { datastore: true, outdatedDays: 30 }] as const) {
    const { state, by, reason, snapshots = [] } = await verifySet(what);
    assert.deepEqual(
      [state, by, reason],
      ["verified", "pbs-verify", `The Backup Server verified all ${snapshots.length} backups`],
    );
    assert.ok(snapshots.some((one) => one.volid === volid));
  }
});
