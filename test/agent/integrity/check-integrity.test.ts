import assert from "node:assert/strict";
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { openArchiveSums } from "../../../agent/integrity/archive-sums.ts";
import { createCheckIntegrity, createVerifyPbs } from "../../../agent/integrity/check-integrity.ts";
import type { ReadArchive } from "../../../agent/integrity/reading-process.ts";
import type { PbsApi, PbsResult } from "../../../agent/pbs/client.ts";
import type { ApiResult } from "../../../agent/pve/answer.ts";
import type { PveApi } from "../../../agent/pve/api.ts";
import { FakeClock } from "../../support/fake-clock.ts";

const root = mkdtempSync(join(tmpdir(), "proven-integrity-"));
after(() => rmSync(root, { recursive: true, force: true }));
mkdirSync(join(root, "etc/pve/priv/storage"), { recursive: true });
writeFileSync(
  join(root, "etc/pve/storage.cfg"),
  `dir: backups
\tpath /mnt/backups
\tcontent backup

pbs: pbs1
\tserver pbs.example.org
\tdatastore main
\tnamespace prod
\tusername proven@pbs!verify
\tcontent backup
`,
);
writeFileSync(join(root, "etc/pve/priv/storage/pbs1.pw"), "secret\n");

const never = new AbortController().signal;
const volid = "pbs1:backup/vm/100/2026-01-04T01:00:00Z";
const upid = "UPID:pbs:000003E8:00001F40:00000001:695B1C00:verify_snapshot:main\\x3avm-100:proven@pbs!verify:";

/** A Backup Server of which `verification` is known before and after, and whose task ends with `exit`. */
function fakePbs(before: object | undefined, exit: string, after_: object | undefined, refuse?: PbsResult<never>) {
  const calls: string[] = [];
  let started = false;
  let looks = 0;
  const snapshots = () => [
    { "backup-type": "vm", "backup-id": "100", "backup-time": 1767488400, verification: started ? after_ : before },
    { "backup-type": "vm", "backup-id": "100", "backup-time": 1767402000, verification: { state: "ok", upid } },
  ];
  const api: PbsApi = {
    async get(path) {
      calls.push(`GET ${decodeURIComponent(path)}`);
      if (path.endsWith("/log")) return { ok: true, data: [{ n: 1, t: "verify main:vm/100/2026-01-04T01:00:00Z" }] };
      return { ok: true, data: ++looks < 3 ? { status: "running" } : { status: "stopped", exitstatus: exit } };
    },
    async post(path, params) {
      calls.push(`POST ${path} ${new URLSearchParams(params)}`);
      started = true;
      return refuse ?? { ok: true, data: upid };
    },
    async each(path, params, take) {
      calls.push(`EACH ${path} ${new URLSearchParams(params)}`);
      for (const snapshot of snapshots()) take(snapshot);
      return { ok: true, data: 2 };
    },
  };
  return { calls, api };
}

const noReading: ReadArchive = async () => assert.fail("nothing is to be read");
const noApi: PveApi = {
  get: async (): Promise<ApiResult> => ({ ok: false, error: { status: 500, reason: "no such volume", errors: {} } }),
  post: async () => assert.fail("nothing is changed"),
  put: async () => assert.fail("nothing is changed"),
  delete: async () => assert.fail("nothing is changed"),
  awaitTask: async () => assert.fail("nothing is started"),
  close: () => undefined,
};

async function checked(pbs: PbsApi, asked = volid) {
  const clock = new FakeClock(Date.UTC(2026, 0, 5, 12));
  const check = createCheckIntegrity({
    api: noApi,
    node: "pve1",
    root,
    clock: { now: () => clock.now(), monotonicMs: () => clock.monotonicMs(), sleep: async () => undefined },
    sums: { of: () => undefined },
    readArchive: noReading,
    connectPbs: (place, login) => {
      assert.deepEqual(
        [place, login],
        [
          { server: "pbs.example.org", port: 8007 },
          { user: "proven@pbs!verify", secret: "secret" },
        ],
      );
      return pbs;
    },
  });
  return check({ storage: "pbs1", volid: asked, type: "qemu" }, () => undefined, never);
}

test("a Backup Server is asked to verify the snapshot, its task is followed, and its verdict is read", async () => {
  const { api, calls } = fakePbs(undefined, "OK", { state: "ok", upid });
  assert.deepEqual(await checked(api), {
    state: "verified",
    by: "pbs-verify",
    reason: "the Backup Server read all of its chunks and verified them: OK",
    log: ["verify main:vm/100/2026-01-04T01:00:00Z"],
  });
  const status = `GET /nodes/localhost/tasks/${upid}/status`;
  assert.deepEqual(calls, [
    "EACH /admin/datastore/main/snapshots ns=prod&backup-type=vm&backup-id=100",
    "POST /admin/datastore/main/verify ns=prod&backup-type=vm&backup-id=100&backup-time=1767488400&ignore-verified=false",
    status,
    status,
    status,
    `GET /nodes/localhost/tasks/${upid}/log`,
    "EACH /admin/datastore/main/snapshots ns=prod&backup-type=vm&backup-id=100",
  ]);
});

test("a missing chunk is damage, with the server's words and log", async () => {
  const { api } = fakePbs(
    { state: "ok", upid: upid.replace("695B1C00", "60000000") },
    "verification failed - please check the log for details",
    { state: "failed", upid },
  );
  const result = await checked(api);
  assert.equal(result.state, "damaged");
  assert.equal(result.reason, "the Backup Server's verification failed: verification failed - please check the log for details");
  assert.equal(result.log.length, 1);
});

test("a verification of today is not repeated; an old one is", async () => {
  const young = fakePbs({ state: "ok", upid }, "OK", undefined);
  assert.deepEqual(await checked(young.api), {
    state: "verified",
    by: "pbs-verify",
    reason: "the Backup Server verified it 9 h ago: OK",
    log: [],
  });
  assert.equal(young.calls.length, 1);
  const old = fakePbs({ state: "ok", upid: upid.replace("695B1C00", "69000000") }, "OK", { state: "ok", upid });
  await checked(old.api);
  assert.ok(old.calls.some((call) => call.startsWith("POST ")));
});

test("a task that ends well without a verdict on the snapshot proves nothing", async () => {
  const { api } = fakePbs(undefined, "OK", undefined);
  assert.equal((await checked(api)).state, "unreadable");
});

test("a backup that is gone, a server that refuses, a name that is none", async () => {
  const gone = fakePbs(undefined, "OK", undefined);
  assert.deepEqual(
    (await checked(gone.api, "pbs1:backup/vm/100/2026-01-02T01:00:00Z")).reason,
    "the Backup Server does not have this backup any more",
  );
  const refuses = fakePbs(undefined, "OK", undefined, { ok: false, status: 403, problem: "permission check failed" });
  assert.deepEqual((await checked(refuses.api)).reason, "verification not started: permission check failed");
  assert.equal((await checked(gone.api, "pbs1:backup/host/x/now")).state, "unreadable");
});

test("many backups are verified at once: what is damaged or was passed over is told of each", async () => {
  const of = (before: object | undefined, exit: string, after_: object | undefined, refuse?: PbsResult<never>) => {
    const { api, calls } = fakePbs(before, exit, after_, refuse);
    const clock = new FakeClock();
    const still = { now: () => clock.now(), monotonicMs: () => 0, sleep: async () => undefined };
    return { calls, verify: createVerifyPbs({ root, clock: still, connectPbs: () => api }) };
  };
  const bad = of(undefined, "verification failed - please check the log for details", { state: "failed", upid });
  const damaged = await bad.verify({ storage: "pbs1" }, never);
  assert.deepEqual([damaged.state, damaged.reason], ["damaged", `1 of 2 backups are damaged: ${volid}`]);
  assert.deepEqual(damaged.snapshots, [
    { storage: "pbs1", volid, state: "damaged" },
    { storage: "pbs1", volid: "pbs1:backup/vm/100/2026-01-03T01:00:00Z", state: "verified" },
  ]);
  assert.equal(bad.calls[0], "POST /admin/datastore/main/verify ns=prod&ignore-verified=false");
  const passedOver = of(undefined, "OK", undefined);
  const partly = await passedOver.verify({ storage: "pbs1", group: { type: "qemu", vmid: 100 }, outdatedDays: 30 }, never);
  assert.deepEqual(
    [partly.state, partly.reason],
    ["not-checked", "1 of 2 backups are verified; the Backup Server says nothing of the others"],
  );
  assert.equal(
    passedOver.calls[0],
    "POST /admin/datastore/main/verify ns=prod&backup-type=vm&backup-id=100&ignore-verified=true&outdated-after=30",
  );
  const whole = of(undefined, "OK", { state: "ok", upid });
  assert.equal((await whole.verify({ storage: "pbs1", datastore: true }, never)).state, "verified");
  assert.equal(whole.calls[0], "POST /admin/datastore/main/verify ignore-verified=false");
  const forbidden = of(undefined, "OK", undefined, { ok: false, status: 403, problem: "permission check failed" });
  assert.equal((await forbidden.verify({ storage: "pbs1" }, never)).reason, "verification not started: permission check failed");
  assert.equal((await whole.verify({ storage: "backups" }, never)).reason, "storage backups lies on no Backup Server");
});

test("a file archive is read where its storage has it, and judged with the sum that was taken when it was new", async () => {
  const sums = openArchiveSums(join(root, "state/archive-sums.jsonl"));
  const file = "backups:backup/vzdump-qemu-100-2026_01_04-01_00_00.vma";
  sums.add(file, { sha256: "a".repeat(64), at: Date.UTC(2026, 0, 4, 1) });
  const asked: unknown[] = [];
  const api: PveApi = {
    ...noApi,
    get: async (path) => {
      asked.push(path);
      return { ok: true, data: { path: "/mnt/backups/dump/x.vma", size: 5, format: "vma" } };
    },
  };
  const readArchive: ReadArchive = async (request) => {
    asked.push(request);
    return { bytes: 5, sha256: "a".repeat(64), damages: [], checksummed: false, log: [] };
  };
  const check = createCheckIntegrity({ api, node: "pve1", root, clock: new FakeClock(), sums, readArchive });
  const result = await check({ storage: "backups", volid: file, type: "qemu" }, () => undefined, never);
  assert.deepEqual([result.state, result.by], ["verified", "own-sha256"]);
  assert.deepEqual(asked, [
    "/nodes/pve1/storage/backups/content/backups%3Abackup%2Fvzdump-qemu-100-2026_01_04-01_00_00.vma",
    { path: join(root, "/mnt/backups/dump/x.vma"), kind: { container: "vma", compression: "none" } },
  ]);
});

test("the ledger of sums outlives the agent, half a line of one that died, and forgets what is gone", () => {
  const path = join(root, "state2/archive-sums.jsonl");
  const sum = (letter: string) => ({ sha256: letter.repeat(64), at: 1_767_488_400_000 });
  openArchiveSums(path).add("s:backup/a", sum("a"));
  appendFileSync(path, '{"volid":"s:backup/b","sha');
  const again = openArchiveSums(path);
  again.add("s:backup/c", sum("c"));
  again.add("s:backup/a", sum("f")); // the first one counts
  const third = openArchiveSums(path);
  assert.deepEqual([third.of("s:backup/a"), third.of("s:backup/b"), third.of("s:backup/c")], [sum("a"), undefined, sum("c")]);
  third.keepOnly("s", new Set(["s:backup/c"]));
  assert.equal(third.of("s:backup/a"), undefined);
  assert.equal(readFileSync(path, "utf8").split("\n").length, 4);
});
