import assert from "node:assert/strict";
import { test } from "node:test";
import { systemClock } from "../../agent/clock.ts";
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
  const verify = async () => {
    let over = false;
    const verdict = verifyOnPbs(
      { api, clock },
      { store: "main", namespace: "pve", snapshot: parsePbsVolid(volid) },
      new AbortController().signal,
    ).finally(() => {
      over = true;
    });
    while (!over) await clock.advance(250);
    return verdict;
  };
  return { lab, volid, verify };
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
