import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Backup } from "#protocol/backups.ts";
import type { EpochMs } from "#protocol/ids.ts";
import type { RunDetail } from "#protocol/proof.ts";
import { evidenceSheet } from "../../../hub/core/evidence-sheet.ts";
import { defaultPolicy } from "../../../hub/core/policy-check.ts";
import { notProven } from "../../../hub/core/proof.ts";
import { sheetText } from "../../../hub/core/sheet.ts";
import { RunBook } from "../../../hub/proof/run-book.ts";
import { reportOf } from "../../support/operating-agent.ts";
import { orderOf, restoreTest } from "../../support/operations-world.ts";
import { seenHub } from "../../support/seen-hub.ts";
import { clusterA, inventoryOf } from "../../support/test-hub.ts";

const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

const backupOf = (vmid: number, at: number, overrides: Partial<Backup> = {}): Backup => ({
  volid: `nfs1:backup/vzdump-qemu-${vmid}-${at}.vma.zst`,
  vmid,
  type: "qemu",
  at,
  bytes: 1_000_000,
  format: "vma.zst",
  protected: false,
  encrypted: false,
  ...overrides,
});

/** A hub whose agent pve1 takes operations of which the test says how they end. */
function restoreHub(t: TestContext) {
  const seen = seenHub(t);
  const { hub, agent, gateway } = seen;
  const list = (backups: Backup[]) =>
    hub.restore.session.backups(agent, { storage: "nfs1", shared: true, at: hub.clock.now(), part: 1, parts: 1, backups });
  const order = (vmid: number) =>
    hub.restore.operations.start(
      orderOf(hub.clock.now(), {
        cluster: clusterA,
        guest: { vmid, type: "qemu", name: vmid === 101 ? "hidden-payroll" : "web", identity: [] },
        operation: { kind: "restore-test", params: restoreTest(vmid) },
      }),
    );
  const run = (vmid: number, overrides: Parameters<typeof reportOf>[1] = {}) => {
    const { id } = order(vmid);
    const started = hub.restore.book.get(id);
    if (started === undefined) throw new Error("no run");
    const sent = { ...started, state: "sent" as const, node: agent.node, sentAt: hub.clock.now() };
    hub.restore.book.save(sent, { actor: "hub", reason: "given to pve1" });
    const report = reportOf(restoreTest(vmid), { screenshot: png.toString("base64"), endedAt: hub.clock.now(), ...overrides });
    hub.restore.session.operation(agent, { type: "op.result", body: { id, result: { kind: "restore-test", report } } });
    return id;
  };
  const ask = async (user: string, method: string, path: string, body?: unknown) => {
    const response = await gateway.ask(user, method, `/api/v1/${path}`, body);
    return {
      status: response.status,
      json: (await response.json()) as Record<string, unknown> & { items: Record<string, unknown>[] },
    };
  };
  return { ...seen, list, order, run, ask };
}

test("the newest backup of a guest is tested when none is named", async (t) => {
  const { list, ask } = restoreHub(t);
  list([backupOf(100, 1000), backupOf(100, 3000), backupOf(101, 4000), backupOf(100, 2000)]);
  const { status, json } = await ask("root@pam", "POST", "restore-tests", { vmid: 100, reason: "after the move" });
  assert.equal(status, 201);
  assert.deepEqual(json.backup, { storage: "nfs1", volid: "nfs1:backup/vzdump-qemu-100-3000.vma.zst", at: 3000 });
  assert.deepEqual([json.actor, json.reason, json.state], ["root@pam", "after the move", "queued"]);
});

test("who orders a test by hand is told of the backup job that would take the test guest, too; checking bytes meets none", async (t) => {
  const { list, ask, hub, agent } = restoreHub(t);
  list([backupOf(100, 1000)]);
  const job = { id: "backup-all", type: "vzdump", enabled: true, all: true, vmids: [], exclude: [], repeatMissed: false };
  const guests = [{ vmid: 100, name: "web" }];
  const soon = new Date(hub.clock.now() + 12 * 60_000).toISOString().slice(11, 16);
  hub.fleet.inventory(agent, inventoryOf({ guests, backupJobs: [{ ...job, schedule: soon }] }));
  const ordered = async (body: object) => (await ask("root@pam", "POST", "restore-tests", { vmid: 100, ...body })).json;
  const warned = async (body: object) => (await ordered(body)).warning;
  const warning = "The backup job backup-all takes every guest of pve1 and starts in 12 min: it would take the test guest too";
  const { id } = await ordered({});
  assert.equal((await ask("root@pam", "GET", `restore-tests/${id}`)).json.warning, warning);
  await ask("root@pam", "DELETE", `restore-tests/${id}`);
  assert.equal((await ask("root@pam", "GET", `restore-tests/${id}`)).json.warning, undefined, "it has ended");
  assert.equal(await warned({ kind: "restore-plan" }), warning);
  assert.equal(await warned({ kind: "archive-check" }), undefined);
});

test("a policy is changed without the words that are the hub's: its id stands in the path, and whether it comes with Proven is not up for change", async (t) => {
  const { ask, hub } = restoreHub(t);
  const { id: _, shipped: __, ...policy } = defaultPolicy("UTC");
  const put = await ask("root@pam", "PUT", `policies/${defaultPolicy("UTC").id}`, { ...policy, everyDays: 9 });
  assert.deepEqual([put.status, put.json.everyDays, put.json.shipped], [200, 9, true]);
  const sent = await ask("root@pam", "PUT", `policies/${defaultPolicy("UTC").id}`, { ...policy, shipped: false });
  assert.deepEqual([sent.status, sent.json.shipped], [200, true]);
  const made = await ask("root@pam", "POST", "policies", { ...policy, id: "mine", shipped: true });
  assert.deepEqual([made.status, made.json.shipped, hub.state.get("policy", "mine")?.shipped], [201, false, false]);
});

test("rights on one guest don't open another one's backup", async (t) => {
  const { ask } = restoreHub(t);
  const backup = { storage: "nfs1", volid: "nfs1:backup/vzdump-qemu-101-2000.vma.zst" };
  const { status, json } = await ask("root@pam", "POST", "restore-tests", { vmid: 100, backup });
  assert.equal(status, 400);
  assert.deepEqual(json.error, {
    code: "invalid",
    message: "nfs1:backup/vzdump-qemu-101-2000.vma.zst is no backup of guest 100",
    field: "backup.volid",
  });
});

test("who may test a guest of his chooses no secret or script of the node, and no other's sandbox, for it", async (t) => {
  const { ask, gateway, list, hub } = restoreHub(t);
  list([backupOf(100, 1000)]);
  const bob = gateway.viewOf("bob@pve");
  const storage = { paths: ["/storage/nfs1"], privileges: ["Datastore.AllocateSpace", "Datastore.Audit"] };
  gateway.viewOf = () => ({ ...bob, privileges: [...bob.privileges, storage] });
  const status = async (body: object) => (await ask("bob@pve", "POST", "restore-tests", { vmid: 100, ...body })).status;
  const ssh = { name: "logs in", kind: "ssh", user: "root", secret: "payroll", command: "true" };
  assert.equal(await status({}), 201);
  assert.equal(await status({ checks: [{ name: "answers", kind: "tcp", port: 22 }] }), 201);
  for (const kind of ["restore-test", "restore-plan"]) {
    assert.equal(await status({ kind, checks: [{ name: "answers", kind: "tcp", port: 22 }, ssh] }), 403);
    assert.equal(await status({ kind, checks: [{ name: "asks", kind: "script", script: "payroll.sh" }] }), 403);
    assert.equal(await status({ kind, sandbox: "payroll" }), 403);
  }
  const checks = [{ tags: [], checks: [ssh] }];
  for (const { id, document } of hub.state.list("policy"))
    hub.state.put("policy", id, { ...document, enabled: true, checks }, { actor: "test", reason: "test" });
  hub.restore.verify.reload();
  assert.equal(await status({}), 201, "what a policy gives his guest");
  assert.equal(await status({ checks: [ssh] }), 201, "the same, said again");
  assert.equal(await status({ checks: [{ ...ssh, command: "id" }] }), 403);
});

test("of one guest so many runs that are ordered by hand go on at once, and no more", async (t) => {
  const { ask, list } = restoreHub(t);
  list([backupOf(100, 1000), backupOf(101, 1000)]);
  const order = (vmid = 100) => ask("root@pam", "POST", "restore-tests", { vmid });
  const ids: unknown[] = [];
  for (let i = 0; i < 32; i++) ids.push((await order()).json.id);
  const refused = await order();
  assert.equal(refused.status, 409);
  assert.match(JSON.stringify(refused.json.error), /32 runs about guest 100 have not ended/);
  assert.equal((await order(101)).status, 201, "of another guest");
  await ask("root@pam", "DELETE", `restore-tests/${ids[0]}`);
  assert.equal((await order()).status, 201, "one is over");
});

test("a test that passed is told with its evidence, and the log of changes holds its digests", async (t) => {
  const { run, ask, hub, gateway } = restoreHub(t);
  const id = run(100);
  const { json } = await ask("root@pam", "GET", `restore-tests/${id}`);
  const detail = json as unknown as RunDetail;
  assert.deepEqual([detail.outcome, detail.level, detail.verdict], ["passed", "works", "Restored, booted and answered"]);
  assert.deepEqual(detail.notProven, []);
  assert.deepEqual(detail.steps[1], {
    step: "restore",
    state: "passed",
    startedAt: 1_767_600_001_000,
    endedAt: 1_767_600_100_000,
    reason: null,
    upid: null,
    log: ["progress 100%"],
  });
  const evidence = await ask("root@pam", "GET", `restore-tests/${id}/evidence.json`);
  const audit = evidence.json.audit as { reason: string }[];
  assert.deepEqual(
    audit.map(({ reason }) => reason),
    ["a look", "given to pve1", "passed: Restored, booted and answered"],
  );
  const screenshot = await gateway.ask("root@pam", "GET", `/api/v1/restore-tests/${id}/screenshot`);
  assert.deepEqual(Buffer.from(await screenshot.arrayBuffer()), png);
  const pdf = await gateway.ask("root@pam", "GET", `/api/v1/restore-tests/${id}/evidence.pdf`);
  const bytes = Buffer.from(await pdf.arrayBuffer());
  assert.equal(bytes.subarray(0, 5).toString(), "%PDF-");
  assert.ok(bytes.length > 3000, `${bytes.length} bytes`);
  assert.equal(hub.state.verifyAudit().ok, true);
});

test("a screenshot that is no picture spoils no evidence: the document says why it isn't there", async (t) => {
  const { run, hub, gateway } = restoreHub(t);
  const id = run(100, { screenshot: Buffer.from("not a picture").toString("base64") });
  const pdf = await gateway.ask("root@pam", "GET", `/api/v1/restore-tests/${id}/evidence.pdf`);
  assert.equal(pdf.status, 200);
  assert.equal(
    Buffer.from(await pdf.arrayBuffer())
      .subarray(0, 5)
      .toString(),
    "%PDF-",
  );
  const told = hub.restore.book.get(id);
  assert.ok(told);
  const sheet = sheetText(evidenceSheet(hub.restore.book.detail(told), [], { problem: "it is no PNG" }));
  assert.match(sheet, /There is a screenshot, but it can't be shown: it is no PNG\./);
});

test("a restore that takes more than twice as long is flagged in its record, the guest's proof, the report and the document", async (t) => {
  const { run, ask, hub } = restoreHub(t);
  run(100);
  await hub.clock.advance(60_000);
  const id = run(100, { measures: { restoreBytes: 10_000_000_000, restoreMs: 250_000, heartbeatMs: 39_000, serviceMs: 61_000 } });
  const worse = [
    { measure: "restoreSpeed", before: 100_000_000, now: 40_000_000, factor: 2.5 },
    { measure: "serviceMs", before: 30_000, now: 61_000, factor: 2 },
  ];
  assert.deepEqual((await ask("root@pam", "GET", `restore-tests/${id}`)).json.slower, worse);
  const proofs = (await ask("root@pam", "GET", "proof")).json.items;
  assert.deepEqual(proofs.find(({ vmid }) => vmid === 100)?.slower, worse);
  const report = (await ask("root@pam", "GET", `reports/restore?from=0&to=${hub.clock.now() + 1}`)).json;
  assert.deepEqual(
    (report.slower as { vmid: number; measure: string; factor: number }[]).map(({ vmid, measure }) => [vmid, measure]),
    [
      [100, "restoreSpeed"],
      [100, "serviceMs"],
    ],
  );
  const told = hub.restore.book.get(id);
  assert.ok(told);
  const sheet = sheetText(evidenceSheet(hub.restore.book.detail(told), [], undefined));
  assert.match(sheet, /Worse than the last good test: restore speed: 2\.5 times/);
});

test("a user sees and cancels runs of his guests only; the screen takes the right to its console", async (t) => {
  const { run, order, ask, gateway } = restoreHub(t);
  const hidden = run(101);
  const own = run(100);
  const open = order(100).id;
  const items = async (user: string) => (await ask(user, "GET", "restore-tests")).json.items.map(({ id }) => id);
  assert.deepEqual(await items("carol@pve"), [open, own]);
  assert.deepEqual(await items("alice@pve"), [open, own, hidden]);
  for (const [method, path] of [
    ["GET", ""],
    ["DELETE", ""],
    ["GET", "/evidence.json"],
  ] as const) {
    const { status } = await ask("carol@pve", method, `restore-tests/${hidden}${path}`);
    assert.equal(status, 404, `${method} ${path}`);
  }
  const status = async (user: string, method: string, path: string) =>
    (await gateway.ask(user, method, `/api/v1/restore-tests/${path}`)).status;
  assert.equal(await status("alice@pve", "GET", `${own}/screenshot`), 403, "auditors have no console");
  assert.equal(await status("bob@pve", "GET", `${own}/screenshot`), 200);
  assert.equal(await status("alice@pve", "DELETE", open), 403);
  assert.equal(await status("bob@pve", "DELETE", open), 200);
  assert.equal(await status("bob@pve", "DELETE", open), 409);
});

test("a guest carries its proof: never, proven, failed, and the newer one counts", async (t) => {
  const { run, ask, hub } = restoreHub(t);
  const proof = async () => (await ask("root@pam", "GET", "guests/100")).json.proof as Record<string, unknown>;
  assert.deepEqual(await proof(), { state: "never", level: "none", at: null, durationMs: null, runId: null });
  const at = hub.clock.now();
  const id = run(100);
  assert.deepEqual(await proof(), { state: "proven", level: "works", at, durationMs: at - 1_767_600_000_000, runId: id });
  await hub.clock.advance(1000);
  const failed = run(100, { outcome: "failed", level: "bytes", reason: "It did not boot" });
  assert.deepEqual([(await proof()).state, (await proof()).level, (await proof()).runId], ["failed", "bytes", failed]);
  await hub.clock.advance(1000);
  run(100, { outcome: "interrupted", level: "none", reason: "The node went down" });
  assert.equal((await proof()).state, "proven", "an interrupted test says nothing against the backup");
});

test("what a test left out stands beside its proof, and what became slow", async (t) => {
  const { run, ask, hub } = restoreHub(t);
  run(100);
  await hub.clock.advance(1000);
  const skipped = { name: "db", kind: "postgresql", state: "skipped" as const, reason: "no address" };
  const { bytesBy: _, ...unverified } = reportOf(restoreTest());
  run(100, { ...unverified, level: "boots", checks: [skipped], endedAt: hub.clock.now(), measures: { heartbeatMs: 50_000 } });
  const [guest] = (await ask("root@pam", "GET", "proof?guest=100")).json.items;
  assert.deepEqual(guest?.slower, [{ measure: "heartbeatMs", before: 20_000, now: 50_000, factor: 2.5 }]);
  const missing = (guest?.notProven ?? []) as string[];
  assert.ok(missing.includes("Check db was skipped: no address"), missing.join());
});

test("a step that nobody asked for leaves nothing out, where it proves nothing; a picture that wasn't taken does", () => {
  const step = (name: "keep" | "benchmark" | "screenshot", state: "skipped" | "unknown" = "skipped") => ({
    ...{ step: name, state, startedAt: 1, endedAt: 1, reason: "Not asked for", log: [] },
  });
  const report = reportOf(restoreTest(), {
    steps: [step("keep"), step("benchmark"), step("screenshot"), step("keep", "unknown")],
  });
  assert.deepEqual(notProven(report, "qemu"), ["Step screenshot: skipped, Not asked for", "Step keep: unknown, Not asked for"]);
  assert.deepEqual(notProven(report, "lxc"), ["Step keep: unknown, Not asked for"], "a container has no screen");
});

test("the copy that a test runs is no guest whose backups somebody has to prove; one that stays behind is", async (t) => {
  const { order, ask, hub, agent } = restoreHub(t);
  hub.fleet.inventory(agent, inventoryOf({ guests: [{ vmid: 100 }, { vmid: 101 }] }));
  const shown = async () => (await ask("root@pam", "GET", "proof")).json.items.map(({ vmid }) => vmid);
  const taken = async () => (await ask("root@pam", "GET", "policies")).json.items[0]?.guests;
  assert.deepEqual([await shown(), await taken()], [[100, 101], 2]);
  const run = order(100);
  hub.restore.book.tellLive(run, { testVmid: 101 });
  assert.deepEqual([await shown(), await taken()], [[100], 1]);
  hub.restore.operations.cancel(run.id, "root@pam");
  assert.deepEqual([await shown(), await taken()], [[100, 101], 2], "no test is open that made it");
});

test("is everything protected: each gap with its reason, and what isn't known is not yes", async (t) => {
  const { list, ask, hub, agent } = restoreHub(t);
  const day = 86_400_000;
  const now = hub.clock.now();
  const gaps = async () => {
    const [guest] = (await ask("root@pam", "GET", "proof?guest=100")).json.items;
    return [guest?.protected, ((guest?.gaps ?? []) as { gap: string }[]).map(({ gap }) => gap)];
  };
  assert.deepEqual(await gaps(), ["unknown", ["jobs-unknown", "no-backup", "never-proven"]]);
  list([3, 2, 1, 0].map((days) => backupOf(100, now - days * day, { bytes: days === 0 ? 50_000 : 1_000_000 })));
  assert.deepEqual(await gaps(), ["unknown", ["jobs-unknown", "size-shrank", "never-proven"]]);
  list([backupOf(100, now, { verification: { state: "failed", at: now as EpochMs } })]);
  assert.deepEqual(await gaps(), ["no", ["jobs-unknown", "backup-unverifiable", "never-proven"]]);
  const problem = "mount point is not there";
  hub.restore.session.backups(agent, { storage: "nfs1", shared: true, at: now + 1, part: 1, parts: 1, backups: [], problem });
  assert.deepEqual((await ask("root@pam", "GET", "backups?state=stale")).json.items.length, 1, "what was known stays, as old");
});

test("a Backup Server verifies a whole namespace, and each backup carries its own verdict, also after a restart", async (t) => {
  const { hub, agent, ask } = restoreHub(t);
  const pbs = { storage: "pbs1", type: "pbs", shared: true, content: ["backup"], enabled: true, nodes: [] };
  const zfs = { ...pbs, storage: "local-zfs", type: "zfspool", content: ["images"] };
  hub.fleet.inventory(agent, inventoryOf({ guests: [{ vmid: 100 }, { vmid: 101 }], storages: [pbs, zfs] }));
  const backups = [100, 101].map((vmid) =>
    backupOf(vmid, hub.clock.now() - 1000, { volid: `pbs1:backup/vm/${vmid}/2026-01-05T01:00:00Z`, format: "pbs-vm" }),
  );
  hub.restore.session.backups(agent, { storage: "pbs1", shared: true, at: 1, part: 1, parts: 1, backups });
  const order = (user: string, body: object) => ask(user, "POST", "verifications", { storage: "pbs1", ...body });
  assert.deepEqual(
    [(await order("bob@pve", {})).status, (await order("root@pam", { vmid: 100, datastore: true })).status],
    [404, 400],
  );
  assert.match(JSON.stringify((await order("root@pam", { storage: "local-zfs" })).json), /lies on no Backup Server/);
  const { status, json } = await order("root@pam", {});
  const run = hub.restore.book.get(String(json.id));
  if (run === undefined) throw new Error(JSON.stringify(json));
  assert.deepEqual([status, json.guest, run.operation.params], [201, null, { storage: "pbs1", outdatedDays: 30 }]);
  hub.restore.book.save({ ...run, state: "sent", node: agent.node, sentAt: hub.clock.now() }, { actor: "hub", reason: "given" });
  const snapshots = [
    { storage: "pbs1", volid: "pbs1:backup/vm/101/2026-01-05T01:00:00Z", state: "damaged" as const },
    { storage: "pbs1", volid: "pbs1:backup/vm/100/2026-01-05T01:00:00Z", state: "verified" as const },
  ];
  const times = { startedAt: hub.clock.now(), endedAt: hub.clock.now() };
  const reason = "1 of 2 backups are damaged: pbs1:backup/vm/101/2026-01-05T01:00:00Z";
  const report = { backup: { storage: "pbs1" }, state: "damaged" as const, reason, snapshots, ...times, log: [] };
  const result = { kind: "pbs-verify" as const, report };
  hub.restore.session.operation(agent, { type: "op.result", body: { id: run.id, result } });
  const states = async () =>
    (await ask("root@pam", "GET", "backups")).json.items.map(({ vmid, state }) => `${vmid} ${state}`).sort();
  assert.deepEqual(await states(), ["100 verified", "101 failed"]);
  const [of101] = (await ask("root@pam", "GET", "proof?guest=101")).json.items;
  assert.match(JSON.stringify(of101?.gaps), /backup-unverifiable/);
  const again = new RunBook(hub.state);
  const found = snapshots.map(({ volid }) => again.checked(clusterA, "pbs1", volid)?.state);
  assert.deepEqual(found, ["failed", "verified"]);
});
