import assert from "node:assert/strict";
import { test } from "node:test";
import { type Layout, layoutSchema, type ProtectionView } from "#protocol/panel.ts";
import type { GuestProofView } from "#protocol/proof.ts";
import type { RestoreReportView } from "#protocol/report.ts";
import { orderOf } from "../../support/operations-world.ts";
import { seenHub } from "../../support/seen-hub.ts";
import { inventoryOf } from "../../support/test-hub.ts";

const layout: Layout = {
  widgets: [{ id: "guests", width: "half", hidden: false }],
  filters: [{ name: "Production", filter: "tag:prod" }],
  guestColumns: ["guest", "state"],
};

test("each user has a layout of his own, and so has each key", async (t) => {
  const { gateway, app, hub } = seenHub(t);
  const of = async (user: string) => layoutSchema.parse(await (await gateway.ask(user, "GET", "/api/v1/layout")).json());
  assert.equal((await gateway.ask("bob@pve", "PUT", "/api/v1/layout", layout)).status, 200);
  assert.deepEqual(await of("bob@pve"), layout);
  assert.deepEqual(await of("root@pam"), { widgets: [], filters: [], guestColumns: [] });
  const [one, other] = [hub.newKey("read"), hub.newKey("read")];
  const ask = (key: string, method: string, body?: unknown) => {
    const headers = { Authorization: `Bearer ${key}`, "Content-Type": "application/json" };
    return app.request("/api/v1/layout", { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  };
  assert.equal((await ask(one, "PUT", layout)).status, 200);
  assert.deepEqual(await (await ask(other, "GET")).json(), { widgets: [], filters: [], guestColumns: [] });
  assert.deepEqual(await (await ask(one, "GET")).json(), layout);
});

test("a layout beyond its bounds, or with a field nobody knows, is refused and nothing is kept", async (t) => {
  const { gateway } = seenHub(t);
  const filters = Array.from({ length: 51 }, (_, index) => ({ name: `f${index}`, filter: "" }));
  assert.equal((await gateway.ask("bob@pve", "PUT", "/api/v1/layout", { ...layout, filters })).status, 400);
  assert.equal((await gateway.ask("bob@pve", "PUT", "/api/v1/layout", { ...layout, script: "x" })).status, 400);
  const kept = await (await gateway.ask("bob@pve", "GET", "/api/v1/layout")).json();
  assert.deepEqual(kept, { widgets: [], filters: [], guestColumns: [] });
});

test("protection follows the guest's own jobs; who doesn't see a guest isn't told of its backups; our test guests are nobody's to protect", async (t) => {
  const { gateway, hub, agent, app } = seenHub(t);
  const guests = [{ vmid: 100, name: "web" }, { vmid: 101 }, { vmid: 102, template: true }, { vmid: 990_000 }];
  const marked = { vmid: 990_001, name: "proven-test-100", tags: ["proven-test"] };
  const takenOver = { ...marked, vmid: 990_002, tags: [] };
  const job = { id: "nightly", type: "vzdump", enabled: true, schedule: "21:00", all: false, exclude: [], repeatMissed: false };
  hub.fleet.inventory(agent, inventoryOf({ guests: [...guests, marked, takenOver], backupJobs: [{ ...job, vmids: [100] }] }));
  const test = hub.restore.operations.start(orderOf(hub.clock.now(), { cluster: agent.cluster }));
  hub.restore.book.tellLive(test, { testVmid: 990_000 });
  const shown = async (answer: Response | Promise<Response>) => {
    const { items } = (await (await answer).json()) as { items: ProtectionView[] };
    return items.map(({ vmid, state, jobs, overdueSince, nextAt }) => ({
      vmid,
      state,
      jobs,
      overdueSince,
      hasNext: nextAt !== null,
    }));
  };
  const none = { state: "none", jobs: [], overdueSince: null, hasNext: false };
  const web = { vmid: 100, state: "unknown", jobs: [{ id: "nightly", schedule: "21:00" }], overdueSince: null, hasNext: true };
  const headers = { Authorization: `Bearer ${hub.newKey("read")}` };
  assert.deepEqual(await shown(app.request("/api/v1/protection", { headers })), [
    web,
    { vmid: 101, ...none },
    { vmid: 990_002, ...none },
  ]);
  assert.deepEqual(await shown(gateway.ask("bob@pve", "GET", "/api/v1/protection")), [web]);
  const { coverage } = (await (
    await app.request("/api/v1/reports/restore?from=0&to=1000", { headers })
  ).json()) as RestoreReportView;
  assert.deepEqual(coverage, { guests: 3, unproven: 3 }, "nor to prove");
});

test("a backup in a storage and a disk that it leaves out: protected in part, by name", async (t) => {
  const { gateway, hub, agent } = seenHub(t);
  const day = 86_400_000;
  hub.clock.jumpWall(60 * day);
  const now = hub.clock.now();
  const unprotected = [{ disk: "scsi1", why: "off" as const }];
  const job = { id: "nightly", type: "vzdump", enabled: true, schedule: "21:00", storage: "nfs1" };
  const backupJobs = [{ ...job, all: true, vmids: [], exclude: [], repeatMissed: false }];
  hub.fleet.inventory(agent, inventoryOf({ guests: [{ vmid: 100, unprotected }, { vmid: 101 }, { vmid: 103 }], backupJobs }));
  const backup = { type: "qemu" as const, format: "vma.zst", protected: false, encrypted: false };
  const backups = [
    { ...backup, volid: "nfs1:backup/100", vmid: 100, at: now - 1000 },
    { ...backup, volid: "nfs1:backup/101", vmid: 101, at: now - 1000 },
    { ...backup, volid: "nfs1:backup/103", vmid: 103, at: now - 4 * day },
  ];
  hub.restore.catalogue.take(agent, { storage: "nfs1", shared: true, at: now, part: 1, parts: 1, backups });
  const { items } = (await (await gateway.ask("root@pam", "GET", "/api/v1/protection")).json()) as { items: ProtectionView[] };
  assert.deepEqual(
    items.map(({ vmid, state, unprotected, backedUpAt, backupStorage }) => [vmid, state, unprotected, backedUpAt, backupStorage]),
    [
      [100, "partial", unprotected, now - 1000, "nfs1"],
      [101, "current", [], now - 1000, "nfs1"],
      [103, "overdue", [], now - 4 * day, "nfs1"],
    ],
  );
  const proof = (await (await gateway.ask("root@pam", "GET", "/api/v1/proof?guest=100")).json()) as { items: GuestProofView[] };
  const [view] = proof.items;
  assert.equal(view?.protected, "no");
  assert.deepEqual(view?.gaps[0], { gap: "disk-left-out", text: "Backups leave out scsi1" });
});
